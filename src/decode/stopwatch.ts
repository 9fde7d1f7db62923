// Where the time of the decode loop's steps goes.

/** The parts of a step. `forward` includes leaving the event loop and coming back. */
export const stepParts = ['draft', 'batch', 'forward', 'verify', 'commit', 'emit', 'learn'] as const

export type StepPart = (typeof stepParts)[number]

/** Times the parts of the decode loop's steps, one after the other. */
export class Stopwatch {
  /** Milliseconds in all, by part. */
  readonly ms = Object.fromEntries(stepParts.map((part) => [part, 0])) as Record<StepPart, number>
  #since = 0

  /** A step begins. */
  start(): void {
    this.#since = performance.now()
  }

  /** A part is over; the next one begins. */
  lap(part: StepPart): void {
    const now = performance.now()
    this.ms[part] += now - this.#since
    this.#since = now
  }

  /** Forgets what was timed. */
  reset(): void {
    for (const part of stepParts) this.ms[part] = 0
  }
}
