import type { MatchList } from '../corpus/match-list.js'
import { DraftSource } from './tree.js'

/** Features of one continuation; see {@link Evidence.features}. */
export const FEATURES = 12

/**
 * What speaks for each continuation of a draft's nodes, in columns reused from draft to draft.
 *
 * A *continuation* is one token that may follow a node (or the root), with all the matches that say so:
 *
 *     node 3 "fox"     matches    own 17 → jumps    own 5 → jumps    shared 90 → runs
 *                      continuations
 *                        jumps    own: longest match 4, 2 of that length    shared: none
 *                        runs     own: none                                 shared: longest match 2, 1 of that length
 *
 * The continuations of a node stand in one piece, so that the draft can be scored against what the model wrote later.
 */
export class Evidence {
  /** Most continuations it can hold. */
  readonly capacity: number
  /** The token of each continuation. */
  readonly tokens: Int32Array
  /** The node it continues; -1: the root. */
  readonly parents: Int32Array
  /** The node it became; -1 while it is not drafted. */
  readonly nodes: Int32Array
  /** Head of its list of matches, linked by `nextMatch`; -1 ends it. */
  readonly matches: Int32Array
  /** Longest match in the request's own log; 0 if there is none. */
  readonly ownLengths: Uint8Array
  /** Matches of that length there. */
  readonly ownCounts: Uint8Array
  /** Rank of the newest of them. */
  readonly ownRanks: Uint8Array
  /** The same for the shared log. */
  readonly sharedLengths: Uint8Array
  readonly sharedCounts: Uint8Array
  readonly sharedRanks: Uint8Array
  /** Probability given that its parent's path is right. */
  readonly probabilities: Float64Array
  /** Probability of the whole path. */
  readonly paths: Float64Array
  /** {@link FEATURES} indices into the weights of the confidence per continuation, 0 where a feature is absent. */
  readonly features: Int32Array
  /** First continuation of each node, the root at index 0, node n at n + 1; the next node's first one ends it. */
  readonly starts: Int32Array
  /** One past the last continuation of each node, numbered likewise. */
  readonly ends: Int32Array
  /** The most probable continuation of each node, numbered likewise; -1 if it has none. */
  readonly bests: Int32Array
  /** How many tokens in a row, each node the last of them, were the most probable ones; numbered likewise. */
  readonly agreed: Uint8Array
  /** Continuations in use. */
  size = 0

  constructor(capacity: number, nodes: number) {
    this.capacity = capacity
    this.tokens = new Int32Array(capacity)
    this.parents = new Int32Array(capacity)
    this.nodes = new Int32Array(capacity)
    this.matches = new Int32Array(capacity)
    this.ownLengths = new Uint8Array(capacity)
    this.ownCounts = new Uint8Array(capacity)
    this.ownRanks = new Uint8Array(capacity)
    this.sharedLengths = new Uint8Array(capacity)
    this.sharedCounts = new Uint8Array(capacity)
    this.sharedRanks = new Uint8Array(capacity)
    this.probabilities = new Float64Array(capacity)
    this.paths = new Float64Array(capacity)
    this.features = new Int32Array(capacity * FEATURES)
    this.starts = new Int32Array(nodes + 1)
    this.ends = new Int32Array(nodes + 1)
    this.bests = new Int32Array(nodes + 1)
    this.agreed = new Uint8Array(nodes + 1)
  }

  /** Empties it; nothing is allocated or freed. */
  clear(): void {
    this.size = 0
  }

  /** Opens the continuations of `node`; they are added next, without others in between. */
  begin(node: number): void {
    this.starts[node + 1] = this.size
  }

  /** Counts one match of `node` in favour of `token`. Dropped if there is no room. */
  add(node: number, token: number, match: number, matches: MatchList, nextMatch: Int32Array): void {
    const { tokens } = this
    let c = this.starts[node + 1]
    while (c < this.size && tokens[c] !== token) c++
    if (c === this.size) {
      if (c === this.capacity) return
      this.size++
      tokens[c] = token
      this.parents[c] = node
      this.nodes[c] = -1
      this.matches[c] = -1
      this.ownLengths[c] = 0
      this.sharedLengths[c] = 0
    }
    nextMatch[match] = this.matches[c]
    this.matches[c] = match
    const length = matches.lengths[match]
    const rank = matches.ranks[match]
    const own = matches.logs[match] === DraftSource.own
    const lengths = own ? this.ownLengths : this.sharedLengths
    const counts = own ? this.ownCounts : this.sharedCounts
    const ranks = own ? this.ownRanks : this.sharedRanks
    if (length > lengths[c]) {
      lengths[c] = length
      counts[c] = 1
      ranks[c] = rank
    } else if (length === lengths[c]) {
      if (counts[c] < 255) counts[c]++
      if (rank < ranks[c]) ranks[c] = rank
    }
  }

  /** Closes the continuations of `node`. */
  finish(node: number): void {
    this.ends[node + 1] = this.size
    this.bests[node + 1] = -1
  }

  /** The `agreed` of a node that continuation `c` becomes or would become. */
  agreedWith(c: number): number {
    const parent = this.parents[c] + 1
    return this.bests[parent] === c ? Math.min(255, this.agreed[parent] + 1) : 0
  }

  /** Length of the longest match that speaks for continuation `c`. */
  lengthOf(c: number): number {
    return Math.max(this.ownLengths[c], this.sharedLengths[c])
  }

  /** The source that holds the longest match of continuation `c`; the request's own log if they draw. */
  sourceOf(c: number): number {
    return this.ownLengths[c] >= this.sharedLengths[c] ? DraftSource.own : DraftSource.shared
  }
}
