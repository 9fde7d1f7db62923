// The head of a model opened and measured, to draft for it.

import type { ForwardCost } from '../cost/forward-cost.js'
import { longestDraft } from '../decode/decoder.js'
import { Foreteller } from '../decode/foreteller.js'
import { Context } from '../llama/context.js'
import { LlamaError } from '../llama/error.js'
import { measureForwardCost } from './calibration.js'

/** Time for measuring what its forwards cost, in milliseconds. */
const calibrationMs = 200

/** How a head is opened. */
export interface ForetellerOptions {
  slots: number
  contextTokens: number
  maxNodes: number
}

/**
 * Makes a context of the head that a model brings along, and measures it. It ends with the model.
 *
 * @param target a context of the model, whose threads it shares
 * @returns the head, or in a phrase why it is not used; `undefined`: there is none, or it was not asked for
 */
export async function openForeteller(
  target: Context,
  { slots, contextTokens, maxNodes }: ForetellerOptions,
): Promise<Foreteller | string | undefined> {
  const { model } = target
  if (!model.foretells) return model.heads.trouble
  if (longestDraft(target) === 0) return 'the memory of the model takes no drafts back'
  try {
    const context = await Context.create(model, {
      foretells: true,
      contextTokens: slots * (Math.min(contextTokens, model.mostPositions) + maxNodes),
      maxSequences: slots,
      batchTokens: 512,
      threads: target.mostThreads,
      pool: target.pool,
      keyType: 'f16',
      valueType: 'f16',
      flashAttention: target.isFused,
      mostOutputs: 128,
    })
    const { cost } = await measureForwardCost(context, {
      budgetMs: calibrationMs,
      onDevice: model.residence === 'device',
    })
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
