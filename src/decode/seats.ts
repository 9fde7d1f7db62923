// Sequence ids that stay with what they hold when a request leaves them.

/** A sequence id of a context, and whose tokens lie there. */
export interface Seat {
  readonly id: number
  owner: string
  /** What its cells were computed of. */
  tokens: number[]
}

/** The seats of a context that no request has. */
export class Seats<Kind extends Seat> {
  readonly #free: Kind[]

  constructor(seats: Kind[]) {
    this.#free = seats
  }

  /**
   * A seat for a request: the one whose tokens begin most as its own do, of the same owner; else the one left longest ago.
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

function commonLength(a: readonly number[], b: readonly number[]): number {
  const most = Math.min(a.length, b.length)
  let common = 0
  while (common < most && a[common] === b[common]) common++
  return common
}
