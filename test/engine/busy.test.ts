import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { measureForwardCost } from '../../src/engine/calibration.js'
import { type Configuration, chooseConfiguration } from '../../src/engine/configuration.js'
import { Context, defaultThreads } from '../../src/llama/context.js'
import { Model } from '../../src/llama/model.js'
import { FakeDecoder } from '../helpers/fake-decoder.js'
import { writeRandomModel } from '../helpers/random-model.js'

let nowMs = 0
const stopClock = () => vi.spyOn(performance, 'now').mockImplementation(() => nowMs)
afterEach(() => void vi.restoreAllMocks())

/** A decoder whose forwards take a millisecond and a tenth for every further row, and what others add. */
class TimedDecoder extends FakeDecoder {
  readonly #others: () => number

  constructor(others: () => number) {
    super({ vocabularySize: 100, contextTokens: 600, batchTokens: 256 })
    this.#others = others
  }

  override async decode(): Promise<void> {
    const { size } = this.batch
    await super.decode()
    nowMs += 0.9 + size / 10 + (size > 1 ? this.#others() : 0)
  }
}

describe('measureForwardCost', () => {
  it('finds the curve of a quiet machine', async () => {
    stopClock()
    const { cost, isSteady } = await measureForwardCost(new TimedDecoder(() => 0), { budgetMs: 1800 })
    expect(isSteady).toBe(true)
    for (const rows of [1, 8, 32]) expect(cost.ms(rows)).toBeCloseTo(0.9 + rows / 10, 6)
  })

  it('leaves drafts a chance where a busy machine made every larger forward look hopeless', async () => {
    stopClock()
    let turn = 0
    for (const others of [() => 1 + 9 * (turn++ % 5), () => 100]) {
      const { cost, isSteady } = await measureForwardCost(new TimedDecoder(others), { budgetMs: 1800 })
      expect(isSteady).toBe(false)
      for (const { rows, ms } of cost.points) expect(ms / cost.ms(1)).toBeLessThanOrEqual(1 + 0.4 * (rows - 1) + 1e-9)
    }
  })
})

describe.skipIf(defaultThreads() === 1)('chooseConfiguration', () => {
  /** Threads chosen for a model whose forwards take so long and compute nothing. */
  async function threadsWhere(
    forwardMs: (threads: number) => number,
    fixed: Partial<Configuration> = { flashAttention: true, keyType: 'bf16', valueType: 'f16' },
  ): Promise<number | undefined> {
    const folder = mkdtempSync(path.join(tmpdir(), 'lookahead-busy-'))
    try {
      const file = path.join(folder, 'model.gguf')
      writeRandomModel(file, { seed: 31 })
      await using model = await Model.load(file)
      vi.spyOn(Context.prototype, 'decode').mockImplementation(async function (this: Context) {
        nowMs += forwardMs(this.threads)
      })
      stopClock()
      return (await chooseConfiguration(model, { wish: 'bitwise', fixed, budgetMs: 50 })).threads
    } finally {
      rmSync(folder, { recursive: true })
    }
  }

  it('takes one thread where several are held up longer than any tiny model takes', async () => {
    expect(await threadsWhere((threads) => (threads > 1 ? 600 : 1))).toBe(1)
  })

  it('keeps the cores where one thread is as slow', async () => {
    expect(await threadsWhere(() => 600)).toBe(defaultThreads())
  })
  it.each([0, 30])('goes on with one thread where others take the cores later, %i forwards on', async (later) => {
    let compared = false
    let forwards = 0
    const forwardMs = (threads: number) => {
      compared ||= threads === 1
      if (threads === 1) return 1
      return compared && forwards++ >= later ? 200 : 0.5
    }
    expect(await threadsWhere(forwardMs, {})).toBe(1)
    expect(forwards).toBeGreaterThan(later)
  })

  it('keeps the cores where nothing is held up', async () => {
    expect(await threadsWhere((threads) => 1 / threads, {})).toBe(defaultThreads())
  })
})
