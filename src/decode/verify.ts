import { halts } from '../llama/sampler.js'
import type { Sequence } from './sequence.js'

/** What verification found: the tokens to emit, and the accepted path through the tree. Reused from step to step. */
export class Verdict {
  /** Tokens the model chose: the drafted ones that agree, then the bonus token. */
  readonly tokens: Int32Array
  /** Number of {@link tokens}; at least 1, unless {@link undecided} or {@link halt}. */
  count = 0
  /** Accepted nodes from the root down. Token `i` was drafted as node `path[i]` for `i < pathLength`. */
  readonly path: Int32Array
  pathLength = 0
  /** Whether `ends` was true of the last token. */
  ended = false
  /** Whether it stopped before a row that cannot be trusted: the token there is to be decided by a forward of its own. */
  undecided = false
  /** Why the sampler let nothing follow the last token, if so. */
  halt: 'stop' | 'dead-end' | undefined

  /** @param maxNodes most nodes of a tree */
  constructor(maxNodes: number) {
    this.tokens = new Int32Array(maxNodes + 1)
    this.path = new Int32Array(maxNodes)
  }
}

/**
 * Verification and acceptance (VA). Drafting only proposes; the model's own choices define the output:
 *
 * 1. Draw the model's token from the root's row.
 * 2. If the request ends with it, stop.
 * 3. If the current node has a child of that name, the child's row was computed in the right context: go there and
 *    draw again. Otherwise stop; the token just drawn is the bonus.
 *
 * Where rows are not exact, a row whose choice hangs on less than the noise is not drawn from at all: verification ends
 * before it, and the position is decided by a forward of one token, as in conventional decoding (the near-tie guard).
 *
 * Where the sampler lets nothing follow, the answer ends, after the same tokens with any draft.
 *
 * Exactly one draw is made per emitted token, in order, so sampling consumes the same random numbers with any draft.
 *
 * @param ends called once per token in order: whether the request ends with it
 * @param noise how far two logits of these rows may lie from where a forward of one token has them; 0: they are exact
 */
export function verify(
  sequence: Sequence,
  nodes: number,
  verdict: Verdict,
  ends: (token: number) => boolean,
  noise = 0,
): void {
  const { tree, nodeRows, sampler } = sequence
  let node = -1
  let row = sequence.rootRow
  verdict.count = 0
  verdict.pathLength = 0
  verdict.ended = false
  verdict.undecided = false
  verdict.halt = undefined
  for (;;) {
    if (noise > 0 && sampler.isSure?.(row, noise) === false) {
      verdict.undecided = true
      return
    }
    const token = sampler.sample(row)
    if (token < 0) {
      verdict.halt = token === halts.whole ? 'stop' : 'dead-end'
      return
    }
    verdict.tokens[verdict.count++] = token
    verdict.ended = ends(token)
    const child = nodes > 0 ? tree.childOf(node, token, nodes) : -1
    if (child < 0 || nodeRows[child] < 0) return
    verdict.path[verdict.pathLength++] = child
    if (verdict.ended) return
    node = child
    row = nodeRows[child]
  }
}
