import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, describe, expect, it, vi } from 'vitest'
import { Engine } from '../../src/engine/engine.js'
import { EngineError } from '../../src/engine/error.js'
import { TestServer } from './server.js'

const folder = mkdtempSync(path.join(tmpdir(), 'lookahead-slots-'))
afterAll(() => rmSync(folder, { recursive: true }))
const server = TestServer.forFile({ server: { slotSavePath: folder } })
const plain = TestServer.forFile()

const prompt = 'The Selford Gold travel insurance is offered by Selford. You need a valid passport. '.repeat(8)
const ask = (id_slot?: number) => server.ask('/completion', { prompt, n_predict: 2, id_slot })
// biome-ignore lint/suspicious/noExplicitAny: tests read into answers of many shapes
const act = async (id: number | string, action: string, body?: unknown): Promise<{ status: number; body: any }> => {
  const path = `/slots/${id}?action=${action}`
  if (body !== undefined) return server.ask(path, body)
  const response = await server.app.request(path, { method: 'POST' })
  return { status: response.status, body: await response.json() }
}

describe('POST /slots/{id}', () => {
  it('saves a prompt, erases it, and restores it', async () => {
    const first = await ask(1)
    expect(first.body).toMatchObject({ id_slot: 1, timings: { cache_n: 0 } })
    const saved = await act(1, 'save', { filename: 'one.bin' })
    expect(saved).toMatchObject({ status: 200, body: { id_slot: 1, filename: 'one.bin', timings: {} } })
    const { n_saved, n_written } = saved.body
    expect(n_saved).toBeGreaterThanOrEqual(64)
    expect(first.body.tokens_evaluated - n_saved).toBeLessThanOrEqual(64)
    expect(readFileSync(path.join(folder, 'one.bin'))).toHaveLength(n_written)
    expect((await ask(1)).body.timings.cache_n).toBe(n_saved)

    expect((await act(1, 'erase')).body).toEqual({ id_slot: 1, n_erased: n_saved })
    expect((await act(1, 'erase')).body).toEqual({ id_slot: 1, n_erased: 0 })
    expect((await act(1, 'save', { filename: 'x' })).body.error.message).toBe('slot 1 has read no prompt yet')
    expect((await ask(1)).body.timings.cache_n).toBe(0)
    await act(1, 'erase')

    const restored = await act(0, 'restore', { filename: 'one.bin' })
    expect(restored.body).toMatchObject({ id_slot: 0, n_restored: n_saved, n_read: n_written })
    const again = await ask(0)
    expect(again.body.timings.cache_n).toBe(n_saved)
    expect(again.body.content).toBe(first.body.content)
    expect((await act(0, 'save', { filename: 'two.bin' })).body.n_saved).toBe(n_saved)
    expect(readFileSync(path.join(folder, 'two.bin')).equals(readFileSync(path.join(folder, 'one.bin')))).toBe(true)
  })

  it('says 507 where the disk is full', async () => {
    await ask(1)
    const full = new EngineError('invalid-parameter', `${folder}/one.bin cannot be written: the disk is full`, {
      cause: Object.assign(new Error(), { code: 'ENOSPC' }),
    })
    const save = vi.spyOn(Engine.prototype, 'savePrompt').mockRejectedValueOnce(full)
    const refused = await act(1, 'save', { filename: 'one.bin' })
    save.mockRestore()
    expect(refused).toMatchObject({ status: 507, body: { error: { type: 'server_error', code: 'disk_full' } } })
    expect(refused.body.error.message).toBe('one.bin cannot be written: the disk is full')
  })

  it('counts slots for those who name none, and takes chats', async () => {
    const messages = [{ role: 'user', content: prompt }]
    const chat = await server.ask('/v1/chat/completions', { messages, max_tokens: 2, verbose: true })
    const slot = chat.body.__verbose.id_slot
    expect([0, 1]).toContain(slot)
    expect((await act(slot, 'save', { filename: 'chat' })).body.n_saved).toBeGreaterThanOrEqual(64)
    expect((await ask(7)).body.id_slot).toBe(1)
  })

  it('keeps namespaces apart', async () => {
    await server.ask('/completion', { prompt, n_predict: 1, id_slot: 0, namespace: 'acme' })
    await act(0, 'save', { filename: 'acme.bin' })
    expect(readdirSync(folder)).not.toContain('acme.bin')
    expect((await act(0, 'restore', { filename: 'acme.bin' })).status).toBe(400)
    expect((await act(0, 'restore', { filename: 'acme.bin', namespace: 'acme' })).status).toBe(200)
  })

  it.each([
    [{ filename: '../x' }, /expected the name of a file/],
    [{ filename: '..' }, /expected the name of a file/],
    [{ filename: '' }, /expected the name of a file/],
    [{ filename: 'a\0b' }, /expected the name of a file/],
    [{}, /filename/],
    [{ filename: 'missing.bin' }, /^filename: missing\.bin cannot be read/],
    [{ filename: 'damaged.bin' }, /^filename: damaged\.bin is damaged/],
    [{ filename: 'foreign.bin' }, /^filename: foreign\.bin holds no prompt/],
  ])('refuses %j', async (body, sentence) => {
    await ask(0)
    await act(0, 'save', { filename: 'damaged.bin' })
    const bytes = readFileSync(path.join(folder, 'damaged.bin'))
    bytes[bytes.length >> 1] ^= 1
    writeFileSync(path.join(folder, 'damaged.bin'), bytes)
    writeFileSync(path.join(folder, 'foreign.bin'), 'GGUF and more')
    const { status, body: answer } = await act(0, 'restore', body)
    expect(status).toBe(400)
    expect(answer.error.message).toMatch(sentence)
    expect(answer.error.message).not.toContain(folder)
  })

  it('refuses other slots and actions, and does nothing where it was not started for it', async () => {
    expect((await act(2, 'save', { filename: 'x' })).body.error.message).toMatch(/a slot from 0 to 1, got 2/)
    expect((await act('x', 'erase')).status).toBe(400)
    expect((await act(0, 'load', { filename: 'x' })).body.error.message).toMatch(/expected save, restore or erase/)
    const { status, body } = await plain.ask('/slots/0?action=save', { filename: 'x' })
    expect([status, body.error.message]).toEqual([501, expect.stringContaining('--slot-save-path')])
    expect((await plain.ask('/completion', { prompt: 'You', n_predict: 1, id_slot: 0 })).body.id_slot).toBe(-1)
  })
})
