// The scratch memory of a session, handed on from session to session.

import { MAX_MATCH } from '../corpus/namespace.js'
import type { Spelling } from '../corpus/spelling.js'
import { columnBytes } from './columns.js'
import { Cursors } from './cursors.js'
import { Evidence } from './evidence.js'
import type { Surroundings } from './features.js'
import type { FrequentTokens } from './frequent-tokens.js'
import { Frontier } from './frontier.js'
import { RecentTokens } from './recent-tokens.js'
import { TokenCounts } from './token-counts.js'

/** Leads, continuations and nodes that one draft can hold. */
const LEADS = 4096
const CONTINUATIONS = 4096
export const NODES = 256

/** The scratch memory of one session, handed on from session to session. */
export class Workspace implements Surroundings {
  readonly evidence = new Evidence(LEADS, CONTINUATIONS, NODES)
  readonly frontier = new Frontier(CONTINUATIONS)
  /** The places the answer has been copying from. */
  readonly cursors = new Cursors()
  /** Tokens of the own log, counted. */
  readonly counts = new TokenCounts()
  /** Tokens written last: they tell what a place is about. */
  readonly recent = new RecentTokens()
  /** Frequent tokens of the namespace's log; replaced with it. */
  frequent: FrequentTokens | undefined
  /** End of the context, newest token first. */
  readonly context = new Int32Array(MAX_MATCH)
  /** The same for a node: its path, then the end of the context. */
  readonly pathContext = new Int32Array(MAX_MATCH)
  depth = 0
  last = 0
  beforeLast = 0
  copied = -1
  answerStart = 0
  readonly spelling: Spelling | undefined

  constructor(spelling: Spelling | undefined) {
    this.spelling = spelling
  }

  get byteLength(): number {
    const { evidence, frontier, cursors, counts, recent } = this
    const parts = [evidence, frontier, cursors, counts, recent]
    return parts.reduce((bytes, part) => bytes + part.byteLength, columnBytes(this))
  }

  ownCount(token: number): number {
    return this.counts.get(token)
  }

  sharedCount(token: number): number {
    return this.frequent ? this.frequent.counts.get(token) : 0
  }

  sharedTotal(): number {
    return this.frequent ? this.frequent.counts.total : 0
  }
}
