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
    const { place, common } = this.#find(tokens, owner)
    if (place < 0) return undefined
    const [seat] = this.#free.splice(place, 1)
    seat.owner = owner
    return { seat, common }
  }

  /** How many tokens would be the same in the seat that a request would get. */
  longest(tokens: readonly number[], owner: string): number {
    return this.#find(tokens, owner).common
  }

  #find(tokens: readonly number[], owner: string): { place: number; common: number } {
    let [place, common] = [-1, 0]
    for (const [k, seat] of this.#free.entries()) {
      const length = seat.owner === owner ? commonLength(seat.tokens, tokens) : 0
      if (place < 0 || length > common) [place, common] = [k, length]
    }
    return { place, common }
  }

  give(seat: Kind): void {
    this.#free.push(seat)
  }
}
