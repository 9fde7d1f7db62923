import type { Drafter, DraftSession } from './drafter.js'
import { HitRate } from './hit-rate.js'
import { DraftSource, type DraftTree } from './tree.js'

/** Options of a {@link PromptLookupDrafter}. */
export interface PromptLookupOptions {
  /** Longest context end that is looked for. Default 3. */
  maxNgram?: number
  /** Most tokens drafted, whatever the budget. Default 10. */
  maxTokens?: number
}

/**
 * Prompt lookup decoding, the baseline everyone knows: look for the last tokens of the context, at most `maxNgram` of
 * them, in prompt and answer; take the first place where they stand and draft what followed there, as one branch.
 */
export class PromptLookupDrafter implements Drafter {
  readonly name = 'prompt-lookup'
  readonly maxNgram: number
  readonly maxTokens: number
  /** How often a drafted token was right, learnt over all requests: the lookup itself has no idea. */
  readonly hitRate = new HitRate()

  constructor(options: PromptLookupOptions = {}) {
    this.maxNgram = options.maxNgram ?? 3
    this.maxTokens = options.maxTokens ?? 10
  }

  open(): DraftSession {
    return new PromptLookupSession(this)
  }
}

class PromptLookupSession implements DraftSession {
  private readonly drafter: PromptLookupDrafter
  private tokens = new Int32Array(1024)
  private count = 0
  /** The place that was drafted last; -1 if none. */
  private drafted = -1

  constructor(drafter: PromptLookupDrafter) {
    this.drafter = drafter
  }

  read(tokens: ArrayLike<number>): void {
    this.append(tokens, tokens.length)
  }

  draft(tree: DraftTree, budgetNodes: number): void {
    tree.clear()
    const { tokens, count, drafter } = this
    this.drafted = -1
    for (let length = Math.min(drafter.maxNgram, count - 1); length > 0; length--) {
      const place = this.find(length)
      if (place < 0) continue
      this.drafted = place
      const rate = drafter.hitRate.value
      const end = Math.min(count, place + Math.min(budgetNodes, drafter.maxTokens, tree.capacityNodes))
      for (let k = place; k < end; k++)
        tree.add(tokens[k], tree.size - 1, rate ** (k - place + 1), DraftSource.own, length)
      return
    }
  }

  accept(tokens: ArrayLike<number>, count: number): void {
    if (this.drafted >= 0)
      for (let k = 0; k < count && this.drafted + k < this.count; k++) {
        const hit = this.tokens[this.drafted + k] === tokens[k]
        this.drafter.hitRate.learn(hit)
        if (!hit) break
      }
    this.append(tokens, count)
  }

  close(): void {
    this.count = 0
  }

  /** Where the first earlier occurrence of the last `length` tokens ends; -1 if there is none. */
  private find(length: number): number {
    const { tokens, count } = this
    const suffix = count - length
    for (let start = 0; start < suffix; start++) {
      let k = 0
      while (k < length && tokens[start + k] === tokens[suffix + k]) k++
      if (k === length) return start + length
    }
    return -1
  }

  private append(tokens: ArrayLike<number>, count: number): void {
    this.drafted = -1
    if (this.count + count > this.tokens.length) {
      const grown = new Int32Array(2 * (this.count + count))
      grown.set(this.tokens)
      this.tokens = grown
    }
    for (let k = 0; k < count; k++) this.tokens[this.count++] = tokens[k]
  }
}
