import { JinjaError } from './error.js'

/** What one rendering may cost: templates come with models, and models come from anywhere. */
export class Budget {
  #steps: number
  #depth = 0

  /** @param steps expressions evaluated plus characters and entries made */
  constructor(steps = 20_000_000) {
    this.#steps = steps
  }

  /** Pays for work. @throws JinjaError `budget` */
  spend(steps: number): void {
    this.#steps -= steps
    if (this.#steps < 0) throw new JinjaError('budget', 'the template takes too long')
  }

  /** Runs something one level deeper. @throws JinjaError `budget` where templates call themselves without end */
  deeper<T>(run: () => T): T {
    if (++this.#depth > 100) throw new JinjaError('budget', 'the template calls itself too deeply')
    try {
      return run()
    } finally {
      this.#depth--
    }
  }
}
