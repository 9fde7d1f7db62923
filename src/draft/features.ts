// What confidence looks at: the tables of weights, and which entries a continuation has.

import { SHAPES, type Spelling } from '../corpus/spelling.js'
import { ZONES } from './cursors.js'
import { type Evidence, FEATURES } from './evidence.js'
import { NEARBY } from './recent-tokens.js'

/** Match lengths told apart; longer ones count as the longest. */
const LENGTHS = 32
/** Bits of the index into a table of tokens: a hash of them and a class. */
const TOKEN_BITS = 14
const PAIR_BITS = 13
/** Classes of match lengths: 0, 1, 2, 3–5, longer. */
const CLASSES = 5

let size = 1

/** The tables by name: where each begins, and where it ends. */
export const tables = new Map<string, { begin: number; end: number }>()

/**
 * Lays out a table of weights behind the ones before it and returns where it begins. Place 0 belongs to no table and
 * stays 0.
 */
function table(name: string, entries: number): number {
  const begin = size
  size += entries
  tables.set(name, { begin, end: size })
  return begin
}

// Constants, not properties of one object: V8 would make that a dictionary, and drafts a fifth slower.

/** Longest match in the own log. */
export const OWN_LENGTH = table('own-length', LENGTHS)
/** Longest match in the shared logs. */
export const SHARED_LENGTH = table('shared-length', LENGTHS)
/** The shorter of the two, where both have one. */
const BOTH_LENGTH = table('both-length', 8)
/** Matches of the longest length, by class. */
const OWN_COUNT = table('own-count', 8 * CLASSES)
const SHARED_COUNT = table('shared-count', 8 * CLASSES)
/** How recent the newest of those in the shared logs is. */
const SHARED_RANK = table('shared-rank', 8 * CLASSES)
/** How much shorter the longest match is than the best of all continuations. */
const SHORTFALL = table('shortfall', 16 * CLASSES)
/** How many tokens in a row were predicted. */
const AGREED = table('agreed', 8 * CLASSES)
/** How many of the node's leads agree on this token, in number and as a share. */
const SUPPORT = table('support', 8 * 8 * CLASSES)
/** Tokens that agree beyond the one that ended the match. */
const BEYOND = table('beyond', 8 * CLASSES)
/** Where the lead lies relative to the places the answer has recently copied from. */
const ZONE = table('zone', ZONES * 4)
/** How far the lead lies from the place copied last. */
const LEAP = table('leap', 32 * CLASSES)
/** Occurrences of the token in the own log. */
const OWN_FREQUENCY = table('own-frequency', 16 * CLASSES)
/** Share of the token in the shared log. */
const SHARED_FREQUENCY = table('shared-frequency', 16 * CLASSES)
/** Whether nothing but its frequency speaks for the token. */
export const GUESS = table('guess', 2)
/** How the longest match is written, in the own log or the shared ones. */
const WORDING = table('wording', 6 * CLASSES)
/** How far before the answer, or where in it, the lead lies. */
const PLACE = table('place', 23 * CLASSES)
/** How many of the recent tokens also stand around the lead. */
const AROUND = table('around', (NEARBY + 1) * CLASSES)
/** The shapes of the token and of the one before it. */
const SHAPE_PAIR = table('shape-pair', SHAPES * SHAPES * CLASSES)
/** Tables from here on are indexed by tokens: what they learn holds for one vocabulary only. */
export const FIRST_TOKEN_TABLE = size
/** The token to be continued: after "." copying often ends, within a word it never does. */
const LAST_TOKEN = table('last-token', 1 << TOKEN_BITS)
/** The token itself. */
const NEXT_TOKEN = table('next-token', 1 << TOKEN_BITS)
/** Both. */
const BIGRAM = table('bigram', 1 << TOKEN_BITS)
/** The token to be continued and the one before it. */
const LAST_BIGRAM = table('last-bigram', 1 << PAIR_BITS)
/** Weights in all. */
export const WEIGHTS = size

/** What the features of a node's continuations depend on besides the evidence. */
export interface Surroundings {
  /** Tokens from the root to the node. */
  depth: number
  /** The token that is continued. */
  last: number
  /** The one before it. */
  beforeLast: number
  /** The position copied last in the own log; -1 if none was. */
  copied: number
  /** Where the answer begins in the own log. */
  answerStart: number
  /** How tokens are written, if that is known. */
  spelling: Spelling | undefined
  /** Occurrences of a token in the own log. */
  ownCount(token: number): number
  /** Occurrences of a token in the shared log, and of all tokens. */
  sharedCount(token: number): number
  sharedTotal(): number
}

/** Fills in the features of continuations `from … to - 1`, which belong to one node. */
export function fillFeatures(evidence: Evidence, from: number, to: number, agreed: number, around: Surroundings): void {
  const { features, ownLengths, sharedLengths, leadCounts } = evidence
  let longest = 0
  let leads = 0
  for (let c = from; c < to; c++) {
    longest = Math.max(longest, ownLengths[c], sharedLengths[c])
    leads += leadCounts[c]
  }
  const { depth, last, beforeLast, copied, answerStart, spelling } = around
  const lastShape = spelling ? spelling.shapeOf(last) * SHAPES : 0
  const foreseen = AGREED + Math.min(agreed, 7) * CLASSES
  const eighths = 8 / (leads + 1)
  const total = around.sharedTotal()
  for (let c = from; c < to; c++) {
    const own = ownLengths[c]
    const shared = sharedLengths[c]
    const length = Math.max(own, shared)
    const kind = classOf(length)
    const token = evidence.tokens[c]
    let at = c * FEATURES
    const stop = at + FEATURES
    if (own > 0) {
      const ownKind = classOf(own)
      features[at++] = OWN_LENGTH + Math.min(own, LENGTHS - 1)
      features[at++] = OWN_COUNT + steps(evidence.ownCounts[c], 6) * CLASSES + ownKind
      features[at++] = PLACE + placeStep(evidence.ownPositions[c] - answerStart) * CLASSES + ownKind
      if (copied >= 0) features[at++] = LEAP + leapStep(evidence.ownPositions[c] - copied) * CLASSES + ownKind
    }
    if (shared > 0) {
      const sharedKind = classOf(shared)
      features[at++] = SHARED_LENGTH + Math.min(shared, LENGTHS - 1)
      features[at++] = SHARED_COUNT + steps(evidence.sharedCounts[c], 6) * CLASSES + sharedKind
      features[at++] = SHARED_RANK + rankStep(evidence.sharedRanks[c]) * CLASSES + sharedKind
      if (own > 0) features[at++] = BOTH_LENGTH + steps(Math.min(own, shared), 6)
    }
    const count = leadCounts[c]
    const share = Math.min(7, (count * eighths) | 0)
    features[at++] = SHORTFALL + Math.min(longest - length, 15) * CLASSES + kind
    features[at++] = foreseen + kind
    features[at++] = SUPPORT + (steps(count, 6) * 8 + share) * CLASSES + kind
    features[at++] = BEYOND + beyondStep(evidence.mostBeyond[c]) * CLASSES + kind
    features[at++] = AROUND + evidence.mostNearby[c] * CLASSES + kind
    features[at++] = OWN_FREQUENCY + ownStep(around.ownCount(token)) * CLASSES + kind
    features[at++] = SHARED_FREQUENCY + shareStep(around.sharedCount(token), total) * CLASSES + kind
    if (evidence.nearestZones[c] > 0)
      features[at++] = ZONE + evidence.nearestZones[c] * 4 + Math.min(3, Math.max(0, length - depth))
    if (length === 0) features[at++] = GUESS + (evidence.ownPositions[c] < 0 ? 1 : 0)
    else if (spelling) {
      const wording = own >= shared ? evidence.ownWordings[c] : 3 + evidence.sharedWordings[c]
      features[at++] = WORDING + wording * CLASSES + kind
    }
    if (spelling) features[at++] = SHAPE_PAIR + (lastShape + spelling.shapeOf(token)) * CLASSES + kind
    const ended = last * CLASSES + kind
    features[at++] = LAST_TOKEN + slotOf(ended, TOKEN_BITS)
    features[at++] = NEXT_TOKEN + slotOf(token * CLASSES + kind, TOKEN_BITS)
    features[at++] = BIGRAM + slotOf(Math.imul(token, 0x85ebca6b) ^ ended, TOKEN_BITS)
    features[at++] = LAST_BIGRAM + slotOf(Math.imul(beforeLast, 0x85ebca6b) ^ ended, PAIR_BITS)
    while (at < stop) features[at++] = 0
  }
}

/** 0, 1, 2, 3–4, 5–8, 9–16, … as 0, 1, 2, 3, 4, 5, … up to `most`. */
function steps(n: number, most: number): number {
  return n < 2 ? n : Math.min(most, 33 - Math.clz32(n - 1))
}

/** Ranks 0, 1, 2, 3, 4–7, 8–15, … as 0, 1, 2, 3, 4, 5, … up to 7. */
function rankStep(rank: number): number {
  return rank < 4 ? rank : Math.min(7, 33 - Math.clz32(rank))
}

/** 0, 1, 2, 3, 4–5, 6–8, 9–12, more. */
function beyondStep(n: number): number {
  return n < 4 ? n : n < 6 ? 4 : n < 9 ? 5 : n < 13 ? 6 : 7
}

/** Distances 0, 2–5, 6–13, … as 1, 2, 3, … up to 7; 8 … 14 backwards. */
function leapStep(distance: number): number {
  return 1 + Math.min(6, 31 - Math.clz32((Math.abs(distance) >> 1) + 1)) + (distance < 0 ? 7 : 0)
}

/** Powers of four of the place in the answer as 0 … 3; powers of two of the distance before it as 4 … 22. */
function placeStep(distance: number): number {
  if (distance >= 0) return Math.min(3, (31 - Math.clz32(distance + 1)) >> 1)
  return 4 + Math.min(18, 31 - Math.clz32(-distance))
}

/** Half powers of two: 0, 1, 2, 3, 4, 6, 8, … */
function ownStep(count: number): number {
  if (count < 1) return 0
  const whole = 31 - Math.clz32(count)
  const half = whole > 0 && (count & (1 << (whole - 1))) !== 0 ? 1 : 0
  return Math.min(15, 1 + 2 * whole + half)
}

/** Powers of two of the share: 2⁻¹⁴ or less as 0, …, a half or more as 14; 15: nothing is known. */
function shareStep(count: number, total: number): number {
  if (total === 0) return 15
  if (count === 0) return 0
  const power = Math.clz32(count) - Math.clz32(total)
  return Math.max(1, 14 - ((count << power) >>> 0 > total ? power - 1 : power))
}

/** 0, 1, 2, 3–5, longer. */
function classOf(length: number): number {
  return length < 3 ? length : length < 6 ? 3 : 4
}

/** Place of a key in a table of this many bits. */
function slotOf(key: number, bits: number): number {
  return Math.imul(key, 0x9e3779b1) >>> (32 - bits)
}
