// What is said of a list of measurements: middles, quarters, sums.

/** Middle, ends and quarters of a few measurements. */
export interface Spread {
  median: number
  least: number
  most: number
  /** The quarters below and above the median; with few measurements near the ends. */
  lower: number
  upper: number
  count: number
}

/** @throws RangeError without a value */
export function spread(values: readonly number[]): Spread {
  if (values.length === 0) throw new RangeError('spread: at least one value is needed')
  const ordered = [...values].sort((a, b) => a - b)
  return {
    median: between(ordered, 0.5),
    least: ordered[0],
    most: ordered[ordered.length - 1],
    lower: between(ordered, 0.25),
    upper: between(ordered, 0.75),
    count: ordered.length,
  }
}

/** NaN without a value. */
export function median(values: readonly number[]): number {
  return quantile(values, 0.5)
}

/** The value below which so large a share of a list lies, between two of them by a straight line; NaN without a value. */
export function quantile(values: readonly number[], share: number): number {
  return values.length === 0
    ? Number.NaN
    : between(
        [...values].sort((a, b) => a - b),
        share,
      )
}

export function mean(values: readonly number[]): number {
  return sum(values, (value) => value) / values.length
}

export function sum<T>(items: Iterable<T>, of: (item: T) => number): number {
  let total = 0
  for (const item of items) total += of(item)
  return total
}

/** Sum of two histograms, counts by a small whole number; either may be missing. */
export function addCounts(some: readonly number[] = [], more: readonly number[] = []): number[] {
  return Array.from({ length: Math.max(some.length, more.length) }, (_, i) => (some[i] ?? 0) + (more[i] ?? 0))
}

function between(ordered: readonly number[], share: number): number {
  const at = share * (ordered.length - 1)
  const below = Math.floor(at)
  const above = Math.min(ordered.length - 1, below + 1)
  return ordered[below] + (at - below) * (ordered[above] - ordered[below])
}
