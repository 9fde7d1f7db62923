// Waiting: for a time, for a beat, between tries, and for something to happen.

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

/**
 * Wakes all that wait at the same moment, at the next multiple of a period: each waking costs, so what is due should come
 * due together. By the machine's clock, so that replicas whose clocks agree beat together. It stands still while nobody waits.
 */
export class Metronome {
  readonly #periodMs: number
  readonly #offsetMs: number
  readonly #bell = new Bell()
  #timer: NodeJS.Timeout | undefined

  /** @param offsetMs how long after each multiple of the period it beats */
  constructor(periodMs: number, offsetMs = 0) {
    this.#periodMs = periodMs
    this.#offsetMs = offsetMs
  }

  /** Resolves at the next beat, or {@link strike}, or when `signal` aborts. */
  beat(signal: AbortSignal): Promise<void> {
    this.#timer ??= setTimeout(() => this.strike(), this.#periodMs - ((Date.now() - this.#offsetMs) % this.#periodMs))
    return this.#bell.rung(signal)
  }

  /** A beat at once, before its time. */
  strike(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#bell.ring()
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
