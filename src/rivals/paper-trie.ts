// The paper's trie, without the defects of its reference.

import { DEFAULT_NAMESPACE } from '../corpus/corpus.js'
import type { Drafter, DraftSession, SessionOptions } from '../draft/drafter.js'
import { Frontier, NOTHING } from '../draft/frontier.js'
import { DraftSource, type DraftTree } from '../draft/tree.js'
import { Trie } from './trie.js'

/**
 * Which nodes below the looked-up ones are drafted:
 *
 * - `hier`: the heaviest, as one tree; a common beginning is drafted once (hierarchical multi-branch)
 * - `par`: the branches of that tree, heaviest first, as many as would fit if each were laid out separately from its
 *   first token on (parallel multi-branch). Common beginnings still share nodes here; only the budget counts them again
 * - `one`: the heaviest child of the heaviest child …: a single branch
 */
export type PaperTrieMode = 'hier' | 'par' | 'one'

/** Options of a {@link PaperTrieDrafter}; names and defaults as in the paper's code, where it has them. */
export interface PaperTrieOptions {
  /** Default `'hier'`. */
  mode?: PaperTrieMode
  /** Most tokens drafted, whatever the budget. Default 64. */
  decodingLength?: number
  /** Tokens of a branch after its first one. Default 12. */
  branchLength?: number
  /** Most tokens of the context that are looked up. Default 2. */
  maxQueryLength?: number
  /** Weight of an output count against a prompt count of 1. Default 1e-4. */
  outputWeight?: number
  /**
   * Most nodes of a namespace's trie of outputs; beyond that weights are halved, and nodes left with less than 1 dropped.
   * Default 2²⁰.
   */
  capacityNodes?: number
}

/** Most nodes one draft may look at. */
const FRONTIER = 1 << 14

/**
 * The trie of the Lookahead paper (Zhao et al., KDD'24), as a baseline: one tree of branches per first token, with
 * separate counts for prompt and output; the last tokens of the context are looked up, longest match first; the heaviest
 * nodes are drafted until the budget is spent.
 *
 * Prompt branches live in a trie of the request, output branches in one that all requests of a namespace share. A
 * request's own output is searchable at once, and shared when the request ends.
 *
 * @example
 * new PaperTrieDrafter({ branchLength: 8, decodingLength: 64, mode: 'par' })
 * @throws RangeError if an option is out of range
 */
export class PaperTrieDrafter implements Drafter {
  readonly name = 'paper-trie'
  readonly mode: PaperTrieMode
  readonly branchLength: number
  readonly decodingLength: number
  readonly maxQueryLength: number
  readonly outputWeight: number
  readonly capacityNodes: number
  /** Outputs of earlier requests, by namespace. */
  readonly #shared = new Map<string, Trie>()
  /** Open ends of a draft: pairs of a node of the request's trie and a node of the shared one. */
  readonly frontier = new Frontier(FRONTIER)
  readonly ownNodes = new Int32Array(FRONTIER)
  readonly sharedNodes = new Int32Array(FRONTIER)
  readonly parents = new Int32Array(FRONTIER)
  readonly values = new Float64Array(FRONTIER)

  constructor(options: PaperTrieOptions = {}) {
    this.mode = options.mode ?? 'hier'
    this.branchLength = atLeast(1, 'branchLength', options.branchLength ?? 12)
    this.decodingLength = atLeast(0, 'decodingLength', options.decodingLength ?? 64)
    this.maxQueryLength = atLeast(1, 'maxQueryLength', options.maxQueryLength ?? 2)
    this.outputWeight = options.outputWeight ?? 1e-4
    this.capacityNodes = atLeast(4 * (this.branchLength + 1), 'capacityNodes', options.capacityNodes ?? 1 << 20)
  }

  get byteLength(): number {
    let bytes = 0
    for (const trie of this.#shared.values()) bytes += trie.byteLength
    return bytes
  }

  open({ namespace = DEFAULT_NAMESPACE }: SessionOptions = {}): DraftSession {
    let shared = this.#shared.get(namespace)
    if (!shared) {
      shared = new Trie(this.branchLength, this.capacityNodes)
      this.#shared.set(namespace, shared)
    }
    return new PaperTrieSession(this, shared)
  }
}

function atLeast(least: number, name: string, value: number): number {
  if (!Number.isInteger(value) || value < least)
    throw new RangeError(`PaperTrieDrafter: ${name} must be an integer ≥ ${least}, got ${value}`)
  return value
}

class PaperTrieSession implements DraftSession {
  readonly #drafter: PaperTrieDrafter
  readonly #own: Trie
  readonly #shared: Trie
  readonly #context: number[] = []
  readonly #answer: number[] = []
  #open = true

  constructor(drafter: PaperTrieDrafter, shared: Trie) {
    this.#drafter = drafter
    this.#shared = shared
    this.#own = new Trie(drafter.branchLength, Number.POSITIVE_INFINITY)
  }

  read(tokens: ArrayLike<number>): void {
    for (let k = 0; k < tokens.length; k++) this.#push(tokens[k], 1)
  }

  accept(tokens: ArrayLike<number>, count: number): void {
    for (let k = 0; k < count; k++) {
      this.#push(tokens[k], this.#drafter.outputWeight)
      this.#answer.push(tokens[k])
    }
  }

  close(): void {
    if (!this.#open) return
    this.#open = false
    const shared = this.#shared
    for (const token of this.#answer) shared.push(token, 1)
    shared.endRecord()
  }

  get byteLength(): number {
    return this.#open ? this.#own.byteLength : 0
  }

  draft(tree: DraftTree, budgetNodes: number): void {
    tree.clear()
    const own = this.#own
    const shared = this.#shared
    const context = this.#context
    const drafter = this.#drafter
    const budget = Math.min(budgetNodes, tree.capacityNodes, drafter.decodingLength)
    for (let length = Math.min(drafter.maxQueryLength, context.length); length > 0 && tree.size < budget; length--) {
      let ownNode = 0
      let sharedNode = 0
      for (let k = 0; k < length; k++) {
        const token = context[context.length - length + k]
        ownNode = k === 0 || ownNode > 0 ? own.childOf(ownNode, token) : 0
        sharedNode = k === 0 || sharedNode > 0 ? shared.childOf(sharedNode, token) : 0
      }
      this.#draftBelow(ownNode, sharedNode, length, tree, budget)
      // What a longer query has found is not mixed with or replaced by what a shorter one finds.
      if (drafter.mode === 'one' && tree.size > 0) return
    }
    if (drafter.mode === 'par') keepBranches(tree)
  }

  /** Adds the heaviest nodes below a pair of trie nodes; a branch that a longer query brought stays as it is. */
  #draftBelow(ownRoot: number, sharedRoot: number, length: number, tree: DraftTree, budget: number): void {
    const drafter = this.#drafter
    const own = this.#own
    const shared = this.#shared
    const { frontier, ownNodes, sharedNodes, parents, values, outputWeight, mode } = drafter
    const weightOf = (ownNode: number, sharedNode: number) =>
      (ownNode > 0 ? own.weights[ownNode] : 0) + (sharedNode > 0 ? shared.weights[sharedNode] * outputWeight : 0)
    let items = 0
    frontier.clear()
    const offer = (ownNode: number, sharedNode: number, parent: number) => {
      if (items === FRONTIER) return
      ownNodes[items] = ownNode
      sharedNodes[items] = sharedNode
      parents[items] = parent
      values[items] = weightOf(ownNode, sharedNode)
      frontier.push(items, values, items)
      items++
    }
    const expand = (ownNode: number, sharedNode: number, parent: number) => {
      if (ownNode > 0)
        for (let child = own.firstChild[ownNode]; child > 0; child = own.nextSibling[child])
          offer(child, sharedNode > 0 ? shared.childOf(sharedNode, own.tokens[child]) : 0, parent)
      if (sharedNode > 0)
        for (let child = shared.firstChild[sharedNode]; child > 0; child = shared.nextSibling[child])
          if (ownNode === 0 || own.childOf(ownNode, shared.tokens[child]) === 0) offer(0, child, parent)
    }
    expand(ownRoot, sharedRoot, -1)
    const whole = weightOf(ownRoot, sharedRoot)
    let ceiling = tree.size > 0 ? tree.probabilities[tree.size - 1] : 1
    while (tree.size < budget) {
      const item = frontier.pop()
      if (item === NOTHING) return
      const ownNode = ownNodes[item]
      const sharedNode = sharedNodes[item]
      const token = ownNode > 0 ? own.tokens[ownNode] : shared.tokens[sharedNode]
      let node = tree.childOf(parents[item], token)
      if (node < 0) {
        ceiling = Math.min(ceiling, values[item] / whole)
        const source = ownNode > 0 ? DraftSource.own : DraftSource.shared
        node = tree.add(token, parents[item], ceiling, source, length)
      }
      if (mode === 'one') frontier.clear()
      expand(ownNode, sharedNode, node)
    }
  }

  #push(token: number, weight: number): void {
    if (!this.#open) throw new Error('PaperTrieDrafter: the session is closed')
    this.#own.push(token, weight)
    this.#context.push(token)
    if (this.#context.length > this.#drafter.maxQueryLength) this.#context.shift()
  }
}

/** Keeps as many branches of a tree, heaviest first, as there are nodes in it when each branch counts in full. */
function keepBranches(tree: DraftTree): void {
  const { parents, size } = tree
  const kept = new Uint8Array(size)
  let left = size
  for (let leaf = 0; leaf < size && left > 0; leaf++) {
    let isLeaf = true
    for (let node = leaf + 1; node < size && isLeaf; node++) isLeaf = parents[node] !== leaf
    if (!isLeaf) continue
    // The last branch is cut from its end on.
    const length = tree.depths[leaf]
    let node = leaf
    for (let cut = length - left; cut > 0; cut--) node = parents[node]
    left -= Math.min(left, length)
    for (; node >= 0; node = parents[node]) kept[node] = 1
  }
  tree.keep(kept)
}
