// The engine: a loaded model, and the answers it writes.

import { type Corpus, DEFAULT_NAMESPACE, type DeleteOptions, type NamespaceReport } from '../corpus/corpus.js'
import type { Spelling } from '../corpus/spelling.js'
import type { ForwardCost } from '../cost/forward-cost.js'
import type { DraftingReport, HeadsReport } from '../decode/drafting.js'
import type { Generation, GenerationResult } from '../decode/generation.js'
import type { KeptPromptsReport } from '../decode/kept-prompts.js'
import { DecodeLoop, type SlotState } from '../decode/loop.js'
import type { PromptShelfReport } from '../decode/prompt-shelf.js'
import type { Drafter } from '../draft/drafter.js'
import { mostSequences } from '../llama/context-options.js'
import type { ModelDescription } from '../llama/model.js'
import type { Placement } from '../llama/placement.js'
import type { InfillTokens, TokenizeOptions, Vocabulary } from '../llama/vocabulary.js'
import type { Exactness } from '../measure/configuration.js'
import { EngineError } from './error.js'
import type { WarmOptions, WarmReport } from './memory.js'
import { checkNames, optionNames } from './option-names.js'
import {
  type ChatConversation,
  type ChatRequest,
  type CompletionRequest,
  checkObject,
  checkTokens,
  type EngineOptions,
  type RequestDocument,
} from './options.js'
import { openParts, type Parts } from './parts.js'
import { type PromptFileReport, restorePrompt, savePrompt } from './prompt-files.js'
import { Requests } from './requests.js'
import { type SelfConsistencyRequest, type SelfConsistencyResult, selfConsistency } from './self-consistency.js'

/**
 * A loaded model that writes answers, faster where what it has read and written foretells what it will write, and
 * token for token the same as without drafts.
 *
 * @example
 * await using engine = await Engine.load({ model: 'model.gguf' })
 * for await (const step of engine.chat({ messages: [{ role: 'user', content: 'Hello' }] }))
 *   process.stdout.write(step.text)
 */
export class Engine implements AsyncDisposable {
  /** What the model file says of itself. */
  readonly description: ModelDescription
  /** Most tokens of one request, prompt and answer together. */
  readonly contextTokens: number
  /** Most draft nodes of one request in one forward. */
  readonly maxNodes: number
  /** Requests decoded at the same time. */
  readonly slots: number
  /** How far the text is the same as without drafts, by the probe at load, and the configuration that makes it so. */
  readonly exactness: Exactness
  /** T(n, context) as measured at load and refined by every forward. */
  readonly cost: ForwardCost
  readonly drafter: Drafter
  readonly #parts: Parts
  readonly #vocabulary: Vocabulary
  readonly #requests: Requests
  readonly #loop: DecodeLoop
  #disposing: Promise<void> | undefined

  /**
   * Loads a model and measures what its forwards cost. Once its `signal` is aborted nothing of it is left.
   *
   * @throws EngineError `invalid-parameter`; LlamaError for a missing or unfit file or library; HubError for one that
   *   cannot be fetched; the signal's reason
   */
  static async load(options: EngineOptions = {}): Promise<Engine> {
    return new Engine(await openParts(options))
  }

  private constructor(parts: Parts) {
    const { layout, model, tuned, drafter } = parts
    const { slots, branches, contextTokens, maxNodes } = layout
    const { context, cost, exactness, noise, crew, reader } = tuned
    const { vocabulary } = model
    // Requests that share a cache would fill each other's holes; bits are kept only where their cells stay in order.
    const ordered = exactness.level === 'bitwise' && context.canMove && slots * branches < mostSequences
    this.exactness = slots > 1 && !ordered ? { ...exactness, level: 'token' } : exactness
    this.description = model.describe()
    this.contextTokens = contextTokens
    this.maxNodes = maxNodes
    this.slots = slots
    this.cost = cost
    this.drafter = drafter
    this.#parts = parts
    this.#vocabulary = vocabulary
    this.#requests = new Requests(parts)
    const tellsVectors = typeof parts.head === 'object'
    this.#loop = new DecodeLoop(context, { ...layout, vocabulary, cost, crew, noise, ordered, reader, tellsVectors })
  }

  /** What it has read and written, to draft from. */
  get corpus(): Corpus {
    return this.#parts.memory.corpus
  }

  /** What tells the model's tokenizer from all others, 32 hexadecimal digits. */
  get fingerprint(): string {
    return this.#parts.memory.fingerprint
  }

  /** Threads that compute at the moment: fewer while other programs take the cores. */
  get threads(): number {
    return this.#parts.tuned.context.threads
  }

  /** Devices in use, layers on them, and what memory weights, cells and logits take. */
  get placement(): Placement {
    return this.#parts.model.placement
  }

  /** Requests that are being decoded. */
  get runningCount(): number {
    return this.#loop.runningCount
  }

  /** Requests that wait for a slot. */
  get waitingCount(): number {
    return this.#loop.waitingCount
  }

  /** Path of the model's file. */
  get modelFile(): string {
    return this.#parts.model.path
  }

  /** The Jinja source of the chat template in use, if there is one. */
  get chatTemplate(): string | undefined {
    return this.#parts.chat.template?.source
  }

  /** Whether the chat template shows `tools` to the model. */
  get rendersTools(): boolean {
    return this.#parts.chat.template?.rendersTools ?? false
  }

  /** What each slot does now; `undefined`: nothing. */
  describeSlots(): (SlotState | undefined)[] {
    return this.#loop.describeSlots()
  }

  /** How drafting has gone since the model was loaded: sizes chosen, and whether it rests because it did not pay. */
  describeDrafting(): DraftingReport {
    return this.#loop.describeDrafting()
  }

  /** What becomes of the heads that the model brings along (MTP). */
  describeHeads(): HeadsReport {
    const { model, head } = this.#parts
    const { count } = model.heads
    if (typeof head !== 'object') return { count, used: false, ...(head !== undefined && { trouble: head }) }
    const { foreteller, chains } = head
    return { count, used: true, rowMs: foreteller.cost.ms(1), rate: chains.rate, pays: chains.pays }
  }

  /**
   * Answers a conversation. Starts at once; errors of the request are thrown here, not in the loop.
   *
   * @throws EngineError `invalid-parameter`, `empty-prompt`, `prompt-too-long`; ChatError `template-failed`
   */
  chat(request: ChatRequest): Generation {
    this.#checkLive()
    return this.#loop.start(this.#requests.ofChat(request))
  }

  /**
   * Does beforehand what may take long in a request: renders the conversation, splits texts into tokens, indexes
   * documents, reads the grammar. It is done on another thread or in pieces, so that, whatever the request, everything
   * else goes on.
   *
   * @param signal gives it up
   * @returns the request, to be given to {@link chat} or {@link complete} as it is or with other options, once or often
   * @example
   * const request = await engine.prepare({ messages, documents, grammar })
   * const answers = [1, 2, 3].map((seed) => engine.chat({ ...request, temperature: 1, seed }))
   * @throws as {@link chat} and {@link complete}; the signal's reason
   */
  async prepare<Request extends ChatRequest | CompletionRequest>(
    request: Request,
    signal?: AbortSignal,
  ): Promise<Request> {
    this.#checkLive()
    const ready = await this.#requests.prepare(request, signal)
    this.#checkLive()
    return ready
  }

  /** Token ids of a text, split on another thread: whatever the text, everything else goes on. @throws as `tokenize` */
  tokenizeAside(text: string, options?: TokenizeOptions, signal?: AbortSignal): Promise<Int32Array> {
    this.#checkLive()
    return this.#vocabulary.tokenizeAside(text, options, signal)
  }

  /** The prompt of a conversation as tokens, as {@link chat} reads it. @throws as {@link chat} */
  tokenizeChat(conversation: ChatConversation): Int32Array {
    return this.#parts.chat.tokenize(this.#requests.render(conversation))
  }

  /** The same, rendered in pieces and split on another thread; of a request that was prepared, as it was. @throws as {@link chat}; the signal's reason */
  async tokenizeChatAside(conversation: ChatConversation, signal?: AbortSignal): Promise<Int32Array> {
    this.#checkLive()
    return this.#requests.tokenizeAside(conversation, signal)
  }

  /**
   * Continues a text as it stands.
   *
   * @throws EngineError `invalid-parameter`, `empty-prompt`, `prompt-too-long`
   */
  complete(request: CompletionRequest): Generation {
    this.#checkLive()
    return this.#loop.start(this.#requests.ofCompletion(request))
  }

  /**
   * Writes several answers to one question and says which is given most often. All read the prompt once, and each drafts
   * from what the others have written. With `levels` above 0 later answers are led along the beginning of one that leads:
   * fewer tokens, but what is sampled changes.
   *
   * @param write writes some answers side by side. Default: {@link complete}
   * @example
   * const { answer, votes } = await engine.selfConsistency({ messages, samples: 8 })
   * @throws EngineError `invalid-parameter`, `prompt-too-long`; ChatError `template-failed`
   */
  selfConsistency(
    request: SelfConsistencyRequest,
    write: (requests: readonly CompletionRequest[]) => Promise<GenerationResult[]> = (requests) =>
      Promise.all(requests.map((one) => this.complete(one).result)),
  ): Promise<SelfConsistencyResult> {
    this.#checkLive()
    checkObject('request', request)
    checkNames('self-consistency', request, optionNames.selfConsistency)
    return selfConsistency(request, {
      tokenizeChat: (conversation) => this.tokenizeChatAside(conversation, request.signal),
      textOf: (tokens) => this.detokenize(tokens),
      write,
    })
  }

  /** The prompt text of a conversation, as the model's chat template renders it. @throws as {@link chat} */
  renderChat(conversation: ChatConversation): string {
    return this.#parts.chat.render(conversation).text
  }

  /** The same in pieces: whatever the conversation, everything else goes on. @throws as {@link chat}; the signal's reason */
  async renderChatAside(conversation: ChatConversation, signal?: AbortSignal): Promise<string> {
    this.#checkLive()
    return (await this.#parts.chat.renderAside(conversation, signal)).text
  }

  /**
   * Indexes documents before requests bring them, so that drafts may come from them at once.
   *
   * @example
   * await engine.warm([{ id: 'terms', text }], { namespace: 'acme' })
   * @throws EngineError `invalid-parameter`
   */
  warm(documents: readonly (string | RequestDocument)[], options?: WarmOptions): Promise<WarmReport> {
    this.#checkLive()
    return this.#parts.memory.warm(documents, options)
  }

  /**
   * Forgets a document, what a request left behind, or a whole namespace: no draft comes from it any more. Resolves with
   * the number of records once the deletion is on the disk too.
   *
   * @throws EngineError `invalid-parameter`; CorpusError where the cache cannot be written
   */
  forget(what: DeleteOptions): Promise<number> {
    this.#checkLive()
    // Prompts kept aside do not tell which of their tokens come from a document or a request: all of the namespace go.
    const prompts = this.#parts.tuned.reader?.forget(what.namespace ?? DEFAULT_NAMESPACE)
    return this.#parts.memory.forget(what).finally(() => prompts)
  }

  /**
   * Writes the beginning of a prompt that was read to a file, as far as it is kept aside ({@link describePrompts}), so that
   * the same model need not read it again after a restart. Shared beginnings are known after one by themselves with
   * `promptDiskBytes`; this is for single prompts.
   *
   * @param prompt its tokens; {@link tokenizeChat} and {@link tokenize} tell them
   * @param namespace whose it is. Default `'default'`
   * @returns what was written; `undefined` where no prompts are kept
   * @throws EngineError `invalid-parameter` where the file cannot be written
   */
  async savePrompt(
    file: string,
    prompt: ArrayLike<number>,
    namespace = DEFAULT_NAMESPACE,
  ): Promise<PromptFileReport | undefined> {
    this.#checkLive()
    const { reader } = this.#parts.tuned
    return reader && savePrompt(reader, file, checkTokens('prompt', prompt, this.#vocabulary.size), namespace)
  }

  /**
   * Reads what {@link savePrompt} wrote: prompts of the namespace that begin so need not be read again.
   *
   * @returns what was read; `undefined` where no prompts are kept
   * @throws EngineError `invalid-parameter` where the file holds no prompt of this model on this machine
   */
  async restorePrompt(file: string, namespace = DEFAULT_NAMESPACE): Promise<PromptFileReport | undefined> {
    this.#checkLive()
    const { reader } = this.#parts.tuned
    return reader && restorePrompt(reader, file, namespace, this.contextTokens)
  }

  /** Forgets a prompt kept aside, but for what others begin with too. @returns how many tokens that were */
  dropPrompt(prompt: ArrayLike<number>, namespace = DEFAULT_NAMESPACE): number {
    this.#checkLive()
    return this.#parts.tuned.reader?.kept.drop(prompt, namespace) ?? 0
  }

  /** Prompts kept aside, so that what they begin with need not be read again; `undefined` where none can be. */
  describePrompts(): (KeptPromptsReport & { disk: PromptShelfReport | undefined }) | undefined {
    const { reader } = this.#parts.tuned
    return reader && { ...reader.kept.describe(), disk: reader.shelf?.describe() }
  }

  /** What is remembered, by namespace. */
  describeMemory(): NamespaceReport[] {
    return this.#parts.memory.corpus.describe()
  }

  /** Waits until what was written so far is kept on the disk. @throws CorpusError */
  async flushMemory(): Promise<void> {
    await this.#parts.memory.corpus.flush()
  }

  /** Token ids of a text. */
  tokenize(text: string, options?: TokenizeOptions): Int32Array {
    return this.#vocabulary.tokenize(text, options)
  }

  /** The text of tokens. @param special whether control tokens are written out, e.g. `</s>`. Default `false` */
  detokenize(tokens: ArrayLike<number>, special = false): string {
    return this.#vocabulary.textOf(tokens, special)
  }

  /** The bytes one token stands for; seldom a whole character. Read only. */
  bytesOf(token: number): Uint8Array {
    return this.#vocabulary.bytesOf(token)
  }

  /** The token a text may begin with; undefined if the model has none. */
  get beginToken(): number | undefined {
    const { bos } = this.#vocabulary
    return bos < 0 ? undefined : bos
  }

  /** The tokens that end an answer. Read only. */
  get endTokens(): Int32Array {
    return this.#vocabulary.endTokens
  }

  /** The control tokens with which a gap in a text is shown; undefined if the model was not made to fill gaps. */
  get infillTokens(): InfillTokens | undefined {
    return this.#vocabulary.infillTokens
  }

  /** How tokens are written, for a drafter of one's own: `new RetrievalDrafter({ spelling: engine.spelling })`. */
  get spelling(): Spelling {
    return this.#parts.memory.spelling
  }

  /** Number of tokens in the vocabulary; ids are 0 … vocabularySize-1. */
  get vocabularySize(): number {
    return this.#vocabulary.size
  }

  /** The same as `[Symbol.asyncDispose]()`, for where `await using` cannot be written (Node 20, plain JavaScript). */
  close(): Promise<void> {
    return this[Symbol.asyncDispose]()
  }

  /** Aborts what runs, waits for the forward in flight and frees the model. Once; later calls wait for the same. */
  [Symbol.asyncDispose](): Promise<void> {
    this.#disposing ??= (async () => {
      await this.#loop.close()
      await this.#parts.close()
    })()
    return this.#disposing
  }

  #checkLive(): void {
    if (this.#disposing) throw new EngineError('disposed', 'the engine was used after it was disposed')
  }
}
