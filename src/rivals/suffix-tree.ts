/**
 * A suffix tree of token sequences with a count per node: how often every stretch of at most `maxDepth` tokens has
 * occurred. A chain without branches is one node, which points to a stretch of the tokens instead of holding them:
 *
 *     sequence  a b c a b d                 maxDepth 3
 *
 *     (root) ─┬─ a b 2 ─┬─ c 1              every node: a stretch of tokens, and how many suffixes entered it
 *             │         └─ d 1
 *             ├─ b 2 ───┬─ c a 1
 *             │         └─ d 1
 *             ├─ c a b 1
 *             └─ d 1
 *
 * Tokens are appended one at a time. The newest suffixes, which may still grow, are *active*: each knows its node and
 * how far into the node it reaches.
 *
 *     1. a suffix inside a node whose next token agrees      goes one further
 *     2. ... does not agree                                  splits the node there, and hangs a leaf below
 *     3. at the end of a leaf of its own sequence            lengthens the leaf
 *     4. at the end of any other node                        enters the child with that token, new if need be
 *     5. `maxDepth` tokens long                              is complete
 *
 * Where a sequence ends, nodes are split at its active suffixes, so that counts stay exact.
 */
export class SuffixTree {
  readonly maxDepth: number
  /** All sequences, one after the other. */
  tokens = new Int32Array(1024)
  /** Tokens in use. */
  length = 0
  /** Nodes in use, the root (0) included. */
  size = 1
  parents = new Int32Array(1024)
  /** Where in {@link tokens} a node's stretch begins, and how long it is. */
  starts = new Int32Array(1024)
  lengths = new Int32Array(1024)
  /** Suffixes that entered a node. */
  counts = new Int32Array(1024)
  firstChild = new Int32Array(1024)
  nextSibling = new Int32Array(1024)
  #previousSibling = new Int32Array(1024)
  #slots = new Int32Array(4096)

  /** Active suffixes, oldest and longest first: their nodes, and how many tokens of the nodes they include. */
  readonly #activeNodes: Int32Array
  readonly #activeOffsets: Int32Array
  /** How many there are; the oldest is that many tokens long. */
  active = 0
  /** Leaves from here on belong to the current sequence and may grow. */
  #firstOwnNode = 1

  constructor(maxDepth: number) {
    this.maxDepth = maxDepth
    this.#activeNodes = new Int32Array(maxDepth + 1)
    this.#activeOffsets = new Int32Array(maxDepth + 1)
  }

  /** Bytes of all tables. */
  get byteLength(): number {
    return this.tokens.byteLength + this.parents.byteLength * 7 + this.#slots.byteLength
  }

  /** Appends a token to the current sequence. */
  push(token: number): void {
    const { maxDepth } = this
    const activeNodes = this.#activeNodes
    const activeOffsets = this.#activeOffsets
    if (this.length === this.tokens.length) this.tokens = widened(this.tokens)
    const place = this.length++
    this.tokens[place] = token
    // 5.
    if (this.active === maxDepth) {
      activeNodes.copyWithin(0, 1, maxDepth)
      activeOffsets.copyWithin(0, 1, maxDepth)
      this.active--
    }
    activeNodes[this.active] = 0
    activeOffsets[this.active] = 0
    this.active++
    for (let k = 0; k < this.active; k++) this.#grow(k, token, place)
  }

  /** Ends the current sequence: what comes next does not follow it. */
  endSequence(): void {
    for (let k = 0; k < this.active; k++)
      if (this.#activeOffsets[k] < this.lengths[this.#activeNodes[k]])
        this.#split(this.#activeNodes[k], this.#activeOffsets[k])
    this.active = 0
    this.#firstOwnNode = this.size
  }

  /** The child of `parent` whose stretch begins with `token`; 0 if there is none. */
  childOf(parent: number, token: number): number {
    const { tokens, starts, parents } = this
    const slots = this.#slots
    const mask = slots.length - 1
    for (let slot = hash(parent, token) & mask; slots[slot] !== 0; slot = (slot + 1) & mask) {
      const node = slots[slot]
      if (parents[node] === parent && tokens[starts[node]] === token) return node
    }
    return 0
  }

  /** How many suffixes include the first `offset` ≥ 1 tokens of a node's stretch, and all above it. */
  countAt(node: number, offset: number): number {
    let count = this.counts[node]
    for (let k = 0; k < this.active; k++) if (this.#activeNodes[k] === node && this.#activeOffsets[k] < offset) count--
    return count
  }

  /** Node of the active suffix that is `length` tokens long. */
  activeNode(length: number): number {
    return this.#activeNodes[this.active - length]
  }

  /** How many tokens of its node that suffix holds. */
  activeOffset(length: number): number {
    return this.#activeOffsets[this.active - length]
  }

  /** Lets an active suffix take `token`, which stands at `place`. */
  #grow(k: number, token: number, place: number): void {
    const activeNodes = this.#activeNodes
    const activeOffsets = this.#activeOffsets
    const node = activeNodes[k]
    const offset = activeOffsets[k]
    if (offset < this.lengths[node]) {
      // 1.
      if (this.tokens[this.starts[node] + offset] === token) {
        activeOffsets[k] = offset + 1
        return
      }
      // 2.
      activeNodes[k] = this.#addLeaf(this.#split(node, offset), place)
      activeOffsets[k] = 1
      return
    }
    // 3.
    if (node >= this.#firstOwnNode && this.firstChild[node] === 0) {
      this.lengths[node]++
      activeOffsets[k] = offset + 1
      return
    }
    // 4.
    const child = this.childOf(node, token)
    if (child > 0) this.counts[child]++
    activeNodes[k] = child > 0 ? child : this.#addLeaf(node, place)
    activeOffsets[k] = 1
  }

  /** Splits a node after `offset` of its tokens; returns the upper part. The lower part keeps its number and children. */
  #split(node: number, offset: number): number {
    const { parents, starts, lengths, counts, firstChild, nextSibling } = this.#withRoom()
    const previousSibling = this.#previousSibling
    const activeNodes = this.#activeNodes
    const activeOffsets = this.#activeOffsets
    const upper = this.size++
    parents[upper] = parents[node]
    starts[upper] = starts[node]
    lengths[upper] = offset
    counts[upper] = counts[node]
    this.#replaceSlot(node, upper)
    const next = nextSibling[node]
    const previous = previousSibling[node]
    nextSibling[upper] = next
    previousSibling[upper] = previous
    if (next > 0) previousSibling[next] = upper
    if (previous > 0) nextSibling[previous] = upper
    else firstChild[parents[upper]] = upper

    parents[node] = upper
    starts[node] += offset
    lengths[node] -= offset
    firstChild[upper] = node
    nextSibling[node] = 0
    previousSibling[node] = 0
    for (let k = 0; k < this.active; k++) {
      if (activeNodes[k] !== node) continue
      if (activeOffsets[k] > offset) activeOffsets[k] -= offset
      else {
        activeNodes[k] = upper
        counts[node]--
      }
    }
    this.#enterSlot(node)
    return upper
  }

  #addLeaf(parent: number, place: number): number {
    const { parents, starts, lengths, counts, firstChild, nextSibling } = this.#withRoom()
    const previousSibling = this.#previousSibling
    const leaf = this.size++
    parents[leaf] = parent
    starts[leaf] = place
    lengths[leaf] = 1
    counts[leaf] = 1
    firstChild[leaf] = 0
    const next = firstChild[parent]
    nextSibling[leaf] = next
    previousSibling[leaf] = 0
    if (next > 0) previousSibling[next] = leaf
    firstChild[parent] = leaf
    this.#enterSlot(leaf)
    return leaf
  }

  #enterSlot(node: number): void {
    const slots = this.#slots
    const mask = slots.length - 1
    let slot = hash(this.parents[node], this.tokens[this.starts[node]]) & mask
    while (slots[slot] !== 0) slot = (slot + 1) & mask
    slots[slot] = node
  }

  /** Another node takes the place of `node` in the table; it has the same parent and the same first token. */
  #replaceSlot(node: number, other: number): void {
    const slots = this.#slots
    const mask = slots.length - 1
    let slot = hash(this.parents[node], this.tokens[this.starts[node]]) & mask
    while (slots[slot] !== node) slot = (slot + 1) & mask
    slots[slot] = other
  }

  /** Makes sure that one more node fits. */
  #withRoom(): this {
    if (this.size < this.parents.length) return this
    this.parents = widened(this.parents)
    this.starts = widened(this.starts)
    this.lengths = widened(this.lengths)
    this.counts = widened(this.counts)
    this.firstChild = widened(this.firstChild)
    this.nextSibling = widened(this.nextSibling)
    this.#previousSibling = widened(this.#previousSibling)
    this.#slots = new Int32Array(this.parents.length * 4)
    for (let node = 1; node < this.size; node++) this.#enterSlot(node)
    return this
  }
}

function widened(from: Int32Array): Int32Array<ArrayBuffer> {
  const to = new Int32Array(from.length * 2)
  to.set(from)
  return to
}

function hash(parent: number, token: number): number {
  const h = Math.imul(Math.imul(parent, 0x9e3779b1) ^ token, 0x85ebca6b)
  return h ^ (h >>> 15)
}
