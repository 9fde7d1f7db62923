// Tokens that a grammar leaves no choice about, merged with what another drafter finds.

import type { Drafter, DraftOrigin, DraftSession, Foreseen, SessionOptions } from './drafter.js'
import { HitRates } from './hit-rates.js'
import { ChainMerger } from './merge.js'
import { DraftSource, DraftTree } from './tree.js'

/** Most tokens of a chain, and nodes of a draft. */
const longestChain = 48
const mostNodes = 256

/** How probable a token is taken to be before any was seen, by its kind (`foresightKinds`). */
const prior = [0.98, 0.9, 0.8, 0.85, 0.3]

/**
 * Drafts what a grammar forces, in addition to what another drafter finds:
 *
 *     the grammar     {"city": "  ──►  chain of tokens, each nearly certain ──┐
 *     retrieval       Bergen 0.4, "city 0.3, {" 0.2                           ├──► one tree, best first
 *                     └─ tokens that cannot come here are left out ───────────┘
 *
 * A grammar forces text, not tokens, and a text may be split in several ways. So the chain is a guess like any other, and
 * how often its tokens come true is learnt.
 *
 * The engine wraps its own drafter in one; wrap yours to have the same.
 *
 * @example
 * const engine = await Engine.load({ drafter: new ForcedDrafter(new MyDrafter()) })
 */
export class ForcedDrafter implements Drafter {
  readonly name: string
  readonly #inner: Drafter
  readonly #rates = new HitRates(prior.length)
  // Scratch space for the draft being made, shared by all sessions.
  readonly #found = new DraftTree(mostNodes)
  readonly #said = new Int32Array(mostNodes)
  readonly #marked = new Uint8Array(mostNodes)
  readonly #merger = new ChainMerger(mostNodes + longestChain, DraftSource.forced)
  readonly #chain = { tokens: new Int32Array(longestChain), given: new Float64Array(longestChain), length: 0 }

  /** @param inner the other drafter */
  constructor(inner: Drafter) {
    this.#inner = inner
    this.name = inner.name
  }

  get byteLength(): number {
    return this.#inner.byteLength ?? 0
  }

  open(options: SessionOptions = {}): DraftSession {
    const inner = this.#inner.open(options)
    return options.foreseen ? new Session(this, inner, options.foreseen) : inner
  }

  /** @internal */
  draft(tree: DraftTree, budgetNodes: number, inner: DraftSession, foreseen: Foreseen): void {
    const chain = this.#chain
    foreseen.look()
    // Where nothing is forced, as within a string, there is nothing to merge.
    const found = foreseen.length === 0 ? tree : this.#found
    inner.draft(found, Math.min(budgetNodes, mostNodes))
    this.#leaveOut(found, foreseen)
    if (found === tree) return
    chain.length = Math.min(foreseen.length, longestChain, budgetNodes)
    for (let i = 0; i < chain.length; i++) {
      const kind = foreseen.kinds[foreseen.begin + i]
      chain.tokens[i] = foreseen.tokens[foreseen.begin + i]
      chain.given[i] = this.#rates.of(kind, prior[kind])
    }
    this.#merger.merge(tree, budgetNodes, found, chain)
  }

  /** Removes the nodes that the grammar does not allow, and what follows them. */
  #leaveOut(found: DraftTree, foreseen: Foreseen): void {
    const said = this.#said
    const marked = this.#marked
    for (let node = 0; node < found.size; node++) {
      const parent = found.parents[node]
      said[node] =
        parent >= 0 && said[parent] < 0 ? -1 : foreseen.follow(found.tokens[node], parent < 0 ? 0 : said[parent])
      marked[node] = said[node] < 0 ? 0 : 1
    }
    found.keep(marked)
  }

  /** Learns whether a token of a kind came true. @internal */
  learn(kind: number, cameTrue: boolean): void {
    this.#rates.learn(kind, cameTrue)
  }
}

class Session implements DraftSession {
  readonly #drafter: ForcedDrafter
  readonly #inner: DraftSession
  readonly #foreseen: Foreseen
  readonly prepare: DraftSession['prepare']
  readonly observe: DraftSession['observe']
  readonly digest: DraftSession['digest']

  constructor(drafter: ForcedDrafter, inner: DraftSession, foreseen: Foreseen) {
    this.#drafter = drafter
    this.#inner = inner
    this.#foreseen = foreseen
    this.prepare = inner.prepare?.bind(inner)
    this.observe = inner.observe?.bind(inner)
    this.digest = inner.digest?.bind(inner)
  }

  get byteLength(): number {
    return this.#inner.byteLength ?? 0
  }

  read(tokens: ArrayLike<number>): void {
    this.#inner.read(tokens)
  }

  draft(tree: DraftTree, budgetNodes: number): void {
    this.#drafter.draft(tree, budgetNodes, this.#inner, this.#foreseen)
  }

  originOf(node: number): DraftOrigin | undefined {
    return node < 0 ? undefined : this.#inner.originOf?.(node)
  }

  accept(tokens: ArrayLike<number>, count: number): void {
    const foreseen = this.#foreseen
    for (let i = 0; i < count; i++) {
      const { begin, length } = foreseen
      if (length > 0) this.#drafter.learn(foreseen.kinds[begin], foreseen.tokens[begin] === tokens[i])
      foreseen.accept(tokens[i])
    }
    this.#inner.accept(tokens, count)
  }

  close(): void {
    this.#inner.close()
  }
}
