import type { Sequence } from './sequence.js'

/** What verification found: the tokens to emit, and the accepted path through the tree. Reused from step to step. */
export class Verdict {
  /** Tokens the model chose: the drafted ones that agree, then the bonus token. */
  readonly tokens: Int32Array
  /** Number of {@link tokens}; at least 1. */
  count = 0
  /** Accepted nodes from the root down. Token `i` was drafted as node `path[i]` for `i < pathLength`. */
  readonly path: Int32Array
  pathLength = 0
  /** Whether `ends` was true of the last token. */
  ended = false

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
 * Exactly one draw is made per emitted token, in order, so sampling consumes the same random numbers with any draft.
 *
 * @param ends called once per token in order: whether the request ends with it
 */
export function verify(sequence: Sequence, nodes: number, verdict: Verdict, ends: (token: number) => boolean): void {
  const { tree, nodeRows, sampler } = sequence
  let node = -1
  let row = sequence.rootRow
  verdict.count = 0
  verdict.pathLength = 0
  for (;;) {
    const token = sampler.sample(row)
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
