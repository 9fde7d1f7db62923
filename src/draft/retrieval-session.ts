// Retrieval for one request: from matches of the context to a draft tree.

import { SEPARATOR, TokenLog } from '../corpus/log.js'
import { MatchIndex, type MatchLimits } from '../corpus/match-index.js'
import { MAX_MATCH, type Namespace, ORDERS } from '../corpus/namespace.js'
import type { Spelling } from '../corpus/spelling.js'
import type { CorpusView } from '../corpus/view.js'
import type { Confidence } from './confidence.js'
import { AFTER, BEFORE } from './cursors.js'
import type { DraftOrigin, DraftSession } from './drafter.js'
import type { FrequentTokens } from './frequent-tokens.js'
import { NOTHING } from './frontier.js'
import type { Siblings, Voice } from './siblings.js'
import { DraftSource, type DraftTree } from './tree.js'
import { NODES, type Workspace } from './workspace.js'

/** What the sessions of a drafter need of it. */
export interface Retriever {
  readonly confidence: Confidence
  readonly maxDepth: number
  readonly minProbability: number
  readonly sharePrompts: boolean
  readonly spelling: Spelling | undefined
  /** The frequent tokens of a namespace, up to date with its log. */
  frequentTokens(namespace: Namespace | undefined): FrequentTokens | undefined
}

/** Matches looked up for the root. */
const ROOT: MatchLimits = { matches: [32, 32, 16], reach: 96 }
/** The same in a log that no cache of a processor holds: there every place looked at costs a wait for memory. */
const LARGE_ROOT: MatchLimits = { matches: [6, 12, 12], reach: 32 }
const LARGE_LOG = 2 ** 20
/**
 * Matches looked up for a node, by its depth: one that reaches back beyond the root is inherited, so only those that
 * are no longer than the path are missing.
 */
const NODE: MatchLimits[] = [0, 1, 2, 2, 3].map((orders) => ({
  matches: [6, orders > 1 ? 6 : 0, orders > 2 ? 4 : 0],
  reach: 6,
}))
/** A node with fewer inherited leads looks up its own, if it is probable enough for them to matter. */
const FEW_LEADS = 6
/** The same beside a large log. */
const LARGE_FEW_LEADS = 3
const LOOK_UP_FLOOR = 0.015
/**
 * What follows a node is found out when the best it may be is due, not before: the node's own path times this, by the
 * length of its match. Most improbable nodes are never asked.
 */
const HOPES = [0.5, 0.6, 0.7, 0.8, 0.9, 1]
/** Leaves more probable than this are asked as well when the budget is spent: the text may well go beyond them. */
const LIKELY = 0.1
/** Tokens compared beyond the one that ended a match. */
const MAX_BEYOND = 16

/**
 * One request of a `RetrievalDrafter`.
 *
 * A draft grows from the root outwards, always at its most probable open end:
 *
 *     1. look up the matches of the context in the own log and in those of the namespace
 *     2. guess as well: what stands where the answer has been copying from, and frequent tokens
 *     3. sort all of these leads by their next token into continuations; confidence says how probable each is
 *     4. put each continuation with its path probability on the frontier
 *     5. take the most probable one from the frontier: it becomes a node of the tree
 *     6. its leads move on by one token; if few are left, look up the node's own context too
 *     7. go on with 3 for this node, until the budget is spent or the frontier is empty
 *     8. find out what follows the likely leaves too, to learn from what the model writes there
 *
 * When the model has written on, every node on the path it really took is scored: the continuation it chose was right,
 * its rivals were wrong. This holds for nodes that were never verified as well, and if the engine writes one token at a
 * time without asking for a new draft, the old one is scored for as long as the text follows it.
 */
export class RetrievalSession implements DraftSession {
  readonly #drafter: Retriever
  readonly #view: CorpusView
  readonly #workspace: Workspace
  readonly #release: (workspace: Workspace) => void
  /** Other answers to the same prompt, and this one's voice among them. */
  readonly #siblings: Siblings | undefined
  #voice: Voice | undefined
  #own: TokenLog | undefined
  #ownIndex: MatchIndex | undefined
  /** The namespace's log and the common one, as they are for the draft under way. */
  #shared: Namespace | undefined
  #common: Namespace | undefined
  #sharedLog: TokenLog | undefined
  #commonLog: TokenLog | undefined
  /** Where the answer begins in the own log; -1 before the first accepted token. */
  #answerStart = -1
  /** Node of the last draft that the text has reached; -1: the root, -2: it left the draft. */
  #reached = -2
  /** Tokens in a row, up to the end of the context, that the most probable continuation foresaw. */
  #agreed = 0
  #open = true

  constructor(
    drafter: Retriever,
    view: CorpusView,
    workspace: Workspace,
    release: (workspace: Workspace) => void,
    siblings: Siblings | undefined,
  ) {
    this.#siblings = siblings
    this.#drafter = drafter
    this.#view = view
    this.#workspace = workspace
    this.#release = release
    workspace.counts.clear()
    workspace.cursors.clear()
    workspace.copied = -1
  }

  get byteLength(): number {
    if (!this.#open) return 0
    return this.#workspace.byteLength + (this.#own?.byteLength ?? 0) + (this.#ownIndex?.byteLength ?? 0)
  }

  read(tokens: ArrayLike<number>): void {
    this.#append(tokens, tokens.length)
  }

  accept(tokens: ArrayLike<number>, count: number): void {
    this.#score(tokens, count)
    if (this.#siblings && this.#own) {
      this.#voice ??= this.#siblings.join(this.#own)
      this.#voice.say(tokens, count)
    }
    const start = this.#append(tokens, count)
    if (this.#answerStart < 0) this.#answerStart = start
  }

  close(): void {
    if (!this.#open) return
    this.#open = false
    const drafter = this.#drafter
    const own = this.#own
    const from = own && drafter.sharePrompts ? own.first : this.#answerStart
    if (own && from >= 0) this.#view.write(own.slice(from, own.end))
    this.#view.close()
    this.#siblings?.leave(this.#voice)
    this.#shared = undefined
    this.#common = undefined
    this.#sharedLog = undefined
    this.#commonLog = undefined
    this.#own = undefined
    this.#ownIndex = undefined
    this.#release(this.#workspace)
  }

  draft(tree: DraftTree, budgetNodes: number): void {
    this.#checkOpen()
    tree.clear()
    const own = this.#own
    const ownIndex = this.#ownIndex
    const drafter = this.#drafter
    const workspace = this.#workspace
    const { evidence, frontier, context } = workspace
    const { leads } = evidence
    this.#reached = -1
    evidence.clear()
    frontier.clear()
    if (!own || !ownIndex) return
    const budget = Math.min(budgetNodes, tree.capacityNodes, NODES)
    const contextLength = this.#readContext(own)

    // 1.
    this.#shared = this.#view.refreshShared()
    this.#common = this.#view.refreshCommon()
    this.#sharedLog = this.#shared?.log
    this.#commonLog = this.#common?.log
    workspace.frequent = this.#drafter.frequentTokens(this.#shared)
    workspace.answerStart = this.#answerStart >= 0 ? this.#answerStart : own.end
    workspace.recent.read(own, workspace.counts)
    this.#lookUp(context, contextLength, ROOT, 0)
    evidence.begin(-1)
    for (let lead = 0; lead < leads.size; lead++) this.#count(-1, lead)
    // 2.
    this.#guess()
    evidence.agreed[0] = this.#agreed
    // 3. and 4.
    this.#expand(-1, context[0], contextLength > 1 ? context[1] : SEPARATOR, 0)
    while (tree.size < budget) {
      const item = frontier.pop()
      if (item === NOTHING) break
      if (item < 0) {
        this.#grow(tree, ~item, contextLength)
        continue
      }
      // 5.
      const node = tree.add(
        evidence.tokens[item],
        evidence.parents[item],
        // Set below: passed on, a fraction would cost an object.
        0,
        evidence.sourceOf(item),
        evidence.lengthOf(item),
      )
      const ceiling = node > 0 ? tree.probabilities[node - 1] : 1
      tree.probabilities[node] = Math.min(evidence.paths[item], ceiling)
      evidence.nodes[item] = node
      evidence.agreed[node + 1] = evidence.agreedWith(item)
      evidence.begin(node)
      evidence.finish(node)
      evidence.continued[node] = item
      if (tree.depths[node] < drafter.maxDepth) {
        const hope = HOPES[Math.min(evidence.lengthOf(item), HOPES.length - 1)]
        evidence.hopes[node] = evidence.paths[item] * hope
        frontier.push(~node, evidence.hopes, node)
      }
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
    if (evidence.sourceOf(c) === DraftSource.own) {
      const place = evidence.ownPositions[c] - (this.#answerStart >= 0 ? this.#answerStart : this.#own!.end)
      return { kind: place >= 0 ? 'answer' : 'prompt', place }
    }
    if (evidence.sharedLogs[c] >= DraftSource.sibling) return { kind: 'sibling' }
    const isCommon = evidence.sharedLogs[c] === DraftSource.common
    const namespace = isCommon ? this.#common : this.#shared
    // Since the draft was made another request may have ended, and the log been copied or cut.
    const log = isCommon ? this.#commonLog : this.#sharedLog
    if (namespace === undefined || namespace.log !== log) return undefined
    const record = namespace.records.holding(evidence.sharedPositions[c])
    return record && { kind: record.kind, ...(record.names.length > 0 && { id: record.names[0] }) }
  }

  /** Finds what may follow a node. */
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
    const few = this.#sharedLog && this.#sharedLog.length > LARGE_LOG ? LARGE_FEW_LEADS : FEW_LEADS
    if (inherited < few && evidence.paths[c] > LOOK_UP_FLOOR) {
      const length = this.#readPath(tree, node, contextLength)
      const limits = NODE[Math.min(depth, NODE.length - 1)]
      this.#lookUp(workspace.pathContext, length, limits, depth)
      for (let lead = newest; lead < leads.size; lead++) this.#countUnknown(node, lead)
    }
    // 7.
    const parent = tree.parents[node]
    this.#expand(node, tree.tokens[node], parent < 0 ? workspace.context[0] : tree.tokens[parent], depth)
  }

  /** Lists the matches of a context in all logs that the request may read. */
  #lookUp(context: Int32Array, length: number, limits: MatchLimits, depth: number): void {
    const { evidence, cursors, recent } = this.#workspace
    const { leads, zones, beyond, nearby } = evidence
    const begin = leads.size
    this.#ownIndex!.find(context, length, limits, leads, DraftSource.own)
    const ownEnd = leads.size
    const shared = this.#shared
    const common = this.#common
    shared?.index.find(context, length, limitsIn(shared.log, limits), leads, DraftSource.shared)
    common?.index.find(context, length, limitsIn(common.log, limits), leads, DraftSource.common)
    this.#siblings?.find(this.#voice, context, length, limits, leads, DraftSource.sibling)
    for (let lead = begin; lead < leads.size; lead++) {
      zones[lead] = lead < ownEnd ? cursors.zoneOf(leads.positions[lead] - depth) : 0
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
  #guess(): void {
    const { evidence, cursors, frequent } = this.#workspace
    const own = this.#own!
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
    const number = this.#workspace.evidence.leads.logs[lead]
    if (number >= DraftSource.sibling) return this.#siblings!.logAt(number - DraftSource.sibling)
    return number === DraftSource.own ? this.#own! : (number === DraftSource.common ? this.#common! : this.#shared!).log
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
      if (this.#reached === -2) continue
      const hit = confidence.learn(evidence, this.#reached, tokens[k])
      this.#agreed = hit >= 0 ? evidence.agreedWith(hit) : 0
      const position = hit >= 0 ? evidence.ownPositions[hit] : -1
      if (position >= 0) {
        workspace.copied = position
        if (evidence.ownLengths[hit] > 1 || (evidence.ownLengths[hit] === 1 && evidence.probabilities[hit] > 0.3))
          cursors.move(position + 1)
      }
      this.#reached = hit >= 0 && evidence.nodes[hit] >= 0 ? evidence.nodes[hit] : -2
    }
  }

  #append(tokens: ArrayLike<number>, count: number): number {
    this.#checkOpen()
    if (!this.#own) {
      this.#own = new TokenLog({ segmentTokens: 4096 })
      this.#ownIndex = new MatchIndex(this.#own, {
        orders: ORDERS,
        maxMatch: MAX_MATCH,
        expectedTokens: count + 512,
        spelling: this.#drafter.spelling,
      })
    }
    const start = this.#own.append(tokens, count)
    this.#ownIndex!.extend()
    const { counts } = this.#workspace
    for (let k = 0; k < count; k++) counts.add(tokens[k])
    return start
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

/** How much is looked up in a shared log. */
function limitsIn(log: TokenLog, limits: MatchLimits): MatchLimits {
  return limits === ROOT && log.length > LARGE_LOG ? LARGE_ROOT : limits
}
