import { describe, expect, it } from 'vitest'
import { type ClockSample, settle, standingOf } from '../../bench/report/clock-standings.js'

function sample(way: string, decodeMs: number, counts: boolean, place: Partial<ClockSample> = {}): ClockSample {
  const counted = {
    tokens: 10,
    forwards: 10,
    drafted: 0,
    forwardMs: decodeMs,
    retrievalMs: 0,
    singleMs: 10,
    idealMs: 10,
  }
  return { workload: 'rag', record: 0, set: 0, way, decodeMs, counts, ...counted, ...place }
}

describe('standings on the clock', () => {
  it('compare times of the same record and process, and only those that count', () => {
    const samples = [
      sample('off', 100, true),
      sample('on', 900, false),
      sample('on', 50, true),
      sample('off', 200, true, { record: 1 }),
      sample('on', 800, false, { record: 1 }),
    ]
    settle(samples, 'off')
    const standing = standingOf('on', samples, 'off')
    expect(standing.speedup).toMatchObject({ median: 2, count: 1 })
    expect(standing.whole).toBe(2)
    expect(standing.tokensPerSecond).toBe(200)
  })

  it('fall back to the last attempts where others disturbed every pair', () => {
    const samples = [sample('off', 100, true), sample('on', 900, false), sample('on', 800, false)]
    settle(samples, 'off')
    expect(samples.map(({ counts }) => counts)).toEqual([true, false, true])
    expect(standingOf('on', samples, 'off').whole).toBe(0.125)
  })

  it('take the median of the processes', () => {
    const samples = [1, 2, 4].flatMap((factor, set) => [
      sample('off', 100, true, { set }),
      sample('on', 100 / factor, true, { set }),
    ])
    settle(samples, 'off')
    expect(standingOf('on', samples, 'off').whole).toBe(2)
  })
})
