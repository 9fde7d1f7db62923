import type { GenerationStep } from '../engine/generation.js'

/** What one forward did, for requests with `explain`. */
export interface Explanation {
  pieces: { text: string; source: string }[]
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
    pieces: pieces.map(({ text, source }) => ({ text, source })),
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
