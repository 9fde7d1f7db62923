// The answer as whoever asked for it holds it: steps to iterate, a result to await.

import type { AssistantMessage, MessageDelta } from '../chat/message.js'
import type { DraftSourceName } from '../draft/tree.js'
import type { TokenLogprobs } from '../llama/candidates.js'
import type { DraftNode, TokenOrigin } from './explain.js'

/** Why a generation ended. */
export type EndReason =
  /** The model ended its answer (an end-of-generation token), or a grammar is complete and nothing more may follow. */
  | 'stop'
  /** One of the stop strings was written; it is not part of the text. */
  | 'stop-string'
  /** `maxTokens` were written. */
  | 'length'
  /** The context is full. */
  | 'context-full'
  /**
   * The grammar is not complete and no token may follow: the vocabulary cannot spell what it asks for, biases forbid
   * it, or there are too many ways of reading the text. What was written stands, as a beginning.
   */
  | 'dead-end'
  /** The request's signal was aborted, or its consumer left the loop. What was written until then stands. */
  | 'aborted'

/** A piece of text and where its token came from. */
export interface StepPiece {
  token: number
  /** Text shown with this token; empty while a character or a possible stop string is incomplete. */
  text: string
  /** The source of the draft that held this token; `'model'` if the model computed it alone. */
  source: DraftSourceName | 'model'
  /** Where exactly the token came from, where the request asked to have it explained. */
  origin?: TokenOrigin
  /** Of a drafted token, where the request asked: tokens of the context match behind it. */
  matchLength?: number
  /** Of a drafted token, where the request asked: how probable the draft held it after the token before, 0 … 1. */
  probability?: number
  /** How probable the token was, and others in its place, where the request asked for it. */
  logprobs?: TokenLogprobs
}

/** What one forward brought. */
export interface GenerationStep {
  /** Text that can be shown now; of a conversation's answer its content, without thoughts and calls. */
  text: string
  /** Of a conversation's answer: what became certain of its parts, in order. */
  deltas?: MessageDelta[]
  /** The accepted tokens, in order; the last one is the bonus token that every forward brings. */
  pieces: StepPiece[]
  /** Nodes of the draft tree that this forward verified; 0: it decoded conventionally. */
  drafted: number
  /** How many of the tokens were drafted. */
  accepted: number
  /** Milliseconds of the forward. */
  forwardMs: number
  /** Milliseconds of retrieval before it. */
  retrievalMs: number
  /** The draft that was verified, where the request asked to have it explained. */
  tree?: DraftNode[]
}

/** How far a prompt has been read. */
export interface PromptProgress {
  promptTokens: number
  /** Of them, those whose KV cells were there already. */
  cachedTokens: number
  /** Of them, those that have been read, with the cached ones. */
  readTokens: number
  /** Milliseconds since a slot was free. */
  elapsedMs: number
}

/** Totals of one generation, by the names of the paper where it has them. */
export interface GenerationStats {
  promptTokens: number
  /** Tokens of the prompt whose KV cells were there already. */
  cachedPromptTokens: number
  /** Tokens written, without the end-of-generation token. */
  completionTokens: number
  /** Of them, those that wrote thoughts; 0 where the answer is not read as a message. */
  reasoningTokens: number
  /** Forwards after the prompt's. */
  forwards: number
  /** Nodes verified in all. */
  draftedTokens: number
  /** Drafted tokens that were accepted. */
  acceptedTokens: number
  /** Effective decoding length: tokens emitted per forward, bonus included. */
  edl: number
  /** Decoding length: tokens per forward, the last accepted one included. */
  dl: number
  /** Milliseconds until a slot was free. */
  queuedMs: number
  /** Milliseconds of the prompt's forwards (time to first token without queueing). */
  prefillMs: number
  /** Milliseconds from the first token to the last. */
  decodeMs: number
  /** Milliseconds of all forwards after the prompt's (FT in sum). */
  forwardMs: number
  /** Milliseconds of all retrievals (QT in sum). */
  retrievalMs: number
  /** Tokens per second after the first token. */
  tokensPerSecond: number
}

/** The outcome of a generation. */
export interface GenerationResult {
  /** All of the text; of a conversation's answer its content. */
  text: string
  /** Of a conversation's answer: what it says, in its three parts. */
  message?: AssistantMessage
  /** The tokens written, without the end-of-generation token. */
  tokens: number[]
  reason: EndReason
  /** The stop string, where that was the reason. */
  stopString?: string
  /** The seed of the random draws; 0 for greedy. */
  seed: number
  stats: GenerationStats
}

/**
 * An answer being written: iterate it for the steps, await {@link Generation.result} for the whole. It runs whether or
 * not anyone iterates; leaving the loop early aborts it.
 *
 * @example
 * const answer = engine.chat({ messages })
 * for await (const step of answer) process.stdout.write(step.text)
 * const { stats, reason } = await answer.result
 */
export class Generation implements AsyncIterable<GenerationStep> {
  /** Settles when the generation has ended; rejects only if a forward failed. */
  readonly result: Promise<GenerationResult>
  readonly #abort: () => void
  readonly #steps: GenerationStep[] = []
  #ended = false
  #failure: unknown
  #wake: (() => void) | undefined
  #resolve!: (result: GenerationResult) => void
  #reject!: (error: unknown) => void

  /** @internal */
  constructor(abort: () => void) {
    this.#abort = abort
    this.result = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    // A consumer that only iterates sees the failure there; it must not count as unhandled here.
    this.result.catch(() => {})
  }

  /** Ends the generation with reason `'aborted'` before its next forward. */
  abort(): void {
    this.#abort()
  }

  /** The steps, from the first on, for one consumer. */
  async *[Symbol.asyncIterator](): AsyncGenerator<GenerationStep, void, undefined> {
    try {
      for (let next = 0; ; ) {
        if (next < this.#steps.length) yield this.#steps[next++]
        else if (this.#failure !== undefined) throw this.#failure
        else if (this.#ended) return
        else
          await new Promise<void>((resolve) => {
            this.#wake = resolve
          })
      }
    } finally {
      if (!this.#ended) this.#abort()
    }
  }

  /** @internal */
  push(step: GenerationStep): void {
    this.#steps.push(step)
    this.#wake?.()
  }

  /** @internal */
  end(result: GenerationResult): void {
    this.#ended = true
    this.#resolve(result)
    this.#wake?.()
  }

  /** @internal */
  fail(error: unknown): void {
    this.#ended = true
    this.#failure = error
    this.#reject(error)
    this.#wake?.()
  }
}
