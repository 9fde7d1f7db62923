// How many threads compute.

/**
 * A look at a number of threads takes this many forwards and this many milliseconds, whichever comes later; their total
 * time counts. Shorter looks mistake a compiler at work in this very process for a busy machine.
 */
const lookForwards = 3
const lookMs = 100
/** Looks in a row that must find forwards slow: a process that was stopped, or a computer that slept, is seen once. */
const slowLooks = 2
/** Forwards after a change that are not looked at: threads have to wake up, caches to fill. */
const settlingForwards = 1
/** Forwards that take this many times what they took at load make other numbers of threads be tried. */
const slow = 2
/** Another number of threads is taken if it needs at most this share of the time of the current one. */
const clearly = 0.9
/** Milliseconds from one trial to the next; doubled each time nothing better was found. */
const shortestWaitMs = 1000
const longestWaitMs = 64_000

/**
 * How many threads compute. The threads of a forward wait for each other dozens of times, so where another program
 * takes one core, all of them stand still until it gives that core back: a forward of 0.4 ms then takes 100. Fewer
 * threads are slower by a small factor and wait for nobody.
 *
 *     settled ──(whole crew: forwards twice as long as at load; fewer: after some seconds)──► every other number,
 *        ▲                                                                                    a look each
 *        └────────────────────────(the fastest is taken)──────────────────────────────────────┘
 *
 * Only for configurations in which the number of threads changes no bit of any row.
 */
export class Crew {
  /** Numbers of threads, the whole crew first. */
  readonly #sizes: readonly number[]
  #at = 0
  /** Where the current trial began; -1: there is none. */
  #from = -1
  /** The best of the trial so far, and how slow forwards were with it. */
  #best = 0
  #bestSlowness = 0
  /** Of the current look: its forwards, what they took, and what they would have taken at load. */
  #forwards = -settlingForwards
  #ms = 0
  #atLoadMs = 0
  /** Looks in a row that found the whole crew slow. */
  #slow = 0
  #waitMs = shortestWaitMs
  #waitEndMs = 0
  #changes = 0
  /** Whether the first look is followed by a trial whatever it finds. */
  #doubts: boolean

  /**
   * @param most threads of the whole crew; ≥ 1
   * @param first threads to begin with, as was fastest at load; 1 … most. Default: all
   * @param doubts whether to distrust what was measured at load: then other numbers are tried soon. Default `false`
   */
  constructor(most: number, first = most, doubts = false) {
    this.#doubts = doubts
    const sizes = [most, most - 1, most >> 1, 1, first].filter((size) => size >= 1 && size <= most)
    this.#sizes = [...new Set(sizes)].sort((a, b) => b - a)
    this.#at = this.#sizes.indexOf(first)
  }

  /** Threads of the coming forward. */
  get threads(): number {
    return this.#sizes[this.#at]
  }

  /** The same, but during a trial the number before it. */
  get settled(): number {
    return this.#sizes[this.#from >= 0 ? this.#from : this.#at]
  }

  /** How often that number has changed. */
  get changes(): number {
    return this.#changes
  }

  /**
   * Takes the outcome of a forward with {@link threads}.
   *
   * @param ms what it took
   * @param atLoadMs what a forward of this size took at load
   * @param nowMs a clock
   */
  observe(ms: number, atLoadMs: number, nowMs: number): void {
    if (this.#sizes.length === 1 || !(ms > 0) || !(atLoadMs > 0)) return
    if (++this.#forwards <= 0) return
    this.#ms += ms
    this.#atLoadMs += atLoadMs
    const slowness = this.#ms / this.#atLoadMs
    const isTrial = this.#from >= 0
    // One bad forward may cost as much as a hundred good ones: one is enough to see.
    const enough = isTrial && slowness > slow * this.#bestSlowness ? 1 : lookForwards
    if (this.#forwards < enough || this.#ms < lookMs) return
    this.#lookAnew(0)
    if (!isTrial) {
      const isWhole = this.#at === 0
      this.#slow = isWhole && slowness > slow ? this.#slow + 1 : 0
      if (nowMs < this.#waitEndMs || (isWhole && this.#slow < slowLooks && !this.#doubts)) return
      this.#slow = 0
      this.#doubts = false
      this.#from = this.#at
      this.#best = this.#at
      this.#bestSlowness = slowness
      this.#at = -1
    } else if (slowness < clearly * this.#bestSlowness) {
      this.#best = this.#at
      this.#bestSlowness = slowness
    }
    this.#tryNext(nowMs)
  }

  #lookAnew(settling: number): void {
    this.#forwards = -settling
    this.#ms = 0
    this.#atLoadMs = 0
  }

  /** On to the next number of threads, or to the best of them. */
  #tryNext(nowMs: number): void {
    this.#changes++
    this.#lookAnew(settlingForwards)
    this.#at++
    if (this.#at === this.#from) this.#at++
    if (this.#at < this.#sizes.length) return
    this.#waitMs = this.#best === this.#from ? Math.min(longestWaitMs, 2 * this.#waitMs) : shortestWaitMs
    this.#waitEndMs = nowMs + this.#waitMs
    this.#at = this.#best
    this.#from = -1
  }
}
