import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { Context } from '../../src/llama/context.js'
import { defaultThreads } from '../../src/llama/context-options.js'
import { Model } from '../../src/llama/model.js'
import { measureForwardCost } from '../../src/measure/calibration.js'
import type { Configuration } from '../../src/measure/candidates.js'
import { type Choice, chooseConfiguration } from '../../src/measure/configuration.js'
import { FakeDecoder } from '../helpers/fake-decoder.js'
import { writeRandomModel } from '../helpers/random-model.js'

let nowMs = 0
const stopClock = () => vi.spyOn(performance, 'now').mockImplementation(() => nowMs)
afterEach(() => void vi.restoreAllMocks())

/** A decoder whose forwards take a millisecond and a tenth for every further row, and what others add. */
class TimedDecoder extends FakeDecoder {
  readonly #others: () => number
  readonly #slowness: number

  constructor(others: () => number, slowness = 1) {
    super({ vocabularySize: 100, contextTokens: 600, batchTokens: 256 })
    this.#others = others
    this.#slowness = slowness
  }

  override async decode(): Promise<void> {
    const { size } = this.batch
    await super.decode()
    nowMs += this.#slowness * (0.9 + size / 10) + (size > 1 ? this.#others() : 0)
  }
}

describe('measureForwardCost', () => {
  it('finds the curve of a quiet machine', async () => {
    stopClock()
    const { cost, isSteady } = await measureForwardCost(new TimedDecoder(() => 0), { budgetMs: 1800 })
    expect(isSteady).toBe(true)
    for (const rows of [1, 8, 32]) expect(cost.ms(rows)).toBeCloseTo(0.9 + rows / 10, 6)
  })

  it('finds the curve of a device to 128 rows, however long it compiles first', async () => {
    stopClock()
    /** Compiles a size for seconds, records it the second time in a row, and replays it from the third on. */
    class Device extends FakeDecoder {
      readonly #seen = new Set<number>()
      #last = 0
      #inARow = 0

      override async decode(): Promise<void> {
        const { size } = this.batch
        await super.decode()
        this.#inARow = size === this.#last ? this.#inARow + 1 : 1
        this.#last = size
        nowMs += 10 + size / 50 + (this.#seen.has(size) ? 0 : 700) + ([0, 4, 2][this.#inARow] ?? 0)
        this.#seen.add(size)
      }
    }
    const decoder = new Device({ vocabularySize: 100, contextTokens: 1400, batchTokens: 256 })
    const shares: (number | undefined)[] = []
    const { cost, isSteady } = await measureForwardCost(decoder, {
      budgetMs: 1800,
      onDevice: true,
      onProgress: ({ stage, share }) => stage === 'warming' && shares.push(share),
    })
    expect(isSteady).toBe(true)
    expect(cost.points.at(-1)?.rows).toBe(128)
    for (const rows of [1, 8, 64, 128]) expect(cost.ms(rows)).toBeCloseTo(10 + rows / 50, 6)
    expect(shares).toHaveLength(14)
    expect(shares[0]).toBe(0)
  })

  it('finds the curve of a slow model in two seconds', async () => {
    stopClock()
    const began = nowMs
    const { cost, isSteady } = await measureForwardCost(new TimedDecoder(() => 0, 120), { budgetMs: 1800 })
    expect(nowMs - began).toBeLessThan(2000)
    expect(isSteady).toBe(true)
    for (const rows of [1, 4, 8, 16, 32]) expect(cost.ms(rows)).toBeCloseTo(120 * (0.9 + rows / 10), 6)
  })

  it('does not rely on what it has seen of a model too slow to be measured', async () => {
    stopClock()
    const began = nowMs
    const { cost, isSteady } = await measureForwardCost(new TimedDecoder(() => 0, 600), { budgetMs: 1800 })
    expect(nowMs - began).toBeLessThan(4 * 1800)
    expect(isSteady).toBe(false)
    expect(cost.ms(1)).toBeCloseTo(600, 6)
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
  const threadsWhere = async (...args: Parameters<typeof choiceWhere>) => (await choiceWhere(...args)).exactness.threads

  /** What is chosen for a model whose forwards take so long and compute nothing. */
  async function choiceWhere(
    forwardMs: (threads: number, rows: number) => number,
    fixed: Partial<Configuration> = { flashAttention: true, keyType: 'bf16', valueType: 'f16' },
  ): Promise<Choice> {
    const folder = mkdtempSync(path.join(tmpdir(), 'lookahead-busy-'))
    try {
      const file = path.join(folder, 'model.gguf')
      writeRandomModel(file, { seed: 31 })
      await using model = await Model.load(file, { kernels: 'off' })
      vi.spyOn(Context.prototype, 'decode').mockImplementation(async function (this: Context) {
        nowMs += forwardMs(this.threads, this.batch.size)
      })
      stopClock()
      return await chooseConfiguration(model, { wish: 'bitwise', fixed, budgetMs: 50 })
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

  it('says that forwards were held up, so that nothing of it is kept', async () => {
    const held = await choiceWhere((threads) => (threads > 1 ? 600 : 1))
    expect(held.isHeldUp).toBe(true)
    expect((await choiceWhere((threads) => 1 / threads, {})).isHeldUp).toBe(false)
  })

  it.each([
    ['a fast model', 0.3, 0.6, 0.9],
    ['a model of seven gigabytes', 130, 270, 440],
    ['a model of half a gigabyte', 11, 25, 43],
    ['one of a quarter', 5.9, 12, 22],
  ])('keeps the cores for %s on a quiet machine, and says that nothing was held up', async (_, one, four, eight) => {
    const description = Model.prototype.describe
    vi.spyOn(Model.prototype, 'describe').mockImplementation(function (this: Model) {
      return { ...description.call(this), weightBytes: one * 3.5e7 }
    })
    const forwardMs = (threads: number, rows: number) =>
      (threads === 1 ? 1.8 : 1) * (rows === 1 ? one : rows <= 4 ? four : eight * (rows / 8))
    const { exactness, isHeldUp } = await choiceWhere(forwardMs, {})
    expect(exactness.threads).toBe(defaultThreads())
    expect(isHeldUp).toBe(false)
  })

  it('keeps the cores where nothing is held up', async () => {
    expect(await threadsWhere((threads) => 1 / threads, {})).toBe(defaultThreads())
  })
})
