// Whether chains of draft are worth their time: what is learnt of that, and what is spent on learning it.

import type { DraftOutlook } from '../draft/drafter.js'
import type { DraftTree } from '../draft/tree.js'

/** Most tokens of a chain. */
export const longestChain = 8

/** How much better than what there is without it a chain must look. */
const margin = 1.05

/** The share of its tokens that come true, before anything is known, and as how many tokens that counts. */
const firstRate = 0.6
const firstTokens = 4
/** How much one token counts for in the long run, and one forward of what chains save. */
const rateGain = 1 / 32
const savingGain = 1 / 32

/** The same of what a token takes beside its forward. */
const besidesGain = 1 / 32

/** Tokens of an answer, before one has ended, and how much one counts for. */
const firstAnswer = 100
const answerGain = 1 / 8

/** Part of the time of writing that trials may take: in the long run, of one answer, and forwards between two. */
const trialShare = 0.01
const trialShareOfAnswer = 0.05
const trialGap = 16

/**
 * Decides how long a chain is to be. One of k tokens takes k small forwards, whose time counts: it is written only where
 *
 *     (1 + a + a² + … + aᵏ) / (T(1 + k) + t₁ + … + tₖ)      a: share of its tokens that come true, t: small forwards
 *
 * beats conventional decoding and what retrieval promises. What writes it may have to go through the prompt first: that
 * must come back in the course of the answer, of which is known how long others were.
 *
 * Where nothing pays, *a* would never be learnt again. So where a chain would pay if it always came true, one token is
 * tried now and then; all trials together take a hundredth of the time at most.
 */
export class ChainWorth {
  readonly #forwardMs: (length: number, context: number) => number
  /** Milliseconds of a token beside its forward. */
  #besidesMs = 0
  #rate = firstRate
  #judged = 0
  #pays = true
  /** Milliseconds that chains save a token, of late, and forwards that told so. */
  #savingMs = 0
  #asked = 0
  #answerTokens = firstAnswer
  #spareMs = 0
  #untried = trialGap

  /** @param forwardMs of the next token of a chain of some length, behind so many tokens of context */
  constructor(forwardMs: (length: number, context: number) => number) {
    this.#forwardMs = forwardMs
  }

  /** The share of its tokens that come true, of late. */
  get rate(): number {
    return this.#rate
  }

  /** Whether a chain was worth its time when last asked, had there been nothing else. */
  get pays(): boolean {
    return this.#pays
  }

  /**
   * How many tokens a chain may have; 0: none.
   *
   * @param found what retrieval has found
   * @param backlogMs time until its first token can be computed
   */
  choose(found: DraftTree, outlook: DraftOutlook, backlogMs: number): number {
    if (outlook.wanted !== undefined) return Math.min(longestChain, outlook.wanted)
    // 1. Without a chain.
    const conventionalMs = outlook.ms(0)
    const conventional = 1 / conventionalMs
    let without = conventional
    let expected = 1
    for (let node = 0; node < found.size; node++) {
      expected += found.probabilities[node]
      without = Math.max(without, expected / outlook.ms(node + 1))
    }
    // 2. With one, which comes true as often as it has of late; and as it would at best.
    let best = margin * without
    let ideal = 0
    let chosen = 0
    let path = 1
    let smallMs = 0
    expected = 1
    this.#pays = false
    for (let k = 1; k <= longestChain; k++) {
      path *= this.#rate
      expected += path
      smallMs += this.tokenMs(k - 1, outlook.context)
      const ms = outlook.ms(k) + smallMs
      ideal = Math.max(ideal, (1 + k) / ms)
      if (expected / ms > margin * conventional) this.#pays = true
      if (expected / ms > best) {
        best = expected / ms
        chosen = k
      }
    }
    // 3. What must be gone through first.
    const savingMs = chosen === 0 ? 0 : 1 / without - 1 / best
    this.#savingMs += (savingMs - this.#savingMs) * Math.max(savingGain, 1 / ++this.#asked)
    const remaining = Math.min(this.#answerTokens, outlook.mostTokens - outlook.context)
    if (chosen > 0 && backlogMs <= remaining * this.#savingMs) return chosen
    // 4. A trial.
    const mostMs = trialShareOfAnswer * remaining * conventionalMs
    this.#spareMs = Math.min(mostMs, this.#spareMs + trialShare * conventionalMs)
    const trialMs = backlogMs + this.tokenMs(0, outlook.context) + outlook.ms(1) - conventionalMs
    if (++this.#untried < trialGap || ideal <= margin * without || trialMs > this.#spareMs) return 0
    this.#spareMs -= trialMs
    this.#untried = 0
    return 1
  }

  /**
   * Whether one more token is worth its time: it saves a forward of the model, if it comes true.
   *
   * @param path how probable those before it are, together
   */
  goesOn(path: number, length: number, outlook: DraftOutlook): boolean {
    if (outlook.wanted !== undefined) return true
    const spent = this.tokenMs(length, outlook.context) + outlook.ms(length + 1) - outlook.ms(length)
    return path * this.#rate * outlook.ms(0) > spent
  }

  /** Learns what a token took, with all that belongs to it. */
  took(ms: number, length: number, context: number): void {
    const forwardMs = this.#forwardMs(length, context)
    const besidesMs = Math.min(forwardMs, Math.max(0, ms - forwardMs))
    this.#besidesMs += (besidesMs - this.#besidesMs) * besidesGain
  }

  /** Milliseconds of the next token of a chain of `length`, behind so many tokens of context. */
  tokenMs(length: number, context: number): number {
    return this.#forwardMs(length, context) + this.#besidesMs
  }

  /** Learns whether a token came true whose forerunners have. */
  learn(cameTrue: boolean): void {
    const gain = Math.max(rateGain, 1 / (++this.#judged + firstTokens))
    this.#rate += ((cameTrue ? 1 : 0) - this.#rate) * gain
  }

  /** Learns how long an answer was. */
  ended(tokens: number): void {
    this.#answerTokens += (tokens - this.#answerTokens) * answerGain
  }
}

/** What going through tokens takes that nothing is to be said about: a prompt, mostly. */
export class ReadingPace {
  #rowMs: number

  /** @param rowMs what is expected of a row */
  constructor(rowMs: number) {
    this.#rowMs = rowMs
  }

  ms(rows: number): number {
    return rows * this.#rowMs
  }

  /** Learns from forwards of many rows. */
  observe(rows: number, ms: number): void {
    if (rows >= leastRows) this.#rowMs += (ms / rows - this.#rowMs) * paceGain
  }
}

/** Rows of a forward that says something of the pace, and how much of it. */
const leastRows = 32
const paceGain = 1 / 4
