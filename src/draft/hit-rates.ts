// How often guesses have come true of late.

/** How much of what was seen is kept from one guess to the next. */
const retention = 0.99

/** What is believed of a guess before any was seen weighs as much as this many. */
const priorGuesses = 8

/**
 * The shares of guesses that came true, by class, each begun from what was believed beforehand and moving with what is
 * seen:
 *
 *     rate = (kept + 8 × believed) / (judged + 8)
 */
export class HitRates {
  /** By class: guesses that came true, and all of them; older ones count for less. */
  readonly #kept: Float64Array
  readonly #judged: Float64Array

  constructor(classes: number) {
    this.#kept = new Float64Array(classes)
    this.#judged = new Float64Array(classes)
  }

  /** How probable a guess is. @param believed how probable it was held beforehand */
  of(kind: number, believed: number): number {
    return (this.#kept[kind] + priorGuesses * believed) / (this.#judged[kind] + priorGuesses)
  }

  /** Learns whether one came true. */
  learn(kind: number, cameTrue: boolean): void {
    this.#kept[kind] = this.#kept[kind] * retention + (cameTrue ? 1 : 0)
    this.#judged[kind] = this.#judged[kind] * retention + 1
  }
}
