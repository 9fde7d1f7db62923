// What an engine consists of: opened in order, closed in the opposite one.

import { asCorpusError } from '../corpus/durable/system-error.js'
import { ChainDrafter } from '../decode/chain-drafter.js'
import type { Foreteller } from '../decode/foreteller.js'
import { type PromptShelfOptions, promptFolderOf } from '../decode/prompt-shelf.js'
import type { Drafter } from '../draft/drafter.js'
import { ForcedDrafter } from '../draft/forced.js'
import { RetrievalDrafter } from '../draft/retrieval.js'
import { fetchModel } from '../hub/fetch-model.js'
import { mostSequences } from '../llama/context-options.js'
import { deviceOptionsOf } from '../llama/device.js'
import type { Model } from '../llama/model.js'
import { openDraftModel } from '../measure/draft-model.js'
import { openForeteller } from '../measure/foreteller.js'
import { loadModel } from '../measure/loading.js'
import type { OnLoadingProgress } from '../measure/progress.js'
import { type Tuned, tune } from '../measure/tuning.js'
import { Chat } from './chat.js'
import { contextTokensOf, type Layout, layoutOf } from './layout.js'
import { Memory, warn } from './memory.js'
import { checkFunction, checkSignal, type EngineOptions } from './options.js'

/** What an engine consists of. */
export interface Parts {
  /** With what the model allows of it. */
  readonly layout: Layout & { contextTokens: number }
  readonly model: Model
  readonly memory: Memory
  readonly tuned: Tuned
  readonly chat: Chat
  readonly drafter: Drafter
  /** The head that the model brings along, and what drafts with it; or, in a phrase, why it is not used. */
  readonly head: { foreteller: Foreteller; chains: ChainDrafter } | string | undefined
  /** Keeps what was learnt, and frees all of it. To be called once, when nothing is decoded any more. */
  close(): Promise<void>
}

/**
 * Fetches and loads the models, opens the memory, and measures what forwards cost.
 *
 * @throws EngineError `invalid-parameter`; LlamaError for a missing or unfit file or library; CorpusError; the signal's reason
 */
export async function openParts(options: EngineOptions): Promise<Parts> {
  const layout = layoutOf(options)
  // The draft model is told of as a whole, not by what is done to load it.
  const { onProgress, ...quietly } = options
  checkFunction('onProgress', onProgress)
  const signal = checkSignal(options.signal)
  const goOn: OnLoadingProgress = (progress) => {
    signal?.throwIfAborted()
    onProgress?.(progress)
  }
  const { slots, branches, maxNodes, exactness, mtp } = layout
  signal?.throwIfAborted()
  const fetching = { ...options.fetch, signal: eitherOf(options.fetch?.signal, signal) }
  const file = await fetchModel(layout.model, fetching)
  const draftFile = layout.draftModel === undefined ? undefined : await fetchModel(layout.draftModel, fetching)
  const contextOf = (trainedTokens: number) => ({
    contextTokens: slots * (contextTokensOf(options.contextTokens, trainedTokens) + maxNodes),
    batchTokens: Math.min(65_536, 512 + slots * maxNodes),
    // Logits of all nodes and of what precedes them, and enough to measure with.
    mostOutputs: Math.max(128, slots * (1 + maxNodes)),
    swaFull: options.swaFull,
  })
  const model = await loadModel(file, { ...options, exactness, mtp, room: contextOf })
  let memory: Memory | undefined
  try {
    const { name, trainedContextTokens } = model.describe()
    // The cache comes before the measuring: if it is locked, nobody should have to wait to learn it.
    memory = await Memory.open(model.vocabulary, name, options)
    const contextTokens = contextTokensOf(options.contextTokens, trainedContextTokens)
    // Where memory is a state, or a window that forgets, drafts are chains, and every sequence id costs memory of its own.
    const draftsChains = model.isRecurrent || (model.slides && options.swaFull === false)
    const tuned = await tune(model, {
      exactness,
      profile: options.profile,
      slots,
      maxNodes,
      company: slots > 1 || undefined,
      context: {
        ...contextOf(trainedContextTokens),
        maxSequences: draftsChains ? slots : Math.min(mostSequences, slots * branches + (slots > 1 ? 1 : 0)),
        threads: options.threads,
        flashAttention: options.flashAttention,
        keyType: options.keyType,
        valueType: options.valueType,
      },
      reading: { contextTokens, keptBytes: layout.keptBytes, shelf: shelfOf(layout, options) },
      modelOptions: { repack: options.repack, ...deviceOptionsOf(options) },
      onProgress: goOn,
    })
    signal?.throwIfAborted()
    const chat = new Chat(model, options.chatTemplate)
    const drafter = options.drafter ?? new ForcedDrafter(new RetrievalDrafter({ corpus: memory.corpus }))
    if (draftFile !== undefined) goOn({ stage: 'draft-model' })
    const small =
      draftFile === undefined
        ? undefined
        : await openDraftModel(draftFile, tuned.context, drafter, { ...quietly, slots, contextTokens, maxNodes })
    const retrieval = small?.drafter ?? drafter
    const foreteller =
      maxNodes === 0 ? undefined : await openForeteller(tuned.context, { slots, contextTokens, maxNodes })
    const head =
      typeof foreteller === 'object'
        ? { foreteller, chains: new ChainDrafter(foreteller, retrieval, maxNodes) }
        : foreteller
    const opened = memory
    return {
      layout: { ...layout, branches: draftsChains ? 1 : branches, contextTokens },
      model,
      memory,
      tuned,
      chat,
      drafter: typeof head === 'object' ? head.chains : retrieval,
      head,
      async close() {
        try {
          await tuned.reader?.shelf?.close()
          await tuned.keep()
          await opened.close()
        } finally {
          await small?.[Symbol.asyncDispose]()
          await model[Symbol.asyncDispose]()
        }
      },
    }
  } catch (error) {
    await memory?.close()
    await model[Symbol.asyncDispose]()
    throw error
  }
}

/** A signal that is aborted once either is. */
function eitherOf(a: AbortSignal | undefined, b: AbortSignal | undefined): AbortSignal | undefined {
  return a && b ? AbortSignal.any([a, b]) : (a ?? b)
}

/** Where prompts are kept on the disk: beside the corpus, in the folder it has locked. */
function shelfOf(
  { shelfBytes }: Layout,
  { cache, corpus, onCacheProblem = warn }: EngineOptions,
): PromptShelfOptions | undefined {
  if (shelfBytes === 0 || cache === undefined) return undefined
  const folder = promptFolderOf(cache)
  return {
    folder,
    mostBytes: shelfBytes,
    ttlMs: corpus?.ttlMs,
    onProblem: (problem) => onCacheProblem(asCorpusError(problem, `write to ${folder}`)),
  }
}
