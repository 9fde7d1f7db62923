import { type CostPoint, ForwardCost } from '../cost/forward-cost.js'
import type { Decoder } from './decoder.js'

/** Sizes measured at load. */
const measuredRows = [1, 2, 4, 8, 16, 32]

/** Forwards per size; the median counts. */
const repetitions = 5

/**
 * Measures T(n) of a decoder whose cache is empty: a few forwards of each size. Slow models get fewer sizes and fewer
 * repetitions; the time spent stays near `budgetMs`.
 */
export async function measureForwardCost(decoder: Decoder, budgetMs: number): Promise<ForwardCost> {
  const points: CostPoint[] = []
  const began = performance.now()
  for (const rows of measuredRows) {
    if (rows > decoder.batch.capacity || rows > decoder.contextTokens) break
    if (points.length > 1 && performance.now() - began > budgetMs) break
    const times: number[] = []
    await timeForward(decoder, rows)
    while (times.length < repetitions && (times.length === 0 || performance.now() - began < budgetMs))
      times.push(await timeForward(decoder, rows))
    times.sort((a, b) => a - b)
    points.push({ rows, ms: times[times.length >> 1] })
  }
  return new ForwardCost(points)
}

/** Milliseconds of one forward of `rows` tokens at position 0, every row with logits, as verification needs them. */
async function timeForward(decoder: Decoder, rows: number): Promise<number> {
  const { batch } = decoder
  batch.clear()
  for (let row = 0; row < rows; row++) batch.addSequence(batch.add(row % decoder.vocabularySize, row, true), 0)
  const began = performance.now()
  await decoder.decode()
  const ms = performance.now() - began
  decoder.removePositions(0, 0, -1)
  return ms
}
