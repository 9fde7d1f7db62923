import { describe, expect, it } from 'vitest'
import { createApp } from '../../src/server/app.js'
import { TestServer } from './server.js'

const server = TestServer.forFile({ slots: 1 })
const ask = async (options: object, model: string) => {
  const app = createApp(server.engine, { model: 'first', ...options })
  const body = JSON.stringify({ model, messages: [{ role: 'user', content: 'Hi' }], max_tokens: 1 })
  const headers = { 'Content-Type': 'application/json' }
  const response = await app.request('/v1/chat/completions', { method: 'POST', headers, body })
  // biome-ignore lint/suspicious/noExplicitAny: tests read into answers of many shapes
  return { status: response.status, body: (await response.json()) as any, app }
}

describe('models by name', () => {
  it('are several, each with its own engine', async () => {
    const options = { models: { second: server.engine, late: new Promise<never>(() => {}) } }
    for (const name of ['first', 'second']) expect((await ask(options, name)).body.model).toBe(name)
    expect((await ask(options, 'late')).status).toBe(503)
    const { status, body, app } = await ask(options, 'third')
    expect(status).toBe(404)
    expect(body.error.message).toMatch(/'third' is not served here; this server has 'first', 'second', 'late'/)
    const list = await (await app.request('/v1/models')).json()
    expect(list).toMatchObject({ data: [{ id: 'first' }, { id: 'second' }] })
  })

  it('have aliases, or are taken for any', async () => {
    expect((await ask({ aliases: ['gpt-4o'] }, 'gpt-4o')).body.model).toBe('first')
    expect((await ask({ aliases: ['gpt-4o'] }, 'gpt-4')).status).toBe(404)
    expect((await ask({ anyModel: true }, 'gpt-4')).body.model).toBe('first')
  })

  it('stand under a prefix, and take the key in either header', async () => {
    const app = createApp(server.engine, { prefix: '/llm', apiKeys: ['k'] })
    expect((await app.request('/llm/health')).status).toBe(200)
    expect((await app.request('/health')).status).toBe(404)
    expect((await app.request('/llm/v1/models')).status).toBe(401)
    expect((await app.request('/llm/v1/models', { headers: { 'x-api-key': 'k' } })).status).toBe(200)
    expect((await app.request('/llm/v1/models', { method: 'PUT', headers: { 'x-api-key': 'k' } })).status).toBe(405)
  })
})
