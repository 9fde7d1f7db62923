// The head of a GGUF file, read before llama.cpp sees it.

import { createHash } from 'node:crypto'
import { open } from 'node:fs/promises'

/**
 * Metadata, and the names, types and shapes of the tensors.
 *
 *     0   "GGUF" │ version │ tensor count │ metadata count
 *         key │ type │ value                        an array is  9 │ element type │ count │ elements
 *         name │ dimensions │ shape │ type │ offset
 *
 * Everything is little-endian; a string is its length in 8 bytes and its UTF-8. Every length and count is held against
 * the bytes that are left in the file before anything is made of it.
 */
export interface GgufHeader {
  /** Scalars by key. */
  readonly scalars: ReadonlyMap<string, GgufScalar>
  readonly arrays: ReadonlyMap<string, GgufArray>
  readonly tensors: ReadonlyMap<string, GgufTensor>
  /** Length of the head. */
  readonly bytes: number
  /** Length of the file. */
  readonly fileBytes: number
  /** Hash of the whole head and the length of the file: tells a file from others that differ in their head. */
  readonly digest: string
}

/** A value of the metadata; 64-bit integers as the nearest number. */
export type GgufScalar = string | number | boolean

/** A list of the metadata, of which only numbers up to a few thousand are read. */
export interface GgufArray {
  /** Name of the elements' type, e.g. `string`. */
  readonly type: GgufType['name']
  readonly length: number
  /** Numbers, if there are few. */
  readonly numbers: readonly number[] | undefined
  /** Strings in bytes, one character a byte; made when called. */
  strings(): Iterable<string>
}

export interface GgufTensor {
  /** As GGML numbers them. */
  readonly type: number
  /** Elements per dimension, the contiguous one first. */
  readonly shape: readonly number[]
  /** Where its elements begin, counted from the first tensor's. */
  readonly offset: number
}

/** Types of values by their number: a name, the fewest bytes one takes, and how numbers are read. */
const types = [
  { name: 'uint8', bytes: 1, read: (from: Buffer, at: number) => from.readUInt8(at) },
  { name: 'int8', bytes: 1, read: (from: Buffer, at: number) => from.readInt8(at) },
  { name: 'uint16', bytes: 2, read: (from: Buffer, at: number) => from.readUInt16LE(at) },
  { name: 'int16', bytes: 2, read: (from: Buffer, at: number) => from.readInt16LE(at) },
  { name: 'uint32', bytes: 4, read: (from: Buffer, at: number) => from.readUInt32LE(at) },
  { name: 'int32', bytes: 4, read: (from: Buffer, at: number) => from.readInt32LE(at) },
  { name: 'float32', bytes: 4, read: (from: Buffer, at: number) => from.readFloatLE(at) },
  { name: 'bool', bytes: 1, read: (from: Buffer, at: number) => from.readUInt8(at) },
  { name: 'string', bytes: 8 },
  { name: 'array', bytes: 12 },
  { name: 'uint64', bytes: 8, read: (from: Buffer, at: number) => Number(from.readBigUInt64LE(at)) },
  { name: 'int64', bytes: 8, read: (from: Buffer, at: number) => Number(from.readBigInt64LE(at)) },
  { name: 'float64', bytes: 8, read: (from: Buffer, at: number) => from.readDoubleLE(at) },
] as const

type GgufType = (typeof types)[number]
type NumberType = Extract<GgufType, { read: unknown }>

/** Bytes read first, and how much more each time that is not enough. */
const firstBytes = 1 << 23
const growth = 4

/** Lists of more numbers are not read. */
const mostNumbers = 4096

/** Bytes of the shortest metadata entry and of the shortest description of a tensor. */
const leastEntryBytes = 8 + 1 + 4 + 1
const leastTensorBytes = 8 + 4 + 4 + 8

/** What is wrong with a file, to be put behind its name: `is cut short: …`. */
export class GgufFault extends Error {}

/** The bytes read so far are too few. */
class NeedsMore extends Error {}

/** Reads the head of a GGUF file. @throws GgufFault if it is no sound one; system errors if it cannot be read */
export async function readHeader(file: string): Promise<GgufHeader> {
  const handle = await open(file)
  try {
    const { size } = await handle.stat()
    for (let length = firstBytes; ; length *= growth) {
      const { buffer, bytesRead } = await handle.read(
        Buffer.alloc(Math.min(length, size)),
        0,
        Math.min(length, size),
        0,
      )
      try {
        return parse(buffer.subarray(0, bytesRead), size)
      } catch (error) {
        if (!(error instanceof NeedsMore)) throw error
        if (length >= size) throw new GgufFault('is cut short: it ends in the middle of its head')
      }
    }
  } finally {
    await handle.close()
  }
}

/** Reads values one after the other from the beginning of a file. */
class Reader {
  at = 0
  readonly #bytes: Buffer
  readonly #fileBytes: number

  constructor(bytes: Buffer, fileBytes: number) {
    this.#bytes = bytes
    this.#fileBytes = fileBytes
  }

  /** Makes sure that this many bytes can be read. `what` is said if the file cannot hold them. */
  need(count: number, what: string): void {
    if (count > this.#fileBytes - this.at)
      throw new GgufFault(`is damaged or cut short: ${what} goes beyond the end of the file (${this.#fileBytes} bytes)`)
    if (this.at + count > this.#bytes.length) throw new NeedsMore()
  }

  /** Goes past this many bytes and returns where they began. */
  skip(count: number, what: string): number {
    this.need(count, what)
    this.at += count
    return this.at - count
  }

  uint32(what: string): number {
    return this.#bytes.readUInt32LE(this.skip(4, what))
  }

  /** A length or count: one that no number can tell is beyond every file. */
  count(what: string): number {
    return Number(this.#bytes.readBigUInt64LE(this.skip(8, what)))
  }

  /** One character a byte, for comparison. */
  raw(what: string): string {
    const length = this.count(what)
    const begin = this.skip(length, what)
    return this.#bytes.toString('latin1', begin, begin + length)
  }

  text(what: string): string {
    return Buffer.from(this.raw(what), 'latin1').toString('utf8')
  }

  number({ bytes, read }: NumberType, what: string): number {
    return read(this.#bytes, this.skip(bytes, what))
  }
}

function parse(bytes: Buffer, fileBytes: number): GgufHeader {
  const reader = new Reader(bytes, fileBytes)
  if (bytes.toString('latin1', 0, 4) !== 'GGUF') throw new GgufFault('is not a GGUF file')
  reader.skip(4, 'its head')
  const version = reader.uint32('its head')
  if (version > 0 && (version & 0xffff) === 0)
    throw new GgufFault('is a GGUF file for big-endian machines; expected a little-endian one')
  if (version !== 2 && version !== 3) throw new GgufFault(`is a GGUF file of version ${version}; expected 2 or 3`)
  const tensorCount = reader.count('its head')
  const entryCount = reader.count('its head')
  checkCount(entryCount, leastEntryBytes, fileBytes, 'metadata entries')
  checkCount(tensorCount, leastTensorBytes, fileBytes, 'tensors')
  const scalars = new Map<string, GgufScalar>()
  const arrays = new Map<string, GgufArray>()
  for (let i = 0; i < entryCount; i++) {
    const key = reader.text(`the key of metadata entry ${i}`)
    const what = `metadata ${JSON.stringify(key.slice(0, 80))}`
    if (key === '') throw new GgufFault(`is damaged: the key of metadata entry ${i} is empty`)
    if (scalars.has(key) || arrays.has(key)) throw new GgufFault(`is damaged: ${what} occurs twice`)
    const type = typeOf(reader.uint32(what), what)
    if (type.name === 'array') arrays.set(key, readArray(reader, bytes, fileBytes, what))
    else if (type.name === 'string') scalars.set(key, reader.text(what))
    else if (type.name === 'bool') scalars.set(key, reader.number(type, what) !== 0)
    else scalars.set(key, reader.number(type, what))
  }
  const tensors = new Map<string, GgufTensor>()
  for (let i = 0; i < tensorCount; i++) {
    const name = reader.text(`the name of tensor ${i}`)
    const what = `tensor ${JSON.stringify(name.slice(0, 80))}`
    if (tensors.has(name)) throw new GgufFault(`is damaged: ${what} occurs twice`)
    const dimensions = reader.uint32(what)
    if (dimensions > 4) throw new GgufFault(`is damaged: ${what} has ${dimensions} dimensions; expected at most 4`)
    const shape = Array.from({ length: dimensions }, () => reader.count(what))
    const type = reader.uint32(what)
    tensors.set(name, { type, shape, offset: reader.count(what) })
  }
  const digest = createHash('sha256').update(bytes.subarray(0, reader.at)).update(String(fileBytes)).digest('hex')
  return { scalars, arrays, tensors, bytes: reader.at, fileBytes, digest }
}

function readArray(reader: Reader, bytes: Buffer, fileBytes: number, what: string): GgufArray {
  const type = typeOf(reader.uint32(what), what)
  if (type.name === 'array') throw new GgufFault(`is damaged: ${what} is a list of lists`)
  const length = reader.count(what)
  checkCount(length, type.bytes, fileBytes - reader.at, `elements of ${what}`)
  const begin = reader.at
  let numbers: number[] | undefined
  if (type.name === 'string') for (let k = 0; k < length; k++) reader.skip(reader.count(what), what)
  else if (length <= mostNumbers) numbers = Array.from({ length }, () => reader.number(type, what))
  else reader.skip(length * type.bytes, what)
  const end = reader.at
  return {
    type: type.name,
    length,
    numbers,
    *strings() {
      if (type.name !== 'string') return
      const strings = new Reader(bytes, end)
      strings.at = begin
      for (let k = 0; k < length; k++) yield strings.raw(what)
    },
  }
}

function typeOf(number: number, what: string): GgufType {
  const type = types[number]
  if (type === undefined) throw new GgufFault(`is damaged: ${what} is of type ${number}; expected 0 to 12`)
  return type
}

function checkCount(count: number, leastBytes: number, bytes: number, what: string): void {
  if (count * leastBytes > bytes)
    throw new GgufFault(`is damaged or cut short: ${count} ${what} cannot stand in ${bytes} bytes`)
}
