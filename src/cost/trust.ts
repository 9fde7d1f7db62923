/** How much of what was seen is kept from one full step to the next. */
const memory = 0.9
/** Steps' worth of trust before anything has been seen. */
const prior = 1

/**
 * How far a drafter's promises can be believed at the moment: tokens kept over tokens promised, in the last ten steps or
 * so. Drafters learn to promise well, but over many requests; a stream that fools one must not cost more than a few
 * forwards. Learns from verified drafts, and from unverified ones too: whether the next token was among their first.
 * So trust comes back while nothing is verified, if what was promised would have been kept.
 */
export class Trust {
  #kept = 0
  #promised = 0

  /** Factor for promised probabilities, 0 … 1. */
  get factor(): number {
    return Math.min(1, (prior + this.#kept) / (prior + this.#promised))
  }

  /**
   * Learns the outcome of a draft.
   *
   * @param promised sum of the probabilities of its nodes
   * @param kept how many of them came true
   */
  learn(promised: number, kept: number): void {
    if (!(promised > 0)) return
    // A long draft that fails at its first token is one mistake, not fifteen; a faint promise proves little.
    const weight = Math.min(1, promised)
    const remembered = 1 - (1 - memory) * weight
    this.#kept = this.#kept * remembered + (kept * weight) / promised
    this.#promised = this.#promised * remembered + weight
  }
}
