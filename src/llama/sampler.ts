import type { Pointer } from './abi.js'
import type { Context } from './context.js'
import { LlamaError } from './error.js'

/** How a token is chosen from logits. The names and defaults are llama.cpp's; the default is greedy. */
export interface SamplerOptions {
  /** 0: always the most likely token. Default 0. */
  temperature?: number
  /** Keep the k most likely tokens; 0: all. Default 40. Without effect at temperature 0. */
  topK?: number
  /** Keep the most likely tokens that together reach this probability; 1: all. Default 0.95. */
  topP?: number
  /** Drop tokens less likely than this share of the most likely one; 0: none. Default 0.05. */
  minP?: number
  /** Seed of the random draws, 0 … 2³²-1. Default: a new one per request, reported in its result. */
  seed?: number
  /** Divides the logits of recent tokens; 1: off. Default 1. */
  repeatPenalty?: number
  /** How many recent tokens, of the prompt too, the penalties look at. Default 64. */
  penaltyLastTokens?: number
  /** Lowers a token's logit by this for each recent occurrence; 0: off. Default 0. */
  frequencyPenalty?: number
  /** Lowers a token's logit by this once if it occurred recently; 0: off. Default 0. */
  presencePenalty?: number
  /** Added to the logits of single tokens: id → bias. */
  logitBias?: Record<number, number>
  /** GBNF grammar the text must follow; its root rule is `root`. */
  grammar?: string
}

/** Keeps the least number of candidates a filter may leave. */
const minKeep = 1

/** Checks sampler options. @throws RangeError with one sentence */
export function checkSamplerOptions(options: SamplerOptions, vocabularySize: number): void {
  const check = (name: keyof SamplerOptions, ok: (value: number) => boolean, expected: string) => {
    const value = options[name]
    if (value !== undefined && !(typeof value === 'number' && ok(value)))
      throw new RangeError(`${name} must be ${expected}, got ${String(value)}`)
  }
  const finite = Number.isFinite
  check('temperature', (v) => finite(v) && v >= 0, 'a number ≥ 0')
  check('topK', (v) => Number.isInteger(v) && v >= 0, 'an integer ≥ 0')
  check('topP', (v) => v > 0 && v <= 1, 'a number above 0 and at most 1')
  check('minP', (v) => v >= 0 && v <= 1, 'a number from 0 to 1')
  check('seed', (v) => Number.isInteger(v) && v >= 0 && v < 2 ** 32, 'an integer from 0 to 4294967295')
  check('repeatPenalty', (v) => finite(v) && v > 0, 'a number above 0')
  check('penaltyLastTokens', (v) => Number.isInteger(v) && v >= 0, 'an integer ≥ 0')
  check('frequencyPenalty', finite, 'a number')
  check('presencePenalty', finite, 'a number')
  for (const [token, bias] of Object.entries(options.logitBias ?? {})) {
    const id = Number(token)
    if (!Number.isInteger(id) || id < 0 || id >= vocabularySize)
      throw new RangeError(`logitBias: ${token} is not a token id (0 to ${vocabularySize - 1})`)
    if (typeof bias !== 'number' || Number.isNaN(bias))
      throw new RangeError(`logitBias: the bias of token ${token} must be a number, got ${String(bias)}`)
  }
}

/** Whether the options change nothing about greedy choice. */
function isPlainGreedy(options: SamplerOptions): boolean {
  return (options.temperature ?? 0) === 0 && !needsPenalties(options) && !options.logitBias && !options.grammar
}

function needsPenalties(options: SamplerOptions): boolean {
  return (
    (options.penaltyLastTokens ?? 64) > 0 &&
    ((options.repeatPenalty ?? 1) !== 1 ||
      (options.frequencyPenalty ?? 0) !== 0 ||
      (options.presencePenalty ?? 0) !== 0)
  )
}

/**
 * Draws tokens from the rows of a context, one draw per emitted token, in order. Penalties and grammar see exactly the
 * tokens drawn so far, so drafts never show in what is drawn.
 */
export class Sampler {
  /** The seed in use; 0 for greedy. */
  readonly seed: number
  readonly #context: Context
  /** The native chain; undefined for plain greedy, which needs none. */
  readonly #chain: Pointer | undefined
  #freed = false

  /**
   * @param prompt tokens the penalties look back at
   * @throws RangeError for options out of range; LlamaError `sampler-invalid` for a grammar that does not parse
   */
  static create(context: Context, options: SamplerOptions, prompt: ArrayLike<number>): Sampler {
    checkSamplerOptions(options, context.vocabularySize)
    const temperature = options.temperature ?? 0
    const seed = temperature === 0 ? 0 : (options.seed ?? Math.floor(Math.random() * 2 ** 32))
    if (isPlainGreedy(options)) return new Sampler(context, seed, undefined)
    return new Sampler(context, seed, buildChain(context, options, seed, prompt))
  }

  private constructor(context: Context, seed: number, chain: Pointer | undefined) {
    this.#context = context
    this.seed = seed
    this.#chain = chain
  }

  /** Draws the token that follows a batch row with an output, and remembers it. */
  sample(row: number): number {
    if (this.#chain === undefined) return this.#context.argmax(row)
    return this.#context.model.library.llama.llama_sampler_sample(this.#chain, this.#context.pointer, row)
  }

  /** Whether the same token would be drawn from a row if any two of its logits lay up to `noise` apart or closer. */
  isSure(row: number, noise: number): boolean {
    return this.#context.lead(row) > noise
  }

  [Symbol.dispose](): void {
    if (this.#chain === undefined || this.#freed) return
    this.#freed = true
    this.#context.model.library.llama.llama_sampler_free(this.#chain)
  }
}

/** The chain in llama.cpp's order: bias, penalties, grammar, top-k, top-p, min-p, temperature, draw. */
function buildChain(context: Context, options: SamplerOptions, seed: number, prompt: ArrayLike<number>): Pointer {
  const { library, vocabulary } = context.model
  const { llama } = library
  const links: Pointer[] = []
  const bias = Object.entries(options.logitBias ?? {})
  if (bias.length > 0) {
    const packed = Buffer.alloc(bias.length * 8)
    for (const [i, [token, value]] of bias.entries()) {
      packed.writeInt32LE(Number(token), i * 8)
      packed.writeFloatLE(value, i * 8 + 4)
    }
    links.push(llama.llama_sampler_init_logit_bias(vocabulary.size, bias.length, packed))
  }
  if (needsPenalties(options)) {
    const last = options.penaltyLastTokens ?? 64
    const penalties = llama.llama_sampler_init_penalties(
      vocabulary.size,
      last,
      options.repeatPenalty ?? 1,
      options.frequencyPenalty ?? 0,
      options.presencePenalty ?? 0,
    )
    for (let i = Math.max(0, prompt.length - last); i < prompt.length; i++)
      llama.llama_sampler_accept(penalties, prompt[i])
    links.push(penalties)
  }
  if (options.grammar !== undefined) {
    const grammar = llama.llama_sampler_init_grammar(vocabulary.pointer, options.grammar, 'root')
    if (!grammar) {
      for (const link of links) llama.llama_sampler_free(link)
      throw new LlamaError('sampler-invalid', 'the grammar does not parse: expected GBNF with a rule named root')
    }
    links.push(grammar)
  }
  const temperature = options.temperature ?? 0
  if (temperature === 0) links.push(llama.llama_sampler_init_greedy())
  else
    links.push(
      llama.llama_sampler_init_top_k(options.topK ?? 40),
      llama.llama_sampler_init_top_p(options.topP ?? 0.95, minKeep),
      llama.llama_sampler_init_min_p(options.minP ?? 0.05, minKeep),
      llama.llama_sampler_init_temp(temperature),
      llama.llama_sampler_init_dist(seed),
    )
  const chain = llama.llama_sampler_chain_init({ no_perf: true })
  for (const link of links) llama.llama_sampler_chain_add(chain, link)
  return chain
}
