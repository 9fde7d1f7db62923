import { type Evidence, FEATURES } from './evidence.js'

/** Options of a {@link Confidence}. */
export interface ConfidenceOptions {
  /** Step size of learning; 0 learns nothing. Default 0.03. */
  learningRate?: number
  /** How much of what was learnt about a weight's reliability is kept from update to update, 0 … 1. Default 0.9995. */
  memory?: number
}

/** Match lengths told apart; longer ones count as the longest. */
const LENGTHS = 32
/** Entries of a table that is indexed by a hashed token id. */
const TOKENS = 4096
/** Classes of match lengths: 1, 2, 3–5, longer. */
const CLASSES = 4

/** The tables of weights, one after the other in one array; place 0 belongs to no table and stays 0. */
const tables = layout({
  ownLength: LENGTHS,
  sharedLength: LENGTHS,
  bothLength: 8,
  ownCount: 8 * CLASSES,
  sharedCount: 8 * CLASSES,
  ownRank: 8 * CLASSES,
  sharedRank: 8 * CLASSES,
  shortfall: 16 * CLASSES,
  agreed: 8 * CLASSES,
  lastToken: TOKENS,
  nextToken: TOKENS,
})

/**
 * How far a match can be trusted: turns what speaks for each continuation into its probability, and learns from every
 * token the model writes.
 *
 * The continuations of one node compete with each other and with "something else":
 *
 *                        exp(score of c)
 *     p(c) = ─────────────────────────────────────           score = sum of one weight per feature
 *             1 + Σ exp(score of every continuation)
 *
 * The features are table entries: longest match in the own and in the shared log, how many matches of that length and
 * how recent, how much shorter than the best match of all, how long drafts have been agreeing, and the tokens
 * themselves (after "." copying often ends; within a word it never does).
 *
 * Learning is one step of gradient descent on −log p per written token, with steps that shrink where a weight has
 * settled. A draft need not be verified to be learnt from: it is enough to see what the model wrote instead. Both are
 * what keeps the probabilities calibrated: of the nodes promised at 0.3, three in ten come true.
 */
export class Confidence {
  /** Every weight; the tables lie one after the other. */
  readonly weights = new Float64Array(tables.size)
  private readonly squares = new Float64Array(tables.size)
  private readonly learningRate: number
  private readonly memory: number

  constructor(options: ConfidenceOptions = {}) {
    this.learningRate = options.learningRate ?? 0.03
    this.memory = options.memory ?? 0.9995
    for (let length = 1; length < LENGTHS; length++) {
      this.weights[tables.ownLength + length] = -2.2 + Math.min(length - 1, 14) * 0.45
      this.weights[tables.sharedLength + length] = -2.5 + Math.min(length - 1, 14) * 0.42
    }
  }

  /**
   * Fills in the probabilities of the continuations of `node`, and which is the best.
   *
   * @param last the token they continue
   */
  judge(evidence: Evidence, node: number, last: number): void {
    const { weights } = this
    const from = evidence.starts[node + 1]
    const to = evidence.ends[node + 1]
    const agreed = evidence.agreed[node + 1]
    const { features, probabilities, ownLengths, sharedLengths } = evidence
    let longest = 0
    for (let c = from; c < to; c++) longest = Math.max(longest, ownLengths[c], sharedLengths[c])
    const lastFeature = tables.lastToken + (Math.imul(last, 0x9e3779b1) >>> 20)
    let total = 1
    let best = -1
    for (let c = from; c < to; c++) {
      const own = ownLengths[c]
      const shared = sharedLengths[c]
      const length = Math.max(own, shared)
      const kind = classOf(length)
      let at = c * FEATURES
      const stop = at + FEATURES
      if (own > 0) {
        const ownKind = classOf(own)
        features[at++] = tables.ownLength + Math.min(own, LENGTHS - 1)
        features[at++] = tables.ownCount + steps(evidence.ownCounts[c], 6) * CLASSES + ownKind
        features[at++] = tables.ownRank + rankStep(evidence.ownRanks[c]) * CLASSES + ownKind
      }
      if (shared > 0) {
        const sharedKind = classOf(shared)
        features[at++] = tables.sharedLength + Math.min(shared, LENGTHS - 1)
        features[at++] = tables.sharedCount + steps(evidence.sharedCounts[c], 6) * CLASSES + sharedKind
        features[at++] = tables.sharedRank + rankStep(evidence.sharedRanks[c]) * CLASSES + sharedKind
        if (own > 0) features[at++] = tables.bothLength + steps(Math.min(own, shared), 6)
      }
      features[at++] = tables.shortfall + Math.min(longest - length, 15) * CLASSES + kind
      features[at++] = tables.agreed + Math.min(agreed, 7) * CLASSES + kind
      features[at++] = lastFeature
      features[at++] = tables.nextToken + (Math.imul(evidence.tokens[c], 0x85ebca6b) >>> 20)
      let score = 0
      for (let f = c * FEATURES; f < at; f++) score += weights[features[f]]
      while (at < stop) features[at++] = 0
      const weight = Math.exp(Math.min(score, 12))
      probabilities[c] = weight
      total += weight
      if (best < 0 || weight > probabilities[best]) best = c
    }
    evidence.bests[node + 1] = best
    for (let c = from; c < to; c++) probabilities[c] /= total
  }

  /**
   * Learns that `token` followed `node`, and returns the continuation that foresaw it; -1 if none did.
   */
  learn(evidence: Evidence, node: number, token: number): number {
    const { weights, squares, learningRate, memory } = this
    const from = evidence.starts[node + 1]
    const to = evidence.ends[node + 1]
    const { features, probabilities, tokens } = evidence
    let hit = -1
    for (let c = from; c < to; c++) {
      const error = (tokens[c] === token ? 1 : 0) - probabilities[c]
      if (tokens[c] === token) hit = c
      if (error < 1e-4 && error > -1e-4) continue
      for (let at = c * FEATURES, stop = at + FEATURES; at < stop; at++) {
        const f = features[at]
        if (f === 0) continue
        squares[f] = squares[f] * memory + error * error
        const rate = f >= tables.lastToken ? learningRate * 0.5 : learningRate
        weights[f] += (rate * error) / Math.sqrt(1 + squares[f] * 0.05)
      }
    }
    return hit
  }
}

/** 0, 1, 2, 3–4, 5–8, 9–16, … as 0, 1, 2, 3, 4, 5, … up to `most`. */
function steps(n: number, most: number): number {
  return n < 2 ? n : Math.min(most, 33 - Math.clz32(n - 1))
}

/** Ranks 0, 1, 2, 3, 4–7, 8–15, … as 0, 1, 2, 3, 4, 5, … up to 7. */
function rankStep(rank: number): number {
  return rank < 4 ? rank : Math.min(7, 33 - Math.clz32(rank))
}

function classOf(length: number): number {
  return length < 3 ? Math.max(length, 1) - 1 : length < 6 ? 2 : 3
}

function layout<Name extends string>(sizes: Record<Name, number>): Record<Name | 'size', number> {
  const offsets: Record<string, number> = {}
  let size = 1
  for (const [name, length] of Object.entries<number>(sizes)) {
    offsets[name] = size
    size += length
  }
  offsets.size = size
  return offsets as Record<Name | 'size', number>
}
