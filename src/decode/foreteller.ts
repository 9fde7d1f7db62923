// The heads that a model brings along (MTP): they write chains of draft from what the layers made of the last token.

import type { ForwardCost } from '../cost/forward-cost.js'
import { DraftSource } from '../draft/tree.js'
import { type ChainDecoder, type ChainPen, type ChainWriter, type Guess, guessOf } from './chain-drafter.js'
import { ReadingPace } from './chain-worth.js'
import { type Seat, Seats } from './seats.js'

/** A context of a head. */
export interface ForetellingDecoder extends ChainDecoder {
  /** The vectors that rows of the batch bring along, one after the other; there is one, of so many numbers. */
  readonly vectors: Float32Array | undefined
  readonly vectorLength: number
  /** Those that rows of the last forward with an output told. */
  vectorsOf(row: number, count: number): Float32Array | undefined
}

/** Most vectors of a request that wait for a forward of the head; what was before is given up for more. */
const mostPending = 1024

/** Vectors worth a forward that brings no token; and those that the first token of a chain takes along. */
const manyPending = 64
const fewPending = 16

/** Where a request sits in the contexts of the heads. */
interface HeadSeat extends Seat {
  /** By head: rows before it have their cells. Row q is made of token q and of the vector of token q - 1. */
  readonly fed: number[]
  /** Vectors of tokens before it are known. */
  known: number
  /** Those of tokens from the least of `fed` - 1 on, one after the other. */
  pending: Float32Array
}

/**
 * Heads as a writer of chains. Row q of one takes token q beside the vector that the model made of the token before, and
 * says what token q + 1 is. Behind what the model has read, the vector that the head made of a row stands for the model's:
 *
 *     tokens      x0    x1    x2    x3 │  a     b          x3 is written, and not yet read by the model
 *     vectors     h0    h1    h2       │  h3′   h4′        h: of the model, h′: of the head
 *                   ╲     ╲     ╲      │    ╲     ╲
 *     rows            x1    x2    x3   │      a     b
 *     say                         a    │      b     c      the chain: a, b, c
 *
 * Rows behind what the model has read are computed again from the model's own vectors once these are known. Where vectors
 * are missing (of prompts that were kept, of forwards without them), the head knows of nothing before: it begins behind.
 *
 * Of several heads each says another token of the chain, and goes through all of it: b is of the second, from rows x3 and a
 * of its own, beside h2 and h3′. Behind as many tokens as there are heads the last goes on as a single one does. A head
 * that no chain was long enough for goes through nothing.
 */
export class Foreteller implements ChainWriter {
  readonly name = 'mtp'
  readonly source = DraftSource.mtp
  readonly cost: ForwardCost
  /** @internal */
  readonly decoders: readonly ForetellingDecoder[]
  /** @internal */
  readonly seats: Seats<HeadSeat>
  /** So many heads have had a token to say. @internal */
  reach = 1
  /** @internal */
  readonly pace: ReadingPace

  /**
   * @param decoders a context of each head, of as many sequences; they stay the caller's
   * @param cost what forwards of one take
   */
  constructor(decoders: readonly ForetellingDecoder[], cost: ForwardCost) {
    this.decoders = decoders
    this.cost = cost
    this.pace = new ReadingPace(cost.ms(manyPending) / manyPending)
    const seatOf = (_: unknown, id: number) => ({
      id,
      owner: '',
      tokens: [],
      fed: decoders.map(() => 1),
      known: 0,
      pending: new Float32Array(0),
    })
    this.seats = new Seats(Array.from({ length: decoders[0].maxSequences }, seatOf))
  }

  tokenMs(length: number, context: number): number {
    return this.cost.ms(length < this.decoders.length ? length + 1 : 1, context)
  }

  open(tokens: readonly number[], owner: string): ChainPen {
    return new Pen(this, tokens, owner)
  }
}

/** The chains of one request. */
class Pen implements ChainPen {
  readonly #heads: Foreteller
  readonly #tokens: readonly number[]
  readonly #owner: string
  readonly #width: number
  #seat: HeadSeat | undefined
  /** The vectors that the heads told of the chain's tokens: of each head but the last the one, of the last the newest. */
  readonly #carried: Float32Array
  /** So many heads have cells of the chain. */
  #ahead = 0
  /** Whether a forward failed: nothing more is foretold to this request. */
  #failed = false

  constructor(heads: Foreteller, tokens: readonly number[], owner: string) {
    this.#heads = heads
    this.#tokens = tokens
    this.#owner = owner
    this.#width = heads.decoders[0].vectorLength
    this.#carried = new Float32Array(heads.decoders.length * this.#width)
  }

  observe(vectors: Float32Array, position: number): void {
    if (this.#failed) return
    this.#seat ??= this.#take()
    const seat = this.#seat
    if (!seat) return
    const count = vectors.length / this.#width
    if (position > seat.known) this.#begin(seat, position)
    // What is computed again tells nothing new.
    const old = seat.known - position
    if (old >= count) return
    // Heads that are far behind give up what was before.
    while (pendingOf(seat) > 0 && pendingOf(seat) + count - old > mostPending) this.#giveUp(seat)
    const places = (pendingOf(seat) + count - old) * this.#width
    if (places > seat.pending.length) {
      const larger = new Float32Array(Math.max(places, 2 * seat.pending.length))
      larger.set(seat.pending)
      seat.pending = larger
    }
    seat.pending.set(vectors.subarray(old * this.#width), pendingOf(seat) * this.#width)
    seat.known = position + count
  }

  backlogMs(): number {
    const { reach, pace } = this.#heads
    const seat = this.#seat
    let ms = 0
    for (let head = 0; seat && head < reach; head++) {
      const rows = seat.known + 1 - seat.fed[head]
      if (rows > fewPending) ms += pace.ms(rows)
    }
    return ms
  }

  async digest(): Promise<void> {
    const seat = this.#seat
    if (!seat || this.#failed) return
    for (let head = 0; head < this.#heads.reach; head++)
      if (seat.known + 1 - seat.fed[head] >= manyPending)
        await this.#attempt(seat, () => this.#feed(seat, head, Math.min(seat.known + 1, this.#tokens.length)))
  }

  async write(chain: Int32Array, length: number): Promise<Guess | undefined> {
    const seat = this.#seat
    const last = this.#tokens.length - 1
    if (!seat || this.#failed || seat.known < last) return undefined
    return this.#attempt(seat, () =>
      length < this.#heads.decoders.length ? this.#first(seat, chain, length) : this.#next(seat, chain, length),
    )
  }

  keep(): void {
    const seat = this.#seat
    for (let head = 0; seat && head < this.#ahead; head++)
      this.#heads.decoders[head].removePositions(seat.id, this.#tokens.length, -1)
    this.#ahead = 0
  }

  close(): void {
    const seat = this.#seat
    if (!seat) return
    this.keep()
    seat.tokens = [...this.#tokens]
    this.#heads.seats.give(seat)
    this.#seat = undefined
  }

  /** The first token that a head says: behind what is known of the request, its last token, and the chain so far. */
  async #first(seat: HeadSeat, chain: Int32Array, head: number): Promise<Guess> {
    const { batch, vectors } = this.#heads.decoders[head]
    const last = this.#tokens.length - 1
    this.#heads.reach = Math.max(this.#heads.reach, head + 1)
    if (last - seat.fed[head] > fewPending) await this.#feed(seat, head, last)
    batch.clear()
    // All rows have an output or none has: graphs differ in which rows tell their vector.
    for (let row = seat.fed[head]; row <= last; row++)
      batch.addSequence(batch.add(this.#tokens[row], row, true), seat.id)
    const read = batch.size
    vectors?.set(this.#pendingFor(seat, head, read))
    if (head > 0) {
      for (let i = 0; i < head; i++) batch.addSequence(batch.add(chain[i], last + 1 + i, true), seat.id)
      vectors?.set(this.#carried.subarray(0, head * this.#width), read * this.#width)
      this.#ahead = head + 1
    }
    await this.#forward(head)
    this.#advance(seat, head, last + 1)
    return this.#guess(head)
  }

  /** A further one of the last head: behind the last token of the chain. */
  async #next(seat: HeadSeat, chain: Int32Array, length: number): Promise<Guess> {
    const head = this.#heads.decoders.length - 1
    const { batch, vectors } = this.#heads.decoders[head]
    batch.clear()
    batch.addSequence(batch.add(chain[length - 1], this.#tokens.length - 1 + length, true), seat.id)
    vectors?.set(this.#carried.subarray(head * this.#width))
    this.#ahead = head + 1
    await this.#forward(head)
    return this.#guess(head)
  }

  /** Computes rows of a head up to one, for their cells alone. */
  async #feed(seat: HeadSeat, head: number, end: number): Promise<void> {
    const { batch, vectors } = this.#heads.decoders[head]
    while (seat.fed[head] < end) {
      const first = seat.fed[head]
      const rows = Math.min(end - first, batch.capacity)
      batch.clear()
      for (let row = first; row < first + rows; row++)
        batch.addSequence(batch.add(this.#tokens[row], row, false), seat.id)
      vectors?.set(this.#pendingFor(seat, head, rows))
      await this.#forward(head)
      this.#advance(seat, head, first + rows)
    }
  }

  async #forward(head: number): Promise<void> {
    const { decoders, cost, pace } = this.#heads
    const began = performance.now()
    await decoders[head].decode()
    const ms = performance.now() - began
    const rows = decoders[head].batch.size
    if (rows <= decoders.length) cost.observe(rows, this.#tokens.length, ms, false)
    else pace.observe(rows, ms)
  }

  #guess(head: number): Guess {
    const decoder = this.#heads.decoders[head]
    const row = decoder.batch.size - 1
    const told = decoder.vectorsOf(row, 1)
    if (!told) throw new Error('the head told no vector')
    this.#carried.set(told, head * this.#width)
    return guessOf(decoder, row)
  }

  /** The vectors of a head's next rows. */
  #pendingFor(seat: HeadSeat, head: number, rows: number): Float32Array {
    const first = seat.fed[head] - leastFed(seat)
    return seat.pending.subarray(first * this.#width, (first + rows) * this.#width)
  }

  /** Rows of a head before one have their cells, or none will ever have. */
  #advance(seat: HeadSeat, head: number, row: number): void {
    const [before, waiting] = [leastFed(seat), pendingOf(seat)]
    seat.fed[head] = row
    seat.pending.copyWithin(0, (leastFed(seat) - before) * this.#width, waiting * this.#width)
  }

  /** The heads that are farthest behind know of nothing before the next vector. */
  #giveUp(seat: HeadSeat): void {
    const least = leastFed(seat)
    for (const [head, decoder] of this.#heads.decoders.entries()) {
      if (seat.fed[head] !== least) continue
      decoder.removePositions(seat.id, 0, -1)
      this.#advance(seat, head, seat.known + 1)
    }
  }

  /** A seat; what of its cells and vectors is the request's too stays. */
  #take(): HeadSeat | undefined {
    const taken = this.#heads.seats.take(this.#tokens, this.#owner)
    if (!taken) return undefined
    const { seat, common } = taken
    const from = Math.max(1, common)
    // Vectors that wait are those behind what the last head has gone through.
    seat.known = leastFed(seat) > from ? from - 1 : Math.min(seat.known, common)
    for (const [head, decoder] of this.#heads.decoders.entries()) {
      seat.fed[head] = Math.min(seat.fed[head], from)
      decoder.removePositions(seat.id, seat.fed[head], -1)
    }
    return seat
  }

  /** Knows of nothing before the token at a position: its vector comes next. */
  #begin(seat: HeadSeat, position: number): void {
    for (const [head, decoder] of this.#heads.decoders.entries()) {
      decoder.removePositions(seat.id, 0, -1)
      seat.fed[head] = position + 1
    }
    seat.known = position
  }

  /** Drafts are worth no request: where a head fails, there are none of it. */
  async #attempt<Result>(seat: HeadSeat, work: () => Promise<Result>): Promise<Result | undefined> {
    try {
      return await work()
    } catch {
      this.#failed = true
      this.#begin(seat, 0)
      return undefined
    }
  }
}

/** Up to where the head that has gone through least has gone. */
function leastFed({ fed }: HeadSeat): number {
  let least = fed[0]
  for (let head = 1; head < fed.length; head++) least = Math.min(least, fed[head])
  return least
}

/** Vectors that wait. */
function pendingOf(seat: HeadSeat): number {
  return seat.known - leastFed(seat) + 1
}
