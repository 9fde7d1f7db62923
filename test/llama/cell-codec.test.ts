import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { CellCodec } from '../../src/llama/cell-codec.js'
import { Context } from '../../src/llama/context.js'
import type { CacheType } from '../../src/llama/context-options.js'
import { Model } from '../../src/llama/model.js'
import { writeRandomModel } from '../helpers/random-model.js'

const folder = mkdtempSync(path.join(tmpdir(), 'lookahead-cells-'))
const file = path.join(folder, 'model.gguf')
beforeAll(() => writeRandomModel(file, { seed: 43, type: 'Q8_0', architecture: 'qwen2' }))
afterAll(() => rmSync(folder, { recursive: true }))

const block = 64
const prompt = Array.from({ length: 5 * block + 9 }, (_, i) => 100 + ((i * 7919) % 300))

const makeContext = (model: Model, keyType: CacheType, valueType: CacheType, flashAttention = true) =>
  Context.create(model, { contextTokens: 1024, maxSequences: 2, threads: 1, keyType, valueType, flashAttention })

/** Reads tokens `from` … `to`-1 of the prompt in one forward; the logits of the last row. */
async function read(context: Context, from: number, to: number, sequence = 0): Promise<Float32Array> {
  const { batch } = context
  batch.clear()
  for (let i = from; i < to; i++) batch.addSequence(batch.add(prompt[i], i, i === to - 1), sequence)
  await context.decode()
  return context.logits.slice(0, context.vocabularySize)
}

/** A state of one cell. */
async function sample(context: Context): Promise<Uint8Array> {
  await read(context, 0, 1)
  const state = await context.readCells(0)
  context.clear()
  return state
}

const bytesOf = (blocks: readonly Uint8Array[]) => blocks.map((one) => Buffer.from(one).toString('base64'))

describe('CellCodec', () => {
  it('cuts what was read into the same blocks, however it was read', async () => {
    await using model = await Model.load(file)
    await using reader = await makeContext(model, 'f16', 'f16')
    const state = await sample(reader)
    const codec = CellCodec.between(state, state)!
    const borders = [
      [0, 320],
      [0, 64, 128, 192, 256, 320],
      [0, 192, 320],
      [0, 67, 134, 205, 320],
    ]
    const found: string[][] = []
    for (const ends of borders) {
      reader.clear()
      for (let i = 1; i < ends.length; i++) await read(reader, ends[i - 1], ends[i])
      found.push(bytesOf(codec.split(await reader.readCells(0), block)))
    }
    // Two blocks of an earlier reading, the rest read after them.
    reader.clear()
    await read(reader, 0, 320)
    const earlier = codec.split(await reader.readCells(0), block).slice(0, 2)
    reader.clear()
    await reader.writeCells(0, await codec.restore(earlier, block))
    await read(reader, 128, 320)
    reader.copySequence(0, 1, 128, 320)
    const later = codec.split(await reader.readCells(1), block)
    found.push(bytesOf([...earlier, ...later]))
    expect(found[0]).toHaveLength(5)
    for (const other of found.slice(1)) expect(other).toEqual(found[0])
  })

  it('hands cells over to a context of other types, where rows are the same in forwards of one and of several', async () => {
    await using model = await Model.load(file)
    await using reader = await makeContext(model, 'f16', 'f16')
    for (const [keyType, valueType] of [
      ['bf16', 'f16'],
      ['f16', 'bf16'],
    ] as const) {
      await using writer = await makeContext(model, keyType, valueType)
      const codec = CellCodec.between(await sample(reader), await sample(writer))!
      await read(reader, 0, 320)
      const state = await codec.convert(codec.split(await reader.readCells(0), block), block)
      reader.clear()
      const rows: Float32Array[] = []
      for (const steps of [[328], [321, 322, 325, 328], [320 + 7, 328]]) {
        await writer.writeCells(0, state)
        // What comes back is what was put in.
        expect(Buffer.compare(Buffer.from(await writer.readCells(0)), Buffer.from(state))).toBe(0)
        let from = 320
        let row: Float32Array | undefined
        for (const to of steps) {
          row = await read(writer, from, to)
          from = to
        }
        rows.push(row!)
        writer.clear()
      }
      for (const row of rows.slice(1)) expect(row).toEqual(rows[0])
      // And near to what the writer would have read itself.
      await read(writer, 0, 320)
      const own = await read(writer, 320, 328)
      const apart = own.reduce((most, value, i) => Math.max(most, Math.abs(value - rows[0][i])), 0)
      expect(apart).toBeGreaterThan(0)
      expect(apart).toBeLessThan(0.2)
    }
  })

  it('rounds every half to the nearest brain float', async () => {
    await using model = await Model.load(file)
    await using reader = await makeContext(model, 'f16', 'f16')
    await using writer = await makeContext(model, 'bf16', 'f16')
    const codec = CellCodec.between(await sample(reader), await sample(writer))!
    const halves = Uint16Array.from({ length: 65_536 }, (_, half) => half)
    const perBlock = (block * codec.cellBytes) / 2
    const bf16Of: number[] = []
    for (let from = 0; from < halves.length; from += 512) {
      // The first bytes of a block are keys of the first layer.
      const numbers = new Uint16Array(perBlock)
      numbers.set(halves.subarray(from, from + 512))
      const state = await codec.convert([new Uint8Array(numbers.buffer)], block)
      const at = 16 + block * 12 + 8 + 12
      for (let i = 0; i < 512; i++) bf16Of.push(state[at + 2 * i] | (state[at + 2 * i + 1] << 8))
    }
    const valueOfHalf = (half: number) => {
      const [sign, exponent, mantissa] = [half >> 15 ? -1 : 1, (half >> 10) & 31, half & 1023]
      if (exponent === 31) return mantissa ? Number.NaN : sign * Number.POSITIVE_INFINITY
      return sign * (exponent ? (1024 + mantissa) * 2 ** (exponent - 25) : mantissa * 2 ** -24)
    }
    const valueOfBf16 = (bits: number) => new Float32Array(new Uint32Array([bits << 16]).buffer)[0]
    for (let half = 0; half < 65_536; half++) {
      const exact = valueOfHalf(half)
      const got = valueOfBf16(bf16Of[half])
      if (!Number.isFinite(exact)) {
        expect(got).toBe(exact)
        continue
      }
      const error = Math.abs(got - exact)
      for (const near of [bf16Of[half] - 1, bf16Of[half] + 1]) {
        const other = Math.abs(valueOfBf16(near & 0xffff) - exact)
        if (!(error < other || (error === other && bf16Of[half] % 2 === 0)) && Number.isFinite(other) && exact !== 0)
          expect.fail(`${half}: ${got} for ${exact}`)
      }
    }
  })

  it('declines what is of another form', async () => {
    await using model = await Model.load(file)
    await using reader = await makeContext(model, 'f16', 'f16')
    await using plain = await makeContext(model, 'f16', 'f16', false)
    await using packed = await makeContext(model, 'q8_0', 'f16')
    const state = await sample(reader)
    expect(CellCodec.between(state, await sample(plain))).toBeUndefined()
    expect(CellCodec.between(state, await sample(packed))).toBeUndefined()
    expect(CellCodec.between(state, state.subarray(0, state.length - 1))).toBeUndefined()
    expect(CellCodec.between(new Uint8Array(4), state)).toBeUndefined()
  })
})
