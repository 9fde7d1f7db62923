// A drafter that promises what never comes.

import type { DraftSession } from '../../src/draft/drafter.js'
import type { DraftTree } from '../../src/draft/tree.js'

/** Promises tokens that never come, always with the same confidence, and learns nothing. */
export class LyingSession implements DraftSession {
  readonly #answer: ArrayLike<number>
  #at = 0

  constructor(answer: ArrayLike<number>) {
    this.#answer = answer
  }

  read(): void {}

  draft(tree: DraftTree, budget: number): void {
    tree.clear()
    for (let i = 0; i < Math.min(budget, 16); i++) tree.add((this.#answer[this.#at] ?? 0) ^ 1, i - 1, 0.9 ** i, 0, 1)
  }

  accept(_tokens: ArrayLike<number>, count: number): void {
    this.#at += count
  }

  close(): void {}
}
