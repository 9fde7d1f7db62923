// A context in which chains of draft are written, made and measured.

import type { ForwardCost } from '../cost/forward-cost.js'
import { Context } from '../llama/context.js'
import type { ContextOptions } from '../llama/context-options.js'
import type { Model } from '../llama/model.js'
import { measureForwardCost } from './calibration.js'

/** Time for measuring what its forwards cost, in milliseconds. */
const calibrationMs = 200

/** What room chains need. */
export interface ChainRoom {
  slots: number
  contextTokens: number
  maxNodes: number
}

/** What is particular to one. */
type ChainOptions = Pick<ContextOptions, 'foretells' | 'head' | 'flashAttention'>

/**
 * Makes a context of what drafts, a model or a head, and measures its forwards.
 *
 * @param target the context that is drafted for, whose threads it shares
 * @throws LlamaError as `Context.create`
 */
export async function openChainContext(
  model: Model,
  target: Context,
  room: ChainRoom,
  options: ChainOptions = {},
): Promise<{ context: Context; cost: ForwardCost }> {
  const context = await makeChainContext(model, target, room, options)
  try {
    const { cost } = await measureForwardCost(context, {
      budgetMs: calibrationMs,
      onDevice: model.residence === 'device',
    })
    return { context, cost }
  } catch (error) {
    await context[Symbol.asyncDispose]()
    throw error
  }
}

/** Makes such a context, not measured. @throws LlamaError as `Context.create` */
export function makeChainContext(
  model: Model,
  target: Context,
  { slots, contextTokens, maxNodes }: ChainRoom,
  options: ChainOptions = {},
): Promise<Context> {
  return Context.create(model, {
    contextTokens: slots * (Math.min(contextTokens, model.mostPositions) + maxNodes),
    maxSequences: slots,
    batchTokens: 512,
    threads: target.mostThreads,
    pool: target.pool,
    keyType: 'f16',
    valueType: 'f16',
    mostOutputs: 128,
    ...options,
  })
}
