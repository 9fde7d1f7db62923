// A log of tokens, in segments.

/**
 * Marks the end of a record and every erased token. No vocabulary has a negative id, so it can never be matched or
 * drafted.
 */
export const SEPARATOR = -1

/** Options of a {@link TokenLog}. */
export interface TokenLogOptions {
  /**
   * Tokens per segment, a power of two from 16 to 2²⁰. The log grows and forgets by whole segments. Default 65,536;
   * logs of single requests use less.
   */
  segmentTokens?: number
}

/**
 * Everything read or written, in order: an append-only log of token ids. The log is the truth; indexes over it are
 * views that can be built again at any time.
 *
 * A *position* is a token's distance from the first token ever appended and never changes. Tokens live in segments of
 * equal size, so growing copies nothing and forgetting the oldest frees whole segments:
 *
 *     position    0         4         8        12
 *     segment     0         1         2         3          segmentTokens = 4
 *               ┌─────────┬─────────┬─────────┬─────────┐
 *               │ 7 3 9 · │ 5 5 · 8 │ 2 6 1 · │ 4 4 _ _ │   · SEPARATOR: a record ends
 *               └─────────┴─────────┴─────────┴─────────┘
 *                 first = 0                       end = 14
 *
 *     after evict(6): segment 0 is freed, positions stay
 *               ┌ ─ ─ ─ ─ ┬─────────┬─────────┬─────────┐
 *                 freed   │ 5 5 · 8 │ 2 6 1 · │ 4 4 _ _ │
 *               └ ─ ─ ─ ─ ┴─────────┴─────────┴─────────┘
 *                           first = 4             end = 14
 *
 *     after erase(8, 11): the record's tokens are gone, positions stay
 *               ┌ ─ ─ ─ ─ ┬─────────┬─────────┬─────────┐
 *                 freed   │ 5 5 · 8 │ · · · · │ 4 4 _ _ │
 *               └ ─ ─ ─ ─ ┴─────────┴─────────┴─────────┘
 *
 * A *record* is what belongs together: a prompt, an answer. Matches and continuations never cross a record's end.
 *
 * @example
 * const log = new TokenLog()
 * const start = log.append([7, 3, 9])
 * log.endRecord()
 * log.at(start + 1)   // 3
 */
export class TokenLog {
  /** Tokens per segment; a power of two. */
  readonly segmentTokens: number
  /** `position >>> segmentShift` is the segment, `position & segmentMask` the place in it. */
  readonly segmentShift: number
  readonly segmentMask: number
  /** Segments by number; `undefined` once freed. Read-only for everyone but the log. */
  readonly segments: (Int32Array | undefined)[] = []
  /** Oldest position still held. */
  first = 0
  /** Position after the newest token. */
  end = 0
  /** Bytes of all segments held. */
  byteLength = 0

  /** @throws RangeError if `segmentTokens` is not a power of two from 16 to 2²⁰ */
  constructor(options: TokenLogOptions = {}) {
    const segmentTokens = options.segmentTokens ?? 65_536
    if (!Number.isInteger(Math.log2(segmentTokens)) || segmentTokens < 16 || segmentTokens > 1 << 20)
      throw new RangeError(`TokenLog: segmentTokens must be a power of two from 16 to 2^20, got ${segmentTokens}`)
    this.segmentTokens = segmentTokens
    this.segmentShift = Math.log2(segmentTokens)
    this.segmentMask = segmentTokens - 1
  }

  /** Tokens held, separators included. */
  get length(): number {
    return this.end - this.first
  }

  /**
   * Appends the first `count` of `tokens` and returns the position of the first of them. All or nothing.
   *
   * @throws RangeError if a token is not an integer from 0 to 2³¹ − 1
   */
  append(tokens: ArrayLike<number>, count: number = tokens.length): number {
    for (let k = 0; k < count; k++) {
      const token = tokens[k]
      if (token < 0 || (token | 0) !== token)
        throw new RangeError(`TokenLog: token ids must be integers from 0 to 2^31 - 1, got ${token} at ${k}`)
    }
    const start = this.end
    for (let k = 0; k < count; ) {
      const segment = this.#openSegment()
      let place = this.end & this.segmentMask
      const stop = Math.min(this.segmentTokens, place + count - k)
      this.end += stop - place
      while (place < stop) segment[place++] = tokens[k++]
    }
    return start
  }

  /** Appends what `other` holds at `from … to - 1` and returns the position of the first of it. */
  appendFrom(other: TokenLog, from: number, to: number): number {
    const start = this.end
    for (let position = from; position < to; ) {
      const segment = this.#openSegment()
      const place = this.end & this.segmentMask
      const there = position & other.segmentMask
      const count = Math.min(this.segmentTokens - place, other.segmentTokens - there, to - position)
      segment.set(other.segments[position >>> other.segmentShift]!.subarray(there, there + count), place)
      this.end += count
      position += count
    }
    return start
  }

  /** Ends the current record; does nothing if none is open. */
  endRecord(): void {
    if (this.end > this.first && this.at(this.end - 1) !== SEPARATOR)
      this.#openSegment()[this.end++ & this.segmentMask] = SEPARATOR
  }

  /** The token at `position`, {@link SEPARATOR} between records; undefined behaviour outside `first … end - 1`. */
  at(position: number): number {
    return this.segments[position >>> this.segmentShift]![position & this.segmentMask]
  }

  /** A copy of the tokens at `from … to - 1`. */
  slice(from: number, to: number): Int32Array {
    const tokens = new Int32Array(to - from)
    for (let position = from; position < to; ) {
      const place = position & this.segmentMask
      const count = Math.min(this.segmentTokens - place, to - position)
      tokens.set(this.segments[position >>> this.segmentShift]!.subarray(place, place + count), position - from)
      position += count
    }
    return tokens
  }

  /**
   * Overwrites `from … to - 1` with separators: those tokens can no longer be matched or drafted by any index. Takes time
   * in proportion to what is erased.
   */
  erase(from: number, to: number): void {
    const stop = Math.min(to, this.end)
    for (let position = Math.max(from, this.first); position < stop; position++)
      this.segments[position >>> this.segmentShift]![position & this.segmentMask] = SEPARATOR
  }

  /** Forgets the oldest tokens: frees every segment that lies wholly before `position`. */
  evict(position: number): void {
    const keep = Math.min(position, this.end) >>> this.segmentShift
    for (let number = this.first >>> this.segmentShift; number < keep; number++) {
      this.byteLength -= this.segments[number]?.byteLength ?? 0
      this.segments[number] = undefined
    }
    this.first = Math.max(this.first, keep << this.segmentShift)
  }

  /** The segment that the next token goes into. */
  #openSegment(): Int32Array {
    const number = this.end >>> this.segmentShift
    let segment = this.segments[number]
    if (!segment) {
      segment = new Int32Array(this.segmentTokens)
      this.segments[number] = segment
      this.byteLength += segment.byteLength
    }
    return segment
  }
}
