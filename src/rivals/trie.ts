/**
 * A trie of token branches with a weight per node, as in the Lookahead paper: one tree per first token, each at most
 * `branchLength` tokens deep below it.
 *
 *     inserted: a b c d, then a b e        branchLength 2
 *
 *     (0) ─┬─ a 2 ── b 2 ─┬─ c 1
 *          │              └─ e 1
 *          ├─ b 2 ─┬─ c 1 ── d 1
 *          │       └─ e 1
 *          ├─ c 1 ── d 1
 *          ├─ d 1
 *          └─ e 1
 *
 * Nodes are numbers, 0 is the root. Children hang in a list for walking and in a hash table for finding:
 *
 *     slot(parent, token) → node      tokens[node]   firstChild[node] → nextSibling[…] → …   0 ends the list
 */
export class Trie {
  /** Tokens of a branch below its first one. */
  readonly branchLength: number
  /** Most nodes, the root included, before `squeeze` is due. */
  readonly capacityNodes: number
  tokens = new Int32Array(1024)
  parents = new Int32Array(1024)
  firstChild = new Int32Array(1024)
  nextSibling = new Int32Array(1024)
  weights = new Float32Array(1024)
  /** Nodes in use, the root included. */
  size = 1

  #slots = new Int32Array(4096)
  /** Where each branch that is still growing has got to, youngest first; 0 where there is none. */
  readonly #growing: Int32Array

  constructor(branchLength: number, capacityNodes: number) {
    this.branchLength = branchLength
    this.capacityNodes = capacityNodes
    this.#growing = new Int32Array(branchLength + 1)
  }

  /** Bytes of all tables. */
  get byteLength(): number {
    return this.tokens.byteLength * 4 + this.weights.byteLength + this.#slots.byteLength
  }

  /** Lengthens every growing branch by `token`, begins a new one with it, and counts all of them with `weight`. */
  push(token: number, weight: number): void {
    const growing = this.#growing
    if (this.size + growing.length > this.capacityNodes) this.squeeze()
    for (let k = growing.length - 1; k > 0; k--) growing[k] = growing[k - 1] > 0 ? this.#grow(growing[k - 1], token) : 0
    growing[0] = this.#grow(0, token)
    for (let k = 0; k < growing.length && growing[k] > 0; k++) this.weights[growing[k]] += weight
  }

  /** Ends all growing branches: what comes next does not follow what came before. */
  endRecord(): void {
    this.#growing.fill(0)
  }

  /** The child of `parent` that holds `token`; 0 if there is none. */
  childOf(parent: number, token: number): number {
    const { tokens, parents } = this
    const slots = this.#slots
    const mask = slots.length - 1
    for (let slot = hash(parent, token) & mask; slots[slot] !== 0; slot = (slot + 1) & mask) {
      const node = slots[slot]
      if (tokens[node] === token && parents[node] === parent) return node
    }
    return 0
  }

  /** Makes room: halves all weights and drops nodes left with less than 1, until at most three quarters are in use. */
  squeeze(): void {
    this.endRecord()
    do {
      for (let node = 1; node < this.size; node++) this.weights[node] /= 2
      this.#drop()
    } while (this.size > (this.capacityNodes * 3) / 4)
  }

  /** Drops nodes lighter than 1. A child is never heavier than its parent, so no node loses its parent. */
  #drop(): void {
    const { tokens, parents, weights } = this
    const moved = new Int32Array(this.size)
    let size = 1
    for (let node = 1; node < this.size; node++) {
      if (weights[node] < 1) continue
      moved[node] = size
      tokens[size] = tokens[node]
      parents[size] = moved[parents[node]]
      weights[size] = weights[node]
      size++
    }
    this.size = size
    this.firstChild.fill(0)
    this.nextSibling.fill(0)
    this.#slots.fill(0)
    for (let node = 1; node < size; node++) this.#link(node)
  }

  #grow(parent: number, token: number): number {
    const known = this.childOf(parent, token)
    if (known > 0) return known
    if (this.size === this.tokens.length) this.#widen()
    const node = this.size++
    this.tokens[node] = token
    this.parents[node] = parent
    this.weights[node] = 0
    this.firstChild[node] = 0
    this.#link(node)
    return node
  }

  /** Hangs `node` into its parent's list and into the hash table. */
  #link(node: number): void {
    const { firstChild, nextSibling } = this
    const slots = this.#slots
    const parent = this.parents[node]
    nextSibling[node] = firstChild[parent]
    firstChild[parent] = node
    const mask = slots.length - 1
    let slot = hash(parent, this.tokens[node]) & mask
    while (slots[slot] !== 0) slot = (slot + 1) & mask
    slots[slot] = node
  }

  #widen(): void {
    const wider = <T extends Int32Array | Float32Array>(from: T, to: T): T => {
      to.set(from)
      return to
    }
    const length = this.tokens.length * 2
    this.tokens = wider(this.tokens, new Int32Array(length))
    this.parents = wider(this.parents, new Int32Array(length))
    this.weights = wider(this.weights, new Float32Array(length))
    this.#slots = new Int32Array(length * 4)
    this.firstChild = new Int32Array(length)
    this.nextSibling = new Int32Array(length)
    for (let node = 1; node < this.size; node++) this.#link(node)
  }
}

function hash(parent: number, token: number): number {
  const h = Math.imul(Math.imul(parent, 0x9e3779b1) ^ token, 0x85ebca6b)
  return h ^ (h >>> 15)
}
