// How probable the tokens of an answer were.

import type { TokenLogprobs } from '../llama/candidates.js'

/** The logits of a forward; a context provides them. */
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

/** Where the log-probabilities of an answer's tokens come from. */
export interface LogprobSource {
  /** Those of a verdict's tokens, with pauses if that takes long. Asked once for each token, in order. */
  all(drawn: DrawnTokens): Generator<void, TokenLogprobs[]>
}

/** The model's own log-probabilities, before temperature, penalties and grammar. */
export class Logprobs implements LogprobSource {
  readonly #rows: LogitRows
  readonly #count: number

  /** @param count how many of the most likely tokens to report with each */
  constructor(rows: LogitRows, count: number) {
    this.#rows = rows
    this.#count = count
  }

  of(row: number, token: number): TokenLogprobs {
    const { batch, vocabularySize, logits } = this.#rows
    const begin = batch.outputRows[row] * vocabularySize
    return logprobsOf(logits.subarray(begin, begin + vocabularySize), token, this.#count)
  }

  /** With a pause after each token, since each takes several passes over the whole vocabulary. */
  *all({ rows, tokens, count }: DrawnTokens): Generator<void, TokenLogprobs[]> {
    const told: TokenLogprobs[] = []
    for (let i = 0; i < count; i++) {
      if (i > 0) yield
      told.push(this.of(rows[i], tokens[i]))
    }
    return told
  }
}

/** The log-probabilities that tokens were drawn with, after temperature, penalties and grammar. */
export class DrawnLogprobs implements LogprobSource {
  readonly #told: () => TokenLogprobs

  /** @param told returns those of one draw after the other */
  constructor(told: () => TokenLogprobs) {
    this.#told = told
  }

  // biome-ignore lint/correctness/useYield: it was noted with the draw
  *all({ count }: DrawnTokens): Generator<void, TokenLogprobs[]> {
    return Array.from({ length: count }, this.#told)
  }
}

/** Log-probabilities of `token` and of the `count` most likely tokens; of equals the smaller id comes first. */
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
