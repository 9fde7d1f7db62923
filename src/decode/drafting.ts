// How much is drafted, and how drafting has gone.

/**
 * How much is drafted: `'auto'`, as much as pays by the measured cost of forwards; `'off'`, nothing (conventional
 * decoding); a number, always that many nodes. The text is the same in all three cases.
 */
export type DraftMode = 'auto' | 'off' | number

/** What the heads in a model's own file (MTP) are doing. */
export interface HeadsReport {
  /** How many there are; 0: none. */
  count: number
  /** Whether the first of them is loaded and drafts where that pays. */
  used: boolean
  /** If it is not, although it was asked for: why, in a phrase. */
  trouble?: string
  /** Milliseconds for each token it drafts. */
  rowMs?: number
  /** The share of its tokens that have come true lately, 0 … 1. */
  rate?: number
  /** Whether it pays at the moment. */
  pays?: boolean
}

/** How drafting has gone since the model was loaded, in forwards that wrote. */
export interface DraftingReport {
  /** Whether drafting rests at the moment, because it did not pay. */
  resting: boolean
  /** How often it has begun to rest. */
  rests: number
  /** Forwards for which it has rested. */
  restedForwards: number
  /** How far the promises of drafts are believed at the moment, 0 … 1. */
  trust: number
  /** Tokens left to a forward of their own because two candidates were closer than the noise of larger forwards. */
  nearTies: number
  /** Forwards by how many draft nodes they verified for all requests together; the last entry includes larger numbers. */
  forwardsByNodes: number[]
}
