// What speaks for each token that may follow, in columns.

import { MatchList } from '../corpus/match-list.js'
import { columnBytes } from './columns.js'
import { distanceOf } from './cursors.js'
import { DraftSource } from './tree.js'

/** Most features of one continuation. */
export const FEATURES = 22

/** Slots of the table that finds a node's continuation by its token. */
const SLOTS = 1024
/** Most continuations of one node. */
const MOST = 256

/**
 * What speaks for each continuation of a draft's nodes, in columns reused from draft to draft.
 *
 * A *continuation* is one token that may follow a node (or the root), with all the leads that say so. A *lead* is a
 * place in a log where the text may continue: a match, where the context occurs too, or a mere guess of match length 0
 * (near a cursor, or a frequent token):
 *
 *     node 3 "fox"     leads      own 17 → jumps    own 5 → jumps    shared 90 → runs
 *                      continuations
 *                        jumps    own: longest match 4, 2 of that length    shared: none
 *                        runs     own: none                                 shared: longest match 2, 1 of that length
 *
 * Each lead speaks for one continuation of a node; when that becomes a node itself, its leads move on by one token and
 * are sorted again. The continuations of a node are contiguous, so that the draft can be scored later.
 */
export class Evidence {
  /** Leads, by the number of their log. */
  readonly leads: MatchList
  /** Links the leads of one continuation; -1 ends it. */
  readonly nextLead: Int32Array
  /** Where each lead lies relative to the cursors; see {@link Cursors.zoneOf}. */
  readonly zones: Uint8Array
  /** Tokens of the context that agree beyond the one that ended the match. */
  readonly beyond: Uint8Array
  /** Recent tokens that also stand before each match. */
  readonly nearby: Uint8Array

  /** Most continuations it can hold. */
  readonly capacity: number
  /** The token of each continuation. */
  readonly tokens: Int32Array
  /** The node it continues; -1: the root. */
  readonly parents: Int32Array
  /** The node it became; -1 while it is not drafted. */
  readonly nodes: Int32Array
  /** Its first lead. */
  readonly firstLeads: Int32Array
  /** How many leads it has. */
  readonly leadCounts: Int32Array
  /** Longest match in the request's own log; 0 if there is none. */
  readonly ownLengths: Uint8Array
  /** Matches of that length there. */
  readonly ownCounts: Uint8Array
  /** The closest wording among those; see {@link Wording}. */
  readonly ownWordings: Uint8Array
  /** Rank of the newest of them. */
  readonly ownRanks: Uint8Array
  /** Where that one stands; -1 if there is none. */
  readonly ownPositions: Int32Array
  /** The same for the shared logs. */
  readonly sharedLengths: Uint8Array
  readonly sharedCounts: Uint8Array
  readonly sharedWordings: Uint8Array
  readonly sharedRanks: Uint8Array
  /** Where the newest of them stands, and in which log. */
  readonly sharedPositions: Int32Array
  readonly sharedLogs: Uint8Array
  /** The zone nearest to a cursor among its leads. */
  readonly nearestZones: Uint8Array
  /** The largest `beyond` of its leads. */
  readonly mostBeyond: Uint8Array
  /** The largest `nearby` of its leads. */
  readonly mostNearby: Uint8Array
  /** Probability given that its parent's path is right. */
  readonly probabilities: Float64Array
  /** Probability of the whole path. */
  readonly paths: Float64Array
  /** {@link FEATURES} indices into the weights of the confidence per continuation, 0 where a feature is absent. */
  readonly features: Uint16Array
  /** First continuation of each node, the root at index 0, node n at n + 1. */
  readonly starts: Int32Array
  /** One past the last continuation of each node, numbered likewise. */
  readonly ends: Int32Array
  /** The most probable continuation of each node, numbered likewise; -1 if it has none. */
  readonly bests: Int32Array
  /** How many tokens in a row, up to each node, were the most probable ones; numbered likewise. */
  readonly agreed: Uint8Array
  /** How probable the best continuation of each node can be. */
  readonly hopes: Float64Array
  /** The continuation each node was. */
  readonly continued: Int32Array
  /** Continuations in use. */
  size = 0

  readonly #slots = new Int32Array(SLOTS)
  readonly #stamps = new Int32Array(SLOTS)
  /** Counts the nodes begun, in 32 bits; entries of the table carry it. */
  stamp = 0

  constructor(leads: number, capacity: number, nodes: number) {
    this.leads = new MatchList(leads)
    this.nextLead = new Int32Array(leads)
    this.zones = new Uint8Array(leads)
    this.beyond = new Uint8Array(leads)
    this.nearby = new Uint8Array(leads)
    this.capacity = capacity
    this.tokens = new Int32Array(capacity)
    this.parents = new Int32Array(capacity)
    this.nodes = new Int32Array(capacity)
    this.firstLeads = new Int32Array(capacity)
    this.leadCounts = new Int32Array(capacity)
    this.ownLengths = new Uint8Array(capacity)
    this.ownCounts = new Uint8Array(capacity)
    this.ownWordings = new Uint8Array(capacity)
    this.ownRanks = new Uint8Array(capacity)
    this.ownPositions = new Int32Array(capacity)
    this.sharedLengths = new Uint8Array(capacity)
    this.sharedCounts = new Uint8Array(capacity)
    this.sharedWordings = new Uint8Array(capacity)
    this.sharedRanks = new Uint8Array(capacity)
    this.sharedPositions = new Int32Array(capacity)
    this.sharedLogs = new Uint8Array(capacity)
    this.nearestZones = new Uint8Array(capacity)
    this.mostBeyond = new Uint8Array(capacity)
    this.mostNearby = new Uint8Array(capacity)
    this.probabilities = new Float64Array(capacity)
    this.paths = new Float64Array(capacity)
    this.features = new Uint16Array(capacity * FEATURES)
    this.starts = new Int32Array(nodes + 1)
    this.ends = new Int32Array(nodes + 1)
    this.bests = new Int32Array(nodes + 1)
    this.agreed = new Uint8Array(nodes + 1)
    this.hopes = new Float64Array(nodes)
    this.continued = new Int32Array(nodes)
  }

  /** Bytes it holds. */
  get byteLength(): number {
    return columnBytes(this, this.#slots, this.#stamps) + columnBytes(this.leads)
  }

  /** Empties it; nothing is allocated or freed. */
  clear(): void {
    this.size = 0
    this.leads.clear()
    this.begin(-1)
    this.finish(-1)
  }

  /** Opens the continuations of `node`; they are added next, with no others in between. */
  begin(node: number): void {
    this.starts[node + 1] = this.size
    // In 32 bits, as the table holds it: a long-lived process exceeds 31.
    this.stamp = (this.stamp + 1) | 0
  }

  /** The continuation with `token`, of the node begun last; -1 if there is none. */
  find(token: number): number {
    const { stamp } = this
    const slots = this.#slots
    const stamps = this.#stamps
    let slot = slotOf(token)
    while (stamps[slot] === stamp) {
      if (this.tokens[slots[slot]] === token) return slots[slot]
      slot = (slot + 1) & (SLOTS - 1)
    }
    return -1
  }

  /** Counts a lead of `node` in favour of `token`. Dropped if there is no room. */
  add(node: number, token: number, lead: number): void {
    let c = this.find(token)
    if (c < 0) {
      c = this.#open(node, token)
      if (c < 0) return
    }
    const { leads } = this
    this.nextLead[lead] = this.firstLeads[c]
    this.firstLeads[c] = lead
    this.leadCounts[c]++
    const zone = this.zones[lead]
    if (zone > 0 && distanceOf(zone) < distanceOf(this.nearestZones[c])) this.nearestZones[c] = zone
    if (this.beyond[lead] > this.mostBeyond[c]) this.mostBeyond[c] = this.beyond[lead]
    if (this.nearby[lead] > this.mostNearby[c]) this.mostNearby[c] = this.nearby[lead]
    const length = leads.lengths[lead]
    const rank = leads.ranks[lead]
    const wording = leads.wordings[lead]
    if (leads.logs[lead] === DraftSource.own) {
      if (length > this.ownLengths[c] || this.ownPositions[c] < 0) {
        this.ownLengths[c] = length
        this.ownCounts[c] = 1
        this.ownWordings[c] = wording
        this.ownRanks[c] = rank
        this.ownPositions[c] = leads.positions[lead]
      } else if (length === this.ownLengths[c]) {
        if (this.ownCounts[c] < 255) this.ownCounts[c]++
        if (wording < this.ownWordings[c]) this.ownWordings[c] = wording
        if (rank < this.ownRanks[c]) {
          this.ownRanks[c] = rank
          this.ownPositions[c] = leads.positions[lead]
        }
      }
    } else if (length >= this.sharedLengths[c]) {
      const longer = length > this.sharedLengths[c] || this.sharedPositions[c] < 0
      this.sharedLengths[c] = length
      if (longer || wording < this.sharedWordings[c]) this.sharedWordings[c] = wording
      if (longer) this.sharedCounts[c] = 1
      else if (this.sharedCounts[c] < 255) this.sharedCounts[c]++
      if (longer || rank < this.sharedRanks[c]) {
        this.sharedRanks[c] = rank
        this.sharedPositions[c] = leads.positions[lead]
        this.sharedLogs[c] = leads.logs[lead]
      }
    }
  }

  /** Whether a lead at the same place already speaks for `token`. */
  knows(token: number, lead: number): boolean {
    const c = this.find(token)
    if (c < 0) return false
    const { positions, logs } = this.leads
    for (let other = this.firstLeads[c]; other >= 0; other = this.nextLead[other])
      if (positions[other] === positions[lead] && logs[other] === logs[lead]) return true
    return false
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

  /** The source of the longest match of continuation `c`; the request's own log in a tie. */
  sourceOf(c: number): number {
    if (this.ownPositions[c] >= 0 && this.ownLengths[c] >= this.sharedLengths[c]) return DraftSource.own
    return Math.min(this.sharedLogs[c], DraftSource.sibling)
  }

  #open(node: number, token: number): number {
    const c = this.size
    if (c === this.capacity || c - this.starts[node + 1] >= MOST) return -1
    this.size++
    this.tokens[c] = token
    this.parents[c] = node
    this.nodes[c] = -1
    this.firstLeads[c] = -1
    this.leadCounts[c] = 0
    this.ownLengths[c] = 0
    this.ownCounts[c] = 0
    this.ownWordings[c] = 0
    this.ownPositions[c] = -1
    this.sharedLengths[c] = 0
    this.sharedCounts[c] = 0
    this.sharedWordings[c] = 0
    this.sharedRanks[c] = 255
    this.sharedPositions[c] = -1
    this.nearestZones[c] = 0
    this.mostBeyond[c] = 0
    this.mostNearby[c] = 0
    let slot = slotOf(token)
    while (this.#stamps[slot] === this.stamp) slot = (slot + 1) & (SLOTS - 1)
    this.#stamps[slot] = this.stamp
    this.#slots[slot] = c
    return c
  }
}

function slotOf(token: number): number {
  return Math.imul(token, 0x9e3779b1) >>> 22
}
