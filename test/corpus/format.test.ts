import { describe, expect, it } from 'vitest'
import { contentHash } from '../../src/corpus/content-hash.js'
import { crc32, plainCrc32 } from '../../src/corpus/durable/checksum.js'
import {
  type Entry,
  emptyEntry,
  encodeEntry,
  encodeHeader,
  entryLength,
  isWhole,
  readEntry,
  readHeader,
  readTokens,
  recordBytes,
} from '../../src/corpus/durable/format.js'

const bytesOf = (text: string) => new TextEncoder().encode(text)
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')
const viewOf = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)

const entries: Entry[] = [
  { ...emptyEntry, type: 'namespace', namespace: 3, name: 'Zoë’s' },
  {
    type: 'record',
    kind: 'document',
    namespace: 3,
    name: '',
    id: 2 ** 40 + 1,
    time: 1_790_000_000_000,
    hash: contentHash('x'),
    names: ['a "quoted" id', 'б'],
    tokens: [0, 1, 151_935, 2 ** 31 - 1],
  },
  { ...emptyEntry, type: 'record', namespace: 1, id: 1, tokens: [7] },
  { ...emptyEntry, type: 'names', namespace: 1, id: 9, names: ['one'] },
  { ...emptyEntry, type: 'removal', namespace: 1, id: 9 },
  { ...emptyEntry, type: 'clear', namespace: 1 },
]

describe('the file format', () => {
  it('has the checksum of zip', () => {
    expect(crc32(bytesOf('123456789'))).toBe(0xcbf43926)
    expect(crc32(bytesOf(''))).toBe(0)
    const bytes = bytesOf('some bytes of an odd number')
    for (let to = 0; to <= bytes.length; to++) {
      let plain = -1
      for (const byte of bytes.subarray(3, to)) {
        plain ^= byte
        for (let bit = 0; bit < 8; bit++) plain = plain & 1 ? (plain >>> 1) ^ 0xedb88320 : plain >>> 1
      }
      for (const checksum of [crc32, plainCrc32]) expect(checksum(bytes, 3, Math.max(3, to))).toBe((plain ^ -1) >>> 0)
    }
  })

  it('gives back what was written', () => {
    for (const entry of entries) {
      const bytes = encodeEntry(entry)
      expect(bytes.length % 4).toBe(0)
      expect(entryLength(viewOf(bytes), 0)).toBe(bytes.length)
      expect(isWhole(bytes, viewOf(bytes), 0, bytes.length)).toBe(true)
      const back = readEntry(bytes, viewOf(bytes), 0)
      expect({ ...back, tokens: Array.from(back.tokens) }).toEqual(entry)
      if (entry.type === 'record') expect(recordBytes(entry.tokens.length, entry.names)).toBe(bytes.length)
    }
    const header = { fingerprint: 'f00d', vocabularySize: 151_936, modelName: 'Qwen2.5 0.5B – ü' }
    expect(readHeader(encodeHeader(header), 'x')).toMatchObject(header)
  })

  it('is the same on every machine: these bytes are version 1', () => {
    expect(hex(encodeHeader({ fingerprint: 'ab', vocabularySize: 258, modelName: 'm' }))).toBe(
      '4c4b434f5250555301000000200000002ac983c70201000002000100' + '61626d00',
    )
    expect(
      hex(encodeEntry({ ...emptyEntry, type: 'record', namespace: 1, id: 2, time: 3, names: [], tokens: [258] })),
    ).toBe(
      '4c4b656e3c000000f73c26f5' +
        '0201000001000000010000000000000000000040000000000000084000000000000000000000000000000000' +
        '02010000',
    )
  })

  it('is read on a host of the other byte order, and where it is not aligned', () => {
    const bytes = encodeEntry(entries[1])
    const from = bytes.length - 16
    const tokens = Array.from(entries[1].tokens)
    expect(Array.from(readTokens(viewOf(bytes), from, 4, false))).toEqual(tokens)
    const shifted = new Uint8Array(bytes.length + 1)
    shifted.set(bytes, 1)
    expect(Array.from(readTokens(viewOf(shifted), from + 1, 4))).toEqual(tokens)
  })

  it('notices every changed bit of an entry', () => {
    for (const entry of entries) {
      const bytes = encodeEntry(entry)
      for (let bit = 0; bit < 8 * bytes.length; bit++) {
        bytes[bit >>> 3] ^= 1 << (bit & 7)
        const length = entryLength(viewOf(bytes), 0)
        expect(length === bytes.length && isWhole(bytes, viewOf(bytes), 0, length)).toBe(false)
        bytes[bit >>> 3] ^= 1 << (bit & 7)
      }
    }
  })

  it('tells texts apart', () => {
    const texts = Array.from({ length: 20_000 }, (_, k) => `${'the same beginning '.repeat(k % 3)}${k}`)
    expect(new Set(texts.map(contentHash)).size).toBe(texts.length)
    expect(contentHash('')).toMatch(/^[0-9a-f]{32}$/)
    expect(contentHash('terms of use')).toBe(contentHash(['terms', 'of', 'use'].join(' ')))
  })
})
