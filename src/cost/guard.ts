/** Memory of the two balances, per forward. */
const fastMemory = 0.9
const slowMemory = 0.99
/** Balance of the last ten forwards below which drafting rests, in conventional forwards; the second during a trial. */
const fastLimit = -3
const trialLimit = -1
/** Mean gain per forward below which it rests in the long run, and after how many forwards that can be told. */
const slowLimit = -0.006
const slowAfter = 100
/** Forwards of the first rest; doubled each time the trial after it fails. */
const shortestRest = 16
const longestRest = 512
/** Forwards of a trial. */
const trialLength = 12
/** What one forward can take and add: a few outliers must not decide. */
const mostLoss = 1
const mostGain = 4

/**
 * Watches that drafting pays in time. After each forward it is told what that brought compared with conventional
 * decoding, in conventional forwards: 3 tokens in the time of 2 conventional forwards are +1. It keeps two balances,
 *
 *     fast   remembers 10 forwards: drafts that fail outright are stopped within ten steps
 *     slow   remembers 100: so is retrieval that costs a little and finds nothing
 *
 * and where one falls below its limit, drafting rests: nothing is retrieved or verified for a number of forwards. Then
 * a few are tried again; if they lose too, the next rest is twice as long.
 *
 *     drafting ──(balance below limit)──► resting ──(rest over)──► trial ──(kept up)──► drafting
 *                                            ▲                       │
 *                                            └──(lost: rest × 2)─────┘
 *
 * A new request ends a rest too, with a trial of its own.
 */
export class Guard {
  #fast = 0
  #slow = 0
  #watched = 0
  /** Forwards left to rest. */
  #rest = 0
  #nextRest = shortestRest
  /** Forwards left of a trial. */
  #trial = 0

  /** Whether the coming forward should neither retrieve nor verify drafts. */
  get resting(): boolean {
    return this.#rest > 0
  }

  /** A new request may be of another kind: ends a rest with a trial. */
  renew(): void {
    if (this.#rest === 0) return
    this.#rest = 0
    this.#trial = trialLength
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
    if (Number.isNaN(gain)) return
    const bounded = Math.min(mostGain, Math.max(-mostLoss, gain))
    this.#fast = this.#fast * fastMemory + bounded
    this.#slow = this.#slow * slowMemory + bounded
    this.#watched++
    const inTrial = this.#trial > 0
    const losesFast = this.#fast < (inTrial ? trialLimit : fastLimit)
    const losesSlowly = this.#watched > slowAfter && this.#slow * (1 - slowMemory) < slowLimit
    if (losesFast || losesSlowly) {
      this.#rest = this.#nextRest
      this.#nextRest = Math.min(longestRest, 2 * this.#rest)
      this.#trial = 0
      this.#fast = 0
      this.#slow = 0
      this.#watched = 0
    } else if (inTrial && --this.#trial === 0) this.#nextRest = Math.max(shortestRest, this.#nextRest / 2)
  }
}
