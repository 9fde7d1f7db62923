// A small model that writes chains of draft for a large one.

import type { ForwardCost } from '../cost/forward-cost.js'
import type { Drafter, DraftOrigin, DraftOutlook, DraftSession, SessionOptions } from '../draft/drafter.js'
import { HitRates } from '../draft/hit-rates.js'
import { ChainMerger } from '../draft/merge.js'
import { DraftSource, DraftTree } from '../draft/tree.js'
import type { Decoder } from './decoder.js'

/** A context of the small model. */
export interface DraftingDecoder extends Decoder {
  /** The most likely token of a batch row with an output. */
  argmax(row: number): number
  /** Logits of the output rows of the last forward, one after the other. */
  readonly logits: Float32Array
}

/** Most tokens of a chain. */
const longestChain = 8

/** How much better a chain must look than what there is without it. */
const margin = 1.05

/** Classes by the small model's own probability. */
const classes = 10

/** The share of its tokens that come true, to begin with, and how it comes back while nothing is tried. */
const firstRate = 0.6
const recovery = 0.002

/** Rows of the small model's forwards while it reads a prompt. */
const readingRows = 256

/**
 * A second, smaller model that drafts: what it would write itself. Its chain joins what another drafter has found, in one
 * tree:
 *
 *     step     retrieval ──► 0 to n nodes ──┐
 *              is a chain worth its time?   ├──► one tree, best first ──► the large model's forward
 *              └─yes─► k forwards of the ───┘
 *                      small model
 *
 * A chain of k tokens takes k small forwards, whose time counts: it is written only where
 *
 *     (1 + a + a² + … + aᵏ) / (T(1 + k) + k · t)      a: share of its tokens that come true, t: a small forward
 *
 * beats conventional decoding and what retrieval promises, and only as far as the next token is worth its time. How far
 * the small model's own probabilities can be believed is learnt.
 */
export class DraftModel implements Drafter {
  readonly name: string
  readonly #decoder: DraftingDecoder
  readonly #cost: ForwardCost
  readonly #inner: Drafter
  readonly #maxNodes: number
  readonly #merger: ChainMerger
  /** Sequence ids that no session holds, with the tokens whose cells they keep and whose these were. */
  readonly #free: { id: number; tokens: number[]; owner: string }[]
  readonly #rates = new HitRates(classes)
  #rate = firstRate
  /** Forwards of one context do not overlap. */
  #turn: Promise<unknown> = Promise.resolve()

  /**
   * @param decoder a context of the small model, with the vocabulary of the large one; it stays the caller's
   * @param cost what its forwards take
   * @param inner what drafts besides
   * @param maxNodes most nodes of a draft
   */
  constructor(decoder: DraftingDecoder, cost: ForwardCost, inner: Drafter, maxNodes: number) {
    this.name = `${inner.name} + draft model`
    this.#decoder = decoder
    this.#cost = cost
    this.#inner = inner
    this.#maxNodes = maxNodes
    this.#merger = new ChainMerger(maxNodes + longestChain, DraftSource.model)
    this.#free = Array.from({ length: decoder.maxSequences }, (_, id) => ({ id, tokens: [], owner: '' }))
  }

  /** The share of its tokens that come true, of late. */
  get rate(): number {
    return this.#rate
  }

  get byteLength(): number {
    return this.#inner.byteLength ?? 0
  }

  open(options: SessionOptions = {}): DraftSession {
    return new Session(this, this.#inner.open(options), options.namespace ?? '')
  }

  /** @internal */
  get maxNodes(): number {
    return this.#maxNodes
  }

  /** @internal */
  get merger(): ChainMerger {
    return this.#merger
  }

  /** How many tokens pay, given what retrieval has found; 0: none. @internal */
  chooseLength(found: DraftTree, outlook: DraftOutlook): number {
    if (outlook.wanted !== undefined) return Math.min(longestChain, outlook.wanted)
    let expected = 1
    let best = 1 / outlook.ms(0)
    for (let node = 0; node < found.size; node++) {
      expected += found.probabilities[node]
      best = Math.max(best, expected / outlook.ms(node + 1))
    }
    this.#rate += (firstRate - this.#rate) * recovery
    const small = this.#cost.ms(1, outlook.context)
    let chosen = 0
    let path = 1
    expected = 1
    best *= margin
    for (let k = 1; k <= longestChain; k++) {
      path *= this.#rate
      expected += path
      const rate = expected / (outlook.ms(k) + k * small)
      if (rate > best) {
        best = rate
        chosen = k
      }
    }
    return chosen
  }

  /** Whether one more token is worth its time: it saves a forward of the large model, if it comes true. @internal */
  goesOn(path: number, length: number, outlook: DraftOutlook): boolean {
    if (outlook.wanted !== undefined) return true
    const spent = this.#cost.ms(1, outlook.context) + outlook.ms(length + 1) - outlook.ms(length)
    return path * this.#rate * outlook.ms(0) > spent
  }

  /** How probable a token is that the small model holds so probable. @internal */
  believe(probability: number): number {
    return this.#rates.of(classOf(probability), probability)
  }

  /** Learns whether a token came true. @internal */
  learn(probability: number, cameTrue: boolean): void {
    this.#rates.learn(classOf(probability), cameTrue)
    this.#rate += ((cameTrue ? 1 : 0) - this.#rate) / 32
  }

  /** A sequence id for a session, if possible one whose cells begin as its text does. @internal */
  take(tokens: readonly number[], owner: string): { id: number; tokens: number[]; owner: string } | undefined {
    let best = -1
    let longest = -1
    for (const [k, seat] of this.#free.entries()) {
      const length = seat.owner === owner ? commonLength(seat.tokens, tokens) : 0
      if (length > longest) {
        best = k
        longest = length
      }
    }
    if (best < 0) return undefined
    const [seat] = this.#free.splice(best, 1)
    // The last token is computed anyway, for its row.
    const kept = Math.min(longest, tokens.length - 1)
    this.#decoder.removePositions(seat.id, kept, -1)
    return { id: seat.id, tokens: seat.tokens.slice(0, kept), owner }
  }

  /** @internal */
  give(seat: { id: number; tokens: number[]; owner: string }): void {
    this.#free.push(seat)
  }

  /** Waits for its turn, then computes rows behind a sequence's cells; returns the likeliest next token. @internal */
  compute(
    id: number,
    tokens: ArrayLike<number>,
    from: number,
    to: number,
  ): Promise<{ token: number; probability: number }> {
    const work = this.#turn.then(async () => {
      const { batch } = this.#decoder
      for (let begin = from; ; ) {
        const end = Math.min(to, begin + Math.min(readingRows, batch.capacity))
        batch.clear()
        for (let i = begin; i < end; i++) batch.addSequence(batch.add(tokens[i], i, i === to - 1), id)
        const began = performance.now()
        await this.#decoder.decode()
        if (end - begin === 1) this.#cost.observe(1, end, performance.now() - began, false)
        if (end === to) break
        begin = end
      }
      const token = this.#decoder.argmax(batch.size - 1)
      return { token, probability: probabilityOf(this.#decoder.logits, this.#decoder.vocabularySize, token) }
    })
    this.#turn = work.catch(() => {})
    return work
  }

  /** Takes back what did not come true. @internal */
  keep(id: number, length: number): void {
    this.#decoder.removePositions(id, length, -1)
  }
}

class Session implements DraftSession {
  readonly #model: DraftModel
  readonly #inner: DraftSession
  readonly #owner: string
  readonly #found: DraftTree
  /** What was read and written. */
  readonly #tokens: number[] = []
  #seat: { id: number; tokens: number[]; owner: string } | undefined
  readonly #chain = {
    tokens: new Int32Array(longestChain),
    given: new Float64Array(longestChain),
    /** As the small model holds it. */
    own: new Float64Array(longestChain),
    length: 0,
  }
  #isPrepared = false

  constructor(model: DraftModel, inner: DraftSession, owner: string) {
    this.#model = model
    this.#inner = inner
    this.#owner = owner
    this.#found = new DraftTree(model.maxNodes)
  }

  get byteLength(): number {
    return this.#inner.byteLength ?? 0
  }

  read(tokens: ArrayLike<number>): void {
    this.#inner.read(tokens)
    for (let i = 0; i < tokens.length; i++) this.#tokens.push(tokens[i])
  }

  async prepare(outlook: DraftOutlook): Promise<void> {
    const model = this.#model
    const chain = this.#chain
    await this.#inner.prepare?.(outlook)
    this.#inner.draft(this.#found, Math.min(outlook.budgetNodes, this.#found.capacityNodes))
    this.#isPrepared = true
    chain.length = 0
    const wanted = Math.min(model.chooseLength(this.#found, outlook), outlook.budgetNodes)
    if (wanted === 0 || this.#tokens.length + wanted > outlook.mostTokens) return
    this.#seat ??= model.take(this.#tokens, this.#owner)
    const seat = this.#seat
    if (!seat) return
    let path = 1
    while (chain.length < wanted) {
      const known = this.#tokens.length + chain.length
      const from = seat.tokens.length
      for (let i = from; i < known; i++)
        seat.tokens.push(i < this.#tokens.length ? this.#tokens[i] : chain.tokens[i - this.#tokens.length])
      const { token, probability } = await model.compute(seat.id, seat.tokens, from, known)
      const given = model.believe(probability)
      chain.tokens[chain.length] = token
      chain.given[chain.length] = given
      chain.own[chain.length] = probability
      chain.length++
      path *= given
      if (!model.goesOn(path, chain.length, outlook)) break
    }
  }

  draft(tree: DraftTree, budgetNodes: number): void {
    if (this.#isPrepared) this.#model.merger.merge(tree, budgetNodes, this.#found, this.#chain)
    else this.#inner.draft(tree, budgetNodes)
  }

  originOf(node: number): DraftOrigin | undefined {
    return node < 0 ? undefined : this.#inner.originOf?.(node)
  }

  accept(tokens: ArrayLike<number>, count: number): void {
    const chain = this.#chain
    let agreed = 0
    while (agreed < count && agreed < chain.length && chain.tokens[agreed] === tokens[agreed])
      this.#model.learn(chain.own[agreed++], true)
    if (agreed < count && agreed < chain.length) this.#model.learn(chain.own[agreed], false)
    chain.length = 0
    this.#isPrepared = false
    const seat = this.#seat
    if (seat) {
      // The last token is computed anew in any case, for its row.
      const right = Math.min(seat.tokens.length, this.#tokens.length + Math.min(agreed, count - 1))
      if (right < seat.tokens.length) this.#model.keep(seat.id, right)
      seat.tokens.length = right
    }
    for (let i = 0; i < count; i++) this.#tokens.push(tokens[i])
    this.#inner.accept(tokens, count)
  }

  close(): void {
    if (this.#seat) this.#model.give(this.#seat)
    this.#seat = undefined
    this.#inner.close()
  }
}

function classOf(probability: number): number {
  return Math.min(classes - 1, Math.floor(probability * classes))
}

function commonLength(a: readonly number[], b: readonly number[]): number {
  const most = Math.min(a.length, b.length)
  let common = 0
  while (common < most && a[common] === b[common]) common++
  return common
}

/** The probability of the likeliest token of a row: the first and only one with an output. */
function probabilityOf(logits: Float32Array, size: number, token: number): number {
  const highest = logits[token]
  let sum = 0
  for (let i = 0; i < size; i++) sum += Math.exp(logits[i] - highest)
  return 1 / sum
}
