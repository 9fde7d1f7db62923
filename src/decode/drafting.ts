// How much is drafted, and how it has gone.

/**
 * How much is drafted: `'auto'` what the measured cost of a forward says will pay, `'off'` nothing (conventional
 * decoding), a number: always that many nodes. The text is the same in all three.
 */
export type DraftMode = 'auto' | 'off' | number

/** What becomes of the heads that foretell (MTP) in a model's file. */
export interface HeadsReport {
  /** How many there are; 0: none. */
  count: number
  /** Whether the first of them drafts, where it is worth its time. */
  used: boolean
  /** Why it does not, in a phrase, where it was asked for. */
  trouble?: string
  /** Where it drafts: milliseconds of a token of it, the share of them that come true of late, and whether that pays at the moment. */
  rowMs?: number
  rate?: number
  pays?: boolean
}

/** How drafting has gone since the model was loaded, in forwards that wrote. */
export interface DraftingReport {
  /** Whether drafting rests at the moment, because it did not pay. */
  resting: boolean
  /** How often it began to rest. */
  rests: number
  /** Forwards during which it rested. */
  restedForwards: number
  /** How far the promises of drafts are believed at the moment, 0 … 1. */
  trust: number
  /** Tokens left to a forward of their own, since two candidates lay closer than the noise of the others. */
  nearTies: number
  /** Forwards by the number of draft nodes they verified, of all requests together; the last counts larger ones too. */
  forwardsByNodes: number[]
}
