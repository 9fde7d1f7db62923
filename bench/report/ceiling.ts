// What the machine allows: weights read once, and every draft right.

import { type CostPoint, ForwardCost } from '../../src/cost/forward-cost.js'

/** What the machine allows, before anything clever. */
export interface Ceiling {
  model: string
  /** Bytes that every forward reads. */
  weightBytes: number
  /** GB/s. */
  bandwidth: number
  /** Milliseconds to read the weights once from memory, and tokens per second of conventional decoding at that. */
  readMs: number
  readTokensPerSecond: number
  /** T(1) as measured. */
  singleMs: number
  curve: CostPoint[]
  /** If every drafted token were right: the best size, and its speed-up n × T(1) / T(n). */
  bestRows: number
  bestSpeedup: number
}

/** @param curve T(n) as measured at load */
export function ceilingOf(
  { name, weightBytes }: { name: string; weightBytes: number },
  bandwidth: number,
  curve: readonly CostPoint[],
): Ceiling {
  const cost = new ForwardCost(curve)
  const readMs = weightBytes / bandwidth / 1e6
  const gain = ({ rows, ms }: CostPoint) => (rows * cost.ms(1)) / ms
  const best = [...curve].sort((a, b) => gain(b) - gain(a))[0]
  return {
    model: name,
    weightBytes,
    bandwidth,
    readMs,
    readTokensPerSecond: 1000 / readMs,
    singleMs: cost.ms(1),
    curve: [...curve],
    bestRows: best.rows,
    bestSpeedup: gain(best),
  }
}
