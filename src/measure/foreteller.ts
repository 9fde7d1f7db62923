// A model's own head, opened and measured to draft for it.

import type { ForwardCost } from '../cost/forward-cost.js'
import { longestDraft } from '../decode/decoder.js'
import { Foreteller } from '../decode/foreteller.js'
import type { Context } from '../llama/context.js'
import { LlamaError } from '../llama/error.js'
import { type ChainRoom, openChainContext } from './chain-context.js'

/**
 * Makes a context for the model's own head, and measures it. It is freed with the model.
 *
 * @param target a context of the model, whose threads it shares
 * @returns the head, or a phrase that says why it is not used; `undefined`: there is none, or it was not asked for
 */
export async function openForeteller(target: Context, room: ChainRoom): Promise<Foreteller | string | undefined> {
  const { model } = target
  if (!model.foretells) return model.heads.trouble
  if (longestDraft(target) === 0) return 'the memory of the model cannot take drafts back'
  try {
    const options = { foretells: true, flashAttention: target.isFused }
    const { context, cost } = await openChainContext(model, target, room, options)
    context.tellVectors('outputs')
    return new Foreteller(context, cost)
  } catch (error) {
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
