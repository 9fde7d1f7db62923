// The tokens that may follow, as llama.cpp's samplers take them.

import { addressOf } from './native.js'

/** A token and the natural logarithm of its probability. */
export interface TokenLogprob {
  token: number
  logprob: number
}

/** How probable a token was at its place, and the other likely tokens there. */
export interface TokenLogprobs extends TokenLogprob {
  /** The most likely tokens, best first; as many as were asked for. */
  top: TokenLogprob[]
}

/** Bytes of a `llama_token_data`: the id, the logit and the probability of one token. */
const entryWords = 3

/**
 * The tokens that may follow, as llama.cpp's samplers take them: a `llama_token_data_array` in memory of our own, so
 * that what one sampler has left can be looked at before the next.
 *
 *     header  ┌ data │ size │ selected │ sorted ┐      4 words of 64 bits
 *     data    ┌ id │ logit │ p ┌ id │ logit │ p ┌ …    3 words of 32 bits each
 */
export class Candidates {
  /** The native struct, to be handed to `llama_sampler_apply`. */
  readonly header = new BigUint64Array(4)
  readonly #ids: Int32Array
  readonly #numbers: Float32Array
  readonly #size: number
  readonly #address: bigint

  /** @param size tokens of the vocabulary */
  constructor(size: number) {
    this.#size = size
    this.#ids = new Int32Array(size * entryWords)
    this.#numbers = new Float32Array(this.#ids.buffer)
    this.#address = addressOf(this.#ids)
  }

  /** Puts every token of the vocabulary in, by id, with its logit of a row that begins at `begin`. */
  fill(logits: Float32Array, begin: number): void {
    const ids = this.#ids
    const numbers = this.#numbers
    for (let id = 0, at = 0; id < this.#size; id++, at += entryWords) {
      ids[at] = id
      numbers[at + 1] = logits[begin + id]
      numbers[at + 2] = 0
    }
    this.#hold(this.#size, 0n)
  }

  /** Rules out the tokens whose bit (`id % 32` of word `id / 32`) is not set. */
  keep(mask: Uint32Array): void {
    const numbers = this.#numbers
    for (let id = 0, at = 1; id < this.#size; id++, at += entryWords)
      if ((mask[id >>> 5] & (1 << (id & 31))) === 0) numbers[at] = Number.NEGATIVE_INFINITY
  }

  /** The logit of a token. Before any sampler that sorts or drops. */
  logitOf(id: number): number {
    return this.#numbers[id * entryWords + 1]
  }

  /** The most likely token; -1 if none has a logit above minus infinity. Before any sampler that sorts or drops. */
  best(): number {
    const numbers = this.#numbers
    let most = Number.NEGATIVE_INFINITY
    let best = -1
    for (let id = 0, at = 1; id < this.#size; id++, at += entryWords)
      if (numbers[at] > most) {
        most = numbers[at]
        best = id
      }
    return best
  }

  /** How far the most likely token lies above the next; infinite where only one may follow. Before any sampler that sorts. */
  lead(): number {
    const numbers = this.#numbers
    let first = Number.NEGATIVE_INFINITY
    let second = Number.NEGATIVE_INFINITY
    for (let id = 0, at = 1; id < this.#size; id++, at += entryWords) {
      const logit = numbers[at]
      if (logit <= second) continue
      if (logit > first) {
        second = first
        first = logit
      } else second = logit
    }
    return first === Number.NEGATIVE_INFINITY ? Number.POSITIVE_INFINITY : first - second
  }

  /** The smallest logit of the tokens left that are not ruled out. */
  least(): number {
    let least = Number.POSITIVE_INFINITY
    const size = Number(this.header[1])
    for (let i = 0, at = 1; i < size; i++, at += entryWords) {
      const logit = this.#numbers[at]
      if (logit > Number.NEGATIVE_INFINITY && logit < least) least = logit
    }
    return least
  }

  /** The tokens with a logit of at least `least`, best first, and their logits. */
  list(least: number): { ids: Int32Array; logits: Float32Array } {
    const left: number[] = []
    const size = Number(this.header[1])
    for (let i = 0, at = 1; i < size; i++, at += entryWords) if (this.#numbers[at] >= least) left.push(i)
    left.sort((a, b) => this.#numbers[b * entryWords + 1] - this.#numbers[a * entryWords + 1])
    return {
      ids: Int32Array.from(left, (i) => this.#ids[i * entryWords]),
      logits: Float32Array.from(left, (i) => this.#numbers[i * entryWords + 1]),
    }
  }

  /** How probable `token` and the likeliest `count` are among the tokens left. After the samplers that filter. */
  logprobs(token: number, count: number): TokenLogprobs {
    const [ids, numbers] = [this.#ids, this.#numbers]
    const begin = this.#begin
    const end = begin + Number(this.header[1]) * entryWords
    let most = Number.NEGATIVE_INFINITY
    let logit = Number.NEGATIVE_INFINITY
    /** Where the likeliest ones lie, best first. */
    const best: number[] = []
    for (let at = begin; at < end; at += entryWords) {
      const own = numbers[at + 1]
      if (own === Number.NEGATIVE_INFINITY) continue
      if (ids[at] === token) logit = own
      if (own > most) most = own
      if (best.length === count && (count === 0 || own <= numbers[best[count - 1] + 1])) continue
      let place = best.length
      while (place > 0 && own > numbers[best[place - 1] + 1]) place--
      best.splice(place, 0, at)
      if (best.length > count) best.pop()
    }
    let sum = 0
    for (let at = begin; at < end; at += entryWords) sum += Math.exp(numbers[at + 1] - most)
    const norm = most + Math.log(sum)
    const top = best.map((at) => ({ token: ids[at], logprob: numbers[at + 1] - norm }))
    return { token, logprob: logit - norm, top }
  }

  /** Puts these tokens in instead of what it holds. @param logits of the tokens, largest first */
  put(ids: ArrayLike<number>, logits: ArrayLike<number>): void {
    for (let i = 0, at = 0; i < ids.length; i++, at += entryWords) {
      this.#ids[at] = ids[i]
      this.#numbers[at + 1] = logits[i]
      this.#numbers[at + 2] = 0
    }
    this.#hold(ids.length, 1n)
  }

  /** Takes the tokens out that are ruled out. Before any sampler that sorts or drops. */
  compact(): void {
    let count = 0
    for (let id = 0, at = 0; id < this.#size; id++, at += entryWords) {
      if (this.#numbers[at + 1] === Number.NEGATIVE_INFINITY) continue
      this.#ids[count] = id
      this.#numbers[count + 1] = this.#numbers[at + 1]
      count += entryWords
    }
    this.#hold(count / entryWords, 0n)
  }

  /** The token a drawing sampler has selected; -1 if none, or one that had been ruled out. */
  get selected(): number {
    const index = Number(BigInt.asIntN(64, this.header[2]))
    if (index < 0) return -1
    const at = index * entryWords + this.#begin
    return this.#numbers[at + 1] > Number.NEGATIVE_INFINITY ? this.#ids[at] : -1
  }

  /** Where the first one lies: XTC moves it. */
  get #begin(): number {
    return Number(this.header[0] - this.#address) / 4
  }

  #hold(size: number, sorted: bigint): void {
    this.header[0] = this.#address
    this.header[1] = BigInt(size)
    this.header[2] = 0xffff_ffff_ffff_ffffn
    this.header[3] = sorted
  }
}
