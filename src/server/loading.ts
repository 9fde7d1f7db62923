// Something that is there, or is being loaded.

import { ApiError } from './errors.js'

/** Something that is loaded or still loading: until it is there, requests for it are told so. */
export class Loading<Thing extends object> {
  readonly #what: string
  #thing: Thing | undefined
  #isLost = false

  /**
   * @param what how a refusal names it
   * @param open called once it is there
   */
  constructor(given: Thing | PromiseLike<Thing>, what: string, open: (thing: Thing) => void = () => {}) {
    this.#what = what
    const take = (thing: Thing) => {
      this.#thing = thing
      open(thing)
    }
    if ('then' in given)
      given.then(take, () => {
        this.#isLost = true
      })
    else take(given)
  }

  /** It, if it is there. */
  get thing(): Thing | undefined {
    return this.#thing
  }

  /** @throws ApiError 503 until it is loaded, and if it could not be */
  demand(): Thing {
    if (this.#thing) return this.#thing
    throw this.#isLost
      ? new ApiError(503, 'unavailable_error', `${this.#what} could not be loaded`, { code: 'not_loaded' })
      : new ApiError(503, 'unavailable_error', `${this.#what} is being loaded`, { code: 'loading', retryAfter: 1 })
  }
}
