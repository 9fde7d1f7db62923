import { chooseNodes, type StepOutlook } from '../cost/controller.js'
import type { Crew } from '../cost/crew.js'
import type { ForwardCost } from '../cost/forward-cost.js'
import { Guard } from '../cost/guard.js'
import { Leash } from '../cost/leash.js'
import { Trust } from '../cost/trust.js'
import type { Decoder } from './decoder.js'
import type { DraftingReport, DraftMode } from './drafting.js'
import type { Sequence } from './sequence.js'

/** What one request does in the coming forward. */
export interface Share {
  readonly sequence: Sequence
  readonly draft: DraftMode
  /** Rows of the head. Decided here. */
  headRows: number
  /** Nodes of the draft tree. Decided here; the forward may leave some out. */
  nodes: number
  /** Whether a draft was looked for, and the milliseconds that took. */
  retrieved: boolean
  retrievalMs: number
  /** Tokens the forward brought, and how many of them had been drafted. Set by the loop. */
  tokens: number
  accepted: number
  /** Whether it left the next token to a forward of its own, too close a race for its noise. Set by the loop. */
  undecided: boolean
  /** Why its drafter could not draft; the request is to be ended. */
  failure: { reason: unknown } | undefined
}

/** The share of a request that has not taken part in a forward. */
export function newShare(sequence: Sequence, draft: DraftMode): Share {
  const outcome = { tokens: 0, accepted: 0, undecided: false, failure: undefined }
  return { sequence, draft, headRows: 0, nodes: 0, retrieved: false, retrievalMs: 0, ...outcome }
}

/** Tokens of prompts in one forward while answers are being written, so that prompts do not hold them up. */
const sharedPrefillRows = 64

/** Of them, what every prompt gets at least, so that a long one does not hold up short ones. */
const leastPrefillRows = 8

/** Milliseconds that are believed at once of what is done beside forwards, and the weight of one in their mean. */
const leastBelievedMs = 0.05
const smoothing = 1 / 16

/** Most nodes of all requests together that compete for one forward. */
const mostNodes = 256

/**
 * Decides what takes part in a forward: how much of each head, how much of each draft. Executes nothing, and learns
 * from what came of it.
 */
export class Scheduler {
  readonly #decoder: Decoder
  readonly #maxNodes: number
  readonly #cost: ForwardCost
  readonly #crew: Crew | undefined
  readonly #guard = new Guard()
  readonly #trust = new Trust()
  /** Where new requests begin: what the last draft of any request has earned. */
  readonly #leash = new Leash()
  readonly #outlook: StepOutlook = { requests: 0, headRows: 0, context: 0, lastRows: 0, overheadMs: 0 }
  /** Probabilities of the nodes that compete, best first, and whose they are. */
  readonly #merged = new Float64Array(mostNodes)
  readonly #owners = new Int32Array(mostNodes)
  /** What the graph of the last forward was built for; another shape means that it is built anew. */
  #rows = 0
  #outputs = 0
  #sequences = 0
  #rebuilt = false
  /** Whether the coming forward reads a prompt. */
  #prefills = false
  /** Whether the coming forward was left to the controller by at least one request. */
  #isAuto = false
  /** Milliseconds that looking for the draft of one request takes, smoothed. */
  #retrievalMs = 0
  /** What a step takes beside its forward; when the last forward was laid, and when it was over. */
  #overheadMs = 0
  #laidAt = 0
  #forwardEnd = 0
  /** Counted for {@link describe}. */
  readonly #forwardsByNodes = new Float64Array(mostNodes + 1)
  #nearTies = 0
  #rests = 0
  #restedForwards = 0

  /** @param crew decides how many threads compute. Default: all of the decoder's, always */
  constructor(decoder: Decoder, maxNodes: number, cost: ForwardCost, crew?: Crew) {
    this.#decoder = decoder
    this.#maxNodes = maxNodes
    this.#cost = cost
    this.#crew = crew
  }

  /** How drafting has gone so far. */
  describe(): DraftingReport {
    return {
      resting: this.#guard.resting,
      rests: this.#rests,
      restedForwards: this.#restedForwards,
      trust: this.#trust.factor,
      nearTies: this.#nearTies,
      forwardsByNodes: Array.from(this.#forwardsByNodes),
    }
  }

  /** Fills the draft trees and sets `headRows`, `nodes`, `retrieved` and `retrievalMs` of every share. */
  plan(shares: readonly Share[]): void {
    let freeRows = this.#decoder.batch.capacity
    let headRows = 0
    let context = 0
    let writing = 0
    let competing = 0
    this.#prefills = false
    this.#isAuto = false
    const alone = shares.find(({ sequence }) => sequence.isAlone)
    if (alone) {
      this.#planAlone(shares, alone)
      return
    }
    this.#divideHeads(shares, freeRows)
    for (const { headRows } of shares) freeRows -= headRows
    for (const share of shares) {
      const { sequence } = share
      share.nodes = 0
      share.retrieved = false
      share.retrievalMs = 0
      headRows += share.headRows
      context += sequence.length
      if (share.headRows === sequence.headLength) writing++
      if (sequence.isPrefilling) this.#prefills = true
      if (sequence.isPrefilling || share.draft === 'off' || !this.#decoder.canBranch) continue
      if (share.draft !== 'auto') {
        share.nodes = this.#retrieve(share, Math.min(share.draft, this.#maxNodes), freeRows)
        freeRows -= share.nodes
        headRows += share.nodes
        continue
      }
      this.#isAuto = true
      if (sequence.length === sequence.promptLength + 1) {
        this.#guard.renew()
        sequence.leash.take(this.#leash)
      }
      if (this.#guard.resting) continue
      competing += this.#retrieve(share, Math.min(this.#maxNodes, sequence.leash.nodes), freeRows)
    }
    if (competing === 0) return
    this.#outlook.requests = writing
    this.#outlook.headRows = headRows
    this.#outlook.context = context / shares.length
    this.#outlook.lastRows = this.#rows
    this.#outlook.overheadMs = this.#overheadMs
    const available = this.#merge(shares, Math.min(competing, freeRows, mostNodes))
    const trust = this.#trust.factor
    for (let i = 0; i < available; i++) this.#merged[i] *= trust
    const chosen = chooseNodes(this.#merged, available, this.#outlook, this.#cost)
    for (const share of shares) if (share.draft === 'auto') share.nodes = 0
    for (let i = 0; i < chosen; i++) shares[this.#owners[i]].nodes++
  }

  /** Drafts for one request. Sets and returns how many nodes fit into the forward and into the request's context. */
  #retrieve(share: Share, budget: number, freeRows: number): number {
    const { sequence } = share
    const { tree, room } = sequence
    const began = performance.now()
    try {
      sequence.session.draft(tree, budget)
    } catch (reason) {
      share.failure = { reason }
      return 0
    }
    let nodes = Math.min(tree.size, freeRows)
    // Whatever a drafter proposes: no token that the model does not know.
    for (let node = 0; node < nodes; node++)
      if (tree.depths[node] >= room || tree.tokens[node] < 0 || tree.tokens[node] >= this.#decoder.vocabularySize)
        nodes = node
    share.nodes = nodes
    share.retrieved = true
    share.retrievalMs = performance.now() - began
    return nodes
  }

  /** A forward of one token for one request; what else its head holds goes first. The others wait. */
  #planAlone(shares: readonly Share[], alone: Share): void {
    for (const share of shares) {
      share.headRows = 0
      share.nodes = 0
      share.retrieved = false
      share.retrievalMs = 0
    }
    this.#isAuto = alone.draft === 'auto'
    alone.headRows = Math.min(Math.max(1, alone.sequence.headLength - 1), this.#decoder.batch.capacity)
  }

  /**
   * Sets `headRows`: all of the head for answers being written; of prompts what they may read in this forward, each a
   * little, the rest in order of arrival.
   */
  #divideHeads(shares: readonly Share[], rows: number): void {
    let free = rows
    let reading = 0
    for (const share of shares) {
      const { headLength, isPrefilling } = share.sequence
      share.headRows = isPrefilling ? 0 : headLength
      free -= share.headRows
      if (isPrefilling) reading++
    }
    if (reading === 0) return
    if (reading < shares.length) free = Math.min(free, sharedPrefillRows)
    const least = Math.min(leastPrefillRows, Math.floor(free / reading))
    for (const share of shares) {
      if (!share.sequence.isPrefilling) continue
      share.headRows = Math.min(share.sequence.headLength, least)
      free -= share.headRows
    }
    for (const share of shares) {
      if (!share.sequence.isPrefilling) continue
      const more = Math.min(share.sequence.headLength - share.headRows, free)
      share.headRows += more
      free -= more
    }
  }

  /**
   * Merges the drafts of all `auto` requests, best first. Their `nodes` say how many each offers, and afterwards how
   * many of it were merged. Returns how many there are in all, at most `most`.
   */
  #merge(shares: readonly Share[], most: number): number {
    const merged = this.#merged
    const owners = this.#owners
    if (shares.length === 1) {
      const { probabilities } = shares[0].sequence.tree
      const available = Math.min(most, shares[0].nodes)
      for (let node = 0; node < available; node++) merged[node] = probabilities[node]
      owners.fill(0, 0, available)
      return available
    }
    for (const share of shares) share.sequence.offered = 0
    for (let i = 0; i < most; i++) {
      let best = -1
      let highest = -1
      for (let k = 0; k < shares.length; k++) {
        const { sequence, nodes, draft } = shares[k]
        if (draft !== 'auto' || sequence.offered >= nodes) continue
        const probability = sequence.tree.probabilities[sequence.offered]
        if (probability > highest) {
          highest = probability
          best = k
        }
      }
      if (best < 0) return i
      shares[best].sequence.offered++
      merged[i] = highest
      owners[i] = best
    }
    return most
  }

  /** Takes note of the forward that was laid, now to be done: whether its graph has to be built anew. */
  laid(shares: readonly Share[]): void {
    const now = performance.now()
    // Before a prompt is read the loop may have been idle.
    if (this.#forwardEnd > 0 && !this.#prefills)
      this.#overheadMs = smoothed(this.#overheadMs, Math.max(0, now - this.#forwardEnd))
    this.#laidAt = now
    const { size, outputCount } = this.#decoder.batch
    let sequences = 0
    for (const share of shares) sequences += 1 + share.sequence.branches
    this.#rebuilt = size !== this.#rows || outputCount !== this.#outputs || sequences !== this.#sequences
    this.#rows = size
    this.#outputs = outputCount
    this.#sequences = sequences
    if (this.#crew) this.#decoder.useThreads?.(this.#crew.threads)
  }

  /**
   * Learns from a forward whose outcome stands in the shares: what it cost, and whether drafting paid.
   *
   * @param shares those that took part
   */
  learn(shares: readonly Share[], forwardMs: number): void {
    this.#forwardEnd = this.#laidAt + forwardMs
    if (this.#prefills || shares.length === 0) return
    let context = 0
    let tokens = 0
    let spent = 0
    let drafted = 0
    for (const share of shares) {
      context += share.sequence.length
      tokens += share.tokens
      if (share.retrieved) {
        // Where sixteen requests look for drafts one after the other, that is told in full.
        this.#retrievalMs = smoothed(this.#retrievalMs, share.retrievalMs)
        spent += this.#retrievalMs
      }
      drafted += share.nodes
      // A draft cut short by a near tie was not wrong.
      if (share.undecided) this.#nearTies++
      else if (share.draft === 'auto' && share.retrieved) this.#judge(share)
    }
    context /= shares.length
    const conventional = this.#cost.ms(shares.length, context)
    const expected = this.#cost.ms(this.#rows, context) + (this.#rebuilt ? this.#cost.rebuildMs : 0)
    if (drafted === 0) spent += conventional
    else spent += Math.min(1.5 * expected, Math.max(expected / 1.5, forwardMs))
    this.#forwardsByNodes[Math.min(drafted, mostNodes)]++
    if (this.#isAuto) {
      const rested = this.#guard.resting
      this.#guard.observe(tokens / shares.length - spent / conventional)
      if (rested) this.#restedForwards++
      else if (this.#guard.resting) this.#rests++
    }
    this.#crew?.observe(forwardMs, expected / this.#cost.slowdown, this.#forwardEnd)
    this.#cost.observe(this.#rows, context, forwardMs, this.#rebuilt)
  }

  /** Compares what a draft promised with what came: all of it if it was verified, else its first tokens. */
  #judge({ sequence, nodes, tokens, accepted }: Share): void {
    const { probabilities, parents, size } = sequence.tree
    let promised = 0
    if (nodes > 0) {
      for (let node = 0; node < nodes; node++) promised += probabilities[node]
      this.#trust.learn(promised, accepted)
      sequence.leash.observe(nodes, accepted)
      this.#leash.take(sequence.leash)
    } else if (tokens > 0) {
      for (let node = 0; node < size; node++) if (parents[node] < 0) promised += probabilities[node]
      const first = sequence.tokens[sequence.length - tokens]
      this.#trust.learn(promised, sequence.tree.childOf(-1, first) >= 0 ? 1 : 0)
    }
  }
}

/**
 * A mean that takes a further duration in. Busy moments and first calls of functions not yet compiled say nothing about
 * drafting, so it grows by little at a time.
 */
function smoothed(mean: number, ms: number): number {
  return mean + (Math.min(ms, Math.max(2 * mean, leastBelievedMs)) - mean) * smoothing
}
