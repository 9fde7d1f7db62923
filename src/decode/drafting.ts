// How much is drafted, and how drafting has gone.

/**
 * How much is drafted: `'auto'`, as much as pays by the measured cost of forwards; `'off'`, nothing (conventional
 * decoding); a number, always that many nodes. The text is the same in all three cases.
 */
export type DraftMode = 'auto' | 'off' | number

/** How what writes chains of draft is doing: a draft model, or the heads in a model's own file. */
export interface ChainReport {
  /** Milliseconds for the first token of a chain, behind little context. */
  rowMs: number
  /** The share of its tokens that have come true lately, 0 … 1; before any was judged, what is believed beforehand. */
  rate: number
  /** Whether it paid when last asked, had there been no other drafts. */
  pays: boolean
}

/** What the heads in a model's own file (MTP) are doing. */
export interface HeadsReport extends Partial<ChainReport> {
  /** How many there are; 0: none. */
  count: number
  /** Whether they are loaded and draft where that pays. */
  used: boolean
  /** If they are not, although they were asked for: why, in a phrase. */
  trouble?: string
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
