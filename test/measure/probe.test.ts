import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Context } from '../../src/llama/context.js'
import type { ContextOptions } from '../../src/llama/context-options.js'
import { Model } from '../../src/llama/model.js'
import { chooseConfiguration, noiseOf } from '../../src/measure/configuration.js'
import { probeExactness } from '../../src/measure/probe.js'
import { FakeDecoder } from '../helpers/fake-decoder.js'
import { type RandomModelOptions, writeRandomModel } from '../helpers/random-model.js'

/** A fake decoder whose rows are one number, wrong by `error` where a forward has more than one row. */
class FakeLogits extends FakeDecoder {
  #logits = new Float32Array(0)
  readonly #error: number

  constructor(error: number) {
    super({ vocabularySize: 1 << 16, contextTokens: 512, batchTokens: 512 })
    this.#error = error
  }

  get logits(): Float32Array {
    return this.#logits
  }

  override async decode(): Promise<void> {
    await super.decode()
    const { batch, vocabularySize } = this
    this.#logits = new Float32Array(batch.outputCount * vocabularySize)
    for (let row = 0; row < batch.size; row++)
      if (batch.outputs[row])
        this.#logits[batch.outputRows[row] * vocabularySize] =
          (this.rowHash(row) % 1000) + (batch.size > 1 ? this.#error : 0)
  }
}

describe('probeExactness', () => {
  it('finds every row equal in a decoder that computes them alike, and leaves its cache empty', async () => {
    const decoder = new FakeLogits(0)
    const result = await probeExactness(decoder, { depth: 40 })
    expect(result).toMatchObject({ level: 'bitwise', largestDifference: 0 })
    expect(result.rows).toBeGreaterThan(20)
    expect(result.equalRows).toBe(result.rows)
    expect(decoder.usedCells).toBe(0)
  })

  it('tries drafts as large as it is asked to', async () => {
    // Wrong only in forwards of more rows than a short draft has, as kernels of devices may be.
    class Wide extends FakeLogits {
      override async decode(): Promise<void> {
        await super.decode()
        if (this.batch.size > 40 && this.batch.size < 100) this.logits[this.batch.outputRows[0]] += 0.25
      }
    }
    expect(await probeExactness(new Wide(0), { depth: 140 })).toMatchObject({ level: 'bitwise' })
    const wide = new Wide(0)
    expect(await probeExactness(wide, { depth: 140, nodes: 64 })).toMatchObject({ level: 'token' })
    expect(await probeExactness(new FakeLogits(0), { depth: 140, nodes: 64 })).toMatchObject({ level: 'bitwise' })
    expect(wide.usedCells).toBe(0)
  })

  it('compares rows in company where requests will share forwards', async () => {
    // Wrong only in forwards with a stranger, whose rows stand at the end.
    class Shy extends FakeLogits {
      override async decode(): Promise<void> {
        await super.decode()
        const { batch } = this
        // Ids below 4 are those of the request and its branches.
        if (batch.sequences[(batch.size - 1) * batch.maxSequences] >= 4) this.logits[batch.outputRows[0]] += 0.25
      }
    }
    expect(await probeExactness(new FakeLogits(0), { depth: 140, company: true })).toMatchObject({ level: 'bitwise' })
    expect(await probeExactness(new Shy(0), { depth: 140 })).toMatchObject({ level: 'bitwise' })
    const shy = new Shy(0)
    expect(await probeExactness(shy, { depth: 140, company: true })).toMatchObject({ level: 'token' })
    expect(shy.usedCells).toBe(0)
  })

  it('tells the largest difference where rows differ', async () => {
    const result = await probeExactness(new FakeLogits(0.5), { depth: 40 })
    expect(result).toMatchObject({ level: 'token', largestDifference: 0.5 })
    expect(result.equalRows).toBeLessThan(result.rows)
  })

  it('needs nothing compared where nothing can be drafted', async () => {
    const decoder = Object.assign(new FakeLogits(1), { canBranch: false, rollback: 0 })
    expect(await probeExactness(decoder)).toMatchObject({ level: 'bitwise', rows: 0 })
  })
})

/** Whether a forward of several rows gives each the logits it has alone, at some depth of a text. */
async function rowsAreEqual(context: Context, depth: number, rows: number): Promise<boolean> {
  const { batch, vocabularySize } = context
  const tokenAt = (position: number) => 300 + ((position * 7919 + 31) % (vocabularySize - 300))
  const forward = async (from: number, to: number, outputs: boolean) => {
    batch.clear()
    for (let at = from; at < to; at++) batch.addSequence(batch.add(tokenAt(at), at, outputs || at === to - 1), 0)
    await context.decode()
  }
  context.clear()
  await forward(0, depth, false)
  const alone: Float32Array[] = []
  for (let at = depth; at < depth + rows; at++) {
    await forward(at, at + 1, true)
    alone.push(context.logits.slice(0, vocabularySize))
  }
  context.removePositions(0, depth, -1)
  await forward(depth, depth + rows, true)
  return alone.every((row, i) => row.every((logit, id) => Object.is(logit, context.logits[i * vocabularySize + id])))
}

describe('real models', () => {
  let folder = ''
  beforeAll(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'lookahead-probe-'))
  })
  afterAll(() => rmSync(folder, { recursive: true }))

  const load = async (name: string, options: RandomModelOptions) => {
    const file = path.join(folder, `${name}.gguf`)
    writeRandomModel(file, options)
    return Model.load(file)
  }
  const size: ContextOptions = { contextTokens: 512, batchTokens: 512, maxSequences: 5, threads: 1 }

  it.each(['Q8_0', 'Q4_0'] as const)('%s is bitwise with unequal cache types, in either order', async (type) => {
    await using model = await load(type, { type })
    for (const [keyType, valueType] of [
      ['bf16', 'f16'],
      ['f16', 'bf16'],
    ] as const) {
      await using context = await Context.create(model, { ...size, keyType, valueType })
      const result = await probeExactness(context, { depth: 160, company: true })
      expect(result).toMatchObject({ level: 'bitwise', largestDifference: 0 })
    }
  })

  // Whether rows of a forward depend on their number is a matter of the processor too: most compute one row of F16
  // with other kernels than several, some (with AMX) do not. So what the probe says is held against a longer look.
  it.each(['F16', 'BF16', 'F32', 'Q8_0'] as const)('%s is called bitwise only if every row is equal', async (type) => {
    await using model = await load(`${type}-longer`, { type })
    const { exactness: found } = await chooseConfiguration(model, {
      wish: 'bitwise',
      fixed: {},
      threads: 1,
      budgetMs: 1000,
    })
    expect(found.rows).toBeGreaterThan(20)
    expect(found.level).toBe(found.equalRows === found.rows ? 'bitwise' : 'token')
    expect(found.largestDifference > 0).toBe(found.level === 'token')
    expect(found.largestDifference).toBeLessThan(1)
    const { flashAttention, keyType, valueType } = found
    await using context = await Context.create(model, { ...size, flashAttention, keyType, valueType })
    let equal = true
    for (const depth of [1, 90, 380])
      for (let rows = 2; rows <= 32; rows++) equal &&= await rowsAreEqual(context, depth, rows)
    if (found.level === 'bitwise') expect(equal).toBe(true)
  })

  it('keeps to what the user has decided', async () => {
    await using model = await load('fixed', { type: 'Q8_0' })
    const fixed = { keyType: 'q8_0', valueType: 'q8_0' } as const
    const { exactness: found } = await chooseConfiguration(model, {
      wish: 'bitwise',
      fixed,
      threads: 1,
      budgetMs: 1000,
    })
    expect(found).toMatchObject(fixed)
  })
})

describe('the noise that the near-tie guard allows for', () => {
  const probed = (level: 'bitwise' | 'token', largestDifference: number) => ({
    level,
    largestDifference,
    rows: 48,
    equalRows: 40,
  })

  it('is none where rows are exact or nobody wants a guard', () => {
    expect(noiseOf(probed('bitwise', 0), 'bitwise')).toBe(0)
    expect(noiseOf(probed('token', 0.3), 'fastest')).toBe(0)
  })

  it('is twice what the probe saw, and something even where it saw nothing', () => {
    expect(noiseOf(probed('token', 0.3), 'token')).toBeCloseTo(0.6)
    expect(noiseOf(probed('token', 0), 'token')).toBeGreaterThan(0)
    expect(noiseOf(probed('token', 0), 'bitwise')).toBeGreaterThan(0)
  })
})
