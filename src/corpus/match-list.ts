// Matches of a context, in columns.

/** How the tokens of a match are written, compared with those of the context. */
export const Wording = {
  /** Every token is the same. */
  same: 0,
  /** An older token is another one of the same form, see {@link Spelling}. */
  olderDiffers: 1,
  /** The newest token is. */
  newestDiffers: 2,
} as const

/**
 * Matches of a context, kept in columns and reused from step to step.
 *
 * A match is a place in some log where the context, or its end, occurs too. What followed there may follow here.
 */
export class MatchList {
  /** Most matches the list can hold; further ones are dropped. */
  readonly capacity: number
  /** Position of the token that followed the match: the first token of its continuation. */
  readonly positions: Int32Array
  /** How many tokens before that position have the form of those of the context, counted from its end. */
  readonly lengths: Uint8Array
  /** How its tokens differ from those of the context: one of {@link Wording}. */
  readonly wordings: Uint8Array
  /** How many matches of the same log came before this one: 0 is the first. */
  readonly ranks: Uint8Array
  /** Number of the log, as given to `find`. */
  readonly logs: Uint8Array
  /** Matches in use. */
  size = 0

  /** @param capacity most matches the list will ever hold */
  constructor(capacity: number) {
    this.capacity = capacity
    this.positions = new Int32Array(capacity)
    this.lengths = new Uint8Array(capacity)
    this.wordings = new Uint8Array(capacity)
    this.ranks = new Uint8Array(capacity)
    this.logs = new Uint8Array(capacity)
  }

  /** Empties the list; nothing is allocated or freed. */
  clear(): void {
    this.size = 0
  }

  /** Appends a match; returns whether there was room. */
  add(position: number, length: number, rank: number, log: number, wording: number = Wording.same): boolean {
    const k = this.size
    if (k >= this.capacity) return false
    this.positions[k] = position
    this.lengths[k] = length
    this.wordings[k] = wording
    this.ranks[k] = rank
    this.logs[k] = log
    this.size = k + 1
    return true
  }
}
