// Admission: how many answers may run and wait, and when to try again.

import { ApiError, stopping } from './errors.js'

/** Roughly how many requests the mean duration goes back. */
const memory = 16

/**
 * Admits as many answers as the slots and the queue hold, and tells others when to come back.
 *
 *     in flight   ■ ■ ■ ■ │ □ □ □ □ │ ✗
 *                 slots     queue     429
 */
export class Admission {
  readonly #slots: number
  readonly #limit: number
  #inFlight = 0
  #meanMs = 0
  #stopped = false
  #idle: (() => void)[] = []

  /**
   * @param slots answers written at the same time
   * @param queue answers that may wait for a slot
   */
  constructor(slots: number, queue: number) {
    this.#slots = slots
    this.#limit = slots + queue
  }

  /** Answers that are being written or wait. */
  get inFlight(): number {
    return this.#inFlight
  }

  /** Admits no one from now on; {@link whenIdle} resolves when all have left. */
  stop(): void {
    this.#stopped = true
  }

  /** Resolves once nothing is in flight. */
  whenIdle(): Promise<void> {
    return this.#inFlight === 0 ? Promise.resolve() : new Promise((resolve) => this.#idle.push(resolve))
  }

  /** Checks whether an answer would be admitted now. @throws as {@link enter} */
  knock(): void {
    if (this.#stopped) throw stopping()
    if (this.#inFlight >= this.#limit) this.#refuse(1)
  }

  /**
   * Admits `count` answers. Call the returned function when they have ended; further calls do nothing.
   *
   * @throws ApiError 429 if they do not fit, 503 once stopped
   */
  enter(count: number): () => void {
    if (this.#stopped) throw stopping()
    if (count > this.#limit)
      throw new ApiError(
        400,
        'invalid_request_error',
        `this request asks for ${count} answers; at most ${this.#limit} fit`,
        {
          param: 'n',
        },
      )
    if (this.#inFlight + count > this.#limit) this.#refuse(count)
    this.#inFlight += count
    const began = performance.now()
    let inside = true
    return () => {
      if (!inside) return
      inside = false
      this.#inFlight -= count
      const ms = performance.now() - began
      this.#meanMs = this.#meanMs === 0 ? ms : this.#meanMs + (ms - this.#meanMs) / memory
      if (this.#inFlight === 0) for (const resolve of this.#idle.splice(0)) resolve()
    }
  }

  #refuse(count: number): never {
    const rounds = Math.ceil((this.#inFlight + count - this.#limit) / this.#slots)
    const retryAfter = Math.max(1, Math.ceil((rounds * this.#meanMs) / 1000))
    throw new ApiError(
      429,
      'rate_limit_error',
      `the queue is full: ${this.#inFlight} answers are being written or wait, at most ${this.#limit} may; try again in ${retryAfter} s`,
      { code: 'queue_full', retryAfter },
    )
  }
}
