import { Corpus } from '../corpus/corpus.js'
import { SEPARATOR, TokenLog } from '../corpus/log.js'
import { MatchIndex, type MatchLimits } from '../corpus/match-index.js'
import { MatchList } from '../corpus/match-list.js'
import type { Namespace } from '../corpus/namespace.js'
import type { CorpusView } from '../corpus/view.js'
import { Confidence, type ConfidenceOptions } from './confidence.js'
import type { Drafter, DraftSession, SessionOptions } from './drafter.js'
import { Evidence } from './evidence.js'
import { Frontier } from './frontier.js'
import { DraftSource, type DraftTree } from './tree.js'

/** Options of a {@link RetrievalDrafter}. */
export interface RetrievalOptions {
  /** Most tokens one branch of a draft runs ahead, 1 … 255. Default 32. */
  maxDepth?: number
  /** Nodes less probable than this are not drafted, 0 … 1. Default 0.002. */
  minProbability?: number
  /** What earlier requests left and documents brought. Default: a corpus of its own with {@link sharedTokens}. */
  corpus?: Corpus
  /**
   * Most tokens of earlier requests that are remembered, per namespace and in all; the oldest are forgotten first. A
   * token costs about 16 bytes. Default 1,048,576. 0: nothing is shared between requests. A given corpus has its own
   * budget.
   */
  sharedTokens?: number
  /** Whether prompts of earlier requests are remembered as well as answers. Default false. */
  sharePrompts?: boolean
  /** How confidence is learnt. */
  confidence?: ConfidenceOptions
}

/** Longest match told from a longer one. */
const MAX_MATCH = 32
const OWN_ORDERS = [1, 2, 4]
/** Number of the common namespace's log in match lists; the others go by their {@link DraftSource}. */
const COMMON_LOG = 2
/** Matches looked up for the root. */
const ROOT_OWN: MatchLimits = { matches: [32, 32, 16], reach: 96 }
const ROOT_SHARED: MatchLimits = { matches: [32, 32, 16], reach: 96 }
/** Matches looked up for a node. */
const NODE_OWN: MatchLimits = { matches: [6, 6, 4], reach: 18 }
const NODE_SHARED: MatchLimits = { matches: [6, 6, 4], reach: 18 }
/** A node with fewer inherited matches looks up its own. */
const FEW_MATCHES = 6
/** Matches, continuations and nodes one draft can hold. */
const MATCHES = 1024
const CONTINUATIONS = 2048
const NODES = 256

/**
 * Drafts from everything read and written so far: the request's own prompt, documents and answer, and the answers of
 * earlier requests. No draft model, no training; what it needs to know it learns while it runs.
 *
 * One drafter serves any number of requests at a time. They share the confidence and, within a namespace, the corpus;
 * what one request reads is never drafted for another while it is open.
 *
 * @example
 * const drafter = new RetrievalDrafter()
 * const session = drafter.open()
 * const tree = new DraftTree(16)
 * session.read([5, 6, 7, 8, 5, 6])
 * session.draft(tree, 16)          // 7, then 8, then 5, …
 */
export class RetrievalDrafter implements Drafter {
  readonly name = 'lookahead'
  /** What has been learnt about the worth of matches. */
  readonly confidence: Confidence
  /** What earlier requests left and documents brought, by namespace. */
  readonly corpus: Corpus
  readonly maxDepth: number
  readonly minProbability: number
  readonly sharePrompts: boolean
  /** Workspaces of closed sessions, for the next ones. */
  private readonly spare: Workspace[] = []

  /** @throws RangeError if an option is out of range */
  constructor(options: RetrievalOptions = {}) {
    const { maxDepth = 32, minProbability = 0.002, sharedTokens = 1 << 20, sharePrompts = false } = options
    if (!Number.isInteger(maxDepth) || maxDepth < 1 || maxDepth > 255)
      throw new RangeError(`RetrievalDrafter: maxDepth must be an integer from 1 to 255, got ${maxDepth}`)
    if (!(minProbability >= 0 && minProbability <= 1))
      throw new RangeError(`RetrievalDrafter: minProbability must be from 0 to 1, got ${minProbability}`)
    if (!(sharedTokens >= 0)) throw new RangeError(`RetrievalDrafter: sharedTokens must be ≥ 0, got ${sharedTokens}`)
    this.maxDepth = maxDepth
    this.minProbability = minProbability
    this.corpus = options.corpus ?? new Corpus({ namespaceBytes: sharedTokens * 16, totalBytes: sharedTokens * 16 })
    this.sharePrompts = sharePrompts
    this.confidence = new Confidence(options.confidence)
  }

  /** @throws CorpusError `invalid-parameter` */
  open(options: SessionOptions = {}): DraftSession {
    const view = this.corpus.open(options.namespace, options.request)
    return new RetrievalSession(this, view, this.spare.pop() ?? new Workspace(), (workspace) =>
      this.spare.push(workspace),
    )
  }

  /** Remembers tokens as those of an earlier request, e.g. answers of an earlier run. */
  remember(tokens: ArrayLike<number>, namespace?: string): void {
    this.corpus.addRequest(tokens, namespace)
  }
}

/** The memory one session works in, handed on from session to session. */
class Workspace {
  readonly matches = new MatchList(MATCHES)
  /** Links matches of one continuation. */
  readonly nextMatch = new Int32Array(MATCHES)
  readonly evidence = new Evidence(CONTINUATIONS, NODES)
  readonly frontier = new Frontier(CONTINUATIONS)
  /** End of the context, newest token first. */
  readonly context = new Int32Array(MAX_MATCH)
  /** The same for a node: its path, then the end of the context. */
  readonly pathContext = new Int32Array(MAX_MATCH)
}

/**
 * One request of a {@link RetrievalDrafter}.
 *
 * A draft grows from the root outwards, always at its most probable open end:
 *
 *     1. look up the matches of the context in the own log and in those of the namespace
 *     2. sort them by their next token into continuations; confidence says how probable each is
 *     3. put each continuation with its path probability on the frontier
 *     4. take the most probable one from the frontier: it becomes a node of the tree
 *     5. its matches move on by one token; if few are left, look up the node's own context too
 *     6. go on with 2 for this node, until the budget is spent or the frontier is empty
 *
 * When the model has written on, every node on the path it really took is scored: the continuation it chose was right,
 * its rivals were wrong. This holds for nodes that were never verified as well, and if the engine writes one token at a
 * time without asking for a new draft, the old one is scored for as long as the text follows it.
 */
class RetrievalSession implements DraftSession {
  private readonly drafter: RetrievalDrafter
  private readonly view: CorpusView
  private readonly workspace: Workspace
  private readonly release: (workspace: Workspace) => void
  private own: TokenLog | undefined
  private ownIndex: MatchIndex | undefined
  /** The namespace's log and the common one, as they are for the draft under way. */
  private shared: Namespace | undefined
  private common: Namespace | undefined
  /** Where the answer begins in the own log; -1 before the first accepted token. */
  private answerStart = -1
  /** Node of the last draft that the text has reached; -1: the root, -2: it left the draft. */
  private reached = -2
  /** Tokens in a row, up to the end of the context, that the most probable continuation foresaw. */
  private agreed = 0
  private open = true

  constructor(
    drafter: RetrievalDrafter,
    view: CorpusView,
    workspace: Workspace,
    release: (workspace: Workspace) => void,
  ) {
    this.drafter = drafter
    this.view = view
    this.workspace = workspace
    this.release = release
  }

  read(tokens: ArrayLike<number>): void {
    this.append(tokens, tokens.length)
  }

  accept(tokens: ArrayLike<number>, count: number): void {
    this.score(tokens, count)
    const start = this.append(tokens, count)
    if (this.answerStart < 0) this.answerStart = start
  }

  close(): void {
    if (!this.open) return
    this.open = false
    const { drafter, own } = this
    const from = own && drafter.sharePrompts ? own.first : this.answerStart
    if (own && from >= 0) this.view.write(own.slice(from, own.end))
    this.view.close()
    this.shared = undefined
    this.common = undefined
    this.own = undefined
    this.ownIndex = undefined
    this.release(this.workspace)
  }

  draft(tree: DraftTree, budgetNodes: number): void {
    this.checkOpen()
    tree.clear()
    const { own, ownIndex, drafter, workspace } = this
    const { matches, evidence, frontier, context } = workspace
    this.reached = -1
    evidence.clear()
    frontier.clear()
    matches.clear()
    evidence.begin(-1)
    evidence.finish(-1)
    if (!own || !ownIndex) return
    const budget = Math.min(budgetNodes, tree.capacityNodes, NODES)
    const contextLength = this.readContext(own)

    // 1.
    this.shared = this.view.shared
    this.common = this.view.common
    this.lookUp(context, contextLength, ROOT_OWN, ROOT_SHARED)
    // 2. and 3.
    evidence.begin(-1)
    for (let match = 0; match < matches.size; match++) this.count(-1, match)
    evidence.agreed[0] = this.agreed
    this.expand(-1, 1, context[0])
    while (tree.size < budget) {
      // 4.
      const c = frontier.pop()
      if (c < 0) break
      const node = tree.add(
        evidence.tokens[c],
        evidence.parents[c],
        evidence.paths[c],
        evidence.sourceOf(c),
        evidence.lengthOf(c),
      )
      evidence.nodes[c] = node
      evidence.agreed[node + 1] = evidence.agreedWith(c)
      evidence.begin(node)
      if (tree.depths[node] < drafter.maxDepth) {
        // 5.
        let inherited = 0
        const newest = matches.size
        for (let match = evidence.matches[c]; match >= 0; ) {
          const next = workspace.nextMatch[match]
          matches.positions[match]++
          if (matches.lengths[match] < 255) matches.lengths[match]++
          this.count(node, match)
          inherited++
          match = next
        }
        if (inherited < FEW_MATCHES) {
          const length = this.readPath(tree, node, contextLength)
          this.lookUp(workspace.pathContext, length, NODE_OWN, NODE_SHARED)
          for (let match = newest; match < matches.size; match++)
            if (!this.isKnown(node, match)) this.count(node, match)
        }
      }
      // 6.
      this.expand(node, evidence.paths[c], tree.tokens[node])
    }
  }

  /** Lists the matches of a context in all logs that the request may read. */
  private lookUp(context: Int32Array, length: number, inOwn: MatchLimits, inShared: MatchLimits): void {
    const { matches } = this.workspace
    this.ownIndex!.find(context, length, inOwn, matches, DraftSource.own)
    this.shared?.index.find(context, length, inShared, matches, DraftSource.shared)
    this.common?.index.find(context, length, inShared, matches, COMMON_LOG)
  }

  /** Counts a match in favour of the token at its position, unless its record ends there. */
  private count(node: number, match: number): void {
    const { matches, evidence, nextMatch } = this.workspace
    const number = matches.logs[match]
    const log = number === DraftSource.own ? this.own! : (number === COMMON_LOG ? this.common! : this.shared!).log
    const position = matches.positions[match]
    if (position >= log.end) return
    const token = log.at(position)
    if (token !== SEPARATOR) evidence.add(node, token, match, matches, nextMatch)
  }

  /** Whether a match already counts for `node`. */
  private isKnown(node: number, match: number): boolean {
    const { matches, evidence, nextMatch } = this.workspace
    for (let c = evidence.starts[node + 1]; c < evidence.size; c++)
      for (let other = evidence.matches[c]; other >= 0; other = nextMatch[other])
        if (matches.positions[other] === matches.positions[match] && matches.logs[other] === matches.logs[match])
          return true
    return false
  }

  /** Judges the continuations just counted for `node` and puts them on the frontier. */
  private expand(node: number, path: number, token: number): void {
    const { evidence, frontier } = this.workspace
    const { confidence, minProbability } = this.drafter
    evidence.finish(node)
    const from = evidence.starts[node + 1]
    const to = evidence.size
    confidence.judge(evidence, node, token)
    for (let c = from; c < to; c++) {
      const probability = path * evidence.probabilities[c]
      evidence.paths[c] = probability
      if (probability >= minProbability) frontier.push(c, probability)
    }
  }

  /** Scores the last draft against what the model wrote. */
  private score(tokens: ArrayLike<number>, count: number): void {
    const { evidence } = this.workspace
    const { confidence } = this.drafter
    for (let k = 0; k < count && this.reached > -2; k++) {
      const hit = confidence.learn(evidence, this.reached, tokens[k])
      this.agreed = hit >= 0 ? evidence.agreedWith(hit) : 0
      this.reached = hit >= 0 && evidence.nodes[hit] >= 0 ? evidence.nodes[hit] : -2
    }
  }

  private append(tokens: ArrayLike<number>, count: number): number {
    this.checkOpen()
    if (!this.own) {
      this.own = new TokenLog({ segmentTokens: 4096 })
      this.ownIndex = new MatchIndex(this.own, {
        orders: OWN_ORDERS,
        maxMatch: MAX_MATCH,
        expectedTokens: count + 512,
      })
    }
    const start = this.own.append(tokens, count)
    this.ownIndex!.extend()
    return start
  }

  /** Reads the end of the own log, newest token first, and returns how many tokens that are. */
  private readContext(own: TokenLog): number {
    const { context } = this.workspace
    const length = Math.min(MAX_MATCH, own.length)
    for (let k = 0; k < length; k++) context[k] = own.at(own.end - 1 - k)
    return length
  }

  /** Reads the path to `node`, newest token first, then the end of the context. */
  private readPath(tree: DraftTree, node: number, contextLength: number): number {
    const { context, pathContext } = this.workspace
    let length = 0
    for (let n = node; n >= 0 && length < MAX_MATCH; n = tree.parents[n]) pathContext[length++] = tree.tokens[n]
    for (let k = 0; k < contextLength && length < MAX_MATCH; k++) pathContext[length++] = context[k]
    return length
  }

  private checkOpen(): void {
    if (!this.open) throw new Error('RetrievalDrafter: the session is closed')
  }
}
