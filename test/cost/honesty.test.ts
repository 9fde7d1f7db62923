import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { freeNodes, Leash, Rest, Trust } from '../../src/cost/controller.js'
import { ForwardCost } from '../../src/cost/forward-cost.js'

/** Runs it over forwards; returns for each whether it drafted. */
function run(rest: Rest, forwards: number, gain: (step: number) => number): boolean[] {
  return Array.from({ length: forwards }, (_, step) => {
    const drafted = !rest.resting
    rest.observe(drafted ? gain(step) : 0)
    return drafted
  })
}

describe('Rest', () => {
  it.each([0.5, 0.8, 3])('rests within ten forwards where each loses %d of one', (loss) => {
    const drafted = run(new Rest(), 10, () => -loss)
    expect(drafted).toContain(false)
  })

  it('never rests where drafting gains on average, however uneven the gains', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 3 }), (phase) => {
        // Three of four drafts fail and cost 30 %; the fourth brings two tokens more.
        expect(run(new Rest(), 2000, (step) => (step % 4 === phase ? 1.7 : -0.3))).not.toContain(false)
      }),
    )
  })

  it('tries again sparingly: a stream that always loses is drafted for in few of 5,000 forwards', () => {
    const drafted = run(new Rest(), 5000, () => -1).filter(Boolean).length
    expect(drafted).toBeGreaterThan(5)
    expect(drafted).toBeLessThan(100)
  })

  it('comes back where drafting pays again', () => {
    const rest = new Rest()
    run(rest, 200, () => -1)
    const drafted = run(rest, 1500, () => 1)
    expect(drafted.slice(-500)).not.toContain(false)
  })

  it('gives a new request a trial, and no more where that loses too', () => {
    const rest = new Rest()
    run(rest, 1000, () => -1)
    rest.renew()
    expect(rest.resting).toBe(false)
    const drafted = run(rest, 20, () => -1)
    expect(drafted.filter(Boolean).length).toBeLessThan(4)
    rest.renew()
    expect(run(rest, 500, () => 1)).not.toContain(false)
  })

  it('gives up retrieval that costs a percent and finds nothing', () => {
    expect(run(new Rest(), 600, () => -0.01)).toContain(false)
  })

  it('does not break on what is no number', () => {
    const rest = new Rest()
    run(rest, 50, (step) => [Number.NaN, Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY][step % 3])
    expect(typeof rest.resting).toBe('boolean')
  })
})

describe('Trust', () => {
  it('stays near 1 where promises are kept', () => {
    const trust = new Trust()
    for (let i = 0; i < 200; i++) trust.learn(0.5, i % 2)
    expect(trust.factor).toBeGreaterThan(0.8)
  })

  it('falls below a fifth within ten drafts of a liar, and comes back', () => {
    const trust = new Trust()
    for (let i = 0; i < 10; i++) trust.learn(12, 0)
    expect(trust.factor).toBeLessThan(0.2)
    for (let i = 0; i < 40; i++) trust.learn(0.9, 1)
    expect(trust.factor).toBeGreaterThan(0.9)
  })

  it('lies between 0 and 1 whatever it learns', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.double({ min: 0, max: 64, noNaN: true }), fc.nat(64))), (outcomes) => {
        const trust = new Trust()
        for (const [promised, kept] of outcomes) trust.learn(promised, kept)
        expect(trust.factor).toBeGreaterThan(0)
        expect(trust.factor).toBeLessThanOrEqual(1)
      }),
    )
  })
})

describe('Leash', () => {
  it('grows with drafts that come true and shrinks with those that fail', () => {
    const leash = new Leash()
    for (let i = 0; i < 6; i++) leash.observe(leash.nodes, leash.nodes)
    expect(leash.nodes).toBeGreaterThan(64)
    for (let i = 0; i < 10; i++) leash.observe(leash.nodes, 0)
    expect(leash.nodes).toBe(4)
  })

  it('always allows at least four nodes', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(64), fc.nat(64))), (outcomes) => {
        const leash = new Leash()
        for (const [drafted, accepted] of outcomes) leash.observe(drafted, Math.min(drafted, accepted))
        expect(leash.nodes).toBeGreaterThanOrEqual(4)
      }),
    )
  })
})

describe('freeNodes', () => {
  const curve = (ms: (rows: number) => number) =>
    new ForwardCost([1, 2, 4, 8, 16, 32, 64, 128, 256].map((rows) => ({ rows, ms: ms(rows) })))

  it('is none where a row more costs much, and all where it costs nothing', () => {
    expect(
      freeNodes(
        1,
        0,
        curve((rows) => 10 + 4 * rows),
      ),
    ).toBe(0)
    expect(
      freeNodes(
        1,
        0,
        curve(() => 10),
      ),
    ).toBe(255)
    expect(
      freeNodes(
        4,
        0,
        curve(() => 10),
      ),
    ).toBe(63)
  })

  it('never lets drafts that fail lose more than a quarter of a conventional forward', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 16 }), fc.double({ min: 0, max: 1, noNaN: true }), (requests, slope) => {
        const cost = curve((rows) => 10 + slope * rows)
        const nodes = freeNodes(requests, 0, cost)
        expect(cost.ms(requests * (1 + nodes))).toBeLessThanOrEqual(1.2501 * cost.ms(requests))
      }),
    )
  })
})
