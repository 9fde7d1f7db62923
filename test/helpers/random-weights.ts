/**
 * Random weights as the bytes of a tensor, in any type the GGUF writer knows, at about 1 GB/s.
 *
 * Weights are uniform with mean 0 and a given standard deviation, per row. Dense types pick one of 4,096 levels with
 * 12 random bits. Quantised types need no quantiser: every bit pattern of the quants is valid, so a block is random
 * bytes with its scales written over them:
 *
 *     Q8_0   │ d │ 32 × int8 │                      Q4_0, IQ4_NL   │ d │ 16 × 2 nibbles │
 *     MXFP4  │ exponent │ 16 × 2 nibbles │
 *     Q4_K   │ d │ dmin │ 12 scales │ 128 quants │  Q6_K           │ 192 quants │ 16 scales │ d │
 */
import { TENSOR_TYPES, type TensorType, tensorBytes } from './gguf.js'

/** sfc32 (Chris Doty-Humphrey), seeded by number and name: the weights of a tensor depend on nothing else. */
export class Random {
  #state = new Uint32Array(4)

  constructor(seed: number, name = '') {
    let hash = 0x811c9dc5 ^ seed
    for (const code of Buffer.from(name)) hash = Math.imul(hash ^ code, 0x01000193)
    this.#state.set([hash, seed, 0x9e3779b9, 1])
    this.fill(new Uint32Array(15))
  }

  fill(words: Uint32Array): void {
    let [a, b, c, counter] = this.#state
    for (let i = 0; i < words.length; i++) {
      const sum = (a + b + counter) | 0
      counter = (counter + 1) | 0
      a = b ^ (b >>> 9)
      b = (c + (c << 3)) | 0
      c = (((c << 21) | (c >>> 11)) + sum) | 0
      words[i] = sum
    }
    this.#state.set([a, b, c, counter])
  }

  /** A number in [0, 1). */
  next(): number {
    const word = new Uint32Array(1)
    this.fill(word)
    return word[0] / 2 ** 32
  }
}

/** The bytes of a tensor of random weights; `deviation` gives the standard deviation of a row's weights. */
export function* randomRows(
  type: TensorType,
  shape: readonly number[],
  random: Random,
  deviation: (row: number) => number,
): Generator<Uint8Array> {
  const rowBytes = tensorBytes(type, [shape[0]])
  const rows = tensorBytes(type, shape) / rowBytes
  const rowsPerChunk = Math.max(1, Math.floor(2 ** 20 / rowBytes))
  const words = new Uint32Array(Math.ceil((rowsPerChunk * rowBytes) / 4))
  const finish = finishers[type]
  for (let first = 0; first < rows; first += rowsPerChunk) {
    const count = Math.min(rowsPerChunk, rows - first)
    random.fill(words)
    for (let i = 0; i < count; i++) finish(words.buffer, i * rowBytes, rowBytes, deviation(first + i))
    yield new Uint8Array(words.buffer, 0, count * rowBytes)
  }
}

/** Turns the random bytes of one row into weights of the wanted deviation. */
type Finish = (buffer: ArrayBuffer, offset: number, bytes: number, deviation: number) => void

/** One of 4,096 evenly spaced levels per weight. Rows of the same deviation share the table of levels. */
function dense<T extends Float32Array<ArrayBuffer> | Uint16Array<ArrayBuffer>>(
  View: new (buffer: ArrayBuffer, offset: number, length: number) => T,
  encode: (value: number) => number,
): Finish {
  const tables = new Map<number, T>()
  const { BYTES_PER_ELEMENT: size } = View as unknown as typeof Uint16Array
  return (buffer, offset, bytes, deviation) => {
    let levels = tables.get(deviation)
    if (levels === undefined) {
      levels = new View(new ArrayBuffer(4096 * size), 0, 4096)
      for (let i = 0; i < 4096; i++) levels[i] = encode(((i + 0.5) / 2048 - 1) * Math.sqrt(3) * deviation)
      tables.set(deviation, levels)
    }
    const weights = new View(buffer, offset, bytes / size)
    const bits = new Uint16Array(buffer, offset, bytes / 2)
    const step = size / 2
    for (let i = 0; i < weights.length; i++) weights[i] = levels[bits[i * step] & 4095]
  }
}

/**
 * Writes the scales of every block over random bytes. `spread` is the root mean square of what the quants alone stand
 * for. Quants such as -8 … 7 have a mean of their own: a random sign of the scale takes it out.
 */
function blocks(type: TensorType, spread: number, scale: (row: Uint8Array, at: number, d: number) => void): Finish {
  const size = TENSOR_TYPES[type].bytes
  return (buffer, offset, bytes, deviation) => {
    const row = new Uint8Array(buffer, offset, bytes)
    const d = toHalf(deviation / spread)
    for (let at = 0; at < bytes; at += size) scale(row, at, d | ((row[at] & 1) << 15))
  }
}

function put(row: Uint8Array, at: number, half: number): void {
  row[at] = half
  row[at + 1] = half >>> 8
}

const finishers: Record<TensorType, Finish> = {
  F32: dense(Float32Array, (value) => value),
  F16: dense(Uint16Array, toHalf),
  BF16: dense(Uint16Array, (value) => floatBits(value) >>> 16),
  Q4_0: blocks('Q4_0', 4.64, put),
  IQ4_NL: blocks('IQ4_NL', 70.1, put),
  // Values are 0, ±1, ±2, ±3, ±4, ±6, ±8, ±12. Of the two powers of two around the scale so many of each, by the random byte
  // that lies there, that the mean of their squares is right.
  MXFP4: (buffer, offset, bytes, deviation) => {
    const row = new Uint8Array(buffer, offset, bytes)
    const exponent = Math.log2(deviation / 5.853)
    const lower = Math.floor(exponent)
    const larger = 256 * ((4 ** (exponent - lower) - 1) / 3)
    for (let at = 0; at < bytes; at += 17) row[at] = 128 + lower + (row[at] < larger ? 1 : 0)
  },
  Q8_0: blocks('Q8_0', 73.9, (row, at, d) => {
    put(row, at, d)
    // Odd quants only: -128 does not occur in real files, and the mean is 0.
    for (let i = at + 2; i < at + 34; i++) row[i] |= 1
  }),
  // Each of the 8 scales is 8 and each minimum 60, packed in 6 bits: weight = d (8 q - 60).
  Q4_K: blocks('Q4_K', 8 * 4.61, (row, at, d) => {
    put(row, at, d)
    put(row, at + 2, d)
    row.fill(8, at + 4, at + 8)
    row.fill(0b11_111100, at + 8, at + 12)
    row.fill(0b1100_1000, at + 12, at + 16)
  }),
  Q6_K: blocks('Q6_K', 32 * 18.48, (row, at, d) => {
    row.fill(32, at + 192, at + 208)
    put(row, at + 208, d)
  }),
}

const float = new Float32Array(1)
const bits = new Uint32Array(float.buffer)

function floatBits(value: number): number {
  float[0] = value
  return bits[0]
}

/** The nearest half-precision number, as its 16 bits. Too large becomes infinity. */
export function toHalf(value: number): number {
  const sign = (floatBits(value) >>> 16) & 0x8000
  const size = Math.abs(value)
  if (size >= 65520) return sign | 0x7c00
  // Below 2^-14 numbers are 2^-24 apart; above, the 10 bits after the leading one count.
  const exponent = Math.max(-14, Math.floor(Math.log2(size)))
  const steps = Math.round(size / 2 ** (exponent - 10))
  return sign | (((exponent + 14) << 10) + steps)
}
