// What a rendering may cost, and when it lets others go on.

import { JinjaError } from './error.js'

/** Steps after which a rendering may pause: some milliseconds. */
const sliceSteps = 20_000

/** What one rendering may cost: templates come with models, and models come from anywhere. */
export class Budget {
  #steps: number
  #depth = 0
  /** Steps left when the present slice began. */
  #sliced: number

  /** @param steps expressions evaluated plus characters and entries made */
  constructor(steps = 20_000_000) {
    this.#steps = steps
    this.#sliced = steps
  }

  /** Whether a slice is over; then the next begins. */
  get isSliced(): boolean {
    if (this.#sliced - this.#steps < sliceSteps) return false
    this.#sliced = this.#steps
    return true
  }

  /** Pays for work. @throws JinjaError `budget` */
  spend(steps: number): void {
    this.#steps -= steps
    if (this.#steps < 0) throw new JinjaError('budget', 'the template takes too long')
  }

  /** Goes one level deeper. @throws JinjaError `budget` if templates call themselves endlessly */
  enter(): void {
    if (++this.#depth > 100) throw new JinjaError('budget', 'the template calls itself too deeply')
  }

  leave(): void {
    this.#depth--
  }
}
