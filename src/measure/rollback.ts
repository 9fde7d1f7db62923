// How many positions a model whose memory is a state can take back.

import { Context } from '../llama/context.js'
import type { Model } from '../llama/model.js'

/** Most positions taken back: longer chains seldom pay, and every position costs another state. */
const mostRollback = 15

/** Bytes that the additional states may take: this, or a share of the weights if that is more. */
const freeBytes = 64 * 2 ** 20
const shareOfWeights = 1 / 8

/** What {@link chooseRollback} has found. */
export interface RollbackChoice {
  /** Positions that can be taken back after a forward; 0: the model allows none, or needs no such thing. */
  positions: number
  /** Bytes of one state of one request. */
  stateBytes: number
}

/**
 * How many positions a model whose memory is a state (recurrent and hybrid ones) should be able to take back after a
 * forward, which bounds its drafts: as many as there is memory for. Other models take back any number.
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
