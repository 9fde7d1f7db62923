// llama.cpp's n-gram drafter.

import type { Drafter, DraftSession } from '../draft/drafter.js'
import { type Copy, CopySession } from './copy-session.js'
import { HitRate } from './hit-rate.js'

/** Options of an {@link NgramSimpleDrafter}; defaults as in llama.cpp. */
export interface NgramSimpleOptions {
  /** Tokens of the context that must occur at the earlier place (`--spec-ngram-simple-size-n`). Default 12. */
  sizeN?: number
  /** Most tokens drafted from there (`--spec-ngram-simple-size-m`). Default 48. */
  sizeM?: number
}

/**
 * The rule that llama.cpp calls `ngram-simple`: look backwards through prompt and answer for the last `sizeN` tokens,
 * take the newest place where they occur, and draft what followed there as one branch.
 *
 *     … a b c d e f g … a b c │          sizeN 3: drafts d e f g …
 *
 * Three of its quirks are kept, since they are what people get who switch it on: nothing is drafted until there are more
 * than `sizeN + sizeM + 1` tokens; a place at the very beginning is not seen; and if fewer than `sizeN` tokens follow the
 * place, not counting the last one written, nothing is drafted, not even from an older place.
 */
export class NgramSimpleDrafter implements Drafter {
  readonly name = 'ngram-simple'
  readonly sizeN: number
  readonly sizeM: number
  /** How often a drafted token was right, learnt over all requests: the rule itself has no idea. */
  readonly hitRate = new HitRate()

  constructor(options: NgramSimpleOptions = {}) {
    this.sizeN = options.sizeN ?? 12
    this.sizeM = options.sizeM ?? 48
  }

  open(): DraftSession {
    return new CopySession((tokens, count, copy) => this.#find(tokens, count, copy), this.hitRate)
  }

  #find(tokens: Int32Array, count: number, copy: Copy): void {
    const { sizeN, sizeM } = this
    const suffix = count - sizeN
    // The last token is not yet part of the history that is searched.
    const history = count - 1
    if (history <= sizeN + sizeM + 1) return
    for (let start = history - sizeN - 1; start > 0; start--) {
      let k = 0
      while (k < sizeN && tokens[start + k] === tokens[suffix + k]) k++
      if (k < sizeN) continue
      const most = Math.min(sizeM, history - (start + sizeN))
      if (most < sizeN) return
      copy.place = start + sizeN
      copy.most = most
      copy.matched = sizeN
      return
    }
  }
}
