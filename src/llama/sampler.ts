// A chain of llama.cpp's samplers.

import { Gate } from '../grammar/gate.js'
import type { TokenLogprobs } from './candidates.js'
import type { Context } from './context.js'
import type { Pointer } from './native.js'
import { Preview } from './preview.js'
import { biasLink, chainOf, drawingLinks, forbidding, isMonotone, shapingLinks } from './sampler-links.js'
import {
  checkSamplerOptions,
  isPlainGreedy,
  isUsualOrder,
  type SamplerOptions,
  samplerDefaults,
  seedBits,
} from './sampler-options.js'

/** Most candidates that are drawn from again to see what noise does to a draw. */
const mostPreviewed = 1024

/** What {@link Sampler.sample} gives where no token may follow: the text is whole by its grammar, or it cannot be. */
export const halts = { whole: -1, deadEnd: -2 } as const

/**
 * Draws tokens from the rows of a context, one draw per emitted token, in order. Penalties and grammar see exactly the
 * tokens drawn so far, so drafts never show in what is drawn.
 *
 * A grammar stands between two native chains, and what it leaves is looked at before anything is drawn: llama.cpp would
 * draw a token even where none is allowed.
 *
 *     bias → penalties → DRY → grammar ─ anything left? ─┬─ yes → filters → temperature → draw
 *                                                        └─ no → halt
 */
export class Sampler {
  /** The seed in use; 0 for greedy. */
  readonly seed: number
  readonly #context: Context
  readonly #grammar: Gate | undefined
  /** Everything native where there is no grammar, else what comes before it; undefined if that is nothing. */
  readonly #chain: Pointer | undefined
  /** What draws from the tokens a grammar has left; undefined: the most likely one is taken. */
  readonly #drawing: Pointer | undefined
  /** The links of the chains; undefined for plain greedy, which has none. */
  readonly #links: Links | undefined
  /** Rules out the tokens that end an answer, for as long as it may not end. */
  readonly #ban: Pointer | undefined
  /** Tokens still to be drawn before the answer may end. */
  #owed: number
  /** What is to be told of each draw, and was not asked for yet. */
  readonly #notes: Notes | undefined
  #freed = false

  /**
   * @param prompt tokens the penalties look back at
   * @param told of how many of the likeliest tokens {@link told} is to tell; missing: it is not asked
   * @throws RangeError for options out of range; GrammarError for a grammar that cannot be followed
   */
  static create(context: Context, options: SamplerOptions, prompt: ArrayLike<number>, told?: number): Sampler {
    checkSamplerOptions(options, context.vocabularySize)
    const isGreedy = (options.temperature ?? 0) === 0
    const seed = isGreedy ? 0 : (seedBits(options.seed) ?? Math.floor(Math.random() * (2 ** 32 - 1)))
    const notes = told === undefined ? undefined : { count: told, isGreedy, left: [] }
    if (isPlainGreedy(options)) return new Sampler(context, seed, { notes })
    const grammar = gateOf(context, options.grammar)
    const topK = options.topK ?? samplerDefaults.topK
    const shaping = shapingLinks(context, options, prompt)
    const drawing = isGreedy && grammar ? [] : drawingLinks(context, options, seed)
    const links: Links = {
      shaping,
      drawing,
      surelyAlone:
        (options.typicalP ?? 1) < 1 || !isUsualOrder(options)
          ? Infinity
          : -Math.log(options.minP ?? samplerDefaults.minP),
      isGreedy,
      narrows: topK > 0 && topK <= mostPreviewed && isMonotone(options),
    }
    const owed = options.minTokens ?? 0
    const ban = owed > 0 ? biasLink(context, forbidding(context.model.vocabulary.endTokens)) : undefined
    const chains: Chains = grammar
      ? {
          chain: shaping.length > 0 ? chainOf(context, shaping) : undefined,
          drawing: isGreedy ? undefined : chainOf(context, drawing),
        }
      : { chain: chainOf(context, [...shaping, ...drawing]) }
    return new Sampler(context, seed, { links, grammar, ban, owed, notes, ...chains })
  }

  private constructor(context: Context, seed: number, parts: Partial<Parts> = {}) {
    this.#context = context
    this.seed = seed
    this.#links = parts.links
    this.#chain = parts.chain
    this.#grammar = parts.grammar
    this.#drawing = parts.drawing
    this.#ban = parts.ban
    this.#owed = parts.owed ?? 0
    this.#notes = parts.notes
  }

  /** What a grammar has to work out before the next token, in pieces of some ten milliseconds; undefined: nothing. */
  prepare(): Iterator<void> | undefined {
    return this.#grammar?.prepare()
  }

  /** Draws the token that follows a batch row with an output, and remembers it; one of {@link halts} if none may. */
  sample(row: number): number {
    if (this.#grammar !== undefined) return this.#sampleInGrammar(row, this.#grammar)
    if (this.#chain === undefined) return this.#note(this.#context.argmax(row))
    if (this.#owed > 0 || this.#notes) return this.#sampleAside(row, this.#chain)
    return this.#context.model.library.llama.llama_sampler_sample(this.#chain, this.#context.pointer, row)
  }

  /**
   * How probable a draw made the token it took, among those that bias, penalties, grammar and filters had left, and at its
   * temperature: of each token once, in the order they were drawn.
   */
  told(): TokenLogprobs {
    return this.#notes?.left.shift() as TokenLogprobs
  }

  /** Whether the same token would be drawn from a row if any two of its logits lay up to `noise` apart or closer. */
  isSure(row: number, noise: number): boolean {
    const { batch, logits, vocabularySize, candidates, model } = this.#context
    const { llama } = model.library
    if (this.#links === undefined) return this.#context.lead(row) > noise
    const { shaping, drawing, surelyAlone, isGreedy, narrows } = this.#links
    const isFree = this.#grammar === undefined && shaping.length === 0 && this.#owed === 0
    if (isFree && this.#context.lead(row) > noise + surelyAlone) return true
    const allowed = this.#grammar?.allowed()
    const fill = () => {
      candidates.fill(logits, batch.outputRows[row] * vocabularySize)
      if (this.#owed > 0 && this.#ban !== undefined) llama.llama_sampler_apply(this.#ban, candidates.header)
      for (const link of shaping) llama.llama_sampler_apply(link, candidates.header)
      if (allowed !== undefined) candidates.keep(allowed)
    }
    fill()
    if (isGreedy) return candidates.lead() > noise
    if (candidates.best() < 0) return true
    // Without top-k the whole vocabulary would have to be drawn from again and again, and what XTC and its like do to
    // noise has no two extremes: left undecided.
    if (!narrows) return false
    // Noise may also bring in what lies just below the last that top-k leaves.
    llama.llama_sampler_apply(drawing[0], candidates.header)
    const least = candidates.least() - noise
    fill()
    const { ids, logits: left } = candidates.list(least)
    return ids.length <= mostPreviewed && new Preview(llama, candidates, drawing).isSure(ids, left, noise)
  }

  #sampleInGrammar(row: number, grammar: Gate): number {
    const { batch, logits, vocabularySize, candidates, model } = this.#context
    const { llama } = model.library
    candidates.fill(logits, batch.outputRows[row] * vocabularySize)
    if (this.#owed > 0 && this.#ban !== undefined) llama.llama_sampler_apply(this.#ban, candidates.header)
    if (this.#chain !== undefined) llama.llama_sampler_apply(this.#chain, candidates.header)
    const allowed = grammar.allowed()
    if (allowed !== undefined) candidates.keep(allowed)
    let token = candidates.best()
    if (token < 0) return grammar.isWhole ? halts.whole : halts.deadEnd
    if (this.#owed > 0) this.#owed--
    if (this.#drawing !== undefined) {
      candidates.compact()
      llama.llama_sampler_apply(this.#drawing, candidates.header)
      if (candidates.selected >= 0) token = candidates.selected
      llama.llama_sampler_accept(this.#drawing, token)
    }
    if (this.#chain !== undefined) llama.llama_sampler_accept(this.#chain, token)
    if (!model.vocabulary.isEndOfGeneration(token)) grammar.accept(token)
    return this.#note(token)
  }

  /** Draws where the tokens are looked at: while the answer may not end yet, and to tell of them. */
  #sampleAside(row: number, chain: Pointer): number {
    const { batch, logits, vocabularySize, candidates, model } = this.#context
    const { llama } = model.library
    candidates.fill(logits, batch.outputRows[row] * vocabularySize)
    if (this.#owed > 0 && this.#ban !== undefined) {
      llama.llama_sampler_apply(this.#ban, candidates.header)
      candidates.compact()
    }
    llama.llama_sampler_apply(chain, candidates.header)
    const token = candidates.selected
    if (token < 0) return halts.deadEnd
    if (this.#owed > 0) this.#owed--
    llama.llama_sampler_accept(chain, token)
    return this.#note(token)
  }

  /** Takes note of a draw, with the tokens among which it was made still at hand. */
  #note(token: number): number {
    if (this.#notes) {
      const { count, isGreedy, left } = this.#notes
      const sure = { token, logprob: 0 }
      left.push(isGreedy ? { ...sure, top: count > 0 ? [sure] : [] } : this.#context.candidates.logprobs(token, count))
    }
    return token
  }

  [Symbol.dispose](): void {
    if (this.#freed) return
    this.#freed = true
    const { llama } = this.#context.model.library
    if (this.#chain !== undefined) llama.llama_sampler_free(this.#chain)
    if (this.#drawing !== undefined) llama.llama_sampler_free(this.#drawing)
    if (this.#ban !== undefined) llama.llama_sampler_free(this.#ban)
  }
}

function gateOf({ model }: Context, grammar: SamplerOptions['grammar']): Gate | undefined {
  if (!grammar) return undefined
  const plan = typeof grammar === 'string' ? { grammar } : grammar
  return new Gate(plan, model.vocabulary.lexiconWith(plan.markers ?? []))
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

/** Native chains that a sampler owns, with the links in them. */
interface Chains {
  chain: Pointer | undefined
  drawing?: Pointer
}

/** What is told of draws: how many likely tokens with each, and the draws that have not been asked for. */
interface Notes {
  count: number
  /** Whether the most likely token is taken, which leaves no other. */
  isGreedy: boolean
  left: TokenLogprobs[]
}

interface Parts extends Chains {
  links: Links
  grammar: Gate | undefined
  ban: Pointer | undefined
  owed: number
  notes: Notes | undefined
}
