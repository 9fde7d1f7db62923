// The loop one writes first over libllama: a forward a token, waited for in place.

import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { BatchStruct } from '../../src/llama/abi.js'
import { Model } from '../../src/llama/model.js'
import { addressOf, type Pointer, viewFloats } from '../../src/llama/native.js'

/** Tokens of a prompt and its answer. */
const capacity = 4096

/** What the loop wrote, and the milliseconds of all tokens but the first. */
export interface PlainAnswer {
  tokens: number[]
  decodeMs: number
}

/**
 * The loop one writes first over libllama: a forward a token, waited for in place, with llama.cpp's own choice of
 * attention and cache and the threads it makes for each forward, and a JavaScript loop for the likeliest token. What
 * conventional decoding has to be level with.
 *
 * ```ts
 * await using loop = await PlainLoop.load('models/lookahead-qa.gguf', 2)
 * const { tokens, decodeMs } = loop.answer(loop.model.vocabulary.tokenize('The town hall', { addSpecial: true }), 32)
 * ```
 */
export class PlainLoop {
  readonly model: Model
  readonly #context: Pointer
  readonly #memory: Pointer
  readonly #tokens = new Int32Array(capacity)
  readonly #positions = new Int32Array(capacity)
  readonly #outputs = new Int8Array(capacity)
  /** The one sequence id of all rows. */
  readonly #sequence = new Int32Array(1)
  readonly #struct: BatchStruct

  /** @throws LlamaError for a file that cannot be loaded */
  static async load(file: string, threads: number): Promise<PlainLoop> {
    return new PlainLoop(await Model.load(file), threads)
  }

  private constructor(model: Model, threads: number) {
    this.model = model
    const { llama } = model.library
    const params = llama.llama_context_default_params()
    params.n_ctx = capacity
    params.n_batch = capacity
    params.n_threads = threads
    params.n_threads_batch = threads
    params.flash_attn_type = 1
    params.no_perf = true
    const context = llama.llama_init_from_model(model.pointer, params)
    if (!context) throw new Error(`no context of ${capacity} tokens for ${model.path}`)
    this.#context = context
    this.#memory = llama.llama_get_memory(context)
    this.#struct = {
      n_tokens: 0,
      token: this.#tokens,
      embd: null,
      pos: this.#positions,
      n_seq_id: new Int32Array(capacity).fill(1),
      seq_id: new BigUint64Array(capacity).fill(addressOf(this.#sequence)),
      logits: this.#outputs,
    }
  }

  /**
   * The likeliest answer.
   *
   * @param prompt at most 4,096 tokens together with the answer
   * @returns tokens with the one that ends the answer, if it ended, and what all but the first took
   */
  answer(prompt: ArrayLike<number>, maxTokens: number): PlainAnswer {
    const { llama } = this.model.library
    llama.llama_memory_clear(this.#memory, false)
    for (let i = 0; i < prompt.length; i++) {
      this.#tokens[i] = prompt[i]
      this.#positions[i] = i
      this.#outputs[i] = i === prompt.length - 1 ? 1 : 0
    }
    const tokens = [this.#next(prompt.length)]
    const began = performance.now()
    for (let position = prompt.length; tokens.length < maxTokens; position++) {
      const last = tokens[tokens.length - 1]
      if (this.model.vocabulary.isEndOfGeneration(last)) break
      this.#tokens[0] = last
      this.#positions[0] = position
      this.#outputs[0] = 1
      tokens.push(this.#next(1))
    }
    return { tokens, decodeMs: performance.now() - began }
  }

  #next(rows: number): number {
    const { llama } = this.model.library
    this.#struct.n_tokens = rows
    const status = llama.llama_decode(this.#context, this.#struct)
    if (status !== 0) throw new Error(`llama_decode gave ${status}`)
    const logits = viewFloats(llama.llama_get_logits(this.#context)!, this.model.vocabulary.size)
    let best = 0
    for (let token = 1; token < logits.length; token++) if (logits[token] > logits[best]) best = token
    return best
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.model.library.llama.llama_free(this.#context)
    await this.model[Symbol.asyncDispose]()
  }
}

/** Answers the prompts on stdin twice, the first time to warm up, and prints the second answers. */
async function main([file, threads, maxTokens]: string[]): Promise<void> {
  const prompts = JSON.parse(readFileSync(0, 'utf8')) as number[][]
  await using loop = await PlainLoop.load(file, Number(threads))
  const answerAll = () => prompts.map((prompt) => loop.answer(prompt, Number(maxTokens)))
  answerAll()
  console.log(JSON.stringify(answerAll()))
}

// As a process of its own: the threads of an engine beside it would take its cores.
if (process.argv[1] === fileURLToPath(import.meta.url)) await main(process.argv.slice(2))
