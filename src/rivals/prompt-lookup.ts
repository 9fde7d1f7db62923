// Prompt lookup.

import type { Drafter, DraftSession } from '../draft/drafter.js'
import { type Copy, CopySession } from './copy-session.js'
import { HitRate } from './hit-rate.js'

/** Options of a {@link PromptLookupDrafter}. */
export interface PromptLookupOptions {
  /** Most tokens from the end of the context that are looked for. Default 3. */
  maxNgram?: number
  /** Most tokens drafted, whatever the budget. Default 10. */
  maxTokens?: number
}

/**
 * Prompt lookup decoding, the baseline everyone knows: look for the last tokens of the context, at most `maxNgram` of
 * them, in prompt and answer; take the first place where they occur and draft what followed there, as one branch.
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
    return new CopySession((tokens, count, copy) => this.#find(tokens, count, copy), this.hitRate)
  }

  #find(tokens: Int32Array, count: number, copy: Copy): void {
    for (let length = Math.min(this.maxNgram, count - 1); length > 0; length--) {
      const place = firstAfter(tokens, count, length)
      if (place < 0) continue
      copy.place = place
      copy.most = this.maxTokens
      copy.matched = length
      return
    }
  }
}

/** Where the first earlier occurrence of the last `length` tokens ends; -1 if there is none. */
function firstAfter(tokens: Int32Array, count: number, length: number): number {
  const suffix = count - length
  for (let start = 0; start < suffix; start++) {
    let k = 0
    while (k < length && tokens[start + k] === tokens[suffix + k]) k++
    if (k === length) return start + length
  }
  return -1
}
