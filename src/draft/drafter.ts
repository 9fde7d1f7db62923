// What a drafter is: the interface that all sources of drafts share.

import type { DraftTree } from './tree.js'

/** Whose request a session drafts for. */
export interface SessionOptions {
  /** Requests of one namespace may draft from each other's answers and documents, never from another namespace's. */
  namespace?: string
  /** Id under which what the request leaves behind can be deleted. */
  request?: string
  /** Sessions given the same object answer one prompt: they may draft from each other at once. */
  together?: object
  /** What the request's grammar leaves no choice about. */
  foreseen?: Foreseen
}

/** What an answer has to say next. */
export interface Foreseen {
  /** The expected tokens are `tokens[begin]` … `tokens[begin + length - 1]`, each of a kind with its own reliability. */
  readonly tokens: Int32Array
  readonly kinds: Uint8Array
  readonly begin: number
  readonly length: number
  /** Finds out what must come next, unless that is known already. */
  look(): void
  /** How many bytes of it a path has said once it has said `token`, and `said` before; -1 if the token cannot come. */
  follow(token: number, said: number): number
  /** The model has written a token. */
  accept(token: number): void
}

/** Where a drafted token was found. */
export interface DraftOrigin {
  /**
   * - `prompt`: in what the request has read
   * - `answer`: in what it has written itself
   * - `document`: in a document of its namespace, or of the common one
   * - `request`: in what an earlier request left behind
   * - `sibling`: in another answer to the same prompt, still being written
   */
  kind: 'prompt' | 'answer' | 'document' | 'request' | 'sibling'
  /** Id of the document, or of the earlier request, if it has one. */
  id?: string
  /** In prompt and answer: tokens from the beginning of the answer on; negative in the prompt. */
  place?: number
}

/** What the next forward allows a drafter that computes. */
export interface DraftOutlook {
  /** Most nodes of the draft. */
  readonly budgetNodes: number
  /** Nodes wanted whether they pay or not; `undefined`: as many as pay. */
  readonly wanted: number | undefined
  /** Tokens read and written so far. */
  readonly context: number
  /** Most tokens the request may come to have. */
  readonly mostTokens: number
  /** Milliseconds of the forward with this many nodes. */
  ms(nodes: number): number
}

/**
 * A source of drafts. One drafter serves many requests; what it learns from one may help the next.
 *
 * Drafting only proposes: whatever a drafter returns, even at random, changes the speed but never the text.
 *
 * @example
 * const drafter = new RetrievalDrafter()
 * const session = drafter.open()
 * session.read(promptTokens)
 * session.draft(tree, 16)          // up to 16 nodes that may follow the prompt
 * session.accept([42, 7], 2)       // what the model really wrote
 * session.close()                  // later requests may now draft from this answer
 */
export interface Drafter {
  /** Short name for tables and metrics, e.g. `'lookahead'`. */
  readonly name: string
  /** Bytes of what is remembered from request to request, for tables. */
  readonly byteLength?: number
  /** Begins a request. */
  open(options?: SessionOptions): DraftSession
}

/** The drafting side of one request. Calls come in order: `read`, then `draft` and `accept` in turns, then `close`. */
export interface DraftSession {
  /** Bytes that the request holds, for tables; 0 once it is closed. */
  readonly byteLength?: number
  /** Tokens the model reads: the prompt with its documents. May be called several times before the first draft. */
  read(tokens: ArrayLike<number>): void
  /**
   * For drafters that compute: called, and waited for, before each {@link draft}. Its time counts against the draft.
   */
  prepare?(outlook: DraftOutlook): Promise<void>
  /**
   * For drafters that continue from the hidden states of the model: called with the vectors of the tokens from `position`
   * on, one after the other, as forwards compute them; some tokens may be left out, others come again. A token's vector
   * comes before {@link accept} reports what follows it. Valid during the call only.
   */
  observe?(vectors: Float32Array, position: number): void
  /** Called, and waited for, while a prompt is read, after {@link observe}: for work on the vectors that takes time. */
  digest?(): Promise<void>
  /**
   * Clears `tree` and fills it with at most `budgetNodes` nodes that may follow everything read and accepted so far,
   * best first. An empty tree is a valid answer. Must not change what the session knows, and should allocate nothing.
   *
   * @param budgetNodes 0 … `tree.capacityNodes`
   */
  draft(tree: DraftTree, budgetNodes: number): void
  /**
   * Where a node of the last draft was found, for explanations; `undefined` if that cannot be told (any more). Not called
   * unless `explain` is asked for.
   */
  originOf?(node: number): DraftOrigin | undefined
  /**
   * The model wrote the first `count` of `tokens` next. Also the time to score the last draft against them, verified or
   * not.
   */
  accept(tokens: ArrayLike<number>, count: number): void
  /** Ends the request. The session must not be used again. */
  close(): void
}
