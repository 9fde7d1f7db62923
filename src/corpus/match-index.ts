// The index that finds where the current context occurred before.

import { Links } from './links.js'
import { SEPARATOR, type TokenLog } from './log.js'
import { type MatchList, Wording } from './match-list.js'
import type { Spelling } from './spelling.js'

/** Options of a {@link MatchIndex}. */
export interface MatchIndexOptions {
  /**
   * Context lengths that have a chain of their own, ascending, each from 1 to 8. Each costs 3 bytes per token plus its
   * heads. Default `[1, 3]`.
   */
  orders?: readonly number[]
  /** Matches are measured up to this length, 1 … 255; longer ones count as this long. Default 32. */
  maxMatch?: number
  /** How tokens are written: those of one form match each other. Default: a token matches only itself. */
  spelling?: Spelling
  /** Tokens expected; saves rebuilding the index while it grows. Default 1,024. */
  expectedTokens?: number
}

/** How many matches {@link MatchIndex.find} returns. */
export interface MatchLimits {
  /** Most matches taken from the chain of each order, in the order of {@link MatchIndex.orders}. */
  readonly matches: readonly number[]
  /** Most chain entries looked at per order: bounds the time on pathological repeats. */
  readonly reach: number
}

/** Tokens per head, on average, at which the heads are doubled. */
const TOKENS_PER_HEAD = 8
/** Most heads of order 1, as a power of two: more than any vocabulary has tokens. */
const SINGLE_BITS = 20
/** Most heads of the other orders. */
const MOST_BITS = 26

/**
 * Finds earlier occurrences of the current context in a {@link TokenLog}: hash chains as in the match finders of LZ77
 * compressors.
 *
 * For each order k there is a table of heads, one per hash of k tokens, which holds the newest position where k such
 * tokens end, and one link per token, which holds the next older one:
 *
 *     position     0    1    2    3    4    5    6    7    8
 *     token        the  cat  sat  ·    the  cat  ran  the  cat
 *
 *     order 1   head[cat]     → 8 → 5 → 1
 *     order 2   head[the cat] → 8 → 5 → 1
 *
 *     context "… the cat": the match at 5 continues with "ran", the match at 1 with "sat";
 *     the one at 8 is the context itself, nothing follows it yet.
 *
 * With a {@link Spelling}, tokens of one form count as the same: the chains are chains of forms, and "… The cat" matches
 * "… the cat". The {@link MatchList} says which matches differ in that way.
 *
 * Links always point to older positions. So the oldest tokens can be forgotten at no cost (a link below `log.first`
 * ends its chain) and erased tokens need no repair (they no longer equal the context).
 *
 * Insertion, for each new token:
 *   1. hash the forms of the last k tokens from the newest backwards, each order continuing where the one before it
 *      stopped; no k-gram spans two records
 *   2. link the position to the head of each hash and make it the head
 *   3. when there are too many tokens per head, double the heads and reinsert everything (amortised O(1))
 *
 * Retrieval, from the highest order to the lowest:
 *   4. walk the chain from the newest entry, at most `reach` entries
 *   5. count how many tokens up to the entry have the form of those of the context. Fewer than k: two k-grams share a
 *      hash, skip; as many as the next higher order: its chain had it already, skip
 *   6. skip it if nothing follows; otherwise it is a match
 */
export class MatchIndex {
  readonly log: TokenLog
  /** Context lengths with a chain of their own, ascending. */
  readonly orders: readonly number[]
  /** Length up to which matches are measured. */
  readonly maxMatch: number
  readonly #spelling: Spelling | undefined
  /** Position up to which the log is indexed. */
  end: number

  /** One table per order: newest position + 1 by hash, 0 where there is none. */
  #heads: Int32Array[] = []
  #headBits: number
  /** One per order, in step with the log's segments. */
  readonly #links: Links[]
  /** Forms of the last tokens indexed, oldest first, as many as the highest order has. */
  readonly #recent: Int32Array
  /** Tokens of the current record indexed so far, at most 255. */
  #age = 0

  /** @throws RangeError if `orders` or `maxMatch` are out of range */
  constructor(log: TokenLog, options: MatchIndexOptions = {}) {
    const { orders = [1, 3], maxMatch = 32, expectedTokens = 1024, spelling } = options
    if (
      orders.length === 0 ||
      orders.some((k, q) => !Number.isInteger(k) || k < 1 || k > 8 || k <= (orders[q - 1] ?? 0))
    )
      throw new RangeError(`MatchIndex: orders must be ascending integers from 1 to 8, got [${orders.join(', ')}]`)
    if (!Number.isInteger(maxMatch) || maxMatch < orders[orders.length - 1] || maxMatch > 255)
      throw new RangeError(`MatchIndex: maxMatch must be an integer from the highest order to 255, got ${maxMatch}`)
    this.log = log
    this.orders = [...orders]
    this.maxMatch = maxMatch
    this.#spelling = spelling
    this.#recent = new Int32Array(orders[orders.length - 1]).fill(SEPARATOR)
    this.#links = orders.map(() => new Links(log.segmentTokens))
    this.#headBits = Math.min(MOST_BITS, Math.max(8, Math.ceil(Math.log2(expectedTokens / TOKENS_PER_HEAD))))
    this.#heads = this.#makeHeads()
    this.end = log.first
    this.extend()
  }

  /** Bytes of heads and links (the log's own bytes not counted). */
  get byteLength(): number {
    let bytes = 0
    for (const table of this.#heads) bytes += table.byteLength
    for (const links of this.#links) bytes += links.byteLength
    return bytes
  }

  /**
   * Indexes what was appended to the log since the last call, and forgets what the log has forgotten.
   *
   * @param most tokens to index; the rest waits for the next call. Default: all
   */
  extend(most: number = Number.POSITIVE_INFINITY): void {
    const { log } = this
    for (let number = (log.first >>> log.segmentShift) - 1; number >= 0 && this.#links[0].has(number); number--)
      for (const links of this.#links) links.drop(number)
    // 3.
    if (log.length > TOKENS_PER_HEAD << this.#headBits && this.#headBits < MOST_BITS) {
      while (log.length > TOKENS_PER_HEAD << this.#headBits && this.#headBits < MOST_BITS) this.#headBits++
      this.#heads = this.#makeHeads()
      for (const links of this.#links) links.clear()
      this.#restart()
    }
    if (this.end < log.first) this.#restart()
    const stop = Math.min(log.end, this.end + most)
    while (this.end < stop) this.#insertSegment(Math.min(stop, (this.end | log.segmentMask) + 1))
  }

  /** Inserts positions `this.end … stop - 1`, all of one segment, one order after the other: each has its own heads. */
  #insertSegment(stop: number): void {
    const { log, orders } = this
    const recent = this.#recent
    const spelling = this.#spelling
    const { first, segmentMask, segmentShift } = log
    const begin = this.end
    const number = begin >>> segmentShift
    const count = stop - begin
    const lead = recent.length
    if (formColumn.length < lead + count) growScratch(lead + count)
    // The forms of the tokens, contiguous, with those of the tokens before them in front.
    const forms = formColumn
    const from = begin & segmentMask
    forms.set(recent)
    const segment = log.segments[number]!
    // Making a view costs more than copying a few tokens.
    if (spelling) for (let i = 0; i < count; i++) forms[lead + i] = spelling.formOf(segment[from + i])
    else if (count > 64) forms.set(segment.subarray(from, from + count), lead)
    else for (let i = 0; i < count; i++) forms[lead + i] = segment[from + i]
    const hashes = hashColumn
    const ages = ageColumn
    let age = this.#age
    for (let i = 0; i < count; i++) {
      age = forms[lead + i] === SEPARATOR ? 0 : Math.min(age + 1, 255)
      ages[i] = age
      hashes[i] = 0
    }
    let hashed = 0
    for (let q = 0; q < orders.length; q++) {
      const order = orders[q]
      const table = this.#heads[q]
      const shift = this.#shiftOf(q)
      const links = this.#links[q]
      links.add(number)
      const low = links.low[number]!
      const middle = links.middle[number]!
      for (let i = 0; i < count; i++) {
        // 1.
        let hash = hashes[i]
        const at = lead + i
        for (let k = hashed; k < order; k++) hash = mix(hash, forms[at - k])
        hashes[i] = hash
        if (ages[i] < order) continue
        // 2.
        const bucket = hash >>> shift
        const head = table[bucket]
        const next = begin + i + 1
        table[bucket] = next
        if (head <= first) continue
        const distance = next - head
        low[from + i] = distance
        middle[from + i] = distance >>> 16
        if (distance > 0xffffff) links.setFar(number, from + i, distance >>> 24)
      }
      hashed = order
    }
    for (let k = 0; k < lead; k++) recent[k] = forms[count + k]
    this.#age = age
    this.end = stop
  }

  /** Forgets what was indexed; the next insertion begins at the oldest token. */
  #restart(): void {
    this.#recent.fill(SEPARATOR)
    this.#age = 0
    this.end = this.log.first
  }

  #makeHeads(): Int32Array[] {
    return this.orders.map((_, q) => new Int32Array(2 ** (32 - this.#shiftOf(q))))
  }

  /** The upper bits of a hash that are left after this shift number the head of order `orders[q]`. */
  #shiftOf(q: number): number {
    return 32 - (this.orders[q] === 1 ? Math.min(SINGLE_BITS, this.#headBits) : this.#headBits)
  }

  /**
   * Appends the matches of a context to `list`: those of the highest order first, within an order the newest first.
   * Allocates nothing and changes nothing but `list`.
   *
   * @param context the context, **newest token first**; a token that the spelling has not met matches only itself
   * @param contextLength how many tokens of it count
   * @param limits how many matches to take
   * @param list where the matches go
   * @param logNumber the log's number in that list
   */
  find(context: Int32Array, contextLength: number, limits: MatchLimits, list: MatchList, logNumber = 0): void {
    const { log, orders } = this
    const heads = this.#heads
    const spelling = this.#spelling
    const { segments, segmentShift, segmentMask, first } = log
    const last = this.end - 1
    const longest = Math.min(contextLength, this.maxMatch)
    let rank = 0
    for (let q = orders.length - 1; q >= 0; q--) {
      const order = orders[q]
      const wanted = limits.matches[q]
      if (order > contextLength || wanted === 0) continue
      const tooLong = q + 1 < orders.length ? orders[q + 1] : 256
      const links = this.#links[q]
      let hash = 0
      for (let k = 0; k < order; k++) hash = mix(hash, spelling ? spelling.formOf(context[k]) : context[k])
      let position = heads[q][hash >>> this.#shiftOf(q)] - 1
      let found = 0
      // 4.
      for (let step = 0; step < limits.reach && position >= first; step++) {
        // 5.
        let length = 0
        let wording: number = Wording.same
        const segment = segments[position >>> segmentShift]!
        const place = position & segmentMask
        // Most matches lie within one segment, well after the oldest token.
        const isWhole = place >= longest && position - longest >= first
        for (; length < longest && (isWhole || position - length >= first); length++) {
          const at = position - length
          const token = isWhole ? segment[place - length] : segments[at >>> segmentShift]![at & segmentMask]
          if (token === context[length]) continue
          if (!spelling?.alike(token, context[length])) break
          wording = length === 0 ? Wording.newestDiffers : wording || Wording.olderDiffers
        }
        // 6.
        if (length >= order && length < tooLong && position < last) {
          const next = position + 1
          if (segments[next >>> segmentShift]![next & segmentMask] !== SEPARATOR) {
            if (!list.add(next, length, Math.min(rank, 255), logNumber, wording)) return
            rank++
            if (++found === wanted) break
          }
        }
        position = links.older(position)
      }
    }
  }
}

/**
 * Scratch space for inserting part of a segment, shared by all indexes: the tokens' forms, their hashes, and how far each
 * is into its record.
 */
let formColumn = new Int32Array(0)
let hashColumn = new Int32Array(0)
let ageColumn = new Uint8Array(0)

function growScratch(tokens: number): void {
  formColumn = new Int32Array(tokens)
  hashColumn = new Int32Array(tokens)
  ageColumn = new Uint8Array(tokens)
}

/** Folds one more, older form into a hash; the upper bits are the good ones. */
function mix(hash: number, form: number): number {
  const h = Math.imul(hash ^ form, 0x9e3779b1)
  return Math.imul(h ^ (h >>> 15), 0x85ebca6b)
}
