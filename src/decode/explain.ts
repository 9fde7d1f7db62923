// Explanations of drafts: where each node came from, and whether it was accepted.

import { DraftSource, type DraftSourceName, sourceName } from '../draft/tree.js'
import type { DocumentSpans } from './document-spans.js'
import type { Sequence } from './sequence.js'
import type { Verdict } from './verify.js'

/** Where a token came from. */
export interface TokenOrigin {
  /**
   * - `prompt`: drafted from the request's own prompt
   * - `document`: drafted from a document, of the prompt or of the namespace
   * - `answer`: drafted from the answer itself
   * - `prediction`: drafted from the request's `prediction`
   * - `request`: drafted from what an earlier request left behind
   * - `sibling`: drafted from another answer to the same prompt
   * - `grammar`: the request's grammar allowed nothing else
   * - `other`: drafted by a drafter that does not say, or from a place that no longer exists
   * - `model`: not drafted; the model's own logits gave it
   */
  kind: 'prompt' | 'document' | 'answer' | 'prediction' | 'request' | 'sibling' | 'grammar' | 'other' | 'model'
  /** Of a document: its id, title or number; of an earlier request: its id, if it has one. */
  id?: string
}

/** A node of a draft tree as it was verified. Parents come before their children. */
export interface DraftNode {
  token: number
  text: string
  /** Index of the parent in the list, -1: the last token before the draft. */
  parent: number
  /** How probable the drafter held the whole path down to this node. */
  probability: number
  source: DraftSourceName
  /** Where exactly it was found. */
  origin: TokenOrigin
  /** Tokens of the context match behind the node. */
  matchLength: number
  /** Whether the model chose it. */
  accepted: boolean
}

/**
 * The draft of the last forward, explained. The session must not have drafted again since.
 *
 * @param spans where documents stand in the prompt
 */
export function explainDraft(
  sequence: Sequence,
  { path, pathLength }: Verdict,
  textOf: (token: number) => string,
  spans?: DocumentSpans,
): DraftNode[] {
  const { tree, nodes } = sequence
  const accepted = new Set(path.subarray(0, pathLength))
  return Array.from({ length: nodes }, (_, node) => ({
    token: tree.tokens[node],
    text: textOf(tree.tokens[node]),
    parent: tree.parents[node],
    probability: tree.probabilities[node],
    source: sourceName(tree.sources[node]),
    origin: originOf(sequence, node, spans),
    matchLength: tree.matchLengths[node],
    accepted: accepted.has(node),
  }))
}

function originOf({ request, promptLength, tree }: Sequence, node: number, spans?: DocumentSpans): TokenOrigin {
  if (tree.sources[node] === DraftSource.forced) return { kind: 'grammar' }
  const origin = request.session.originOf?.(tree.origins[node])
  if (!origin) return { kind: 'other' }
  const { kind, id, place } = origin
  if (kind === 'prompt' && place !== undefined) {
    // A prediction is read before the prompt.
    if (promptLength + place < 0) return { kind: 'prediction' }
    const document = spans?.idAt(promptLength + place)
    if (document !== undefined) return { kind: 'document', id: document }
  }
  return { kind, ...(id !== undefined && { id }) }
}
