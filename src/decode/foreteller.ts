// The head that a model brings along (MTP): it writes chains of draft from what the layers made of the last token.

import type { ForwardCost } from '../cost/forward-cost.js'
import { DraftSource } from '../draft/tree.js'
import { type ChainDecoder, type ChainPen, type ChainWriter, type Guess, guessOf } from './chain-drafter.js'
import { type Seat, Seats } from './seats.js'

/** A context of the head. */
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

/** Where a request sits in the context of the head. */
interface HeadSeat extends Seat {
  /** Rows before it have their cells: row q is made of token q and of the vector of token q - 1. */
  fed: number
  /** Vectors of tokens before it are known. */
  known: number
  /** Those of tokens from `fed` - 1 on, one after the other. */
  pending: Float32Array
}

/**
 * The head as a writer of chains. Row q of it takes token q beside the vector that the model made of the token before, and
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
 */
export class Foreteller implements ChainWriter {
  readonly name = 'mtp'
  readonly source = DraftSource.mtp
  readonly cost: ForwardCost
  /** @internal */
  readonly decoder: ForetellingDecoder
  /** @internal */
  readonly seats: Seats<HeadSeat>

  /**
   * @param decoder a context of the head; it stays the caller's
   * @param cost what its forwards take
   */
  constructor(decoder: ForetellingDecoder, cost: ForwardCost) {
    this.decoder = decoder
    this.cost = cost
    const seatOf = (_: unknown, id: number) => ({
      id,
      owner: '',
      tokens: [],
      fed: 1,
      known: 0,
      pending: new Float32Array(0),
    })
    this.seats = new Seats(Array.from({ length: decoder.maxSequences }, seatOf))
  }

  open(tokens: readonly number[], owner: string): ChainPen {
    return new Pen(this, tokens, owner)
  }
}

/** The chains of one request. */
class Pen implements ChainPen {
  readonly #head: Foreteller
  readonly #tokens: readonly number[]
  readonly #owner: string
  readonly #width: number
  #seat: HeadSeat | undefined
  /** The head's own vector of the last row of a chain. */
  readonly #carried: Float32Array
  /** Whether rows of a chain have cells. */
  #isAhead = false
  /** Whether a forward failed: nothing more is foretold to this request. */
  #failed = false

  constructor(head: Foreteller, tokens: readonly number[], owner: string) {
    this.#head = head
    this.#tokens = tokens
    this.#owner = owner
    this.#width = head.decoder.vectorLength
    this.#carried = new Float32Array(this.#width)
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
    if (pendingOf(seat) + count - old > mostPending) this.#begin(seat, seat.known)
    const places = (pendingOf(seat) + count - old) * this.#width
    if (places > seat.pending.length) {
      const larger = new Float32Array(Math.max(places, 2 * seat.pending.length))
      larger.set(seat.pending)
      seat.pending = larger
    }
    seat.pending.set(vectors.subarray(old * this.#width), pendingOf(seat) * this.#width)
    seat.known = position + count
  }

  async digest(): Promise<void> {
    const seat = this.#seat
    if (!seat || this.#failed || pendingOf(seat) < manyPending) return
    await this.#attempt(seat, () => this.#feed(seat, Math.min(seat.known + 1, this.#tokens.length)))
  }

  async write(chain: Int32Array, length: number): Promise<Guess | undefined> {
    const seat = this.#seat
    const last = this.#tokens.length - 1
    if (!seat || this.#failed || seat.known < last) return undefined
    return this.#attempt(seat, () =>
      length === 0 ? this.#first(seat, last) : this.#next(seat, chain[length - 1], last + length),
    )
  }

  keep(): void {
    const seat = this.#seat
    if (seat && this.#isAhead) this.#head.decoder.removePositions(seat.id, this.#tokens.length, -1)
    this.#isAhead = false
  }

  close(): void {
    const seat = this.#seat
    if (!seat) return
    this.keep()
    seat.tokens = [...this.#tokens]
    this.#head.seats.give(seat)
    this.#seat = undefined
  }

  /** The first token of a chain: behind what is known of the request, and its last token. */
  async #first(seat: HeadSeat, last: number): Promise<Guess> {
    const { batch } = this.#head.decoder
    if (last - seat.fed > fewPending) await this.#feed(seat, last)
    batch.clear()
    // All rows have an output or none has: graphs differ in which rows tell their vector.
    for (let row = seat.fed; row <= last; row++) batch.addSequence(batch.add(this.#tokens[row], row, true), seat.id)
    await this.#forward(seat.pending, batch.size)
    this.#consume(seat, batch.size)
    return this.#guess()
  }

  /** A further one: behind the last token of the chain. */
  async #next(seat: HeadSeat, token: number, row: number): Promise<Guess> {
    const { batch } = this.#head.decoder
    batch.clear()
    batch.addSequence(batch.add(token, row, true), seat.id)
    this.#isAhead = true
    await this.#forward(this.#carried, 1)
    return this.#guess()
  }

  /** Computes rows up to one, for their cells alone. */
  async #feed(seat: HeadSeat, end: number): Promise<void> {
    const { batch } = this.#head.decoder
    while (seat.fed < end) {
      const rows = Math.min(end - seat.fed, batch.capacity)
      batch.clear()
      for (let row = seat.fed; row < seat.fed + rows; row++)
        batch.addSequence(batch.add(this.#tokens[row], row, false), seat.id)
      await this.#forward(seat.pending, rows)
      this.#consume(seat, rows)
    }
  }

  async #forward(vectors: Float32Array, rows: number): Promise<void> {
    const { decoder, cost } = this.#head
    decoder.vectors?.set(vectors.subarray(0, rows * this.#width))
    const began = performance.now()
    await decoder.decode()
    if (rows === 1) cost.observe(1, this.#tokens.length, performance.now() - began, false)
  }

  #guess(): Guess {
    const { decoder } = this.#head
    const row = decoder.batch.size - 1
    const told = decoder.vectorsOf(row, 1)
    if (!told) throw new Error('the head told no vector')
    this.#carried.set(told)
    return guessOf(decoder, row)
  }

  /** So many rows have their cells. */
  #consume(seat: HeadSeat, rows: number): void {
    seat.pending.copyWithin(0, rows * this.#width, pendingOf(seat) * this.#width)
    seat.fed += rows
  }

  /** A seat; what of its cells and vectors is the request's too stays. */
  #take(): HeadSeat | undefined {
    const taken = this.#head.seats.take(this.#tokens, this.#owner)
    if (!taken) return undefined
    const { seat, common } = taken
    if (common < seat.fed) {
      seat.fed = Math.max(1, common)
      seat.known = seat.fed - 1
    } else seat.known = Math.min(seat.known, common)
    this.#head.decoder.removePositions(seat.id, seat.fed, -1)
    return seat
  }

  /** Knows of nothing before the token at a position: its vector comes next. */
  #begin(seat: HeadSeat, position: number): void {
    this.#head.decoder.removePositions(seat.id, 0, -1)
    seat.fed = position + 1
    seat.known = position
  }

  /** Drafts are worth no request: where the head fails, there are none of it. */
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

/** Vectors that wait. */
function pendingOf({ fed, known }: HeadSeat): number {
  return known - fed + 1
}
