import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Frontier, NOTHING } from '../../src/draft/frontier.js'

describe('a frontier', () => {
  it('gives back the most valuable item first, whatever the order of pushes and pops', () => {
    fc.assert(
      fc.property(fc.array(fc.option(fc.nat(20)), { size: 'max', maxLength: 100 }), (turns) => {
        const frontier = new Frontier(1000)
        const waiting: { item: number; value: number }[] = []
        for (const [item, value] of turns.entries()) {
          if (value !== null) {
            frontier.push(item, Float64Array.of(value), 0)
            waiting.push({ item, value })
            continue
          }
          const popped = frontier.pop()
          const best = Math.max(...waiting.map((w) => w.value))
          const k = waiting.findIndex((w) => w.item === popped)
          if (waiting.length === 0) expect(popped).toBe(NOTHING)
          else expect(waiting.splice(k, 1)[0].value).toBe(best)
        }
        expect(frontier.size).toBe(waiting.length)
      }),
    )
  })

  it('drops what does not fit, and empties', () => {
    const frontier = new Frontier(2)
    for (let k = 0; k < 3; k++) frontier.push(k, Float64Array.of(9, 8, 7), k)
    expect(frontier.size).toBe(2)
    frontier.clear()
    expect(frontier.pop()).toBe(NOTHING)
  })
})
