// Verification and acceptance (VA): how much of a draft the model itself would have written.

import { halts } from '../llama/sampler.js'
import type { Sequence } from './sequence.js'

/** Milliseconds of drawing after which the event loop gets its turn. */
const longestMs = 20

function* pause(): Generator<void, void> {
  yield
}

/** What verification found: the tokens to emit, and the accepted path through the tree. Reused from step to step. */
export class Verdict {
  /** Tokens the model chose: the drafted ones that agree, then the bonus token. */
  readonly tokens: Int32Array
  /** Number of {@link tokens}; at least 1, unless {@link undecided} or {@link halt}, or the prompt is not read to its end. */
  count = 0
  /** The batch rows they were drawn from. */
  readonly rows: Int32Array
  /** Accepted nodes from the root down. Token `i` was drafted as node `path[i]` for `i < pathLength`. */
  readonly path: Int32Array
  pathLength = 0
  /** Whether it stopped before a row that cannot be trusted: the token there needs a forward of its own. */
  undecided = false
  /** Why the sampler allowed nothing after the last token, if it did so. */
  halt: 'stop' | 'dead-end' | undefined

  /** @param maxNodes most nodes of a tree */
  constructor(maxNodes: number) {
    this.tokens = new Int32Array(maxNodes + 1)
    this.rows = new Int32Array(maxNodes + 1)
    this.path = new Int32Array(maxNodes)
  }

  /** Empties the verdict. */
  clear(): void {
    this.count = 0
    this.pathLength = 0
    this.undecided = false
    this.halt = undefined
  }

  /** Ends the answer after the first `count` tokens, dropping what was found after them. */
  cut(count: number): void {
    this.count = count
    this.pathLength = Math.min(this.pathLength, count)
    this.undecided = false
    this.halt = undefined
  }
}

/**
 * Verification and acceptance (VA). Drafting only proposes; the model's own choices define the output:
 *
 * 1. Draw the model's token from the root's row.
 * 2. If the answer certainly ends with it, because of the token or because it is the last one wanted, stop.
 * 3. If the current node has a child with that token, the child's row was computed in the right context: go there and
 *    draw again. Otherwise stop; the token just drawn is the bonus.
 *
 * If rows are not exact, a row whose choice depends on less than the noise is not drawn from at all: verification ends
 * before it, and the position is decided by a forward of one token, as in conventional decoding (the near-tie guard).
 *
 * If the sampler allows nothing to follow, the answer ends, after the same tokens with any draft.
 *
 * Exactly one draw is made per emitted token, in order, so sampling consumes the same random numbers with any draft. Only
 * after a stop string, which the writer finds afterwards, may a token be drawn that is not emitted; nothing is drawn for
 * that request again.
 *
 * What the sampler has to work out first, namely the tokens that a grammar allows, may take long. That work is then
 * returned, to be done in slices, and verification continues where it stopped when called again with the same verdict.
 * The same happens when a long draft was right and every draw searches a large vocabulary: what is returned is then only
 * a pause.
 *
 * @param verdict where the outcome goes; {@link Verdict.clear} it before the first call
 * @param isEnd whether a token ends every answer
 * @param noise how far the difference of two logits may be from what a forward of one token has; 0: rows are exact
 */
export function verify(
  sequence: Sequence,
  verdict: Verdict,
  isEnd: (token: number) => boolean,
  noise: number,
): Iterator<void> | undefined {
  const { tree, nodes, nodeRows, wanted } = sequence
  const { sampler } = sequence.request
  let node = verdict.pathLength > 0 ? verdict.path[verdict.pathLength - 1] : -1
  let row = node < 0 ? sequence.rootRow : nodeRows[node]
  // The prompt is not read to its end.
  if (row < 0) return undefined
  const began = performance.now()
  for (;;) {
    const work = sampler.prepare?.()
    if (work) return work
    if (performance.now() - began > longestMs) return pause()
    if (noise > 0 && sampler.isSure?.(row, noise) === false) {
      verdict.undecided = true
      return undefined
    }
    const token = sampler.sample(row)
    if (token < 0) {
      verdict.halt = token === halts.whole ? 'stop' : 'dead-end'
      return undefined
    }
    verdict.rows[verdict.count] = row
    verdict.tokens[verdict.count++] = token
    const child = tree.childOf(node, token, nodes)
    if (child < 0) return undefined
    verdict.path[verdict.pathLength++] = child
    if (verdict.count >= wanted || isEnd(token)) return undefined
    node = child
    row = nodeRows[child]
  }
}
