// How a token is chosen: names, defaults and bounds.

import type { GrammarPlan } from '../grammar/gate.js'

/** Samplers by llama.cpp's names, in the order in which they are applied by default. */
export const samplerOrder = [
  'penalties',
  'dry',
  'top_n_sigma',
  'top_k',
  'typ_p',
  'top_p',
  'min_p',
  'xtc',
  'temperature',
] as const
/** Name of a sampler. */
export type SamplerName = (typeof samplerOrder)[number]

/** How a token is chosen from logits. The names and defaults are llama.cpp's; the default is greedy. */
export interface SamplerOptions {
  /** 0: always the most likely token. Default 0. */
  temperature?: number | undefined
  /** Keep the k most likely tokens; 0: all. Default 40. Without effect at temperature 0. */
  topK?: number | undefined
  /** Keep the most likely tokens that together reach this probability; 1: all. Default 0.95. */
  topP?: number | undefined
  /** Drop tokens less likely than this share of the most likely one; 0: none. Default 0.05. */
  minP?: number | undefined
  /**
   * Keep tokens that are about as likely as a typical one, until they together reach this probability (locally typical
   * sampling); 1: all. Default 1.
   */
  typicalP?: number | undefined
  /** Drop tokens whose logit lies more than this many standard deviations below the best; 0: none. Default 0. */
  topNSigma?: number | undefined
  /**
   * With this probability, drop all tokens above {@link xtcThreshold} but the least likely of them (XTC: exclude top
   * choices); 0: never. Default 0.
   */
  xtcProbability?: number | undefined
  /** Probability above which a token counts as a top choice; above 0.5 there is never more than one. Default 0.1. */
  xtcThreshold?: number | undefined
  /** Varies the temperature by up to this much in either direction, by how uncertain the model is; 0: fixed. Default 0. */
  dynatempRange?: number | undefined
  /** The exponent by which the model's uncertainty becomes a temperature in that range. Default 1. */
  dynatempExponent?: number | undefined
  /**
   * Which samplers are applied, in this order; others are not, whatever their options say. `penalties` and `dry` must come
   * before all others. Default: all, in llama.cpp's order: `penalties`, `dry`, `top_n_sigma`, `top_k`, `typ_p`, `top_p`,
   * `min_p`, `xtc`, `temperature`.
   */
  samplers?: readonly SamplerName[] | undefined
  /** Seed of the random draws, any integer; -1: a new one. Default: a new one per request, reported in its result. */
  seed?: number | undefined
  /** Divides the logits of recent tokens; 1: off. Default 1. */
  repeatPenalty?: number | undefined
  /** How many recent tokens, of the prompt too, the penalties look at. Default 64. */
  penaltyLastTokens?: number | undefined
  /** Lowers a token's logit by this for each recent occurrence; 0: off. Default 0. */
  frequencyPenalty?: number | undefined
  /** Lowers a token's logit by this once if it occurred recently; 0: off. Default 0. */
  presencePenalty?: number | undefined
  /**
   * Lowers the logit of a token that would continue a repetition (DRY: don't repeat yourself), by
   * `dryMultiplier` × `dryBase` ^ (length of the repetition − `dryAllowedLength`); 0: off. Default 0.
   */
  dryMultiplier?: number | undefined
  /** How the DRY penalty grows with each repeated token, at least 1. Default 1.75. */
  dryBase?: number | undefined
  /** Tokens that may be repeated without penalty. Default 2. */
  dryAllowedLength?: number | undefined
  /** How many recent tokens, of the prompt too, are searched for repetitions. Default: the whole context. */
  dryLastTokens?: number | undefined
  /** Texts that end a repetition; at most 64. Default: line break, colon, quote and asterisk. */
  drySequenceBreakers?: readonly string[] | undefined
  /** Never let the model end the answer: the tokens that would are not drawn. Default `false`. */
  ignoreEos?: boolean | undefined
  /** Tokens that must be written before the model may end the answer. Default 0. */
  minTokens?: number | undefined
  /** Added to the logits of single tokens: id → bias; -Infinity forbids the token. Default: none. */
  logitBias?: Record<number, number> | undefined
  /**
   * GBNF grammar that the text must follow, as in llama.cpp except for its notation of tokens (`<[7]>`); the root rule is
   * `root`. Empty: none. Only characters count: control tokens, which have none, are never drawn under a grammar. Default:
   * none.
   */
  grammar?: string | GrammarPlan | undefined
}

/** Defaults of {@link SamplerOptions}; llama.cpp's, except for the temperature. */
export const samplerDefaults = {
  temperature: 0,
  topK: 40,
  topP: 0.95,
  minP: 0.05,
  typicalP: 1,
  topNSigma: 0,
  xtcProbability: 0,
  xtcThreshold: 0.1,
  dynatempRange: 0,
  dynatempExponent: 1,
  repeatPenalty: 1,
  penaltyLastTokens: 64,
  frequencyPenalty: 0,
  presencePenalty: 0,
  dryMultiplier: 0,
  dryBase: 1.75,
  dryAllowedLength: 2,
  drySequenceBreakers: ['\n', ':', '"', '*'],
} as const

/** Options completed with defaults. */
export function withDefaults(options: SamplerOptions): {
  [Name in keyof typeof samplerDefaults]: NonNullable<SamplerOptions[Name]>
} {
  const given: Partial<Record<keyof typeof samplerDefaults, never>> = Object.fromEntries(
    Object.entries(options).filter(([, value]) => value !== undefined),
  )
  return { ...samplerDefaults, ...given }
}

/** Most texts that may end a repetition. */
const mostBreakers = 64

/**
 * Bounds of numbers by which logits are divided or changed. llama.cpp computes in single precision, where anything beyond
 * would become infinite or not a number.
 */
const largest = 1e6
export const leastTemperature = 1e-6

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
  check('typicalP', (v) => v > 0 && v <= 1, 'a number above 0 and at most 1')
  check('topNSigma', (v) => v >= 0 && v <= largest, `a number from 0 to ${largest}`)
  check('xtcProbability', (v) => v >= 0 && v <= 1, 'a number from 0 to 1')
  check('xtcThreshold', (v) => v >= 0 && v <= 1, 'a number from 0 to 1')
  check('dynatempRange', (v) => v >= 0 && v <= largest, `a number from 0 to ${largest}`)
  check('dynatempExponent', (v) => v >= 0 && v <= 100, 'a number from 0 to 100')
  check('dryMultiplier', (v) => v >= 0 && v <= largest, `a number from 0 to ${largest}`)
  check('dryBase', (v) => v >= 1 && v <= 1000, 'a number from 1 to 1000')
  check('dryAllowedLength', (v) => Number.isInteger(v) && v >= 0 && v < 2 ** 31, 'an integer ≥ 0')
  check('dryLastTokens', (v) => Number.isInteger(v) && v >= 0, 'an integer ≥ 0')
  check('minTokens', (v) => Number.isInteger(v) && v >= 0, 'an integer ≥ 0')
  const breakers = options.drySequenceBreakers ?? []
  if (!Array.isArray(breakers) || breakers.length > mostBreakers || !breakers.every((text) => typeof text === 'string'))
    throw new RangeError(`drySequenceBreakers must be a list of at most ${mostBreakers} texts`)
  if (options.ignoreEos !== undefined && typeof options.ignoreEos !== 'boolean')
    throw new RangeError(`ignoreEos must be true or false, got ${String(options.ignoreEos)}`)
  checkOrder(options.samplers)
  check('seed', (v) => Number.isInteger(v), 'an integer')
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

function checkOrder(samplers: unknown): void {
  if (samplers === undefined) return
  if (!Array.isArray(samplers)) throw new RangeError('samplers must be a list of names')
  for (const [i, name] of samplers.entries()) {
    if (!samplerOrder.includes(name))
      throw new RangeError(`samplers must be names from ${samplerOrder.join(', ')}, got ${String(name)}`)
    if (samplers.indexOf(name) < i) throw new RangeError(`samplers must name each once, got ${name} twice`)
  }
  const isShaping = (name: string) => name === 'penalties' || name === 'dry'
  const last = samplers.findLastIndex(isShaping)
  if (!samplers.slice(0, last + 1).every(isShaping))
    throw new RangeError('samplers must name penalties and dry before all others')
}

/** Whether the samplers are applied in their default order. */
export function isUsualOrder({ samplers }: SamplerOptions): boolean {
  return samplers === undefined || samplers.join() === samplerOrder.join()
}

/** Whether the options change nothing about greedy choice. */
export function isPlainGreedy(options: SamplerOptions): boolean {
  return (
    (options.temperature ?? samplerDefaults.temperature) === 0 &&
    !needsPenalties(options) &&
    !needsDry(options) &&
    !options.logitBias &&
    !options.ignoreEos &&
    !options.minTokens &&
    !options.grammar
  )
}

/** Whether recent tokens change logits. */
export function needsPenalties(options: SamplerOptions): boolean {
  if (options.samplers?.includes('penalties') === false) return false
  const { penaltyLastTokens = samplerDefaults.penaltyLastTokens, repeatPenalty = 1 } = options
  const { frequencyPenalty = 0, presencePenalty = 0 } = options
  return penaltyLastTokens > 0 && (repeatPenalty !== 1 || frequencyPenalty !== 0 || presencePenalty !== 0)
}

/** Whether repetitions change logits. */
export function needsDry({ dryMultiplier = 0, dryLastTokens, samplers }: SamplerOptions): boolean {
  return dryMultiplier > 0 && dryLastTokens !== 0 && samplers?.includes('dry') !== false
}

/**
 * A seed as the 32 bits that draws begin with; `undefined` if they are to be random. Every integer is a seed (several may
 * have the same bits) and always gives the same draws; -1 is random, as in llama.cpp.
 */
export function seedBits(seed: number | undefined): number | undefined {
  if (seed === undefined || seed === -1) return undefined
  const whole = BigInt.asUintN(64, BigInt(seed))
  return (Number(whole & 0xffff_ffffn) ^ Math.imul(Number(whole >> 32n), 0x9e3779b1)) >>> 0
}
