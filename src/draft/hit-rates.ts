// How often guesses have come true lately, by kind.

/** How much of what was seen is kept from one guess to the next. */
const retention = 0.99

/** The initial belief weighs as much as this many guesses. */
const priorGuesses = 8

/**
 * The share of guesses that came true, by kind. Each starts from an initial belief and moves with what is seen:
 *
 *     rate = (kept + 8 × believed) / (judged + 8)
 */
export class HitRates {
  /** By kind: guesses that came true, and all guesses; older ones count for less. */
  readonly #kept: Float64Array
  readonly #judged: Float64Array

  constructor(kinds: number) {
    this.#kept = new Float64Array(kinds)
    this.#judged = new Float64Array(kinds)
  }

  /** How probable a guess is. @param believed the initial belief */
  of(kind: number, believed: number): number {
    return (this.#kept[kind] + priorGuesses * believed) / (this.#judged[kind] + priorGuesses)
  }

  /** Learns whether a guess came true. */
  learn(kind: number, cameTrue: boolean): void {
    this.#kept[kind] = this.#kept[kind] * retention + (cameTrue ? 1 : 0)
    this.#judged[kind] = this.#judged[kind] * retention + 1
  }
}
