// How far a model whose memory is a state can go back.

import { Context } from '../llama/context.js'
import type { Model } from '../llama/model.js'

/** Most positions taken back where memory is a state: longer chains seldom pay, and every position is a state more. */
const mostRollback = 15

/** Bytes that states beside the last may take: this, or a share of the weights. */
const freeBytes = 64 * 2 ** 20
const shareOfWeights = 1 / 8

/** What going back costs a model whose memory is a state. */
export interface RollbackChoice {
  /** Positions that can be taken back after a forward; 0: the model allows none, or needs no such thing. */
  positions: number
  /** Bytes of one state of one request. */
  stateBytes: number
}

/**
 * How many positions a model whose memory is a state (recurrent and hybrid ones) shall be able to take back after a
 * forward, which is the longest draft: as many as the memory of the states allows. Others take back any number.
 *
 * @param slots requests decoded at the same time; each has states of its own
 * @param wanted most draft nodes
 */
export async function chooseRollback(model: Model, slots: number, wanted: number): Promise<RollbackChoice> {
  if (!model.isRecurrent) return { positions: 0, stateBytes: 0 }
  await using context = await Context.create(model, {
    contextTokens: 64,
    batchTokens: 8,
    threads: 1,
    valueType: 'f16',
    rollback: 1,
  })
  const { batch } = context
  batch.addSequence(batch.add(0, 0, false), 0)
  await context.decode()
  const stateBytes = context.saveState(0).length
  if (context.rollback === 0) return { positions: 0, stateBytes }
  const bytes = Math.max(freeBytes, model.describe().weightBytes * shareOfWeights)
  const affordable = Math.floor(bytes / (slots * stateBytes))
  return { positions: Math.max(1, Math.min(mostRollback, wanted, affordable)), stateBytes }
}
