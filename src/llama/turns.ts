/**
 * Who may keep the event loop busy next: one at a time, and between two of them everybody else is heard.
 *
 *     loop     │ A parses │ sockets, timers │ B parses │ sockets, timers │ A checks │ …
 *
 * What a client sends is bounded, but many clients may send the most that is allowed at the same moment; without turns
 * the sum of it would stand between a `/health` and its answer.
 */
export class Turns {
  #last: Promise<void> = Promise.resolve()

  /** Resolves when it is the caller's turn: until its next `await` nobody else's work follows on its own. */
  take(): Promise<void> {
    // An immediate asked for by an immediate runs in the next round of the loop, behind the sockets.
    this.#last = this.#last.then(() => new Promise<void>((resolve) => setImmediate(resolve)))
    return this.#last
  }

  /** The value of a generator that pauses every few milliseconds: each piece of its work has a turn of its own. */
  async finish<Result>(work: Iterator<void, Result>): Promise<Result> {
    for (;;) {
      await this.take()
      const { done, value } = work.next()
      if (done) return value
    }
  }
}

/** The turns of this process: there is one event loop. */
export const turns = new Turns()

export { finish } from '../grammar/slices.js'
