// Retrieval for one request: from matches of the context to a draft tree.

import { SEPARATOR, type TokenLog } from '../corpus/log.js'
import type { MatchLimits } from '../corpus/match-index.js'
import { MAX_MATCH, type Namespace } from '../corpus/namespace.js'
import type { Confidence } from './confidence.js'
import { AFTER, BEFORE } from './cursors.js'
import type { DraftOrigin, DraftSession } from './drafter.js'
import type { FrequentTokens } from './frequent-tokens.js'
import { NOTHING } from './frontier.js'
import { type RequestLogs, ROOT_LIMITS } from './request-logs.js'
import { DraftSource, type DraftTree } from './tree.js'
import { NODES, type Workspace } from './workspace.js'

/** What a session needs of its drafter. */
export interface Retriever {
  readonly confidence: Confidence
  readonly maxDepth: number
  readonly minProbability: number
  readonly sharePrompts: boolean
  /** The frequent tokens of a namespace, up to date with its log. */
  frequentTokens(namespace: Namespace | undefined): FrequentTokens | undefined
}

/**
 * Matches looked up for a node, by its depth. Those that reach back beyond the root are inherited, so only those no
 * longer than the path are missing.
 */
const NODE_LIMITS: MatchLimits[] = [0, 1, 2, 2, 3].map((orders) => ({
  matches: [6, orders > 1 ? 6 : 0, orders > 2 ? 4 : 0],
  reach: 6,
}))
/** A node with fewer inherited leads looks up its own, if it is probable enough for them to matter. */
const FEW_LEADS = 6
/** The same beside a large log. */
const LARGE_FEW_LEADS = 3
const LOOK_UP_FLOOR = 0.015
/**
 * What follows a node is looked up only when the best it could be is next in line: the probability of the node's path
 * times this, by the length of its match. Most improbable nodes never are.
 */
const HOPES = [0.5, 0.6, 0.7, 0.8, 0.9, 1]
/** Once the budget is spent, leaves more probable than this are looked up as well: the text may well go beyond them. */
const LIKELY = 0.1
/** Tokens compared beyond the one that ended a match. */
const MAX_BEYOND = 16
/** In place of a node: the text has left the draft. */
const GONE = -2

/**
 * One request of a `RetrievalDrafter`.
 *
 * A draft grows from the root outwards, always at its most probable open end:
 *
 *     1. look up the matches of the context in all logs that the request may read
 *     2. guess as well: the places the answer has been copying from, and frequent tokens
 *     3. sort these leads by their next token into continuations; confidence says how probable each is
 *     4. put each continuation with its path probability on the frontier
 *     5. take the most probable one from the frontier: it becomes a node of the tree
 *     6. its leads move on by one token; if few are left, look up the node's own context too
 *     7. go on with 3 for this node, until the budget is spent or the frontier is empty
 *     8. look up what follows the likely leaves too, to learn from what the model writes there
 *
 * The frontier holds both what 4 puts there, by the number of the continuation, and nodes that wait for 6, as `~node`.
 *
 * Once the model has written more, every node on the path it really took is scored: the continuation it chose was right,
 * its rivals were wrong. This holds for nodes that were never verified as well, and if the engine writes one token at a
 * time without asking for a new draft, the old one is scored for as long as the text follows it.
 */
export class RetrievalSession implements DraftSession {
  readonly #drafter: Retriever
  readonly #logs: RequestLogs
  readonly #workspace: Workspace
  readonly #release: (workspace: Workspace) => void
  /** Node of the last draft that the text has reached; -1: the root; {@link GONE}. */
  #reached = GONE
  /** Tokens in a row, up to the end of the context, that the most probable continuation foresaw. */
  #agreed = 0
  #open = true

  constructor(drafter: Retriever, logs: RequestLogs, workspace: Workspace, release: (workspace: Workspace) => void) {
    this.#drafter = drafter
    this.#logs = logs
    this.#workspace = workspace
    this.#release = release
    workspace.counts.clear()
    workspace.cursors.clear()
    workspace.copied = -1
  }

  get byteLength(): number {
    return this.#open ? this.#workspace.byteLength + this.#logs.byteLength : 0
  }

  read(tokens: ArrayLike<number>): void {
    this.#checkOpen()
    this.#logs.read(tokens, tokens.length)
    this.#countTokens(tokens, tokens.length)
  }

  accept(tokens: ArrayLike<number>, count: number): void {
    this.#checkOpen()
    this.#score(tokens, count)
    this.#logs.write(tokens, count)
    this.#countTokens(tokens, count)
  }

  close(): void {
    if (!this.#open) return
    this.#open = false
    this.#logs.close(this.#drafter.sharePrompts)
    this.#release(this.#workspace)
  }

  draft(tree: DraftTree, budgetNodes: number): void {
    this.#checkOpen()
    tree.clear()
    const { evidence, frontier } = this.#workspace
    const { own } = this.#logs
    this.#reached = -1
    evidence.clear()
    frontier.clear()
    if (!own) return
    const budget = Math.min(budgetNodes, tree.capacityNodes, NODES)
    const contextLength = this.#readContext(own)
    this.#beginAtRoot(own, contextLength)
    while (tree.size < budget) {
      const item = frontier.pop()
      if (item === NOTHING) break
      if (item < 0) this.#grow(tree, ~item, contextLength)
      else this.#addNode(tree, item)
    }
    // 8.
    while (frontier.best > LIKELY) {
      const item = frontier.pop()
      if (item < 0) this.#grow(tree, ~item, contextLength)
    }
  }

  originOf(node: number): DraftOrigin | undefined {
    const { evidence } = this.#workspace
    const c = evidence.continued[node]
    return evidence.sourceOf(c) === DraftSource.own
      ? this.#logs.originOf(DraftSource.own, evidence.ownPositions[c])
      : this.#logs.originOf(evidence.sharedLogs[c], evidence.sharedPositions[c])
  }

  /** Steps 1 to 4 for the root. */
  #beginAtRoot(own: TokenLog, contextLength: number): void {
    const workspace = this.#workspace
    const { evidence, context } = workspace
    // 1.
    workspace.frequent = this.#drafter.frequentTokens(this.#logs.refresh())
    workspace.answerStart = this.#logs.answerStart
    workspace.recent.read(own, workspace.counts)
    this.#lookUp(context, contextLength, ROOT_LIMITS, 0)
    evidence.begin(-1)
    for (let lead = 0; lead < evidence.leads.size; lead++) this.#count(-1, lead)
    // 2.
    this.#guess(own)
    evidence.agreed[0] = this.#agreed
    // 3. and 4.
    this.#expand(-1, context[0], contextLength > 1 ? context[1] : SEPARATOR, 0)
  }

  /** Step 5: continuation `c` becomes a node, which waits on the frontier for what follows it. */
  #addNode(tree: DraftTree, c: number): void {
    const { evidence, frontier } = this.#workspace
    // The probability is set below: a fraction that is passed on costs an object.
    const node = tree.add(evidence.tokens[c], evidence.parents[c], 0, evidence.sourceOf(c), evidence.lengthOf(c))
    const ceiling = node > 0 ? tree.probabilities[node - 1] : 1
    tree.probabilities[node] = Math.min(evidence.paths[c], ceiling)
    evidence.nodes[c] = node
    evidence.agreed[node + 1] = evidence.agreedWith(c)
    evidence.begin(node)
    evidence.finish(node)
    evidence.continued[node] = c
    if (tree.depths[node] >= this.#drafter.maxDepth) return
    evidence.hopes[node] = evidence.paths[c] * HOPES[Math.min(evidence.lengthOf(c), HOPES.length - 1)]
    frontier.push(~node, evidence.hopes, node)
  }

  /** Steps 6 and 7: looks up what may follow a node. */
  #grow(tree: DraftTree, node: number, contextLength: number): void {
    const workspace = this.#workspace
    const { evidence } = workspace
    const { leads } = evidence
    const c = evidence.continued[node]
    const depth = tree.depths[node]
    evidence.begin(node)
    // 6.
    let inherited = 0
    const newest = leads.size
    for (let lead = evidence.firstLeads[c]; lead >= 0; ) {
      const next = evidence.nextLead[lead]
      leads.positions[lead]++
      if (leads.lengths[lead] < 255) leads.lengths[lead]++
      this.#count(node, lead)
      inherited++
      lead = next
    }
    const few = this.#logs.isLarge ? LARGE_FEW_LEADS : FEW_LEADS
    if (inherited < few && evidence.paths[c] > LOOK_UP_FLOOR) {
      const length = this.#readPath(tree, node, contextLength)
      const limits = NODE_LIMITS[Math.min(depth, NODE_LIMITS.length - 1)]
      this.#lookUp(workspace.pathContext, length, limits, depth)
      for (let lead = newest; lead < leads.size; lead++) this.#countUnknown(node, lead)
    }
    // 7.
    const parent = tree.parents[node]
    this.#expand(node, tree.tokens[node], parent < 0 ? workspace.context[0] : tree.tokens[parent], depth)
  }

  /** Lists the matches of a context as leads. */
  #lookUp(context: Int32Array, length: number, limits: MatchLimits, depth: number): void {
    const { evidence, cursors, recent } = this.#workspace
    const { leads, zones, beyond, nearby } = evidence
    const begin = leads.size
    this.#logs.find(context, length, limits, leads)
    for (let lead = begin; lead < leads.size; lead++) {
      zones[lead] = leads.logs[lead] === DraftSource.own ? cursors.zoneOf(leads.positions[lead] - depth) : 0
      beyond[lead] = 0
      nearby[lead] = 0
      if (depth > 0) continue
      const log = this.#logOf(lead)
      const position = leads.positions[lead]
      const matched = leads.lengths[lead]
      beyond[lead] = this.#agreeBeyond(log, position, matched, context, length)
      nearby[lead] = recent.before(log, position - matched)
    }
  }

  /** How many tokens agree before the one that ended a match. */
  #agreeBeyond(log: TokenLog, position: number, matched: number, context: Int32Array, length: number): number {
    const stop = Math.min(length, matched + 1 + MAX_BEYOND, position - log.first)
    let k = matched + 1
    while (k < stop && log.at(position - 1 - k) === context[k]) k++
    return Math.max(0, k - matched - 1)
  }

  /** Adds leads that no match supports: the surroundings of the cursors, and frequent tokens. */
  #guess(own: TokenLog): void {
    const { evidence, cursors, frequent } = this.#workspace
    for (let k = 0; k < cursors.size; k++) {
      const stop = Math.min(own.end, cursors.positions[k] + AFTER + 1)
      for (let position = Math.max(own.first, cursors.positions[k] - BEFORE); position < stop; position++) {
        const lead = this.#addGuess(position, DraftSource.own, cursors.zoneOf(position))
        if (lead < 0) return
        this.#countUnknown(-1, lead)
      }
    }
    if (!frequent) return
    for (let k = 0; k < frequent.length; k++) {
      const position = frequent.positionOf(k)
      if (position < 0 || evidence.find(frequent.log.at(position)) >= 0) continue
      const lead = this.#addGuess(position, DraftSource.shared, 0)
      if (lead < 0) return
      this.#count(-1, lead)
    }
  }

  /** Adds a lead without a match; -1 if there is no room. */
  #addGuess(position: number, log: number, zone: number): number {
    const { leads, zones, beyond, nearby } = this.#workspace.evidence
    const lead = leads.size
    if (!leads.add(position, 0, 255, log)) return -1
    zones[lead] = zone
    beyond[lead] = 0
    nearby[lead] = 0
    return lead
  }

  /** The log a lead lies in. */
  #logOf(lead: number): TokenLog {
    return this.#logs.at(this.#workspace.evidence.leads.logs[lead])
  }

  /** Counts a lead in favour of the token at its position, unless its record ends there. */
  #count(node: number, lead: number): void {
    const { evidence } = this.#workspace
    const log = this.#logOf(lead)
    const position = evidence.leads.positions[lead]
    if (position >= log.end) return
    const token = log.at(position)
    if (token !== SEPARATOR) evidence.add(node, token, lead)
  }

  /** Counts a lead unless another one at the same place is counted already. */
  #countUnknown(node: number, lead: number): void {
    const { evidence } = this.#workspace
    const log = this.#logOf(lead)
    const position = evidence.leads.positions[lead]
    if (position >= log.end) return
    const token = log.at(position)
    if (token !== SEPARATOR && !evidence.knows(token, lead)) evidence.add(node, token, lead)
  }

  /** Judges the continuations just counted for `node` and puts them on the frontier. */
  #expand(node: number, token: number, tokenBefore: number, depth: number): void {
    const workspace = this.#workspace
    const { evidence, frontier } = workspace
    const { confidence, minProbability } = this.#drafter
    evidence.finish(node)
    const from = evidence.starts[node + 1]
    const to = evidence.size
    workspace.last = token
    workspace.beforeLast = tokenBefore
    workspace.depth = depth
    confidence.judge(evidence, node, workspace)
    const path = node < 0 ? 1 : evidence.paths[evidence.continued[node]]
    for (let c = from; c < to; c++) {
      const probability = path * evidence.probabilities[c]
      evidence.paths[c] = probability
      if (probability >= minProbability) frontier.push(c, evidence.paths, c)
    }
  }

  /** Scores the last draft against what the model wrote. */
  #score(tokens: ArrayLike<number>, count: number): void {
    const workspace = this.#workspace
    const { evidence, cursors } = workspace
    const { confidence } = this.#drafter
    for (let k = 0; k < count; k++) {
      cursors.age()
      if (this.#reached === GONE) continue
      const hit = confidence.learn(evidence, this.#reached, tokens[k])
      this.#agreed = hit >= 0 ? evidence.agreedWith(hit) : 0
      const position = hit >= 0 ? evidence.ownPositions[hit] : -1
      if (position >= 0) {
        workspace.copied = position
        if (evidence.ownLengths[hit] > 1 || (evidence.ownLengths[hit] === 1 && evidence.probabilities[hit] > 0.3))
          cursors.move(position + 1)
      }
      this.#reached = hit >= 0 && evidence.nodes[hit] >= 0 ? evidence.nodes[hit] : GONE
    }
  }

  #countTokens(tokens: ArrayLike<number>, count: number): void {
    const { counts } = this.#workspace
    for (let k = 0; k < count; k++) counts.add(tokens[k])
  }

  /** Reads the end of the own log, newest token first, and returns how many tokens that are. */
  #readContext(own: TokenLog): number {
    const { context } = this.#workspace
    const length = Math.min(MAX_MATCH, own.length)
    for (let k = 0; k < length; k++) context[k] = own.at(own.end - 1 - k)
    return length
  }

  /** Reads the path to `node`, newest token first, then the end of the context. */
  #readPath(tree: DraftTree, node: number, contextLength: number): number {
    const { context, pathContext } = this.#workspace
    let length = 0
    for (let n = node; n >= 0 && length < MAX_MATCH; n = tree.parents[n]) pathContext[length++] = tree.tokens[n]
    for (let k = 0; k < contextLength && length < MAX_MATCH; k++) pathContext[length++] = context[k]
    return length
  }

  #checkOpen(): void {
    if (!this.#open) throw new Error('RetrievalDrafter: the session is closed')
  }
}
