import { SEPARATOR } from '../../src/corpus/index.js'

/** A match as the twin reports it. */
export interface TwinMatch {
  position: number
  length: number
  rank: number
}

/** Token log and match index as one would write them on a napkin: an array, and a scan for every question. */
export class Twin {
  readonly tokens: number[] = []
  first = 0

  private readonly segmentTokens: number
  private readonly orders: readonly number[]
  private readonly maxMatch: number

  constructor(segmentTokens: number, orders: readonly number[], maxMatch: number) {
    this.segmentTokens = segmentTokens
    this.orders = orders
    this.maxMatch = maxMatch
  }

  append(tokens: readonly number[]): void {
    this.tokens.push(...tokens)
  }

  endRecord(): void {
    if (this.tokens.length > this.first && this.tokens[this.tokens.length - 1] !== SEPARATOR)
      this.tokens.push(SEPARATOR)
  }

  erase(from: number, to: number): void {
    for (let p = Math.max(from, this.first); p < Math.min(to, this.tokens.length); p++) this.tokens[p] = SEPARATOR
  }

  evict(position: number): void {
    const whole = Math.floor(Math.min(position, this.tokens.length) / this.segmentTokens) * this.segmentTokens
    this.first = Math.max(this.first, whole)
  }

  /** The last tokens of the current record, newest first. */
  context(): number[] {
    const context: number[] = []
    for (let p = this.tokens.length - 1; p >= this.first && this.tokens[p] !== SEPARATOR; p--)
      context.push(this.tokens[p])
    return context
  }

  find(context: readonly number[], wanted: readonly number[]): TwinMatch[] {
    const found: TwinMatch[] = []
    for (let q = this.orders.length - 1; q >= 0; q--) {
      let ofThisOrder = 0
      for (let p = this.tokens.length - 2; p >= this.first; p--) {
        if (ofThisOrder === wanted[q]) break
        const length = this.matchLength(p, context)
        if (length < this.orders[q] || length >= (this.orders[q + 1] ?? Number.POSITIVE_INFINITY)) continue
        if (this.tokens[p + 1] === SEPARATOR) continue
        found.push({ position: p + 1, length, rank: Math.min(255, found.length) })
        ofThisOrder++
      }
    }
    return found
  }

  private matchLength(position: number, context: readonly number[]): number {
    let length = 0
    while (
      length < Math.min(this.maxMatch, context.length) &&
      position - length >= this.first &&
      this.tokens[position - length] === context[length]
    )
      length++
    return length
  }
}
