import { addressOf } from './abi.js'

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

  /** @param size tokens of the vocabulary */
  constructor(size: number) {
    this.#size = size
    this.#ids = new Int32Array(size * entryWords)
    this.#numbers = new Float32Array(this.#ids.buffer)
    this.header[0] = addressOf(this.#ids)
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
    this.header[1] = BigInt(this.#size)
    this.header[2] = 0xffff_ffff_ffff_ffffn
    this.header[3] = 0n
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

  /** The token a drawing sampler has selected; -1 if none, or one that had been ruled out. */
  get selected(): number {
    const at = Number(BigInt.asIntN(64, this.header[2])) * entryWords
    return at >= 0 && this.#numbers[at + 1] > Number.NEGATIVE_INFINITY ? this.#ids[at] : -1
  }
}
