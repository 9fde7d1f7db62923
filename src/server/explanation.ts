// Where the tokens of an answer came from, as JSON.

import type { GenerationStep } from '../decode/generation.js'

/** What one forward did, for requests with `explain`. */
export interface Explanation {
  pieces: {
    text: string
    source: string
    /** Where exactly: `prompt`, `document`, `answer`, `prediction`, `request`, `sibling`, `other` or `model`. */
    origin: string
    /** Id of the document or of the earlier request. */
    id?: string
    match_length?: number
    /** How probable the draft held it after the token before. */
    probability?: number
  }[]
  drafted: number
  accepted: number
  forward_ms: number
  retrieval_ms: number
  tree: { text: string; parent: number; probability: number; source: string; match_length: number; accepted: boolean }[]
}

/** A step as the API tells it. */
export function explanationOf({
  pieces,
  drafted,
  accepted,
  forwardMs,
  retrievalMs,
  tree,
}: GenerationStep): Explanation {
  return {
    pieces: pieces.map(({ text, source, origin, matchLength, probability }) => ({
      text,
      source,
      origin: origin?.kind ?? 'other',
      ...(origin?.id !== undefined && { id: origin.id }),
      ...(matchLength !== undefined && { match_length: matchLength }),
      ...(probability !== undefined && { probability }),
    })),
    drafted,
    accepted,
    forward_ms: forwardMs,
    retrieval_ms: retrievalMs,
    tree: (tree ?? []).map((node) => ({
      text: node.text,
      parent: node.parent,
      probability: node.probability,
      source: node.source,
      match_length: node.matchLength,
      accepted: node.accepted,
    })),
  }
}
