// How far leads can be trusted, learnt from every token the model writes.

import { columnBytes } from './columns.js'
import { type Evidence, FEATURES } from './evidence.js'
import { FIRST_TOKEN_TABLE, fillFeatures, type Surroundings, WEIGHTS } from './features.js'
import { prior } from './prior.js'

/** How confidence is learnt; see `RetrievalDrafter`. */
export interface ConfidenceOptions {
  /** Step size of learning; 0 learns nothing. Default 0.05. */
  learningRate?: number
  /** How much of what was learnt about a weight's reliability is kept from update to update, 0 … 1. Default 0.9998. */
  retention?: number
  /** What is believed before anything was learnt: one weight per feature. Default: learnt from texts of many kinds. */
  weights?: ArrayLike<number>
}

/** Weights of single tokens are learnt faster: each is seen seldom, and none is known in advance. */
const TOKEN_RATE = 4

/**
 * How far leads can be trusted: turns what speaks for each continuation into its probability, and learns from every
 * token the model writes.
 *
 * The continuations of one node compete with each other and with "something else":
 *
 *                        exp(score of c)
 *     p(c) = ─────────────────────────────────────           score = sum of one weight per feature
 *             1 + Σ exp(score of every continuation)
 *
 * The features are entries of the tables in `features.ts`: how long the matches are, how many and how recent, how many
 * rivals they have, where the answer has been copying from, how frequent the token is, and which tokens are involved.
 *
 * Learning is one step of gradient descent on −log p per written token, with steps that shrink as a weight settles. A
 * draft need not be verified to be learnt from: it is enough to see what the model wrote instead. Together these keep
 * the probabilities calibrated: of the nodes promised at 0.3, three in ten come true.
 */
export class Confidence {
  /** Every weight; the tables lie one after the other. */
  readonly weights = new Float32Array(WEIGHTS)
  readonly #squares = new Float32Array(WEIGHTS)
  /**
   * Step sizes of common weights and of those of single tokens, and the retention. In an array, because a fraction kept
   * in a field or passed as an argument may cost an object.
   */
  readonly #rates = new Float64Array(3)

  constructor(options: ConfidenceOptions = {}) {
    const { learningRate = 0.05, retention = 0.9998 } = options
    this.#rates.set([learningRate, learningRate * TOKEN_RATE, retention])
    this.weights.set(options.weights ?? prior)
  }

  /** Bytes it holds. */
  get byteLength(): number {
    return columnBytes(this, this.#squares, this.#rates)
  }

  /** How much a weight has been corrected so far: a decayed sum of squared errors. */
  evidenceFor(weight: number): number {
    return this.#squares[weight]
  }

  /** Fills in the probabilities of the continuations of `node`, and which of them is the best. */
  judge(evidence: Evidence, node: number, around: Surroundings): void {
    const { weights } = this
    const { features, probabilities } = evidence
    const from = evidence.starts[node + 1]
    const to = evidence.ends[node + 1]
    fillFeatures(evidence, from, to, evidence.agreed[node + 1], around)
    let total = 1
    let best = -1
    for (let c = from; c < to; c++) {
      let score = 0
      for (let f = c * FEATURES, stop = f + FEATURES; f < stop; f++) score += weights[features[f]]
      const weight = Math.exp(Math.min(score, 12))
      probabilities[c] = weight
      total += weight
      if (best < 0 || weight > probabilities[best]) best = c
    }
    for (let c = from; c < to; c++) probabilities[c] /= total
    evidence.bests[node + 1] = best
  }

  /** Learns that `token` followed `node`, and returns the continuation that predicted it; -1 if none did. */
  learn(evidence: Evidence, node: number, token: number): number {
    const { weights } = this
    const squares = this.#squares
    const rates = this.#rates
    const { features, probabilities, tokens } = evidence
    const from = evidence.starts[node + 1]
    const to = evidence.ends[node + 1]
    let hit = -1
    for (let c = from; c < to; c++) {
      const error = (tokens[c] === token ? 1 : 0) - probabilities[c]
      if (tokens[c] === token) hit = c
      if (error < 1e-4 && error > -1e-4) continue
      const square = error * error
      for (let at = c * FEATURES, stop = at + FEATURES; at < stop; at++) {
        const f = features[at]
        if (f === 0) break
        squares[f] = squares[f] * rates[2] + square
        weights[f] += (rates[f >= FIRST_TOKEN_TABLE ? 1 : 0] * error) / Math.sqrt(1 + squares[f] * 0.05)
      }
    }
    return hit
  }
}
