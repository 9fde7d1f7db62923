/** One measured point: a forward of `rows` tokens took `ms` milliseconds. */
export interface CostPoint {
  rows: number
  ms: number
}

/**
 * T(n): what a forward of n tokens costs on this device, in milliseconds. Between measured sizes it is interpolated,
 * beyond the last it grows as between the last two. Not monotone in general: kernels work on multiples of 4 or 8.
 */
export class ForwardCost {
  readonly points: readonly CostPoint[]

  /** @param points at least one, of distinct sizes ≥ 1 and times > 0; the order does not matter */
  constructor(points: readonly CostPoint[]) {
    if (points.length === 0) throw new RangeError('ForwardCost: at least one measured point is needed')
    this.points = [...points].sort((a, b) => a.rows - b.rows)
  }

  /** Milliseconds of a forward of `rows` tokens, rows ≥ 1. */
  ms(rows: number): number {
    const { points } = this
    if (rows <= points[0].rows || points.length === 1) return points[0].ms
    let right = 1
    while (right < points.length - 1 && points[right].rows < rows) right++
    const a = points[right - 1]
    const b = points[right]
    const slope = (b.ms - a.ms) / (b.rows - a.rows)
    return Math.max(b.rows <= rows ? b.ms : 0, a.ms + slope * (rows - a.rows))
  }
}
