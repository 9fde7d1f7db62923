// Sequence ids that keep their cells when a request leaves them.

import { commonLength } from './common-prefix.js'

/** A sequence id of a context, and whose tokens it holds. */
export interface Seat {
  readonly id: number
  owner: string
  /** The tokens its cells were computed from. */
  tokens: number[]
}

/** The seats of a context that no request holds. */
export class Seats<Kind extends Seat> {
  readonly #free: Kind[]

  constructor(seats: Kind[]) {
    this.#free = seats
  }

  /**
   * A seat for a request: of the same owner's, the one with the longest common beginning; otherwise the one left longest
   * ago.
   *
   * @returns it, and how many tokens are the same; `undefined` if none is free
   */
  take(tokens: readonly number[], owner: string): { seat: Kind; common: number } | undefined {
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
    seat.owner = owner
    return { seat, common: longest }
  }

  give(seat: Kind): void {
    this.#free.push(seat)
  }
}
