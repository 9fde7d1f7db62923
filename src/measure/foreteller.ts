// A model's own heads, opened and measured to draft for it.

import type { ForwardCost } from '../cost/forward-cost.js'
import { longestDraft } from '../decode/decoder.js'
import { Foreteller } from '../decode/foreteller.js'
import type { Context } from '../llama/context.js'
import { LlamaError } from '../llama/error.js'
import { type ChainRoom, makeChainContext, openChainContext } from './chain-context.js'

/**
 * Makes a context for each of the model's own heads, and measures the first. They are freed with the model.
 *
 * @param target a context of the model, whose threads it shares
 * @returns the heads, or a phrase that says why they are not used; `undefined`: there are none, or they were not asked for
 */
export async function openForeteller(target: Context, room: ChainRoom): Promise<Foreteller | string | undefined> {
  const { model } = target
  if (!model.foretells) return model.heads.trouble
  if (longestDraft(target) === 0) return 'the memory of the model cannot take drafts back'
  const contexts: Context[] = []
  try {
    const options = { foretells: true, flashAttention: target.isFused }
    const { context, cost } = await openChainContext(model, target, room, options)
    contexts.push(context)
    for (let head = 1; head < model.heads.count; head++)
      contexts.push(await makeChainContext(model, target, room, { ...options, head }))
    for (const context of contexts) context.tellVectors('outputs')
    return new Foreteller(contexts, cost)
  } catch (error) {
    for (const context of contexts) await context[Symbol.asyncDispose]()
    if (error instanceof LlamaError) return error.message
    throw error
  }
}

/**
 * How often a head's first token must come true to be worth its time: where
 *
 *     (1 + a) / (T(2) + t) = 1 / T(1)
 *
 * Above 1: never.
 */
export function breakEven(cost: ForwardCost, head: ForwardCost, context: number): number {
  return (cost.ms(2, context) + head.ms(1, context)) / cost.ms(1, context) - 1
}
