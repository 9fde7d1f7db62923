import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { chooseConfiguration } from '../../src/engine/configuration.js'
import { probeExactness } from '../../src/engine/probe.js'
import { Context, type ContextOptions } from '../../src/llama/context.js'
import { Model } from '../../src/llama/model.js'
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
    const decoder = Object.assign(new FakeLogits(1), { canBranch: false })
    expect(await probeExactness(decoder)).toMatchObject({ level: 'bitwise', rows: 0 })
  })
})

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

  it('F16, whose kernels differ from CPU to CPU, is told for what it is and gets a configuration all the same', async () => {
    await using model = await load('F16', { type: 'F16' })
    const found = await chooseConfiguration(model, { wish: 'bitwise', fixed: {}, threads: 1, budgetMs: 1000 })
    expect(found.rows).toBeGreaterThan(20)
    expect(found.level).toBe(found.equalRows === found.rows ? 'bitwise' : 'token')
    expect(found.largestDifference > 0).toBe(found.level === 'token')
    expect(found.largestDifference).toBeLessThan(1)
  })

  it('keeps to what the user has decided', async () => {
    await using model = await load('fixed', { type: 'Q8_0' })
    const fixed = { keyType: 'q8_0', valueType: 'q8_0' } as const
    const found = await chooseConfiguration(model, { wish: 'bitwise', fixed, threads: 1, budgetMs: 1000 })
    expect(found).toMatchObject(fixed)
  })
})
