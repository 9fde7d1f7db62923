import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Heard } from '../../src/fleet/heard.js'

describe('what was heard of each writer', () => {
  it('is what was noted of its last 1,024 messages, in whatever order they came', () => {
    const numbers = fc.array(fc.tuple(fc.nat(2), fc.integer({ min: 1, max: 5000 })), { maxLength: 200 })
    fc.assert(
      fc.property(numbers, (noted) => {
        const heard = new Heard()
        const naive = [0, 1, 2].map(() => ({ all: new Set<number>(), last: 0, passed: 0 }))
        for (const [writer, number] of noted) {
          const one = naive[writer]
          const passed = one.all.size === 0 ? 0 : Math.max(0, number - one.last - 1)
          expect(heard.note(`writer ${writer}`, number)).toBe(passed)
          if (number > one.last - 1024) one.all.add(number)
          one.last = Math.max(one.last, number)
        }
        for (const [writer, { all, last }] of naive.entries()) {
          const numbers = Array.from({ length: last + 3 }, (_, number) => number)
          expect(numbers.filter((number) => heard.has(`writer ${writer}`, number))).toEqual(
            numbers.filter((number) => all.has(number) && number > last - 1024),
          )
        }
        for (const number of [Number.NaN, -1, 0, Number.POSITIVE_INFINITY, 1e300])
          expect(heard.has('writer 0', number)).toBe(false)
        heard.clear()
        for (const [writer, number] of noted) expect(heard.has(`writer ${writer}`, number)).toBe(false)
      }),
    )
  })
})
