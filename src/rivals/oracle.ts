// The oracle: a drafter that knows the answer, and so the ceiling of retrieval.

import { TokenLog } from '../corpus/log.js'
import { MatchIndex } from '../corpus/match-index.js'
import { MatchList } from '../corpus/match-list.js'
import type { Drafter, DraftSession } from '../draft/drafter.js'
import { DraftSource, type DraftTree } from '../draft/tree.js'

/**
 * Not a drafter one could run, but a ceiling for replays: it sees the answer. Among all earlier occurrences of the last
 * token, in the request's own log and in the answers of earlier requests, it continues the one that agrees longest. No
 * drafter that continues an earlier occurrence of the last token can do better.
 */
export class OracleDrafter implements Drafter {
  readonly name = 'oracle'
  readonly shared = new TokenLog()
  readonly sharedIndex = new MatchIndex(this.shared, { orders: [1], maxMatch: 1 })

  get byteLength(): number {
    return this.shared.byteLength + this.sharedIndex.byteLength
  }

  open(): OracleSession {
    return new OracleSession(this)
  }
}

/** One replayed request of an {@link OracleDrafter}. */
export class OracleSession implements DraftSession {
  readonly #drafter: OracleDrafter
  readonly #own = new TokenLog({ segmentTokens: 4096 })
  readonly #ownIndex = new MatchIndex(this.#own, { orders: [1], maxMatch: 1 })
  #matches = new MatchList(1 << 12)
  readonly #last = new Int32Array(1)
  #answer: ArrayLike<number> = []
  #written = 0
  #answerStart = -1

  constructor(drafter: OracleDrafter) {
    this.#drafter = drafter
  }

  get byteLength(): number {
    return this.#own.byteLength + this.#ownIndex.byteLength
  }

  /** Shows the whole answer in advance. */
  reveal(answer: ArrayLike<number>): void {
    this.#answer = answer
  }

  read(tokens: ArrayLike<number>): void {
    this.#own.append(tokens)
    this.#ownIndex.extend()
  }

  draft(tree: DraftTree, budgetNodes: number): void {
    tree.clear()
    const own = this.#own
    const answer = this.#answer
    const written = this.#written
    const matches = this.#matches
    if (own.length === 0) return
    this.#last[0] = own.at(own.end - 1)
    const limits = { matches: [matches.capacity], reach: Number.POSITIVE_INFINITY }
    matches.clear()
    this.#ownIndex.find(this.#last, 1, limits, matches, DraftSource.own)
    this.#drafter.sharedIndex.find(this.#last, 1, limits, matches, DraftSource.shared)
    if (matches.size === matches.capacity) {
      this.#matches = new MatchList(2 * matches.capacity)
      this.draft(tree, budgetNodes)
      return
    }
    const most = Math.min(budgetNodes, tree.capacityNodes, answer.length - written)
    let longest = 0
    let source: number = DraftSource.own
    for (let match = 0; match < matches.size; match++) {
      const log = matches.logs[match] === DraftSource.own ? own : this.#drafter.shared
      const position = matches.positions[match]
      const stop = Math.min(most, log.end - position)
      let length = 0
      while (length < stop && log.at(position + length) === answer[written + length]) length++
      if (length > longest) {
        longest = length
        source = matches.logs[match]
      }
    }
    for (let k = 0; k < longest; k++) tree.add(answer[written + k], k - 1, 1, source, 1)
  }

  accept(tokens: ArrayLike<number>, count: number): void {
    const start = this.#own.append(tokens, count)
    if (this.#answerStart < 0) this.#answerStart = start
    this.#ownIndex.extend()
    this.#written += count
  }

  close(): void {
    if (this.#answerStart < 0) return
    this.#drafter.shared.appendFrom(this.#own, this.#answerStart, this.#own.end)
    this.#drafter.shared.endRecord()
    this.#drafter.sharedIndex.extend()
    this.#answerStart = -1
  }
}
