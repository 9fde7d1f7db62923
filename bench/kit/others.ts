// How much of the processor other programs take while something is timed.

import { readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { setTimeout } from 'node:timers/promises'

/** Share of all cores above which other programs disturb: a forward on several threads waits at barriers for each. */
export const DISTURBED = 0.04

/** Long enough to see whether others are at work, and how long to wait for them before each attempt. */
const restMs = 200
const patienceMs = 5000

/** Linux counts processor time in hundredths of a second. */
const tickMs = 10

interface Reading {
  at: number
  busyMs: number
  ownMs: number
}

/**
 * Watches how much of the processor others take while some processes of ours work: the time that all cores were busy,
 * or were given to other guests of the host, less that of ours. Where the system does not tell (it is not Linux),
 * shares are `undefined` and nothing counts as disturbed.
 */
export class OthersWatch {
  readonly #pids: () => readonly number[]
  readonly #file: (name: string) => string
  #from: Reading | undefined

  /**
   * @param pids processes of ours
   * @param file reads a file of `/proc`
   */
  constructor(pids: () => readonly number[], file = (name: string) => readFileSync(name, 'utf8')) {
    this.#pids = pids
    this.#file = file
    this.start()
  }

  start(): void {
    this.#from = this.#read()
  }

  /** Share of all cores that others took since {@link start}. */
  share(): number | undefined {
    const from = this.#from
    const to = this.#read()
    if (!from || !to) return undefined
    const ownMs = to.ownMs - from.ownMs
    const all = (to.at - from.at) * availableParallelism()
    return all > 0 ? Math.max(0, (to.busyMs - from.busyMs - ownMs) / all) : 0
  }

  /** Rests, and goes on resting while others are at work, but no longer than `mostMs` in all. Returns the time taken. */
  async rest(leastMs: number, mostMs: number): Promise<number> {
    const began = performance.now()
    for (;;) {
      this.start()
      await setTimeout(leastMs)
      const took = performance.now() - began
      if ((this.share() ?? 0) <= DISTURBED || took >= mostMs) return took
    }
  }

  /**
   * Does something until others leave it alone, at most three times; what was spoilt is undone. For what everything
   * after it rests on, such as T(n).
   */
  async undisturbed<T>(attempt: () => Promise<T>, undo: (spoilt: T) => Promise<void>): Promise<T> {
    for (let tries = 1; ; tries++) {
      await this.rest(restMs, patienceMs)
      this.start()
      const outcome = await attempt()
      if ((this.share() ?? 0) <= DISTURBED || tries === 3) return outcome
      await undo(outcome)
    }
  }

  #read(): Reading | undefined {
    try {
      const fields = this.#file('/proc/stat').split('\n', 1)[0].trim().split(/\s+/).slice(1).map(Number)
      const [user, nice, system, , , irq = 0, softirq = 0, steal = 0] = fields
      const ownMs = this.#pids().reduce((sum, pid) => sum + this.#cpuMs(pid), 0)
      return { at: performance.now(), busyMs: tickMs * (user + nice + system + irq + softirq + steal), ownMs }
    } catch {
      return undefined
    }
  }

  /** Processor time of a process; 0 once it has gone. */
  #cpuMs(pid: number): number {
    try {
      // The name, in brackets, may hold blanks.
      const fields = this.#file(`/proc/${pid}/stat`)
        .replace(/^.*\) /, '')
        .split(' ')
      return tickMs * (Number(fields[11]) + Number(fields[12]))
    } catch {
      return 0
    }
  }
}
