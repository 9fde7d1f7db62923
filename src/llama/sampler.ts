import { Grammar } from '../grammar/grammar.js'
import type { Pointer } from './abi.js'
import type { Context } from './context.js'
import { Preview } from './preview.js'

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
  /** Added to the logits of single tokens: id → bias; -Infinity forbids the token. */
  logitBias?: Record<number, number>
  /**
   * GBNF grammar the text must follow, as llama.cpp reads it but for its notation of tokens (`<[7]>`); its root rule is
   * `root`. Empty: none. The characters of the text count: control tokens, which show none, are never drawn under a grammar.
   */
  grammar?: string
}

/** Defaults of {@link SamplerOptions}. */
const defaultTopK = 40
const defaultMinP = 0.05

/** Most candidates that are drawn from again to see what noise does to a draw. */
const mostPreviewed = 1024

/** Keeps the least number of candidates a filter may leave. */
const minKeep = 1

/**
 * Bounds of numbers that logits are divided by or changed by. llama.cpp computes in single precision, where what lies
 * beyond becomes infinite, or not a number, and no choice.
 */
const largest = 1e6
const leastTemperature = 1e-6

/** Checks sampler options. @throws RangeError with one sentence */
export function checkSamplerOptions(options: SamplerOptions, vocabularySize: number): void {
  const check = (name: keyof SamplerOptions, ok: (value: number) => boolean, expected: string) => {
    const value = options[name]
    if (value !== undefined && !(typeof value === 'number' && ok(value)))
      throw new RangeError(`${name} must be ${expected}, got ${String(value)}`)
  }
  check('temperature', (v) => v >= 0 && v <= largest, `a number ≥ 0 and at most ${largest}`)
  check('topK', (v) => Number.isInteger(v) && v >= 0, 'an integer ≥ 0')
  check('topP', (v) => v > 0 && v <= 1, 'a number above 0 and at most 1')
  check('minP', (v) => v >= 0 && v <= 1, 'a number from 0 to 1')
  check('seed', (v) => Number.isInteger(v) && v >= 0 && v < 2 ** 32, 'an integer from 0 to 4294967295')
  check('repeatPenalty', (v) => v >= 0.001 && v <= 1000, 'a number from 0.001 to 1000')
  check('penaltyLastTokens', (v) => Number.isInteger(v) && v >= 0, 'an integer ≥ 0')
  check('frequencyPenalty', (v) => Math.abs(v) <= largest, `a number from -${largest} to ${largest}`)
  check('presencePenalty', (v) => Math.abs(v) <= largest, `a number from -${largest} to ${largest}`)
  for (const [token, bias] of Object.entries(options.logitBias ?? {})) {
    const id = Number(token)
    if (!Number.isInteger(id) || id < 0 || id >= vocabularySize)
      throw new RangeError(`logitBias: ${token} is not a token id (0 to ${vocabularySize - 1})`)
    if (!(typeof bias === 'number' && (Math.abs(bias) <= largest || bias === Number.NEGATIVE_INFINITY)))
      throw new RangeError(
        `logitBias: the bias of token ${token} must be a number from -${largest} to ${largest}, or -Infinity, got ${String(bias)}`,
      )
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

/** What {@link Sampler.sample} gives where no token may follow: the text is whole by its grammar, or it cannot be. */
export const halts = { whole: -1, deadEnd: -2 } as const

/**
 * Draws tokens from the rows of a context, one draw per emitted token, in order. Penalties and grammar see exactly the
 * tokens drawn so far, so drafts never show in what is drawn.
 *
 * A grammar stands between two native chains, and what it leaves is looked at before anything is drawn: llama.cpp would
 * draw a token even where none is allowed.
 *
 *     bias → penalties → grammar ─ anything left? ─┬─ yes → top-k → top-p → min-p → temperature → draw
 *                                                  └─ no → halt
 */
export class Sampler {
  /** The seed in use; 0 for greedy. */
  readonly seed: number
  readonly #context: Context
  readonly #grammar: Grammar | undefined
  /** Everything native where there is no grammar, else what comes before it; undefined if that is nothing. */
  readonly #chain: Pointer | undefined
  /** What draws from the tokens a grammar has left; undefined: the most likely one is taken. */
  readonly #drawing: Pointer | undefined
  /** The links of the chains; undefined for plain greedy, which has none. */
  readonly #links: Links | undefined
  #freed = false

  /**
   * @param prompt tokens the penalties look back at
   * @throws RangeError for options out of range; GrammarError for a grammar that cannot be followed
   */
  static create(context: Context, options: SamplerOptions, prompt: ArrayLike<number>): Sampler {
    checkSamplerOptions(options, context.vocabularySize)
    const isGreedy = (options.temperature ?? 0) === 0
    const seed = isGreedy ? 0 : (options.seed ?? Math.floor(Math.random() * 2 ** 32))
    if (isPlainGreedy(options)) return new Sampler(context, seed)
    const grammar = options.grammar ? new Grammar(options.grammar, context.model.vocabulary.lexicon) : undefined
    const links: Links = {
      shaping: shapingLinks(context, options, prompt),
      drawing: isGreedy && grammar ? [] : drawingLinks(context, options, seed),
      surelyAlone: -Math.log(options.minP ?? defaultMinP),
      isGreedy,
      narrows: (options.topK ?? defaultTopK) > 0 && (options.topK ?? defaultTopK) <= mostPreviewed,
    }
    if (!grammar) return new Sampler(context, seed, links, chainOf(context, [...links.shaping, ...links.drawing]))
    const chain = links.shaping.length > 0 ? chainOf(context, links.shaping) : undefined
    const drawing = isGreedy ? undefined : chainOf(context, links.drawing)
    return new Sampler(context, seed, links, chain, grammar, drawing)
  }

  private constructor(
    context: Context,
    seed: number,
    links?: Links,
    chain?: Pointer,
    grammar?: Grammar,
    drawing?: Pointer,
  ) {
    this.#context = context
    this.seed = seed
    this.#links = links
    this.#chain = chain
    this.#grammar = grammar
    this.#drawing = drawing
  }

  /** Draws the token that follows a batch row with an output, and remembers it; one of {@link halts} if none may. */
  sample(row: number): number {
    if (this.#grammar !== undefined) return this.#sampleInGrammar(row, this.#grammar)
    if (this.#chain === undefined) return this.#context.argmax(row)
    return this.#context.model.library.llama.llama_sampler_sample(this.#chain, this.#context.pointer, row)
  }

  /** Whether the same token would be drawn from a row if any two of its logits lay up to `noise` apart or closer. */
  isSure(row: number, noise: number): boolean {
    const { batch, logits, vocabularySize, candidates, model } = this.#context
    const { llama } = model.library
    if (this.#links === undefined) return this.#context.lead(row) > noise
    const { shaping, drawing, surelyAlone, isGreedy, narrows } = this.#links
    if (this.#grammar === undefined && shaping.length === 0 && this.#context.lead(row) > noise + surelyAlone)
      return true
    const allowed = this.#grammar?.allowed()
    const fill = () => {
      candidates.fill(logits, batch.outputRows[row] * vocabularySize)
      for (const link of shaping) llama.llama_sampler_apply(link, candidates.header)
      if (allowed !== undefined) candidates.keep(allowed)
    }
    fill()
    if (isGreedy) return candidates.lead() > noise
    if (candidates.best() < 0) return true
    // Without top-k the whole vocabulary would have to be drawn from again and again: left undecided.
    if (!narrows) return false
    // Noise may also bring in what lies just below the last that top-k leaves.
    llama.llama_sampler_apply(drawing[0], candidates.header)
    const least = candidates.least() - noise
    fill()
    const { ids, logits: left } = candidates.list(least)
    return ids.length <= mostPreviewed && new Preview(llama, candidates, drawing).isSure(ids, left, noise)
  }

  #sampleInGrammar(row: number, grammar: Grammar): number {
    const { batch, logits, vocabularySize, candidates, model } = this.#context
    const { llama } = model.library
    candidates.fill(logits, batch.outputRows[row] * vocabularySize)
    if (this.#chain !== undefined) llama.llama_sampler_apply(this.#chain, candidates.header)
    candidates.keep(grammar.allowed())
    let token = candidates.best()
    if (token < 0) return grammar.isWhole ? halts.whole : halts.deadEnd
    if (this.#drawing !== undefined) {
      llama.llama_sampler_apply(this.#drawing, candidates.header)
      if (candidates.selected >= 0) token = candidates.selected
      llama.llama_sampler_accept(this.#drawing, token)
    }
    if (this.#chain !== undefined) llama.llama_sampler_accept(this.#chain, token)
    if (!model.vocabulary.isEndOfGeneration(token)) grammar.accept(model.vocabulary.bytesOf(token))
    return token
  }

  [Symbol.dispose](): void {
    if (this.#freed) return
    this.#freed = true
    const { llama } = this.#context.model.library
    if (this.#chain !== undefined) llama.llama_sampler_free(this.#chain)
    if (this.#drawing !== undefined) llama.llama_sampler_free(this.#drawing)
  }
}

/** The samplers of a request, owned by its chains. */
interface Links {
  /** What changes the logits: bias and penalties. */
  shaping: readonly Pointer[]
  /** Top-k first, the one that draws last; none where the most likely token is taken under a grammar. */
  drawing: readonly Pointer[]
  /** How far the most likely token must lie above the next for min-p to leave it alone. */
  surelyAlone: number
  /** Whether the most likely token is taken. */
  isGreedy: boolean
  /** Whether top-k leaves few. */
  narrows: boolean
}

/** What changes the logits: bias, penalties, in llama.cpp's order. */
function shapingLinks(context: Context, options: SamplerOptions, prompt: ArrayLike<number>): Pointer[] {
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
    // No request has more tokens than the context; llama.cpp would reserve memory for any number.
    const last = Math.min(options.penaltyLastTokens ?? 64, context.contextTokens)
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
  return links
}

/** What chooses among the tokens that are left: top-k, top-p, min-p, temperature, draw, in llama.cpp's order. */
function drawingLinks({ model }: Context, options: SamplerOptions, seed: number): Pointer[] {
  const { llama } = model.library
  const temperature = options.temperature ?? 0
  if (temperature === 0) return [llama.llama_sampler_init_greedy()]
  return [
    llama.llama_sampler_init_top_k(options.topK ?? defaultTopK),
    llama.llama_sampler_init_top_p(options.topP ?? 0.95, minKeep),
    llama.llama_sampler_init_min_p(options.minP ?? defaultMinP, minKeep),
    llama.llama_sampler_init_temp(Math.max(temperature, leastTemperature)),
    llama.llama_sampler_init_dist(seed),
  ]
}

/** A native chain that owns its links. */
function chainOf({ model }: Context, links: readonly Pointer[]): Pointer {
  const { llama } = model.library
  const chain = llama.llama_sampler_chain_init({ no_perf: true })
  for (const link of links) llama.llama_sampler_chain_add(chain, link)
  return chain
}
