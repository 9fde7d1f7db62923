// The rarer tokens of what was written last: they tell what a place is about.

import { SEPARATOR, type TokenLog } from '../corpus/log.js'
import type { TokenCounts } from './token-counts.js'

/** Tokens from the end of the text that count as recent. */
const RECENT = 32
/** A token that occurs this often in the text says nothing about its subject. */
const COMMON = 12
/** Tokens before a match that are compared. */
export const NEARBY = 16
const SLOT_BITS = 12

/**
 * The rarer ones of the tokens written last, as a set. Of two places where the same few tokens stood, the one with more
 * of them around it is about the same thing, whatever their order:
 *
 *     text       … the refund of the premium for unused days is paid within
 *     place 1    … of the unused premium , the refund is made within     premium, unused, refund
 *     place 2    … please answer our letter within                       –
 */
export class RecentTokens {
  /** The draft each slot was filled for; tokens that share a slot are not told apart. */
  readonly #stamps = new Int32Array(1 << SLOT_BITS)
  #stamp = 0

  /** Bytes it holds. */
  get byteLength(): number {
    return this.#stamps.byteLength
  }

  /** Takes the tokens at the end of `log`. */
  read(log: TokenLog, counts: TokenCounts): void {
    // In 32 bits, as the table holds it: a long-lived process exceeds 31.
    this.#stamp = (this.#stamp + 1) | 0
    const stamps = this.#stamps
    const stamp = this.#stamp
    const from = Math.max(log.first, log.end - RECENT)
    for (let k = log.end - 1; k >= from; k--) {
      const token = log.at(k)
      if (counts.get(token) < COMMON) stamps[slotOf(token)] = stamp
    }
  }

  /** How many of the {@link NEARBY} tokens before position `end` are recent ones; those of other records do not count. */
  before(log: TokenLog, end: number): number {
    const stamps = this.#stamps
    const stamp = this.#stamp
    const from = Math.max(log.first, end - NEARBY)
    let count = 0
    for (let k = end - 1; k >= from; k--) {
      const token = log.at(k)
      if (token === SEPARATOR) break
      if (stamps[slotOf(token)] === stamp) count++
    }
    return count
  }
}

function slotOf(token: number): number {
  return Math.imul(token, 0x9e3779b1) >>> (32 - SLOT_BITS)
}
