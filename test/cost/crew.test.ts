import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Crew } from '../../src/cost/crew.js'

/** A machine on which a forward of the whole crew takes 1 ms, and which another program may keep busy. */
class Machine {
  nowMs = 0
  forwards = 0
  readonly #most: number
  /** Cores taken by others. */
  taken = 0

  constructor(most: number) {
    this.#most = most
  }

  /** A thread without a core of its own holds all others up; one thread alone has to share at worst. */
  ms(threads: number): number {
    const speed = 1 + 0.3 * (threads - 1)
    const whole = 1 + 0.3 * (this.#most - 1)
    const held = threads > 1 && threads > this.#most - this.taken ? 200 : 0
    return whole / speed + held
  }

  run(crew: Crew, forMs: number): void {
    const end = this.nowMs + forMs
    while (this.nowMs < end) {
      const ms = this.ms(crew.threads)
      this.nowMs += ms
      this.forwards++
      crew.observe(ms, 1, this.nowMs)
    }
  }
}

describe('Crew', () => {
  it('stays whole on a quiet machine, forwards of other sizes and single slow ones included', () => {
    const crew = new Crew(8)
    for (let i = 0; i < 10_000; i++) crew.observe(i % 50 === 0 ? 30 : 0.7 + (i % 7) / 10, 1, i)
    expect(crew.changes).toBe(0)
  })

  it('stays whole through 50 ms in which a compiler takes a core, and through a pause of a minute', () => {
    const crew = new Crew(2)
    let nowMs = 0
    const forward = (ms: number) => {
      nowMs += ms
      crew.observe(ms, 0.4, nowMs)
    }
    for (let second = 0; second < 60; second++) {
      for (let i = 0; i < 2000; i++) forward(0.4)
      for (let i = 0; i < 10; i++) forward(5)
    }
    forward(60_000)
    for (let i = 0; i < 2000; i++) forward(0.4)
    expect(crew.changes).toBe(0)
  })

  it('leaves a core that is taken alone, and takes it back when it is free', () => {
    const crew = new Crew(4)
    const machine = new Machine(4)
    machine.taken = 1
    machine.run(crew, 30_000)
    expect(crew.threads).toBe(3)
    machine.taken = 0
    machine.run(crew, 70_000)
    expect(crew.threads).toBe(4)
  })

  it('goes on alone where every core is taken', () => {
    const crew = new Crew(2)
    const machine = new Machine(2)
    machine.taken = 2
    machine.run(crew, 10_000)
    expect(crew.threads).toBe(1)
  })

  it('loses little on a busy machine: trials of the whole crew are rare and short', () => {
    const crew = new Crew(4)
    const machine = new Machine(4)
    machine.taken = 4
    machine.run(crew, 120_000)
    const alone = 120_000 / machine.ms(1)
    expect(machine.forwards).toBeGreaterThan(0.9 * alone)
  })

  it('begins with what was found best at load, and looks for better', () => {
    const crew = new Crew(4, 1)
    expect(crew.threads).toBe(1)
    const machine = new Machine(4)
    machine.run(crew, 2000)
    expect(crew.threads).toBe(4)
  })

  it('soon tries others where it doubts what was measured at load, and stays whole if they are slower', () => {
    const crew = new Crew(2, 2, true)
    for (let i = 0; i < 4; i++) crew.observe(700, 700, i * 700)
    expect(crew.threads).toBe(1)
    const content = new Crew(2, 2, true)
    new Machine(2).run(content, 3000)
    expect(content.threads).toBe(2)
    expect(content.changes).toBeGreaterThan(0)
  })

  it('has nothing to decide for one thread', () => {
    const crew = new Crew(1)
    for (let i = 0; i < 100; i++) crew.observe(50, 1, i)
    expect(crew.threads).toBe(1)
    expect(crew.changes).toBe(0)
  })

  it('is always between one thread and the whole crew', () => {
    const times = fc.array(fc.oneof(fc.double(), fc.double({ min: 0.1, max: 10 })), { maxLength: 400 })
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 64 }), times, (most, slowness) => {
        const crew = new Crew(most)
        for (const [i, once] of slowness.entries()) {
          crew.observe(once, 1, i * 300)
          expect(crew.threads).toBeGreaterThanOrEqual(1)
          expect(crew.threads).toBeLessThanOrEqual(most)
        }
      }),
    )
  })
})
