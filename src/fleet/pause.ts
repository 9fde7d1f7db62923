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
