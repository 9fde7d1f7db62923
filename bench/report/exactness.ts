// Rows of logits with drafts beside those without, bit for bit.

import { Spelling } from '../../src/corpus/spelling.js'
import { RetrievalDrafter } from '../../src/draft/retrieval.js'
import { RealLoop } from '../../test/helpers/real-loop.js'
import type { Task } from '../contest/contestant.js'

/** Conventional decoding and lookahead compared by every row of logits that a token was drawn from. */
export interface Exactness {
  answers: number
  identical: number
  rows: number
  equalRows: number
  /** Tokens that came out of drafts, without which the comparison would say nothing. */
  accepted: number
}

/** Decodes tasks both ways, with a draft size that makes trees and lost branches, and compares logits bit by bit. */
export async function compareRows(model: string, tasks: readonly Task[], nodes = 16): Promise<Exactness> {
  await using loop = await RealLoop.load(model)
  // Two memories: drafting from the very answer would never lose a branch.
  const spelling = new Spelling(loop.model.vocabulary)
  const [idle, drafter] = [new RetrievalDrafter({ spelling }), new RetrievalDrafter({ spelling })]
  const result: Exactness = { answers: 0, identical: 0, rows: 0, equalRows: 0, accepted: 0 }
  for (const { prompt, maxTokens } of tasks) {
    const conventional = await loop.decode({ prompt, maxTokens, draft: 'off', session: idle.open() })
    const lookahead = await loop.decode({ prompt, maxTokens, draft: nodes, session: drafter.open() })
    result.answers++
    if (conventional.tokens.join() === lookahead.tokens.join()) result.identical++
    result.rows += conventional.rows.length
    result.equalRows += conventional.rows.filter((row, i) => row === lookahead.rows[i]).length
    result.accepted += lookahead.accepted
  }
  return result
}
