import { Lexicon } from '../grammar/lexicon.js'
import type { LlamaFunctions, Pointer } from './abi.js'
import { LlamaError } from './error.js'

/** How text becomes tokens. */
export interface TokenizeOptions {
  /** Recognise control tokens such as `<|im_start|>` written in the text. Default `false`: they are plain text. */
  special?: boolean
  /** Put the model's BOS (and what else it asks for) around the tokens if it is configured to. Default `false`. */
  addSpecial?: boolean
}

/**
 * The tokens of a model: text to ids and back. A model has one; `loadVocabulary` reads that of a file alone.
 */
export class Vocabulary {
  /** Number of tokens. Ids are 0 … size-1. */
  readonly size: number
  /** Beginning-of-sequence token, -1 if the model has none. */
  readonly bos: number
  /** End-of-sequence token, -1 if the model has none. */
  readonly eos: number
  /** Whether the model wants a BOS in front of every text. */
  readonly addsBos: boolean
  readonly #llama: LlamaFunctions
  #pointer: Pointer | undefined
  readonly #release: () => void
  readonly #pieces: (Uint8Array | undefined)[]
  readonly #eog: Uint8Array
  #scratch = new Uint8Array(256)
  #lexicon: Lexicon | undefined
  #endTokens: Int32Array | undefined

  /** @internal Models make their own. */
  constructor(llama: LlamaFunctions, pointer: Pointer, release: () => void = () => {}) {
    this.#llama = llama
    this.#pointer = pointer
    this.#release = release
    this.size = llama.llama_vocab_n_tokens(pointer)
    this.bos = llama.llama_vocab_bos(pointer)
    this.eos = llama.llama_vocab_eos(pointer)
    this.addsBos = llama.llama_vocab_get_add_bos(pointer)
    this.#pieces = new Array(this.size)
    this.#eog = new Uint8Array(this.size).fill(unknown)
  }

  /** The native vocabulary, for samplers that read it. @throws LlamaError `disposed` @internal */
  get pointer(): Pointer {
    if (this.#pointer === undefined)
      throw new LlamaError('disposed', 'the vocabulary was used after its model was disposed')
    return this.#pointer
  }

  /** Token ids of `text`. */
  tokenize(text: string, { special = false, addSpecial = false }: TokenizeOptions = {}): Int32Array {
    const bytes = Buffer.from(text, 'utf8')
    let ids = new Int32Array(bytes.length + 8)
    let count = this.#llama.llama_tokenize(this.pointer, bytes, bytes.length, ids, ids.length, addSpecial, special)
    if (count < 0) {
      ids = new Int32Array(-count)
      count = this.#llama.llama_tokenize(this.pointer, bytes, bytes.length, ids, ids.length, addSpecial, special)
    }
    return ids.slice(0, count)
  }

  /**
   * The bytes one token stands for: seldom a whole character, so join them before decoding. Control tokens have none
   * unless `special`. The array belongs to the vocabulary: read, do not write.
   */
  bytesOf(token: number, special = false): Uint8Array {
    if (special) return this.#readPiece(token, true)
    const known = this.#pieces[token]
    if (known) return known
    const piece = this.#readPiece(token, false)
    this.#pieces[token] = piece
    return piece
  }

  /** The text of tokens; bytes that are no complete character become U+FFFD. */
  textOf(tokens: ArrayLike<number>, special = false): string {
    return Buffer.concat(Array.from(tokens, (token) => this.bytesOf(token, special))).toString('utf8')
  }

  /** Whether the token ends a generation (end of sequence, of turn, of message). */
  isEndOfGeneration(token: number): boolean {
    let known = this.#eog[token]
    if (known === unknown) {
      known = this.#llama.llama_vocab_is_eog(this.pointer, token) ? 1 : 0
      this.#eog[token] = known
    }
    return known === 1
  }

  /** The tokens that end a generation. */
  get endTokens(): Int32Array {
    this.#endTokens ??= Int32Array.from({ length: this.size }, (_, id) => id).filter((id) => this.isEndOfGeneration(id))
    return this.#endTokens
  }

  /** The tokens by their bytes, for grammars. Sorted when first asked for, which takes longest with the first grammar. */
  get lexicon(): Lexicon {
    this.#lexicon ??= new Lexicon(this)
    return this.#lexicon
  }

  /** Frees what `loadVocabulary` loaded. The vocabulary of a model goes with it. */
  [Symbol.dispose](): void {
    this.#pointer = undefined
    this.#release()
  }

  #readPiece(token: number, special: boolean): Uint8Array {
    const read = () =>
      this.#llama.llama_token_to_piece(this.pointer, token, this.#scratch, this.#scratch.length, 0, special)
    let length = read()
    if (length < 0) {
      this.#scratch = new Uint8Array(-length)
      length = read()
    }
    return this.#scratch.slice(0, length)
  }
}

/** Not yet asked, in the table of end-of-generation tokens. */
const unknown = 2
