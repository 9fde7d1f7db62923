// The logs that one request may draft from.

import { TokenLog } from '../corpus/log.js'
import { MatchIndex, type MatchLimits } from '../corpus/match-index.js'
import type { MatchList } from '../corpus/match-list.js'
import { MAX_MATCH, type Namespace, ORDERS } from '../corpus/namespace.js'
import type { Spelling } from '../corpus/spelling.js'
import type { CorpusView } from '../corpus/view.js'
import type { DraftOrigin } from './drafter.js'
import type { Siblings, Voice } from './siblings.js'
import { DraftSource } from './tree.js'

/** A log too large for the processor's caches: every place looked at there costs a wait for memory. */
const LARGE_LOG = 2 ** 20
/** Matches looked up for the root of a draft. */
export const ROOT_LIMITS: MatchLimits = { matches: [32, 32, 16], reach: 96 }
/** The same in a large log. */
const LARGE_ROOT_LIMITS: MatchLimits = { matches: [6, 12, 12], reach: 32 }

/**
 * The logs that one request may draft from, each by its {@link DraftSource}:
 *
 *     own        its prompt, its documents, its answer so far
 *     shared     its namespace                                    as they are when a draft begins
 *     common     the common namespace, if there is one            ┘
 *     sibling …  other answers to the same prompt, one number each
 */
export class RequestLogs {
  /** The request's own log; `undefined` until it has read something, and once it is closed. */
  own: TokenLog | undefined
  readonly #view: CorpusView
  readonly #siblings: Siblings | undefined
  readonly #spelling: Spelling | undefined
  #ownIndex: MatchIndex | undefined
  /** What this request says to its siblings. */
  #voice: Voice | undefined
  /** The namespaces, and the log that each had when the draft began. */
  #shared: Namespace | undefined
  #common: Namespace | undefined
  #sharedLog: TokenLog | undefined
  #commonLog: TokenLog | undefined
  /** Where the answer begins in the own log; -1 before the first accepted token. */
  #answerStart = -1

  constructor(view: CorpusView, siblings: Siblings | undefined, spelling: Spelling | undefined) {
    this.#view = view
    this.#siblings = siblings
    this.#spelling = spelling
  }

  /** Bytes of the own log and its index. */
  get byteLength(): number {
    return (this.own?.byteLength ?? 0) + (this.#ownIndex?.byteLength ?? 0)
  }

  /** Where the answer begins in the own log, or will begin. */
  get answerStart(): number {
    return this.#answerStart >= 0 ? this.#answerStart : (this.own?.end ?? 0)
  }

  /** Whether the shared log is too large for the processor's caches. */
  get isLarge(): boolean {
    return this.#sharedLog !== undefined && this.#sharedLog.length > LARGE_LOG
  }

  /** Appends what the request has read. */
  read(tokens: ArrayLike<number>, count: number): void {
    if (!this.own) {
      this.own = new TokenLog({ segmentTokens: 4096 })
      this.#ownIndex = new MatchIndex(this.own, {
        orders: ORDERS,
        maxMatch: MAX_MATCH,
        expectedTokens: count + 512,
        spelling: this.#spelling,
      })
    }
    this.own.append(tokens, count)
    this.#ownIndex!.extend()
  }

  /** Appends what it has written, and lets its siblings know. */
  write(tokens: ArrayLike<number>, count: number): void {
    if (this.#siblings && this.own) {
      this.#voice ??= this.#siblings.join(this.own)
      this.#voice.say(tokens, count)
    }
    const start = this.own?.end ?? 0
    this.read(tokens, count)
    if (this.#answerStart < 0) this.#answerStart = start
  }

  /** Takes the namespaces as they are now; returns the request's own one. */
  refresh(): Namespace | undefined {
    this.#shared = this.#view.refreshShared()
    this.#common = this.#view.refreshCommon()
    this.#sharedLog = this.#shared?.log
    this.#commonLog = this.#common?.log
    return this.#shared
  }

  /** Lists the matches of a context in all logs. */
  find(context: Int32Array, length: number, limits: MatchLimits, list: MatchList): void {
    this.#ownIndex!.find(context, length, limits, list, DraftSource.own)
    const shared = this.#shared
    const common = this.#common
    shared?.index.find(context, length, limitsIn(shared.log, limits), list, DraftSource.shared)
    common?.index.find(context, length, limitsIn(common.log, limits), list, DraftSource.common)
    this.#siblings?.find(this.#voice, context, length, limits, list, DraftSource.sibling)
  }

  /** The log with a number. */
  at(number: number): TokenLog {
    if (number >= DraftSource.sibling) return this.#siblings!.logAt(number - DraftSource.sibling)
    return number === DraftSource.own ? this.own! : (number === DraftSource.common ? this.#common! : this.#shared!).log
  }

  /** What a position of the log with a number belongs to; `undefined` if that can no longer be told. */
  originOf(number: number, position: number): DraftOrigin | undefined {
    if (number === DraftSource.own) {
      const place = position - this.answerStart
      return { kind: place >= 0 ? 'answer' : 'prompt', place }
    }
    if (number >= DraftSource.sibling) return { kind: 'sibling' }
    const isCommon = number === DraftSource.common
    const namespace = isCommon ? this.#common : this.#shared
    // Another request may have ended since the draft was made, and the log been copied or cut.
    const log = isCommon ? this.#commonLog : this.#sharedLog
    if (namespace === undefined || namespace.log !== log) return undefined
    const record = namespace.records.holding(position)
    return record && { kind: record.kind, ...(record.names.length > 0 && { id: record.names[0] }) }
  }

  /** Leaves the answer to the namespace, with the prompt if that is shared, and lets go of all logs. */
  close(sharePrompts: boolean): void {
    const from = this.own && sharePrompts ? this.own.first : this.#answerStart
    if (this.own && from >= 0) this.#view.write(this.own.slice(from, this.own.end))
    this.#view.close()
    this.#siblings?.leave(this.#voice)
    this.#shared = undefined
    this.#common = undefined
    this.#sharedLog = undefined
    this.#commonLog = undefined
    this.own = undefined
    this.#ownIndex = undefined
  }
}

/** How much is looked up in a shared log. */
function limitsIn(log: TokenLog, limits: MatchLimits): MatchLimits {
  return limits === ROOT_LIMITS && log.length > LARGE_LOG ? LARGE_ROOT_LIMITS : limits
}
