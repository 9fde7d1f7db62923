// The options of engines and requests, and their checks.

import type { ChatMessage, ToolDefinition } from '../chat/message.js'
import type { DraftMode } from '../decode/drafting.js'
import type { PromptProgress } from '../decode/generation.js'
import type { Drafter } from '../draft/drafter.js'
import type { FetchOptions } from '../hub/fetch-model.js'
import type { CacheType } from '../llama/context-options.js'
import type { DeviceOptions } from '../llama/device.js'
import type { ModelOptions } from '../llama/model.js'
import type { SamplerOptions } from '../llama/sampler-options.js'
import type { ExactnessWish } from '../measure/configuration.js'
import type { LoadingProgress } from '../measure/progress.js'
import { EngineError } from './error.js'
import type { MemoryOptions } from './memory.js'

/** How an engine is loaded. */
export interface EngineOptions extends Omit<ModelOptions, 'vocabularyOnly' | 'room' | 'onRead' | 'mtp'>, MemoryOptions {
  /**
   * A GGUF file that llama.cpp v0.5.0 knows: its path; a URL; `hf:user/model`, `hf:user/model:Q8_0` or
   * `hf:user/model/file.gguf` of the Hugging Face hub; `ollama:name`, `lmstudio:name` of what these programs have fetched.
   * What is not on this machine is fetched first. Default `'embedded'`, the small model of this package.
   */
  model?: string | undefined
  /** How a model that is not on this machine is fetched. */
  fetch?: FetchOptions | undefined
  /**
   * Most tokens of one request, prompt and answer together; 0, and whatever is more: what the model was trained with
   * (`Engine.contextTokens` tells). Default: the same, at most 4096.
   */
  contextTokens?: number | undefined
  /**
   * Requests decoded at the same time, 1 … 256. Default 1. Requests that share forwards write what each writes alone: bit
   * for bit where {@link exactness} is reached, for models without a sliding window and with slots × branches below 256;
   * else except where two candidates are nearly tied.
   */
  slots?: number | undefined
  /** Most branches of a draft tree, 1 … 64; slots × branches is at most 256. Default 8, or as many as fit. */
  branches?: number | undefined
  /** Most draft nodes of one request in one forward, 0 … 256. Default 64. */
  maxNodes?: number | undefined
  /**
   * Number of threads that compute, fixed if given. Default: the processor’s cores, or fewer where that is measured to be clearly
   * faster, as it is while other programs take the cores.
   */
  threads?: number | undefined
  /**
   * How exactly the text must be the same with drafts as without. `'bitwise'`: the fastest configuration in which no bit
   * of any logits row depends on drafts, where this model and device have one; else as `'token'`. `'token'`: the fastest
   * of all configurations; where two candidates lie closer than its noise, a forward of one token decides. `'fastest'`:
   * the same without such forwards; near ties may turn out differently.
   * `Engine.exactness` says what was reached. Default `'bitwise'`.
   */
  exactness?: ExactnessWish | undefined
  /** Number type of the cached keys. Default: chosen by {@link exactness}. */
  keyType?: CacheType | undefined
  /** Number type of the cached values. Default: chosen by {@link exactness}. */
  valueType?: CacheType | undefined
  /** Fused attention. Default: chosen by {@link exactness}. */
  flashAttention?: boolean | undefined
  /**
   * Whether layers with a sliding window keep all tokens, so that drafts may be trees and prompts are used again from any
   * place; `false`: only those of the window, which takes far less memory at long contexts. Then drafts are chains, and a
   * prompt is used again where the last one goes on. Default `true`; other models have no such layers.
   */
  swaFull?: boolean | undefined
  /**
   * Folder that keeps what was measured at load, so that the next load is quick; `false`: keep nothing. Default:
   * `$LOOKAHEAD_PROFILES`, else `lookahead-llm/profiles` in the user's cache folder.
   */
  profile?: string | boolean | undefined
  /**
   * Is told what begins while the model is loaded and measured, for people who wait. (Of a download tells
   * {@link FetchOptions.onProgress}.) Default: nothing.
   */
  onProgress?: ((progress: LoadingProgress) => void) | undefined
  /** Where drafts come from. Default: retrieval from everything read and written, and what a grammar leaves no choice about. */
  drafter?: Drafter | undefined
  /**
   * A second, smaller model with the same vocabulary that drafts besides {@link drafter}, named as {@link model} is: its
   * chains join what retrieval finds, where they are worth the time they take. Default: none.
   */
  draftModel?: string | undefined
  /**
   * The heads that foretell what comes after the next token (MTP), which some models bring along in their file: `'auto'`
   * drafts with the first of them besides {@link drafter}, where it is worth the time it takes; `'off'` does not load them.
   * `Engine.describeHeads` tells what is used. Default `'auto'`.
   */
  mtp?: 'auto' | 'off' | undefined
  /**
   * Most bytes of host memory for prompts kept aside: what a prompt begins with is found again there, whichever slot has
   * read it, and however many others came between. 0: nothing is kept. Default: 8 GiB, or a quarter of this machine's
   * memory where that is less; it is taken only as prompts come.
   */
  promptCacheBytes?: number | undefined
  /**
   * Most bytes of files in the folder of {@link cache} for prompts that came again, so that what they begin with is known
   * after a restart too; nothing is written of what is asked once only. Needs `cache`. Default 0: none.
   */
  promptDiskBytes?: number | undefined
  /**
   * Milliseconds that answers being written wait while a part of another prompt is read, ≥ 1; a part is at least 64 tokens.
   * Less makes texts flow more evenly, more lets prompts through sooner. Default 500.
   */
  maxPauseMs?: number | undefined
  /** Jinja source of the chat template. Default: the model's own. */
  chatTemplate?: string | undefined
}

/** What both kinds of request share. */
export interface RequestOptions extends SamplerOptions {
  /** Most tokens to write; 0: only read the prompt. Default: until the context is full. */
  maxTokens?: number | undefined
  /** Strings that end the text; they are not part of it. */
  stop?: string | readonly string[] | undefined
  /** Default `'auto'`. */
  draft?: DraftMode | undefined
  /**
   * Keep and use again the KV cells of a prompt's beginning that an earlier request has computed (system message,
   * documents, earlier turns) in the same {@link namespace}. Default `true`.
   */
  cachePrompt?: boolean | undefined
  /**
   * Whose request this is: it may draft from answers and documents of its namespace and of the common one, if there is
   * such, and of no other. Default `'default'`.
   */
  namespace?: string | undefined
  /** Id under which what this request leaves behind can be deleted. Default: none. */
  requestId?: string | undefined
  /** Requests that are given the same object answer one prompt: each drafts from what the others have written, at once. */
  together?: object | undefined
  /**
   * Where this request's drafts come from, instead of the engine's own drafter. A `RetrievalDrafter` finds most with
   * `spelling: engine.spelling`.
   */
  drafter?: Drafter | undefined
  /** Ends the request with reason `'aborted'` within one forward. */
  signal?: AbortSignal | undefined
  /**
   * Is told how far the prompt has been read: once what of it is cached is known, and with every part; what it throws fails
   * the request. Default: nothing.
   */
  onPrompt?: ((progress: PromptProgress) => void) | undefined
  /** What the answer will probably say, text or token ids: a draft source of this request. The text stays the same. */
  prediction?: string | ArrayLike<number> | undefined
  /** Note with each token its log-probability and those of this many most likely tokens, 0 … 20. Default: none. */
  logprobs?: number | undefined
  /**
   * Whose {@link logprobs} those are. `'model'`: before temperature, penalties and grammar. `'draw'`: those by which the
   * token was drawn, behind all that, among the tokens the filters have left; without a temperature that is one token,
   * for certain. Default `'model'`.
   */
  logprobsOf?: 'model' | 'draw' | undefined
  /**
   * Tell of each token where it came from, how long the match behind it was and how probable the draft held it, and add
   * to each step the draft tree that was verified. Default `false`.
   */
  explain?: boolean | undefined
}

/** A document the answer may draw from. */
export interface RequestDocument {
  /** Name under which it can be replaced and deleted. Default: it is known by its text alone. */
  id?: string | undefined
  /**
   * Indexed once per namespace and found again by its content; drafts may come from all of it, even where the prompt
   * holds only part.
   */
  text: string
  /** Shown above the text. Default: the Markdown heading the text begins with, else `Document 1`, `Document 2`, … */
  title?: string | undefined
}

/** A conversation, and how the model is to go on with it. */
export interface ChatConversation {
  /** At least one; the last is answered. */
  messages: readonly ChatMessage[]
  /**
   * Retrieved documents, as texts or with a title; the chat template places them, or they stand numbered before the last
   * user message.
   */
  documents?: readonly (string | RequestDocument)[] | undefined
  /** Functions the model may call. */
  tools?: readonly ToolDefinition[] | undefined
  /** Whether the model thinks before it speaks, where its template can switch that. Default: as the template has it: yes. */
  enableThinking?: boolean | undefined
  /** How hard it thinks, in its template's words (`'low'`, `'medium'`, `'high'`). Default: the template's. */
  reasoningEffort?: string | undefined
  /** More variables for the chat template. Default: none. */
  templateVariables?: Record<string, unknown> | undefined
  /** Whether the prompt ends where the assistant begins to speak. Default `true`. */
  addGenerationPrompt?: boolean | undefined
  /**
   * Continue the last message, an assistant's, instead of answering it: `'content'` or `'reasoning'` (what it has thought),
   * or `true`: its thoughts where it has nothing else. Default `false`.
   */
  continueFinal?: boolean | 'content' | 'reasoning' | undefined
}

/** Which calls an answer may make: as the model likes, none, at least one, or one of a certain function. */
export type ToolChoice = 'auto' | 'none' | 'required' | { name: string }

/** A conversation to be continued. */
export interface ChatRequest extends RequestOptions, ChatConversation {
  /** Default `'auto'`. */
  toolChoice?: ToolChoice | undefined
  /** Whether an answer may make several calls. Default `true`. */
  parallelToolCalls?: boolean | undefined
  /** `'auto'`: thoughts are told apart from the content. `'none'`: they stay in it, markers and all. Default `'auto'`. */
  reasoningFormat?: 'auto' | 'none' | undefined
  /** Most tokens of thinking; then it is ended in the family's own way. Default: no bound. */
  reasoningBudget?: number | undefined
  /** The answer is JSON of this schema, behind its thoughts. With tools: that, or calls. Default: any text. */
  jsonSchema?: Record<string, unknown> | boolean | undefined
  /** Whether the answer is JSON, as a {@link SamplerOptions.grammar} may demand: a code fence around it is dropped. Default `false`. */
  json?: boolean | undefined
}

/** A text to be continued as it stands, without a chat template. */
export interface CompletionRequest extends RequestOptions {
  /** Text, or token ids. */
  prompt: string | ArrayLike<number>
}

/** Throws an EngineError `invalid-parameter` unless `value` is an integer in the range. */
export function checkInteger(name: string, value: unknown, least: number, most: number): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most) return value
  throw new EngineError(
    'invalid-parameter',
    `${name} must be an integer from ${least} to ${most}, got ${describe(value)}`,
  )
}

/** Checks that a value is an object whose fields can be read. @throws EngineError `invalid-parameter` */
export function checkObject(name: string, value: unknown): void {
  if (typeof value === 'object' && value !== null) return
  throw new EngineError('invalid-parameter', `${name} must be an object, got ${describe(value)}`)
}

/** Checks a list of token ids. @throws EngineError `invalid-parameter` */
export function checkTokens(name: string, tokens: ArrayLike<number>, vocabularySize: number): ArrayLike<number> {
  if (!Number.isInteger(tokens?.length))
    throw new EngineError('invalid-parameter', `${name} must be a text or token ids, got ${describe(tokens)}`)
  for (let i = 0; i < tokens.length; i++) {
    const token: unknown = tokens[i]
    if (typeof token !== 'number' || (token | 0) !== token || token < 0 || token >= vocabularySize)
      checkInteger(`${name}[${i}]`, token, 0, vocabularySize - 1)
  }
  return tokens
}

/** Checks a signal. @throws EngineError `invalid-parameter` */
export function checkSignal(signal: unknown): AbortSignal | undefined {
  // Not by its class: signals of other realms and of polyfills serve as well.
  if (signal === undefined || typeof (signal as AbortSignal | null)?.addEventListener === 'function')
    return signal as AbortSignal | undefined
  throw new EngineError('invalid-parameter', `signal must be an AbortSignal, got ${describe(signal)}`)
}

/** Checks a callback. @throws EngineError `invalid-parameter` */
export function checkFunction<F>(name: string, given: F): F {
  if (given === undefined || typeof given === 'function') return given
  throw new EngineError('invalid-parameter', `${name} must be a function, got ${describe(given)}`)
}

/** Checks a draft mode. @throws EngineError `invalid-parameter` */
export function checkDraft(draft: DraftMode, maxNodes: number): DraftMode {
  if (draft === 'auto' || draft === 'off') return draft
  if (typeof draft === 'number' && Number.isInteger(draft) && draft >= 0 && draft <= maxNodes) return draft
  throw new EngineError(
    'invalid-parameter',
    `draft must be 'auto', 'off' or a number of nodes from 0 to ${maxNodes}, got ${describe(draft)}`,
  )
}

/** Checks a wanted level of exactness. @throws EngineError `invalid-parameter` */
export function checkExactness(exactness: unknown): ExactnessWish {
  if (exactness === 'bitwise' || exactness === 'token' || exactness === 'fastest') return exactness
  throw new EngineError(
    'invalid-parameter',
    `exactness must be 'bitwise', 'token' or 'fastest', got ${describe(exactness)}`,
  )
}

/** Checks where a model shall lie; whether there are such devices is seen when it is loaded. @throws EngineError `invalid-parameter` */
export function checkDevices(options: DeviceOptions): void {
  const { gpuLayers, device, mainGpu, tensorSplit, splitMode, cpuMoe, opOffload } = options
  const refuse = (name: string, expected: string, got: unknown): never => {
    throw new EngineError('invalid-parameter', `${name} must be ${expected}, got ${JSON.stringify(got) ?? String(got)}`)
  }
  if (gpuLayers !== undefined && gpuLayers !== 'auto' && gpuLayers !== 'all' && !isIntegerFrom(-1, gpuLayers))
    refuse('gpuLayers', "a number of layers from 0, 'auto' or 'all'", gpuLayers)
  const names = typeof device === 'string' ? device.split(',') : (device ?? ['none'])
  if (
    !Array.isArray(names) ||
    names.length === 0 ||
    names.some((name) => typeof name !== 'string' || name.trim() === '')
  )
    refuse('device', "names of devices, or 'none'", device)
  if (mainGpu !== undefined) checkInteger('mainGpu', mainGpu, 0, 255)
  if (
    tensorSplit !== undefined &&
    !(Array.isArray(tensorSplit) && tensorSplit.some((share) => share > 0) && tensorSplit.every((share) => share >= 0))
  )
    refuse('tensorSplit', 'shares from 0, not all of them 0', tensorSplit)
  if (splitMode !== undefined && !['none', 'layer', 'row'].includes(splitMode))
    refuse('splitMode', "'none', 'layer' or 'row'", splitMode)
  if (cpuMoe !== undefined && typeof cpuMoe !== 'boolean' && !isIntegerFrom(0, cpuMoe))
    refuse('cpuMoe', 'true, false or a number of layers', cpuMoe)
  if (opOffload !== undefined && typeof opOffload !== 'boolean') refuse('opOffload', 'true or false', opOffload)
}

/** Checks stop strings. @throws EngineError `invalid-parameter` */
export function checkStops(stop: unknown): string[] {
  const stops = stop === undefined ? [] : Array.isArray(stop) ? stop : [stop]
  for (const text of stops)
    if (typeof text !== 'string' || text === '')
      throw new EngineError('invalid-parameter', `stop must be non-empty strings, got ${describe(text)}`)
  return stops
}

function isIntegerFrom(least: number, value: unknown): boolean {
  return typeof value === 'number' && Number.isInteger(value) && value >= least
}

function describe(value: unknown): string {
  return typeof value === 'string' ? `'${value}'` : Array.isArray(value) ? 'an array' : String(value)
}
