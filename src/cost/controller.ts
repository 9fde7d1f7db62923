import type { ForwardCost } from './forward-cost.js'

/**
 * Rows of a forward worth telling apart; few, so that the graph of a forward is seldom built anew, and mostly multiples
 * of 4, which kernels like.
 */
const stableRows = [2, 3, 4, 6, 8, 12, 16, 20, 24, 32, 40, 48, 64, 80, 96, 128, 160, 192, 224, 256] as const

/** How much better than conventional decoding a draft must look: promises are a little rosy where they matter most. */
const margin = 1.04
/** Share of a rebuild that one forward has to earn; those that follow with the same shape earn the rest. */
const rebuildShare = 0.5

/** What a forward has to do anyway. */
export interface StepOutlook {
  /** Requests that get at least one token from this forward; ≥ 1. */
  requests: number
  /** Rows without any draft: the heads of all requests; ≥ 1. */
  headRows: number
  /** Mean length of the requests' contexts, in tokens. */
  context: number
  /** Rows of the forward before, 0 if there was none: the same number costs no rebuild. */
  lastRows: number
  /** Milliseconds of a step beside its forward, however many rows that has: retrieval, verification, bookkeeping. */
  overheadMs: number
}

/**
 * Decides how many draft nodes to verify: the prefix of the best-first order that maximises expected tokens per
 * millisecond,
 *
 *     (requests + Σ p) / (T(rows, context) + overhead),    T with a share of the rebuild if the number of rows is new
 *
 * What a step costs beside its forward is paid once per step, so it speaks for longer drafts.
 *
 * 0 where nothing pays, which is conventional decoding.
 *
 * @param probabilities of the first `available` nodes of all requests together, best first: several drafts merged, so
 *   that the marginal token of one request competes with those of all others
 */
export function chooseNodes(
  probabilities: ArrayLike<number>,
  available: number,
  outlook: StepOutlook,
  cost: ForwardCost,
): number {
  const { requests, headRows, context, lastRows, overheadMs } = outlook
  const rebuildMs = cost.rebuildMs * rebuildShare
  let chosen = 0
  const stepMs = (rows: number) => cost.ms(rows, context) + overheadMs + (rows === lastRows ? 0 : rebuildMs)
  let bestRate = (margin * requests) / stepMs(headRows)
  let expected = requests
  let counted = 0
  for (const rows of stableRows) {
    const nodes = rows - headRows
    if (nodes < 1) continue
    if (nodes > available) break
    while (counted < nodes) expected += probabilities[counted++]
    const rate = expected / stepMs(rows)
    if (rate > bestRate) {
      bestRate = rate
      chosen = nodes
    }
  }
  return chosen
}
