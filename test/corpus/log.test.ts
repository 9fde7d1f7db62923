import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { SEPARATOR, TokenLog } from '../../src/corpus/index.js'

const held = (log: TokenLog) => Array.from({ length: log.length }, (_, k) => log.at(log.first + k))

describe('a token log', () => {
  it('gives back what was appended, over all segment borders', () => {
    fc.assert(
      fc.property(fc.array(fc.array(fc.nat(0x7fff_ffff), { maxLength: 50 })), (batches) => {
        const log = new TokenLog({ segmentTokens: 16 })
        for (const batch of batches) log.append(batch)
        expect(held(log)).toEqual(batches.flat())
      }),
    )
  })

  it('appends the first tokens of a longer array', () => {
    const log = new TokenLog()
    expect(log.append(Int32Array.of(1, 2, 3), 2)).toBe(0)
    expect(log.append([4])).toBe(2)
    expect(held(log)).toEqual([1, 2, 4])
  })

  it('ends a record once', () => {
    const log = new TokenLog()
    log.endRecord()
    log.append([0])
    log.endRecord()
    log.endRecord()
    expect(held(log)).toEqual([0, SEPARATOR])
  })

  it('forgets whole segments and keeps positions', () => {
    const log = new TokenLog({ segmentTokens: 16 })
    log.append(Array.from({ length: 50 }, (_, k) => k))
    const before = log.byteLength
    log.evict(35)
    expect([log.first, log.end, log.length]).toEqual([32, 50, 18])
    expect(log.at(32)).toBe(32)
    expect(log.byteLength).toBe(before / 2)
    log.evict(1000)
    expect(log.first).toBe(48)
    log.append([99])
    expect(log.at(50)).toBe(99)
  })

  it('erases within what it holds', () => {
    const log = new TokenLog({ segmentTokens: 16 })
    log.append(Array.from({ length: 20 }, (_, k) => k))
    log.evict(16)
    log.erase(0, 18)
    expect(held(log)).toEqual([SEPARATOR, SEPARATOR, 18, 19])
    log.erase(19, 500)
    expect(held(log)).toEqual([SEPARATOR, SEPARATOR, 18, SEPARATOR])
  })

  it('copies from another log', () => {
    const other = new TokenLog({ segmentTokens: 16 })
    other.append(Array.from({ length: 40 }, (_, k) => k))
    const log = new TokenLog()
    log.appendFrom(other, 10, 30)
    expect(held(log)).toEqual(Array.from({ length: 20 }, (_, k) => k + 10))
  })

  it.each([[-1], [1.5], [2 ** 31], [Number.NaN]])('refuses the token id %d and stays as it was', (token) => {
    const log = new TokenLog()
    log.append([1])
    expect(() => log.append([2, token])).toThrow(RangeError)
    expect(held(log)).toEqual([1])
  })

  it.each([[0], [8], [100], [2 ** 21]])('refuses segments of %d tokens', (segmentTokens) => {
    expect(() => new TokenLog({ segmentTokens })).toThrow(/power of two/)
  })
})
