import type { DraftSourceName } from '../draft/tree.js'
import type { DocumentSpans } from './document-spans.js'
import type { DraftNode } from './explain.js'
import type { EndReason, Generation, GenerationStats, StepPiece } from './generation.js'
import type { LogprobSampler } from './logprobs.js'
import { TextStream } from './text-stream.js'

/** What the loop tells of one step. */
export interface StepReport {
  /** Whether this forward read the end of the prompt; its token is the answer's first. */
  isPrefill: boolean
  /** Rows of the request in the forward. */
  rows: number
  drafted: number
  accepted: number
  /** Where the step's `i`-th token came from. */
  sourceOf: (i: number) => DraftSourceName | 'model'
  /** The node of the draft that held the step's `i`-th token; -1 if none did. */
  nodeOf?: (i: number) => number
  forwardMs: number
  retrievalMs: number
  /** The draft of the step, for requests that want it explained. */
  explain?: (textOf: (token: number) => string, spans: DocumentSpans) => DraftNode[]
}

/** What a writer needs to know of the vocabulary. */
export interface TokenText {
  bytesOf(token: number): Uint8Array
  isEndOfGeneration(token: number): boolean
}

/** Limits of one answer, and what is to be told of it. */
export interface AnswerLimits {
  maxTokens: number
  stops: readonly string[]
  /** Where log-probabilities are noted, if the request wants them. */
  logprobs?: LogprobSampler
  /** Set if steps are to tell their drafts: where documents stand in the prompt. */
  explain?: DocumentSpans
}

/**
 * Writes one answer: decides with every token whether it ends there, turns tokens into text, counts, and hands steps
 * to the {@link Generation} that the user holds.
 */
export class AnswerWriter {
  /** Set once the request is to end before its next forward. */
  aborted = false
  readonly generation: Generation
  readonly #vocabulary: TokenText
  readonly #limits: AnswerLimits
  readonly #seed: number
  readonly #text: TextStream
  readonly #tokens: number[] = []
  /** Pieces of the step under way, filled by {@link takes}. */
  #pieces: StepPiece[] = []
  #written = ''
  #reason: EndReason = 'stop'
  #promptTokens: number
  #cachedPromptTokens = 0
  #emitted = 0
  #forwards = 0
  #rows = 0
  #drafted = 0
  #accepted = 0
  readonly #arrivedAt = performance.now()
  #queuedMs: number | undefined
  #prefillMs = 0
  #forwardMs = 0
  #retrievalMs = 0
  #firstTokenAt = 0
  #lastTokenAt = 0

  constructor(generation: Generation, vocabulary: TokenText, limits: AnswerLimits, promptTokens: number, seed: number) {
    this.generation = generation
    this.#vocabulary = vocabulary
    this.#limits = limits
    this.#promptTokens = promptTokens
    this.#seed = seed
    this.#text = new TextStream(limits.stops)
  }

  /** The request has got a slot in which `cachedPromptTokens` of its prompt have their cells. */
  begin(cachedPromptTokens: number): void {
    this.#cachedPromptTokens = cachedPromptTokens
    this.#firstTokenAt = performance.now()
    this.#queuedMs = this.#firstTokenAt - this.#arrivedAt
  }

  /** A forward read a part of the prompt. */
  prefilled(forwardMs: number): void {
    this.#prefillMs += forwardMs
  }

  /** Takes the answer's next token; `true` if the answer ends with it. */
  readonly takes = (token: number): boolean => {
    if (this.#limits.maxTokens === 0) {
      this.#reason = 'length'
      return true
    }
    this.#emitted++
    if (this.#vocabulary.isEndOfGeneration(token)) {
      this.#reason = 'stop'
      return true
    }
    this.#tokens.push(token)
    const text = this.#text.push(this.#vocabulary.bytesOf(token))
    const logprobs = this.#limits.logprobs?.last
    this.#pieces.push({ token, text, source: 'model', ...(logprobs && { logprobs }) })
    if (this.#text.stoppedBy !== undefined) {
      this.#reason = 'stop-string'
      return true
    }
    if (this.#tokens.length >= this.#limits.maxTokens) {
      this.#reason = 'length'
      return true
    }
    return false
  }

  /** Ends the step whose tokens {@link takes} has taken. */
  step(report: StepReport): void {
    const pieces = this.#pieces
    this.#pieces = []
    for (let i = 0; i < pieces.length; i++) pieces[i].source = report.sourceOf(i)
    const text = pieces.map((piece) => piece.text).join('')
    this.#written += text
    this.#lastTokenAt = performance.now()
    if (report.isPrefill) {
      this.#firstTokenAt = this.#lastTokenAt
      this.#emittedByPrefill = this.#emitted
    } else {
      this.#forwards++
      this.#rows += report.rows
      this.#drafted += report.drafted
      this.#accepted += report.accepted
      this.#forwardMs += report.forwardMs
      this.#retrievalMs += report.retrievalMs
    }
    const { drafted, accepted, forwardMs, retrievalMs } = report
    const { explain } = this.#limits
    const tree = explain && report.explain?.(this.#textOf, explain)
    if (tree) for (let i = 0; i < pieces.length; i++) explainPiece(pieces[i], tree, report.nodeOf?.(i) ?? -1)
    this.generation.push({ text, pieces, drafted, accepted, forwardMs, retrievalMs, ...(tree && { tree }) })
  }
  #emittedByPrefill = 0

  /** A forward brought no token. */
  waited(report: Pick<StepReport, 'rows' | 'drafted' | 'forwardMs' | 'retrievalMs'>): void {
    this.#forwards++
    this.#rows += report.rows
    this.#drafted += report.drafted
    this.#forwardMs += report.forwardMs
    this.#retrievalMs += report.retrievalMs
  }

  /** The answer is over: for the reason `takes` found, or for the one given. */
  end(reason: EndReason = this.#reason): void {
    const rest = this.#text.end()
    if (rest !== '') {
      this.#written += rest
      this.generation.push({ text: rest, pieces: [], drafted: 0, accepted: 0, forwardMs: 0, retrievalMs: 0 })
    }
    this.generation.end({
      text: this.#written,
      tokens: this.#tokens,
      reason,
      ...(reason === 'stop-string' && { stopString: this.#text.stoppedBy }),
      seed: this.#seed,
      stats: this.#stats(),
    })
  }

  /** A forward failed. */
  fail(error: unknown): void {
    this.generation.fail(error)
  }

  readonly #textOf = (token: number): string => Buffer.from(this.#vocabulary.bytesOf(token)).toString('utf8')

  #stats(): GenerationStats {
    const decoded = this.#emitted - this.#emittedByPrefill
    // Where it ended before its first token, there was none to be last.
    const decodeMs = Math.max(0, this.#lastTokenAt - this.#firstTokenAt)
    return {
      promptTokens: this.#promptTokens,
      cachedPromptTokens: this.#cachedPromptTokens,
      completionTokens: this.#tokens.length,
      forwards: this.#forwards,
      draftedTokens: this.#drafted,
      acceptedTokens: this.#accepted,
      edl: this.#forwards > 0 ? decoded / this.#forwards : 1,
      dl: this.#forwards > 0 ? this.#rows / this.#forwards : 1,
      queuedMs: this.#queuedMs ?? performance.now() - this.#arrivedAt,
      prefillMs: this.#prefillMs,
      decodeMs,
      forwardMs: this.#forwardMs,
      retrievalMs: this.#retrievalMs,
      tokensPerSecond: decodeMs > 0 && decoded > 0 ? (decoded / decodeMs) * 1000 : 0,
    }
  }
}

/** Tells of a token what its node of the draft tells, and how probable that was given its parent. */
function explainPiece(piece: StepPiece, tree: readonly DraftNode[], index: number): void {
  const node = tree[index]
  if (!node) {
    piece.origin = { kind: 'model' }
    return
  }
  const { origin, matchLength, parent, probability } = node
  piece.origin = origin
  piece.matchLength = matchLength
  piece.probability = parent < 0 ? probability : probability / tree[parent].probability
}
