/** Memory of the two balances, per forward. */
const fastMemory = 0.9
const slowMemory = 0.995
/** Balances, in conventional forwards, below which drafting rests: a clear loss, a lasting small one, a failed trial. */
const fastLimit = -2
const slowLimit = -1.5
const trialLimit = -0.8
/** Forwards of the first rest; doubled each time the trial after it fails. */
const shortestRest = 24
const longestRest = 768
/** Forwards of a trial. */
const trialLength = 12
/** What one forward can add or take: outliers of a busy machine must not decide. */
const mostGain = 8

/**
 * Watches that drafting pays. After each forward it is told what that brought compared with conventional decoding, in
 * conventional forwards: 3 tokens in the time of 2 conventional forwards are +1. It keeps two balances,
 *
 *     fast   remembers 10 forwards: drafts that fail outright are stopped within ten steps
 *     slow   remembers 200: so is retrieval that costs a little and finds nothing
 *
 * and where one falls below its limit, drafting rests: nothing is retrieved or verified for a number of forwards. Then
 * a few are tried again; if they lose too, the next rest is twice as long.
 *
 *     drafting ──(balance below limit)──► resting ──(rest over)──► trial ──(kept up)──► drafting
 *                                            ▲                       │
 *                                            └──(lost: rest × 2)─────┘
 */
export class Guard {
  #fast = 0
  #slow = 0
  /** Forwards left to rest. */
  #rest = 0
  #nextRest = shortestRest
  /** Forwards left of a trial. */
  #trial = 0

  /** Whether the coming forward should neither retrieve nor verify drafts. */
  get resting(): boolean {
    return this.#rest > 0
  }

  /**
   * Takes the outcome of a forward. While resting, only time passes.
   *
   * @param gain tokens × conventional time − time spent, in conventional forwards; retrieval counts as time spent
   */
  observe(gain: number): void {
    if (this.#rest > 0) {
      if (--this.#rest === 0) this.#trial = trialLength
      return
    }
    if (!Number.isFinite(gain)) return
    const bounded = Math.min(mostGain, Math.max(-mostGain, gain))
    this.#fast = this.#fast * fastMemory + bounded
    this.#slow = this.#slow * slowMemory + bounded
    const inTrial = this.#trial > 0
    if (this.#fast < (inTrial ? trialLimit : fastLimit) || this.#slow < slowLimit) {
      this.#rest = inTrial ? this.#nextRest : shortestRest
      this.#nextRest = Math.min(longestRest, this.#rest * 2)
      this.#trial = 0
      this.#fast = 0
      this.#slow = 0
    } else if (inTrial && --this.#trial === 0) this.#nextRest = shortestRest
  }
}
