// Suffix decoding, as Arctic Inference has it.

import { DEFAULT_NAMESPACE } from '../corpus/corpus.js'
import type { Drafter, DraftSession, SessionOptions } from '../draft/drafter.js'
import { Frontier, NOTHING } from '../draft/frontier.js'
import { DraftSource, type DraftTree } from '../draft/tree.js'
import { SuffixTree } from './suffix-tree.js'

/** Options of a {@link SuffixDecodingDrafter}. */
export interface SuffixDecodingOptions {
  /** Longest stretch of tokens that is counted, match and continuation together. Default 64. */
  maxDepth?: number
  /** Most tokens drafted per token of the match. Default 4. */
  factor?: number
  /** Tokens less probable than this are not drafted. Default 0.02. */
  minProbability?: number
  /** Whether drafts may branch; otherwise only the likeliest chain is drafted. Default true. */
  branches?: boolean
  /** Most tokens of earlier answers per namespace; beyond that the older half is forgotten. Default 2²⁰. */
  capacityTokens?: number
}

/** Open ends and nodes of one draft. */
const ITEMS = 1 << 12
const NODES = 256

/**
 * Suffix-tree drafting as in SuffixDecoding (Oliaro et al., arXiv 2411.04975), as a baseline: one tree of all stretches
 * of the request's prompt and answer, one of the answers of earlier requests. For every suffix of the context that either
 * tree holds, the likeliest continuations by their counts are gathered, the more the longer the suffix; the draft with the
 * largest sum of probabilities is used.
 *
 * The defaults of `factor` and `minProbability` accept most in small drafts; a larger factor accepts more in large ones.
 * ArcticInference's are 1 and 0.1, for servers on which a drafted token takes time from another request.
 */
export class SuffixDecodingDrafter implements Drafter {
  readonly name = 'suffix-tree'
  readonly maxDepth: number
  readonly factor: number
  readonly minProbability: number
  readonly branches: boolean
  readonly capacityTokens: number
  /** Answers of earlier requests, by namespace. */
  readonly #shared = new Map<string, SharedAnswers>()
  /** The best draft so far and the one being made. */
  readonly guesses: [Guess, Guess] = [new Guess(), new Guess()]
  readonly ends = new OpenEnds()

  constructor(options: SuffixDecodingOptions = {}) {
    this.maxDepth = options.maxDepth ?? 64
    this.factor = options.factor ?? 4
    this.minProbability = options.minProbability ?? 0.02
    this.branches = options.branches ?? true
    this.capacityTokens = options.capacityTokens ?? 1 << 20
  }

  get byteLength(): number {
    let bytes = 0
    for (const { tree } of this.#shared.values()) bytes += tree.byteLength
    return bytes
  }

  open({ namespace = DEFAULT_NAMESPACE }: SessionOptions = {}): DraftSession {
    let shared = this.#shared.get(namespace)
    if (!shared) {
      shared = new SharedAnswers(this.maxDepth, this.capacityTokens)
      this.#shared.set(namespace, shared)
    }
    return new SuffixDecodingSession(this, shared)
  }
}

/** A suffix tree of answers that forgets the older half of them when it is full. */
class SharedAnswers {
  tree: SuffixTree
  readonly #capacity: number
  /** Where each answer ends. */
  #ends: number[] = []

  constructor(maxDepth: number, capacity: number) {
    this.tree = new SuffixTree(maxDepth)
    this.#capacity = capacity
  }

  add(answer: ArrayLike<number>): void {
    if (this.tree.length + answer.length > this.#capacity) this.#forgetHalf()
    for (let k = 0; k < answer.length; k++) this.tree.push(answer[k])
    this.tree.endSequence()
    this.#ends.push(this.tree.length)
  }

  #forgetHalf(): void {
    const { tree } = this
    const ends = this.#ends
    const kept = new SuffixTree(tree.maxDepth)
    const first = ends.findIndex((end) => end >= tree.length / 2)
    this.#ends = []
    for (let answer = first + 1; answer < ends.length; answer++) {
      for (let k = ends[answer - 1]; k < ends[answer]; k++) kept.push(tree.tokens[k])
      kept.endSequence()
      this.#ends.push(kept.length)
    }
    this.tree = kept
  }
}

/** A draft that may yet be used. */
class Guess {
  readonly tokens = new Int32Array(NODES)
  readonly parents = new Int32Array(NODES)
  readonly probabilities = new Float64Array(NODES)
  size = 0
  /** Sum of the probabilities. */
  score = 0
}

/** Places of a suffix tree that a draft may go on from. */
class OpenEnds {
  readonly frontier = new Frontier(ITEMS)
  readonly nodes = new Int32Array(ITEMS)
  readonly offsets = new Int32Array(ITEMS)
  readonly parents = new Int32Array(ITEMS)
  readonly probabilities = new Float64Array(ITEMS)
  size = 0

  clear(): void {
    this.frontier.clear()
    this.size = 0
  }

  push(node: number, offset: number, parent: number, probability: number): void {
    if (this.size === ITEMS) return
    const item = this.size++
    this.nodes[item] = node
    this.offsets[item] = offset
    this.parents[item] = parent
    this.probabilities[item] = probability
    this.frontier.push(item, this.probabilities, item)
  }
}

class SuffixDecodingSession implements DraftSession {
  readonly #drafter: SuffixDecodingDrafter
  readonly #shared: SharedAnswers
  #own: SuffixTree | undefined
  /** Where the answer begins in the own tree's tokens; -1 before its first token. */
  #answerStart = -1

  constructor(drafter: SuffixDecodingDrafter, shared: SharedAnswers) {
    this.#drafter = drafter
    this.#shared = shared
    this.#own = new SuffixTree(drafter.maxDepth)
  }

  get byteLength(): number {
    return this.#own?.byteLength ?? 0
  }

  read(tokens: ArrayLike<number>): void {
    const own = this.#openTree()
    for (let k = 0; k < tokens.length; k++) own.push(tokens[k])
  }

  accept(tokens: ArrayLike<number>, count: number): void {
    const own = this.#openTree()
    if (this.#answerStart < 0 && count > 0) this.#answerStart = own.length
    for (let k = 0; k < count; k++) own.push(tokens[k])
  }

  close(): void {
    if (!this.#own) return
    if (this.#answerStart >= 0) this.#shared.add(this.#own.tokens.subarray(this.#answerStart, this.#own.length))
    this.#own = undefined
  }

  draft(tree: DraftTree, budgetNodes: number): void {
    tree.clear()
    const drafter = this.#drafter
    const shared = this.#shared
    const own = this.#openTree()
    const budget = Math.min(budgetNodes, tree.capacityNodes, NODES)
    let [best, other] = drafter.guesses
    best.score = 0
    best.size = 0
    let source: number = DraftSource.own
    let matched = 0
    // The own tree ends with the context, so all of its active suffixes are matches.
    for (let length = Math.min(own.active, drafter.maxDepth - 1); length > 0; length--) {
      const most = Math.min(budget, Math.floor(length * drafter.factor))
      if (most <= best.score) break
      this.#guess(own, own.activeNode(length), own.activeOffset(length), most, other)
      if (other.score > best.score) {
        const better: Guess = other
        other = best
        best = better
        matched = length
      }
    }
    for (let length = this.#longestShared(own); length > 0; length--) {
      const most = Math.min(budget, Math.floor(length * drafter.factor))
      if (most <= best.score) break
      const { node, offset } = descend(shared.tree, own, length)
      this.#guess(shared.tree, node, offset, most, other)
      if (other.score > best.score) {
        const better: Guess = other
        other = best
        best = better
        matched = length
        source = DraftSource.shared
      }
    }
    for (let k = 0; k < best.size; k++)
      tree.add(best.tokens[k], best.parents[k], best.probabilities[k], source, matched)
  }

  /** Length of the longest suffix of the context that the shared tree holds. */
  #longestShared(own: SuffixTree): number {
    let length = 0
    while (
      length < Math.min(own.active, this.#drafter.maxDepth - 1) &&
      descend(this.#shared.tree, own, length + 1).node > 0
    )
      length++
    return length
  }

  /** Gathers the likeliest tokens, at most `most`, that follow the first `offset` of a node. */
  #guess(tree: SuffixTree, from: number, offset: number, most: number, guess: Guess): void {
    const { ends, minProbability, branches } = this.#drafter
    guess.size = 0
    guess.score = 0
    ends.clear()
    ends.push(from, offset, -1, 1)
    while (guess.size < most) {
      const item = ends.frontier.pop()
      if (item === NOTHING) return
      const node = ends.nodes[item]
      const at = ends.offsets[item]
      const parent = ends.parents[item]
      const probability = ends.probabilities[item]
      const whole = tree.countAt(node, Math.max(1, at))
      if (at < tree.lengths[node]) {
        // Active suffixes may end here; all others continue with the same token.
        const share = (probability * tree.countAt(node, at + 1)) / whole
        if (share < minProbability) continue
        const token = guess.size++
        guess.tokens[token] = tree.tokens[tree.starts[node] + at]
        guess.parents[token] = parent
        guess.probabilities[token] = Math.min(share, token > 0 ? guess.probabilities[token - 1] : 1)
        guess.score += share
        ends.push(node, at + 1, token, share)
        continue
      }
      let likeliest = 0
      for (let child = tree.firstChild[node]; child > 0; child = tree.nextSibling[child]) {
        const count = tree.counts[child]
        if (branches) this.#offer(child, (probability * count) / whole, parent)
        else if (likeliest === 0 || count > tree.counts[likeliest]) likeliest = child
      }
      if (likeliest > 0) this.#offer(likeliest, (probability * tree.counts[likeliest]) / whole, parent)
    }
  }

  /** Opens a child; what it begins with is drafted when it is the likeliest open end. */
  #offer(child: number, probability: number, parent: number): void {
    if (probability >= this.#drafter.minProbability) this.#drafter.ends.push(child, 0, parent, probability)
  }

  #openTree(): SuffixTree {
    if (!this.#own) throw new Error('SuffixDecodingDrafter: the session is closed')
    return this.#own
  }
}

const found = { node: 0, offset: 0 }

/** Where in `tree` the last `length` tokens of `own` lead; node 0: nowhere. */
function descend(tree: SuffixTree, own: SuffixTree, length: number): { node: number; offset: number } {
  let node = 0
  let offset = 0
  for (let k = own.length - length; k < own.length; k++) {
    const token = own.tokens[k]
    if (offset === tree.lengths[node]) {
      node = tree.childOf(node, token)
      offset = 1
      if (node === 0) break
    } else if (tree.tokens[tree.starts[node] + offset] === token) offset++
    else {
      node = 0
      break
    }
  }
  found.node = node
  found.offset = offset
  return found
}
