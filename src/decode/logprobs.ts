// How probable the model held what was written.

import type { TokenLogprobs } from '../llama/candidates.js'

/** Where the logits of a forward lie; a context is such a place. */
export interface LogitRows {
  readonly vocabularySize: number
  readonly batch: { readonly outputRows: ArrayLike<number> }
  /** Logits of all output rows, one after the other. */
  readonly logits: Float32Array
}

/** Tokens and the rows they were drawn from. */
interface DrawnTokens {
  readonly rows: ArrayLike<number>
  readonly tokens: ArrayLike<number>
  readonly count: number
}

/** Tells how probable the tokens of an answer were. */
export interface LogprobSource {
  /** Of the tokens of a verdict, with pauses where that takes long. Of each once, in order. */
  all(drawn: DrawnTokens): Generator<void, TokenLogprobs[]>
}

/** Tells how probable the model held the tokens drawn from a forward's rows, before temperature, penalties and grammar. */
export class Logprobs implements LogprobSource {
  readonly #rows: LogitRows
  readonly #count: number

  /** @param count how many of the most likely tokens are told with each */
  constructor(rows: LogitRows, count: number) {
    this.#rows = rows
    this.#count = count
  }

  of(row: number, token: number): TokenLogprobs {
    const { batch, vocabularySize, logits } = this.#rows
    const begin = batch.outputRows[row] * vocabularySize
    return logprobsOf(logits.subarray(begin, begin + vocabularySize), token, this.#count)
  }

  /** Of the tokens of a verdict, with a pause after each: every one takes passes over the whole vocabulary. */
  *all({ rows, tokens, count }: DrawnTokens): Generator<void, TokenLogprobs[]> {
    const told: TokenLogprobs[] = []
    for (let i = 0; i < count; i++) {
      if (i > 0) yield
      told.push(this.of(rows[i], tokens[i]))
    }
    return told
  }
}

/** Tells how probable the draws themselves made the tokens, behind all of that. */
export class DrawnLogprobs implements LogprobSource {
  readonly #told: () => TokenLogprobs

  /** @param told tells of one draw after the other */
  constructor(told: () => TokenLogprobs) {
    this.#told = told
  }

  // biome-ignore lint/correctness/useYield: it was noted with the draw
  *all({ count }: DrawnTokens): Generator<void, TokenLogprobs[]> {
    return Array.from({ length: count }, this.#told)
  }
}

/** Log-probabilities of `token` and of the `count` most likely tokens; of equals the smaller id stands first. */
function logprobsOf(logits: Float32Array, token: number, count: number): TokenLogprobs {
  let most = Number.NEGATIVE_INFINITY
  for (const logit of logits) if (logit > most) most = logit
  let sum = 0
  for (const logit of logits) sum += Math.exp(logit - most)
  const norm = most + Math.log(sum)
  const best: number[] = []
  for (let id = 0; id < logits.length && count > 0; id++) {
    if (best.length === count && logits[id] <= logits[best[count - 1]]) continue
    let place = best.length
    while (place > 0 && logits[id] > logits[best[place - 1]]) place--
    best.splice(place, 0, id)
    if (best.length > count) best.pop()
  }
  const top = best.map((id) => ({ token: id, logprob: logits[id] - norm }))
  return { token, logprob: logits[token] - norm, top }
}
