// The engine: a loaded model, and the answers it writes.

import { totalmem } from 'node:os'
import type { ChatPrompt } from '../chat/template.js'
import { type Corpus, DEFAULT_NAMESPACE, type DeleteOptions, type NamespaceReport } from '../corpus/corpus.js'
import type { Spelling } from '../corpus/spelling.js'
import type { ForwardCost } from '../cost/forward-cost.js'
import { DocumentSpans } from '../decode/document-spans.js'
import type { DraftingReport } from '../decode/drafting.js'
import type { Generation, GenerationResult } from '../decode/generation.js'
import type { KeptPromptsReport } from '../decode/kept-prompts.js'
import { Logprobs } from '../decode/logprobs.js'
import { DecodeLoop, type LoopOptions, type SlotState } from '../decode/loop.js'
import type { AnswerReading } from '../decode/writer.js'
import type { Drafter, DraftSession } from '../draft/drafter.js'
import { RetrievalDrafter } from '../draft/retrieval.js'
import { parseGbnf } from '../grammar/gbnf.js'
import { fetchModel } from '../hub/fetch-model.js'
import type { Context } from '../llama/context.js'
import type { Model, ModelDescription } from '../llama/model.js'
import { Sampler } from '../llama/sampler.js'
import type { InfillTokens, TokenizeOptions } from '../llama/vocabulary.js'
import type { Exactness } from '../measure/configuration.js'
import { openDraftModel } from '../measure/draft-model.js'
import { loadModel } from '../measure/loading.js'
import { type Tuned, tune } from '../measure/tuning.js'
import { Chat, documentsOf } from './chat.js'
import { EngineError } from './error.js'
import { explained, Memory, type WarmOptions, type WarmReport } from './memory.js'
import { checkNames, optionNames } from './option-names.js'
import {
  type ChatConversation,
  type ChatRequest,
  type CompletionRequest,
  checkDraft,
  checkExactness,
  checkInteger,
  checkObject,
  checkSignal,
  checkStops,
  checkTokens,
  type EngineOptions,
  type RequestDocument,
  type RequestOptions,
} from './options.js'
import { type SelfConsistencyRequest, type SelfConsistencyResult, selfConsistency } from './self-consistency.js'

/** Tokens of the prompt's end that are put before a prediction; the drafter matches on them. */
const predictionLead = 8

/**
 * Bytes that no token of any vocabulary exceeds. Reading a text of megabytes takes seconds in which no answer gets on;
 * what is too long in any case is refused without that.
 */
const longestTokenBytes = 256

/** What {@link Engine.prepare} adds to a conversation; it stays where the request is spread into another. */
const prepared = Symbol('prepared')
interface Prepared {
  [prepared]: { prompt: ChatPrompt; tokens: Int32Array }
}

/** Of a prediction, what an answer may reach: tokens have some four characters, in few texts as many as eight. */
function cutShort(prediction: string, contextTokens: number): string {
  return prediction.slice(0, 8 * contextTokens)
}

/** Drafts nothing and learns nothing: the session of a request with drafting off. */
const noDrafts: DraftSession = {
  read() {},
  draft(tree) {
    tree.clear()
  },
  accept() {},
  close() {},
}

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
  readonly #model: Model
  readonly #tuned: Tuned
  readonly #context: Context
  readonly #memory: Memory
  readonly #loop: DecodeLoop
  readonly #chat: Chat
  readonly #draftModel: AsyncDisposable | undefined
  #disposing: Promise<void> | undefined

  /**
   * Loads a model and measures what its forwards cost.
   *
   * @throws EngineError `invalid-parameter`; LlamaError for a missing or unfit file or library
   */
  static async load(options: EngineOptions = {}): Promise<Engine> {
    checkObject('options', options)
    checkNames('an engine', options, optionNames.engine)
    const { model: name = 'embedded' } = options
    if (typeof name !== 'string' || name === '')
      throw new EngineError('invalid-parameter', `model must be the path or name of a model, got ${String(name)}`)
    const slots = checkInteger('slots', options.slots ?? 1, 1, 256)
    // One id is left for what keeps the cells of several requests in order.
    const mostBranches = Math.max(1, Math.floor((slots > 1 ? 255 : 256) / slots))
    const branches = checkInteger('branches', options.branches ?? Math.min(8, mostBranches), 1, 64)
    if (slots * branches > 256)
      throw new EngineError(
        'invalid-parameter',
        `slots × branches must be at most 256, got ${slots} × ${branches} = ${slots * branches}`,
      )
    const maxNodes = checkInteger('maxNodes', options.maxNodes ?? 64, 0, 256)
    if (options.threads !== undefined) checkInteger('threads', options.threads, 1, 512)
    if (options.contextTokens) checkInteger('contextTokens', options.contextTokens, 8, 2 ** 24)
    const keptBytes = checkInteger(
      'promptCacheBytes',
      options.promptCacheBytes ?? Math.min(8 * 2 ** 30, Math.floor(totalmem() / 4)),
      0,
      Number.MAX_SAFE_INTEGER,
    )
    const { maxPauseMs } = options
    if (maxPauseMs !== undefined) checkInteger('maxPauseMs', maxPauseMs, 1, 2 ** 31 - 1)
    const exactness = checkExactness(options.exactness ?? 'bitwise')
    if (options.draftModel !== undefined && (typeof options.draftModel !== 'string' || options.draftModel === ''))
      throw new EngineError(
        'invalid-parameter',
        `draftModel must be the path or name of a model, got ${String(options.draftModel)}`,
      )
    const file = await fetchModel(name, options.fetch)
    const draftFile = options.draftModel === undefined ? undefined : await fetchModel(options.draftModel, options.fetch)
    const model = await loadModel(file, { ...options, exactness })
    let memory: Memory | undefined
    try {
      // The cache comes before the measuring: if it is locked, nobody should have to wait to learn it.
      memory = await Memory.open(model.vocabulary, model.describe().name, options)
      const description = model.describe()
      const trained = description.trainedContextTokens
      const contextTokens = options.contextTokens === 0 ? trained : (options.contextTokens ?? Math.min(trained, 4096))
      if (contextTokens > trained)
        throw new EngineError(
          'invalid-parameter',
          `contextTokens must be at most ${trained}, which the model was trained with, got ${contextTokens}`,
        )
      // Where memory is a state, drafts are chains, and every sequence id costs the memory of one.
      const branchesOfEach = model.isRecurrent ? 1 : branches
      const tuned = await tune(model, {
        exactness,
        profile: options.profile,
        slots,
        maxNodes,
        company: slots > 1 || undefined,
        context: {
          contextTokens: slots * (contextTokens + maxNodes),
          maxSequences: model.isRecurrent ? slots : Math.min(256, slots * branches + (slots > 1 ? 1 : 0)),
          batchTokens: Math.min(65_536, 512 + slots * maxNodes),
          threads: options.threads,
          flashAttention: options.flashAttention,
          keyType: options.keyType,
          valueType: options.valueType,
        },
        reading: { contextTokens, keptBytes },
        modelOptions: { repack: options.repack, gpuLayers: options.gpuLayers },
      })
      const layout = { slots, branches: branchesOfEach, contextTokens, maxNodes, maxPauseMs }
      const chat = new Chat(model, options.chatTemplate)
      const drafter = options.drafter ?? new RetrievalDrafter({ corpus: memory.corpus })
      const draftModel =
        draftFile === undefined
          ? undefined
          : await openDraftModel(draftFile, tuned.context, drafter, { ...options, slots, contextTokens, maxNodes })
      return new Engine(model, memory, tuned, description, layout, chat, draftModel?.drafter ?? drafter, draftModel)
    } catch (error) {
      await memory?.close()
      await model[Symbol.asyncDispose]()
      throw error
    }
  }

  private constructor(
    model: Model,
    memory: Memory,
    tuned: Tuned,
    description: ModelDescription,
    layout: Pick<LoopOptions, 'slots' | 'branches' | 'contextTokens' | 'maxNodes' | 'maxPauseMs'>,
    chat: Chat,
    drafter: Drafter,
    draftModel: AsyncDisposable | undefined,
  ) {
    const { context, cost, exactness, noise, crew, reader } = tuned
    this.#model = model
    this.#memory = memory
    this.#tuned = tuned
    this.#context = context
    // Requests that share a cache would fill each other's holes; bits are kept only where their cells stay in order.
    const ordered = exactness.level === 'bitwise' && context.canMove && layout.slots * layout.branches < 256
    this.exactness = layout.slots > 1 && !ordered ? { ...exactness, level: 'token' } : exactness
    this.description = description
    this.contextTokens = layout.contextTokens
    this.maxNodes = layout.maxNodes
    this.slots = layout.slots
    this.cost = cost
    this.drafter = drafter
    this.#draftModel = draftModel
    const { vocabulary } = model
    this.#loop = new DecodeLoop(context, { ...layout, vocabulary, cost, crew, noise, ordered, reader })
    this.#chat = chat
  }

  /** What it has read and written, to draft from. */
  get corpus(): Corpus {
    return this.#memory.corpus
  }

  /** What tells the model's tokenizer from all others, 32 hexadecimal digits. */
  get fingerprint(): string {
    return this.#memory.fingerprint
  }

  /** Threads that compute at the moment: fewer while other programs take the cores. */
  get threads(): number {
    return this.#context.threads
  }

  /** Requests that are being decoded. */
  get runningCount(): number {
    return this.#loop.runningCount
  }

  /** Requests that wait for a slot. */
  get waitingCount(): number {
    return this.#loop.waitingCount
  }

  /** The Jinja source of the chat template in use, if there is one. */
  get chatTemplate(): string | undefined {
    return this.#chat.template?.source
  }

  /** Whether the chat template shows `tools` to the model. */
  get rendersTools(): boolean {
    return this.#chat.template?.rendersTools ?? false
  }

  /** What each slot does now; `undefined`: nothing. */
  describeSlots(): (SlotState | undefined)[] {
    return this.#loop.describeSlots()
  }

  /** How drafting has gone since the model was loaded: sizes chosen, and whether it rests because it did not pay. */
  describeDrafting(): DraftingReport {
    return this.#loop.describeDrafting()
  }

  /**
   * Answers a conversation. Starts at once; errors of the request are thrown here, not in the loop.
   *
   * @throws EngineError `invalid-parameter`, `empty-prompt`, `prompt-too-long`; ChatError `template-failed`
   */
  chat(request: ChatRequest): Generation {
    this.#checkLive()
    checkObject('request', request)
    checkNames('a chat', request, optionNames.chat)
    const ready = (request as Partial<Prepared>)[prepared]
    const prompt = ready?.prompt ?? this.#renderShort(request)
    const reading = this.#chat.read(request, prompt)
    const grammar = request.grammar === undefined ? this.#chat.demand(request, prompt) : request.grammar
    return this.#start(
      ready?.tokens ?? this.#chat.tokenize(prompt),
      { ...request, grammar },
      documentsOf(request.documents),
      reading,
    )
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
    checkObject('request', request)
    const { vocabulary } = this.#model
    const ready: Partial<ChatRequest & CompletionRequest & Prepared> = {}
    let { grammar } = request
    if ('messages' in request) {
      const prompt = this.#renderShort(request)
      if (grammar === undefined) {
        grammar = this.#chat.demand(request, prompt)
        if (grammar !== undefined) ready.grammar = grammar
      }
      const tokens = await this.#chat.tokenizeAside(prompt, signal)
      this.#checkRoom(tokens.length)
      ready[prepared] = { prompt, tokens }
    } else if (typeof request.prompt === 'string' && request.prompt !== '') {
      this.#checkLength(request.prompt)
      ready.prompt = await vocabulary.tokenizeAside(request.prompt, { addSpecial: true, special: true }, signal)
      this.#checkRoom(ready.prompt.length)
    }
    const source = typeof grammar === 'object' ? grammar.grammar : grammar
    if (source) {
      await vocabulary.readLexicon()
      parseGbnf(source)
      await new Promise(setImmediate)
    }
    if (typeof request.prediction === 'string')
      ready.prediction = await vocabulary.tokenizeAside(cutShort(request.prediction, this.contextTokens), {}, signal)
    if ('messages' in request && request.documents && request.draft !== 'off')
      await this.#memory.addDocumentsAside(documentsOf(request.documents), request.namespace, signal)
    signal?.throwIfAborted()
    this.#checkLive()
    return { ...request, ...ready }
  }

  /** Token ids of a text, split on another thread: whatever the text, everything else goes on. @throws as `tokenize` */
  tokenizeAside(text: string, options?: TokenizeOptions, signal?: AbortSignal): Promise<Int32Array> {
    this.#checkLive()
    return this.#model.vocabulary.tokenizeAside(text, options, signal)
  }

  /** The prompt of a conversation as tokens, as {@link chat} reads it. @throws as {@link chat} */
  tokenizeChat(conversation: ChatConversation): Int32Array {
    return this.#chat.tokenize(this.#renderShort(conversation))
  }

  /** The same, split on another thread. @throws as {@link chat}; the signal's reason */
  async tokenizeChatAside(conversation: ChatConversation, signal?: AbortSignal): Promise<Int32Array> {
    this.#checkLive()
    return this.#chat.tokenizeAside(this.#renderShort(conversation), signal)
  }

  /**
   * Continues a text as it stands.
   *
   * @throws EngineError `invalid-parameter`, `empty-prompt`, `prompt-too-long`
   */
  complete(request: CompletionRequest): Generation {
    this.#checkLive()
    checkObject('request', request)
    checkNames('a completion', request, optionNames.completion)
    const { prompt } = request
    if (typeof prompt === 'string') {
      if (prompt === '') throw new EngineError('empty-prompt', 'the prompt is empty; expected at least one token')
      this.#checkLength(prompt)
      return this.#start(this.tokenize(prompt, { addSpecial: true, special: true }), request)
    }
    checkTokens('prompt', prompt, this.vocabularySize)
    return this.#start(prompt, request)
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
    return this.#chat.render(conversation).text
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
    return this.#memory.warm(documents, options)
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
    this.#tuned.reader?.forget(what.namespace ?? DEFAULT_NAMESPACE)
    return this.#memory.forget(what)
  }

  /** Prompts kept aside, so that what they begin with need not be read again; `undefined` where none can be. */
  describePrompts(): KeptPromptsReport | undefined {
    return this.#tuned.reader?.kept.describe()
  }

  /** What is remembered, by namespace. */
  describeMemory(): NamespaceReport[] {
    return this.#memory.corpus.describe()
  }

  /** Waits until what was written so far is kept on the disk. @throws CorpusError */
  async flushMemory(): Promise<void> {
    await this.#memory.corpus.flush()
  }

  /** Token ids of a text. */
  tokenize(text: string, options?: TokenizeOptions): Int32Array {
    return this.#model.vocabulary.tokenize(text, options)
  }

  /** The text of tokens. */
  detokenize(tokens: ArrayLike<number>): string {
    return this.#model.vocabulary.textOf(tokens)
  }

  /** The bytes one token stands for; seldom a whole character. Read only. */
  bytesOf(token: number): Uint8Array {
    return this.#model.vocabulary.bytesOf(token)
  }

  /** The tokens that end an answer. Read only. */
  get endTokens(): Int32Array {
    return this.#model.vocabulary.endTokens
  }

  /** The control tokens with which a gap in a text is shown; undefined if the model was not made to fill gaps. */
  get infillTokens(): InfillTokens | undefined {
    return this.#model.vocabulary.infillTokens
  }

  /** How tokens are written, for a drafter of one's own: `new RetrievalDrafter({ spelling: engine.spelling })`. */
  get spelling(): Spelling {
    return this.#memory.spelling
  }

  /** Number of tokens in the vocabulary; ids are 0 … vocabularySize-1. */
  get vocabularySize(): number {
    return this.#context.vocabularySize
  }

  /** The same as `[Symbol.asyncDispose]()`, for where `await using` cannot be written (Node 20, plain JavaScript). */
  close(): Promise<void> {
    return this[Symbol.asyncDispose]()
  }

  /** Aborts what runs, waits for the forward in flight and frees the model. Once; later calls wait for the same. */
  [Symbol.asyncDispose](): Promise<void> {
    this.#disposing ??= (async () => {
      await this.#loop.close()
      try {
        await this.#tuned.keep()
        await this.#memory.close()
      } finally {
        await this.#draftModel?.[Symbol.asyncDispose]()
        await this.#model[Symbol.asyncDispose]()
      }
    })()
    return this.#disposing
  }

  /** Refuses a prompt that cannot fit, however it is split into tokens. */
  #checkLength(text: string): void {
    const least = Math.ceil(Buffer.byteLength(text) / longestTokenBytes)
    if (least >= this.contextTokens)
      throw new EngineError(
        'prompt-too-long',
        `the prompt has at least ${least} tokens; the context holds ${this.contextTokens}, one of them for the answer`,
        { promptTokens: least, contextTokens: this.contextTokens },
      )
  }

  #checkLive(): void {
    if (this.#disposing) throw new EngineError('disposed', 'the engine was used after it was disposed')
  }

  #start(
    prompt: ArrayLike<number>,
    request: RequestOptions,
    documents: readonly RequestDocument[] = [],
    reading?: AnswerReading,
  ): Generation {
    this.#checkRoom(prompt.length)
    const draft = checkDraft(request.draft ?? 'auto', this.maxNodes)
    const maxTokens =
      request.maxTokens === undefined ? undefined : checkInteger('maxTokens', request.maxTokens, 0, 2 ** 31 - 1)
    const stops = checkStops(request.stop)
    const signal = checkSignal(request.signal)
    const wanted = request.logprobs === undefined ? undefined : checkInteger('logprobs', request.logprobs, 0, 20)
    const prediction = this.#readPrediction(request.prediction)
    if (draft !== 'off' && !(request as Partial<Prepared>)[prepared])
      this.#memory.addDocuments(documents, request.namespace)
    const whose = { namespace: request.namespace, request: request.requestId, together: request.together }
    const session = draft === 'off' ? noDrafts : explained(() => (request.drafter ?? this.drafter).open(whose))
    const sampler = this.#makeSampler(request, prompt, session)
    if (prediction) {
      // What the prompt ends with stands before the prediction too, so that its beginning is found as a continuation.
      session.read(Array.from(prompt).slice(-predictionLead))
      session.read(prediction)
    }
    return this.#loop.start({
      prompt,
      draft,
      session,
      sampler,
      maxTokens,
      stops,
      logprobs: wanted === undefined ? undefined : new Logprobs(this.#context, wanted),
      explain: request.explain
        ? new DocumentSpans(prompt, documents, (token) => this.#model.vocabulary.bytesOf(token))
        : undefined,
      reading,
      reusePrefix: request.cachePrompt,
      owner: request.namespace ?? DEFAULT_NAMESPACE,
      signal,
    })
  }

  #renderShort(conversation: ChatConversation): ChatPrompt {
    const prompt = this.#chat.render(conversation)
    this.#checkLength(prompt.text)
    return prompt
  }

  #checkRoom(promptTokens: number): void {
    if (promptTokens === 0) throw new EngineError('empty-prompt', 'the prompt is empty; expected at least one token')
    if (promptTokens < this.contextTokens) return
    throw new EngineError(
      'prompt-too-long',
      `the prompt has ${promptTokens} tokens; the context holds ${this.contextTokens}, one of them for the answer`,
      { promptTokens, contextTokens: this.contextTokens },
    )
  }

  #readPrediction(prediction: string | ArrayLike<number> | undefined): ArrayLike<number> | undefined {
    if (prediction === undefined || typeof prediction === 'string')
      return prediction === undefined || prediction === ''
        ? undefined
        : this.tokenize(cutShort(prediction, this.contextTokens))
    return Array.prototype.slice.call(checkTokens('prediction', prediction, this.vocabularySize), 0, this.contextTokens)
  }

  #makeSampler(request: RequestOptions, prompt: ArrayLike<number>, session: DraftSession): Sampler {
    try {
      return Sampler.create(this.#context, request, prompt)
    } catch (error) {
      session.close()
      if (error instanceof RangeError) throw new EngineError('invalid-parameter', error.message, { cause: error })
      throw error
    }
  }
}
