/**
 * A writer of GGUF files, version 3: enough to make any model llama.cpp can read, and any file it must refuse.
 *
 *     0   "GGUF" │ version 3 │ tensor count │ metadata count             4 + 4 + 8 + 8 bytes
 *         ───────┴───────────┴──────────────┴────────────────
 *         key │ type │ value              one per metadata entry; an array is  9 │ element type │ count │ elements
 *         name │ dimensions │ shape │ type │ offset                      one per tensor
 *         padding to 32
 *     D   tensor 0 │ padding to 32 │ tensor 1 │ padding to 32 │ …        offsets are counted from D
 *
 * Everything is little-endian; a string is its length in 8 bytes and its UTF-8. Only the part above D is held in memory:
 * tensors are asked for their bytes one after the other, so a file may be larger than the machine's memory.
 */
import { closeSync, openSync, renameSync, rmSync, writeSync } from 'node:fs'

/** The types of metadata values; the index is the number in the file. */
const VALUE_TYPES = 'uint8 int8 uint16 int16 uint32 int32 float32 bool string array uint64 int64 float64'.split(' ')

export type NumberType = `${'u' | ''}int${8 | 16 | 32 | 64}` | 'float32' | 'float64'

/** A value with its type: `'text'`, `true`, `['uint32', 7]`, `['string[]', ['a', 'b']]`. Arrays of arrays are left out. */
export type MetadataValue =
  | string
  | boolean
  | readonly [NumberType, number | bigint]
  | readonly [`${NumberType}[]`, ArrayLike<number | bigint>]
  | readonly ['string[]', readonly string[]]
  | readonly ['bool[]', readonly boolean[]]

/** The tensor types written here: number in the file, elements of a block, bytes of a block. */
export const TENSOR_TYPES = {
  F32: { id: 0, elements: 1, bytes: 4 },
  F16: { id: 1, elements: 1, bytes: 2 },
  BF16: { id: 30, elements: 1, bytes: 2 },
  Q4_0: { id: 2, elements: 32, bytes: 18 },
  IQ4_NL: { id: 20, elements: 32, bytes: 18 },
  MXFP4: { id: 39, elements: 32, bytes: 17 },
  Q8_0: { id: 8, elements: 32, bytes: 34 },
  Q4_K: { id: 12, elements: 256, bytes: 144 },
  Q6_K: { id: 14, elements: 256, bytes: 210 },
} as const

export type TensorType = keyof typeof TENSOR_TYPES

export interface TensorSource {
  name: string
  type: TensorType
  /** Elements per dimension, the contiguous one first: a matrix of `rows` rows is `[columns, rows]`. */
  shape: readonly number[]
  /** The bytes of the tensor, asked for once, in chunks of any size; a chunk may be reused after the next is asked for. */
  data: () => Iterable<Uint8Array>
}

export interface GgufSource {
  metadata: Record<string, MetadataValue>
  tensors: readonly TensorSource[]
}

const ALIGNMENT = 32
const padding = (size: number) => new Uint8Array((ALIGNMENT - (size % ALIGNMENT)) % ALIGNMENT)

/**
 * Writes a GGUF file and returns its size in bytes. The file appears under its name when it is complete; after an
 * error there is none.
 *
 *     writeGguf('tiny.gguf', {
 *       metadata: { 'general.architecture': 'llama', 'llama.block_count': ['uint32', 2] },
 *       tensors: [{ name: 'token_embd.weight', type: 'F32', shape: [64, 100], data: () => [bytes] }],
 *     })
 */
export function writeGguf(path: string, { metadata, tensors }: GgufSource): number {
  const head = encodeHead(metadata, tensors)
  const partial = `${path}.partial`
  try {
    const file = openSync(partial, 'w')
    let size = 0
    try {
      size += write(file, head) + write(file, padding(head.length))
      for (const tensor of tensors) size += writeTensor(file, tensor)
    } finally {
      closeSync(file)
    }
    renameSync(partial, path)
    return size
  } catch (error) {
    rmSync(partial, { force: true })
    throw error
  }
}

function writeTensor(file: number, { name, type, shape, data }: TensorSource): number {
  const expected = tensorBytes(type, shape)
  let got = 0
  for (const chunk of data()) {
    got += chunk.length
    if (got > expected) break
    write(file, chunk)
  }
  if (got !== expected) {
    const brought = got > expected ? 'more' : `only ${got}`
    throw new Error(`gguf: tensor ${name} holds ${expected} bytes, but its data brought ${brought}`)
  }
  return expected + write(file, padding(expected))
}

/** The bytes a tensor of this type and shape takes; throws when its rows are no whole number of blocks. */
export function tensorBytes(type: TensorType, shape: readonly number[]): number {
  const block = TENSOR_TYPES[type]
  if (shape[0] % block.elements !== 0) {
    throw new Error(`gguf: rows of ${type} are multiples of ${block.elements} elements, got ${shape[0]}`)
  }
  return (shape.reduce((product, n) => product * n, 1) / block.elements) * block.bytes
}

/** Everything before the tensor data, without the padding that follows. All checks are here: nothing is written before. */
function encodeHead(metadata: Record<string, MetadataValue>, tensors: readonly TensorSource[]): Uint8Array {
  const entries = Object.entries(metadata)
  const parts: Uint8Array[] = [
    Buffer.from('GGUF'),
    encode.uint32(3),
    encode.uint64(tensors.length),
    encode.uint64(entries.length),
  ]
  for (const [key, value] of entries) {
    if (key === '' || key === 'general.alignment') {
      throw new Error(`gguf: a metadata key is not empty and not general.alignment (always 32), got '${key}'`)
    }
    try {
      parts.push(encode.string(key), encodeValue(value))
    } catch (cause) {
      throw new Error(`gguf: metadata ${key}: ${(cause as Error).message}`, { cause })
    }
  }
  const names = new Set<string>()
  let offset = 0
  for (const { name, type, shape } of tensors) {
    if (name === '' || Buffer.byteLength(name) > 63 || names.has(name)) {
      throw new Error(`gguf: a tensor name has 1 to 63 bytes and occurs once, got '${name}'`)
    }
    if (shape.length < 1 || shape.length > 4 || !shape.every((n) => Number.isSafeInteger(n) && n > 0)) {
      throw new Error(`gguf: tensor ${name} needs a shape of 1 to 4 positive integers, got [${shape.join(', ')}]`)
    }
    names.add(name)
    parts.push(encode.string(name), encode.uint32(shape.length), ...shape.map((n) => encode.uint64(n)))
    parts.push(encode.uint32(TENSOR_TYPES[type].id), encode.uint64(offset))
    const bytes = tensorBytes(type, shape)
    offset += bytes + padding(bytes).length
  }
  return Buffer.concat(parts)
}

function encodeValue(value: MetadataValue): Uint8Array {
  const type = (name: string) => encode.uint32(VALUE_TYPES.indexOf(name))
  if (typeof value === 'string') return Buffer.concat([type('string'), encode.string(value)])
  if (typeof value === 'boolean') return Buffer.concat([type('bool'), encode.bool(value)])
  const [name, content] = value
  if (!name.endsWith('[]')) return Buffer.concat([type(name), encode[name as NumberType](content as number)])
  const element = name.slice(0, -2) as keyof typeof encode
  const items: Uint8Array[] = Array.from(content as ArrayLike<never>, (item) => encode[element](item))
  return Buffer.concat([type('array'), type(element), encode.uint64(items.length), Buffer.concat(items)])
}

function fixed(bytes: number, put: (buffer: Buffer, value: number) => void, integer = true) {
  return (value: number | bigint) => {
    if (integer && !Number.isInteger(Number(value))) throw new RangeError(`expected an integer, got ${value}`)
    const buffer = Buffer.allocUnsafe(bytes)
    put(buffer, Number(value))
    return buffer
  }
}

function wide(put: (buffer: Buffer, value: bigint) => void) {
  return (value: number | bigint) => {
    const buffer = Buffer.allocUnsafe(8)
    put(buffer, BigInt(value))
    return buffer
  }
}

const encode = {
  uint8: fixed(1, (b, v) => b.writeUInt8(v)),
  int8: fixed(1, (b, v) => b.writeInt8(v)),
  uint16: fixed(2, (b, v) => b.writeUInt16LE(v)),
  int16: fixed(2, (b, v) => b.writeInt16LE(v)),
  uint32: fixed(4, (b, v) => b.writeUInt32LE(v)),
  int32: fixed(4, (b, v) => b.writeInt32LE(v)),
  uint64: wide((b, v) => b.writeBigUInt64LE(v)),
  int64: wide((b, v) => b.writeBigInt64LE(v)),
  float32: fixed(4, (b, v) => b.writeFloatLE(v), false),
  float64: fixed(8, (b, v) => b.writeDoubleLE(v), false),
  bool: (value: boolean) => Buffer.of(value ? 1 : 0),
  string: (value: string) => {
    const text = Buffer.from(value)
    return Buffer.concat([encode.uint64(text.length), text])
  },
}

function write(file: number, bytes: Uint8Array): number {
  for (let done = 0; done < bytes.length; ) done += writeSync(file, bytes, done)
  return bytes.length
}
