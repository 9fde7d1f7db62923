// A draft model, loaded and measured for a large one.

import { ChainDrafter } from '../decode/chain-drafter.js'
import { DraftModel } from '../decode/draft-model.js'
import type { Drafter } from '../draft/drafter.js'
import type { Context } from '../llama/context.js'
import type { DeviceOptions } from '../llama/device.js'
import { LlamaError } from '../llama/error.js'
import type { ModelOptions } from '../llama/model.js'
import type { Vocabulary } from '../llama/vocabulary.js'
import { type ChainRoom, openChainContext } from './chain-context.js'
import { loadModel } from './loading.js'

/** Tokens compared besides the special ones. */
const comparedTokens = 2000

/** A draft model and what belongs to it. */
export interface OpenedDraftModel extends AsyncDisposable {
  drafter: ChainDrafter
}

/** How a draft model is opened. */
export interface DraftModelOptions extends DeviceOptions, ChainRoom, Pick<ModelOptions, 'libraryFolder' | 'kernels'> {
  /** Where the cost is remembered; see EngineOptions. */
  profile?: string | boolean
}

/**
 * Loads a small model that drafts for a large one, alongside another drafter.
 *
 * @param file of the small model
 * @param target a context of the large model, whose threads it shares
 * @throws LlamaError `model-unsupported` if its vocabulary differs or it cannot take tokens back; as Model.load
 */
export async function openDraftModel(
  file: string,
  target: Context,
  inner: Drafter,
  options: DraftModelOptions,
): Promise<OpenedDraftModel> {
  const { slots, contextTokens, maxNodes, ...loading } = options
  const room = { slots, contextTokens, maxNodes }
  const model = await loadModel(file, { ...loading, exactness: 'fastest' })
  try {
    if (model.isRecurrent)
      throw new LlamaError(
        'model-unsupported',
        `the draft model ${file} cannot take tokens back; expected a transformer`,
      )
    const difference = differenceOf(target.model.vocabulary, model.vocabulary)
    if (difference)
      throw new LlamaError('model-unsupported', `the draft model ${file} has another vocabulary: ${difference}`)
    const { context, cost } = await openChainContext(model, target, room)
    const drafter = new ChainDrafter(new DraftModel(context, cost), inner, maxNodes)
    return { drafter, [Symbol.asyncDispose]: () => model[Symbol.asyncDispose]() }
  } catch (error) {
    await model[Symbol.asyncDispose]()
    throw error
  }
}

/** Where two vocabularies differ; `undefined`: tokens mean the same in both. */
function differenceOf(a: Vocabulary, b: Vocabulary): string | undefined {
  // Some families pad the table of their larger models with tokens that are never written.
  if (b.size > a.size) return `${b.size} tokens; expected at most ${a.size}`
  for (const special of ['bos', 'eos'] as const)
    if (a[special] !== b[special]) return `${special} is token ${b[special]}; expected ${a[special]}`
  const step = Math.max(1, Math.floor(b.size / comparedTokens))
  for (let token = 0; token < b.size; token += step)
    if (Buffer.compare(a.bytesOf(token), b.bytesOf(token)) !== 0)
      return `token ${token} is ${show(b, token)}; expected ${show(a, token)}`
  return undefined
}

function show(vocabulary: Vocabulary, token: number): string {
  return JSON.stringify(vocabulary.textOf([token]).slice(0, 40))
}
