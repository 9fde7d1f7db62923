import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Context } from '../../src/llama/context.js'
import { Model } from '../../src/llama/model.js'
import { writeRandomModel } from '../helpers/random-model.js'

const folder = mkdtempSync(path.join(tmpdir(), 'lookahead-context-'))
const file = path.join(folder, 'model.gguf')
beforeAll(() => writeRandomModel(file, { seed: 41 }))
afterAll(() => rmSync(folder, { recursive: true }))

function lay({ batch }: Context, token: number, position: number): void {
  batch.clear()
  batch.addSequence(batch.add(token, position, true), 0)
}

describe('Context.decode', () => {
  it('lets the event loop have its turn with every forward, however short', async () => {
    await using model = await Model.load(file)
    await using context = await Context.create(model, { threads: 1, contextTokens: 256 })
    let turns = 0
    let isOver = false
    const count = () => {
      turns++
      if (!isOver) setImmediate(count)
    }
    setImmediate(count)
    for (let position = 0; position < 200; position++) {
      lay(context, position % 7, position)
      await context.decode()
    }
    isOver = true
    expect(turns).toBeGreaterThanOrEqual(199)
  })

  it('gives the same bits on another thread, as the first forward of a size, and on its own, as the next', async () => {
    await using model = await Model.load(file)
    await using context = await Context.create(model, { threads: 1, contextTokens: 256 })
    const rows = []
    for (let turn = 0; turn < 3; turn++) {
      lay(context, 5, 0)
      await context.decode()
      rows.push(Float32Array.from(context.logits))
      context.removePositions(0, 0, -1)
    }
    expect(rows[1]).toEqual(rows[0])
    expect(rows[2]).toEqual(rows[0])
  })

  it('refuses a second forward beside one that has left the thread', async () => {
    await using model = await Model.load(file)
    await using context = await Context.create(model, { threads: 1, contextTokens: 256 })
    lay(context, 1, 0)
    const running = context.decode()
    await expect(context.decode()).rejects.toThrow('a forward is already running in this context')
    await running
  })
})
