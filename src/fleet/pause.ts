// Waiting: for a time, between tries, and for something to happen.

/** Waits, at most until `signal` aborts. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, ms)
    signal.addEventListener('abort', done, { once: true })
  })
}

/** What several may wait for until someone rings. */
export class Bell {
  #waiting = new Set<() => void>()

  /** Lets all go on that wait. */
  ring(): void {
    for (const wake of [...this.#waiting]) wake()
  }

  /** Resolves when it rings, or `signal` aborts. */
  rung(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.resolve()
    return new Promise((resolve) => {
      const done = () => {
        signal.removeEventListener('abort', done)
        this.#waiting.delete(done)
        resolve()
      }
      signal.addEventListener('abort', done, { once: true })
      this.#waiting.add(done)
    })
  }
}

/** How long to wait before the next try: twice as long after each failure, a little by chance. */
export class Backoff {
  #ms = 0

  /** The next try succeeded. */
  reset(): void {
    this.#ms = 0
  }

  /** Waits before another try. */
  async wait(signal: AbortSignal): Promise<void> {
    this.#ms = Math.min(LONGEST_MS, this.#ms === 0 ? SHORTEST_MS : 2 * this.#ms)
    await pause(this.#ms * (0.75 + 0.5 * Math.random()), signal)
  }
}

const SHORTEST_MS = 100
const LONGEST_MS = 5000
