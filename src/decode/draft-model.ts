// A small model that writes chains of draft for a large one.

import type { ForwardCost } from '../cost/forward-cost.js'
import { DraftSource } from '../draft/tree.js'
import { type ChainDecoder, type ChainPen, type ChainWriter, type Guess, guessOf } from './chain-drafter.js'
import { ReadingPace } from './chain-worth.js'
import { type Seat, Seats } from './seats.js'

/** Rows of its forwards while it reads a prompt. */
const readingRows = 256

/** Tokens that are read in passing. */
const fewTokens = 8

/** A second, smaller model, which writes what it would say itself. */
export class DraftModel implements ChainWriter {
  readonly name = 'draft model'
  readonly source = DraftSource.model
  readonly #cost: ForwardCost
  readonly #decoder: ChainDecoder
  readonly #seats: Seats<Seat>
  readonly #pace: ReadingPace
  /** Forwards of one context do not overlap. */
  #turn: Promise<unknown> = Promise.resolve()

  /**
   * @param decoder a context of the small model, with the vocabulary of the large one; it stays the caller's
   * @param cost what its forwards take
   */
  constructor(decoder: ChainDecoder, cost: ForwardCost) {
    this.#decoder = decoder
    this.#cost = cost
    this.#pace = new ReadingPace(cost.ms(readingRows) / readingRows)
    this.#seats = new Seats(Array.from({ length: decoder.maxSequences }, (_, id) => ({ id, tokens: [], owner: '' })))
  }

  tokenMs(_length: number, context: number): number {
    return this.#cost.ms(1, context)
  }

  open(tokens: readonly number[], owner: string): ChainPen {
    return new Pen(this, tokens, owner)
  }

  /** Whether it can read so many tokens: its positions may end before those of the large model do. @internal */
  reaches(tokens: number): boolean {
    return tokens <= (this.#decoder.mostPositions ?? this.#decoder.contextTokens)
  }

  /** Whether it knows a token: tables of larger models may be longer. @internal */
  knows(token: number): boolean {
    return token < this.#decoder.vocabularySize
  }

  /** Milliseconds of reading so many tokens; 0 for a few. @internal */
  readingMs(tokens: number): number {
    return tokens > fewTokens ? this.#pace.ms(tokens) : 0
  }

  /** How many of a request's first tokens lie in cells that it could have. @internal */
  commonOf(tokens: readonly number[], owner: string): number {
    return this.#seats.longest(tokens, owner)
  }

  /** A sequence id for a request, if possible one whose cells begin as its text does. @internal */
  take(tokens: readonly number[], owner: string): Seat | undefined {
    const taken = this.#seats.take(tokens, owner)
    if (!taken) return undefined
    const { seat, common } = taken
    // The last token is computed anyway, for its row.
    seat.tokens.length = Math.min(common, tokens.length - 1)
    this.#decoder.removePositions(seat.id, seat.tokens.length, -1)
    return seat
  }

  /** @internal */
  give(seat: Seat): void {
    this.#seats.give(seat)
  }

  /** Waits for its turn, then computes rows behind a sequence's cells; returns the likeliest next token. @internal */
  compute({ id, tokens }: Seat, from: number): Promise<Guess> {
    const to = tokens.length
    const work = this.#turn.then(async () => {
      const { batch } = this.#decoder
      for (let begin = from; ; ) {
        const end = Math.min(to, begin + Math.min(readingRows, batch.capacity))
        batch.clear()
        for (let i = begin; i < end; i++) batch.addSequence(batch.add(tokens[i], i, i === to - 1), id)
        const began = performance.now()
        await this.#decoder.decode()
        if (end - begin === 1) this.#cost.observe(1, end, performance.now() - began, false)
        else this.#pace.observe(end - begin, performance.now() - began)
        if (end === to) break
        begin = end
      }
      return guessOf(this.#decoder, batch.size - 1)
    })
    this.#turn = work.catch(() => {})
    return work
  }

  /** Takes back what did not come true. @internal */
  cut(seat: Seat, length: number): void {
    this.#decoder.removePositions(seat.id, length, -1)
    seat.tokens.length = length
  }
}

/** The chains of one request. */
class Pen implements ChainPen {
  readonly #model: DraftModel
  readonly #tokens: readonly number[]
  readonly #owner: string
  /** Its tokens are what the small model has read: those of the request, and of the chain. */
  #seat: Seat | undefined
  /** Tokens that lay in cells when the request began. */
  #common: number | undefined
  /** Whether it cannot go on with this request. */
  #failed = false

  constructor(model: DraftModel, tokens: readonly number[], owner: string) {
    this.#model = model
    this.#tokens = tokens
    this.#owner = owner
  }

  backlogMs(): number {
    this.#common ??= this.#model.commonOf(this.#tokens, this.#owner)
    return this.#model.readingMs(this.#tokens.length - (this.#seat?.tokens.length ?? this.#common))
  }

  async write(chain: Int32Array, length: number): Promise<Guess | undefined> {
    const tokens = this.#tokens
    if (this.#failed || !this.#model.reaches(tokens.length + length)) return undefined
    this.#seat ??= this.#model.take(tokens, this.#owner)
    const seat = this.#seat
    if (!seat) return undefined
    const from = seat.tokens.length
    try {
      for (let i = from; i < tokens.length + length; i++) {
        const token = i < tokens.length ? tokens[i] : chain[i - tokens.length]
        if (!this.#model.knows(token)) throw new RangeError(`the draft model has no token ${token}`)
        seat.tokens.push(token)
      }
      return await this.#model.compute(seat, from)
    } catch {
      // Drafts are worth no request: where the small model fails, there are none of it.
      this.#failed = true
      this.#model.cut(seat, 0)
      return undefined
    }
  }

  keep(agreed: number, count: number): void {
    const seat = this.#seat
    if (!seat) return
    // The last token is computed again in any case, for its row.
    const right = this.#tokens.length + Math.min(agreed, count - 1)
    if (right < seat.tokens.length) this.#model.cut(seat, right)
  }

  close(): void {
    if (this.#seat) this.#model.give(this.#seat)
    this.#seat = undefined
  }
}
