// The native samplers that a request's options stand for, in llama.cpp's order.

import type { Context } from './context.js'
import { dryWindow } from './dry-links.js'
import type { Pointer } from './native.js'
import {
  isUsualOrder,
  leastTemperature,
  needsDry,
  needsPenalties,
  type SamplerName,
  type SamplerOptions,
  samplerOrder,
  withDefaults,
} from './sampler-options.js'

/** Keeps the least number of candidates a filter may leave. */
const minKeep = 1

/** What changes the logits: bias, penalties, DRY. */
export function shapingLinks(context: Context, options: SamplerOptions, prompt: ArrayLike<number>): Pointer[] {
  const { library, vocabulary, dry } = context.model
  const { llama } = library
  const links: Pointer[] = []
  const read = (link: Pointer, last: number) => {
    for (let i = Math.max(0, prompt.length - last); i < prompt.length; i++) llama.llama_sampler_accept(link, prompt[i])
    links.push(link)
  }
  const biases = Object.entries(options.logitBias ?? {}).map(([id, bias]): [number, number] => [Number(id), bias])
  const ends = options.ignoreEos ? forbidding(vocabulary.endTokens) : []
  if (biases.length + ends.length > 0) links.push(biasLink(context, [...biases, ...ends]))
  // No request has more tokens than the context; llama.cpp would reserve memory for any number.
  const most = context.contextTokens
  if (needsPenalties(options)) {
    const { penaltyLastTokens, repeatPenalty, frequencyPenalty, presencePenalty } = withDefaults(options)
    const last = Math.min(penaltyLastTokens, most)
    read(
      llama.llama_sampler_init_penalties(vocabulary.size, last, repeatPenalty, frequencyPenalty, presencePenalty),
      last,
    )
  }
  if (needsDry(options)) read(dry.open(options, most), dryWindow(options, most))
  return links
}

/**
 * What chooses among the tokens that are left, if no other order is asked for:
 *
 *     top-n-sigma → top-k → typical → top-p → min-p → XTC → temperature → draw
 */
export function drawingLinks({ model }: Context, options: SamplerOptions, seed: number): Pointer[] {
  const { llama } = model.library
  const chosen = withDefaults(options)
  const { temperature, topK, topP, minP, typicalP, topNSigma, xtcProbability, xtcThreshold } = chosen
  if (temperature === 0) return [llama.llama_sampler_init_greedy()]
  const heat = Math.max(temperature, leastTemperature)
  // llama.cpp takes the largest one to mean that it shall choose.
  const bits = seed === 2 ** 32 - 1 ? 0x9e3779b1 : seed
  const make: Record<SamplerName, () => Pointer[]> = {
    // These come before the grammar.
    penalties: () => [],
    dry: () => [],
    top_n_sigma: () => (topNSigma > 0 ? [llama.llama_sampler_init_top_n_sigma(topNSigma)] : []),
    top_k: () => [llama.llama_sampler_init_top_k(topK)],
    typ_p: () => (typicalP < 1 ? [llama.llama_sampler_init_typical(typicalP, minKeep)] : []),
    top_p: () => [llama.llama_sampler_init_top_p(topP, minKeep)],
    min_p: () => [llama.llama_sampler_init_min_p(minP, minKeep)],
    xtc: () => {
      return xtcProbability > 0 ? [llama.llama_sampler_init_xtc(xtcProbability, xtcThreshold, minKeep, bits)] : []
    },
    temperature: () => [
      chosen.dynatempRange > 0
        ? llama.llama_sampler_init_temp_ext(heat, chosen.dynatempRange, chosen.dynatempExponent)
        : llama.llama_sampler_init_temp(heat),
    ],
  }
  const order = options.samplers ?? samplerOrder
  return [...order.flatMap((name) => make[name]()), llama.llama_sampler_init_dist(bits)]
}

/** Whether all that filters is monotone: what is likelier is never dropped before what is less likely. Top-k comes first. */
export function isMonotone(options: SamplerOptions): boolean {
  if (!isUsualOrder(options)) return false
  const { typicalP, topNSigma, xtcProbability, dynatempRange } = withDefaults(options)
  return typicalP === 1 && topNSigma === 0 && xtcProbability === 0 && dynatempRange === 0
}

/** A sampler that adds biases to logits. */
export function biasLink({ model }: Context, biases: readonly (readonly [id: number, bias: number])[]): Pointer {
  const packed = Buffer.alloc(biases.length * 8)
  for (const [i, [id, bias]] of biases.entries()) {
    packed.writeInt32LE(id, i * 8)
    packed.writeFloatLE(bias, i * 8 + 4)
  }
  return model.library.llama.llama_sampler_init_logit_bias(model.vocabulary.size, biases.length, packed)
}

/** Biases that rule tokens out. */
export function forbidding(ids: Int32Array): [number, number][] {
  return Array.from(ids, (id) => [id, Number.NEGATIVE_INFINITY])
}

/** A native chain that owns its links. */
export function chainOf({ model }: Context, links: readonly Pointer[]): Pointer {
  const { llama } = model.library
  const chain = llama.llama_sampler_chain_init({ no_perf: true })
  for (const link of links) llama.llama_sampler_chain_add(chain, link)
  return chain
}
