import type { ForwardCost } from './forward-cost.js'

/** Draft sizes worth telling apart; few, so that the forward's graph is seldom rebuilt. */
const sizes = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128] as const

/**
 * Decides how many nodes of a best-first draft to verify: the prefix that maximises expected tokens per millisecond,
 * (1 + Σ p) / T(rows). 0 where nothing pays, which is conventional decoding.
 *
 * @param probabilities path probability of each node, best first
 * @param available nodes in the draft
 * @param headRows rows the forward has anyway, ≥ 1
 */
export function chooseNodes(
  probabilities: ArrayLike<number>,
  available: number,
  headRows: number,
  cost: ForwardCost,
): number {
  let chosen = 0
  let bestRate = 1 / cost.ms(headRows)
  let expected = 1
  let counted = 0
  for (const nodes of sizes) {
    if (nodes > available) break
    while (counted < nodes) expected += probabilities[counted++]
    const rate = expected / cost.ms(headRows + nodes)
    if (rate > bestRate) {
      bestRate = rate
      chosen = nodes
    }
  }
  return chosen
}
