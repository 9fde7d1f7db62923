// How often something comes true.

/** How often something comes true: a decayed, smoothed share of hits. */
export class HitRate {
  #hits = 1
  #trials = 2

  /** Between 0 and 1; 0.5 before anything was learnt. */
  get value(): number {
    return this.#hits / this.#trials
  }

  /** Counts one trial; the last thousand or so decide. */
  learn(hit: boolean): void {
    this.#hits = this.#hits * 0.999 + (hit ? 1 : 0)
    this.#trials = this.#trials * 0.999 + 1
  }
}
