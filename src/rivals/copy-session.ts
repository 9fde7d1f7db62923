// What drafters of a single chain have in common: they copy what followed a match.

import type { DraftSession } from '../draft/drafter.js'
import { DraftSource, type DraftTree } from '../draft/tree.js'
import type { HitRate } from './hit-rate.js'

/** A stretch of a request's own text that may come next. */
export interface Copy {
  /** Where it begins; -1: nothing was found. */
  place: number
  /** Most tokens of it that are drafted. */
  most: number
  /** Tokens of the context that come before it there too. */
  matched: number
}

/** Finds what to copy next, given the first `count` of `tokens`: everything read and written so far. */
export type CopyRule = (tokens: Int32Array, count: number, copy: Copy) => void

/**
 * A request whose drafts are one branch, copied from its own prompt or answer. The rules know nothing of probabilities;
 * what is learnt here for them is how often a copied token was right.
 */
export class CopySession implements DraftSession {
  readonly #rule: CopyRule
  readonly #hitRate: HitRate
  readonly #copy: Copy = { place: -1, most: 0, matched: 0 }
  #tokens = new Int32Array(1024)
  #count = 0

  constructor(rule: CopyRule, hitRate: HitRate) {
    this.#rule = rule
    this.#hitRate = hitRate
  }

  get byteLength(): number {
    return this.#tokens.byteLength
  }

  read(tokens: ArrayLike<number>): void {
    this.#append(tokens, tokens.length)
  }

  draft(tree: DraftTree, budgetNodes: number): void {
    tree.clear()
    const tokens = this.#tokens
    const count = this.#count
    const copy = this.#copy
    copy.place = -1
    this.#rule(tokens, count, copy)
    if (copy.place < 0) return
    const rate = this.#hitRate.value
    const end = Math.min(count, copy.place + Math.min(budgetNodes, copy.most, tree.capacityNodes))
    for (let k = copy.place; k < end; k++)
      tree.add(tokens[k], tree.size - 1, rate ** (k - copy.place + 1), DraftSource.own, Math.min(copy.matched, 255))
  }

  accept(tokens: ArrayLike<number>, count: number): void {
    const { place } = this.#copy
    if (place >= 0)
      for (let k = 0; k < count && place + k < this.#count; k++) {
        const hit = this.#tokens[place + k] === tokens[k]
        this.#hitRate.learn(hit)
        if (!hit) break
      }
    this.#append(tokens, count)
  }

  close(): void {
    this.#count = 0
    this.#copy.place = -1
  }

  #append(tokens: ArrayLike<number>, count: number): void {
    this.#copy.place = -1
    if (this.#count + count > this.#tokens.length) {
      const grown = new Int32Array(2 * (this.#count + count))
      grown.set(this.#tokens)
      this.#tokens = grown
    }
    for (let k = 0; k < count; k++) this.#tokens[this.#count++] = tokens[k]
  }
}
