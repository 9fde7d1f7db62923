import { type DraftSourceName, sourceName } from '../draft/tree.js'
import type { Sequence } from './sequence.js'

/** A node of a draft tree as it was verified. A parent stands before its children. */
export interface DraftNode {
  token: number
  text: string
  /** Index of the parent in the list, -1: the last token before the draft. */
  parent: number
  /** How probable the drafter held the whole path down to this node. */
  probability: number
  source: DraftSourceName
  /** Tokens of the context match behind the node. */
  matchLength: number
  /** Whether the model chose it. */
  accepted: boolean
}

/**
 * The draft of the last forward, for people to look at.
 *
 * @param nodes how many nodes took part
 * @param path accepted nodes from the root down
 */
export function explainDraft(
  { tree }: Sequence,
  nodes: number,
  path: Int32Array,
  pathLength: number,
  textOf: (token: number) => string,
): DraftNode[] {
  const accepted = new Set(path.subarray(0, pathLength))
  return Array.from({ length: nodes }, (_, node) => ({
    token: tree.tokens[node],
    text: textOf(tree.tokens[node]),
    parent: tree.parents[node],
    probability: tree.probabilities[node],
    source: sourceName(tree.sources[node]),
    matchLength: tree.matchLengths[node],
    accepted: accepted.has(node),
  }))
}
