import { chooseNodes } from '../cost/controller.js'
import type { ForwardCost } from '../cost/forward-cost.js'
import type { Decoder } from './decoder.js'
import type { DraftMode } from './options.js'
import type { Sequence } from './sequence.js'

/** What one request does in the coming forward. */
export interface Share {
  readonly sequence: Sequence
  readonly draft: DraftMode
  /** Rows of the head. Decided here. */
  headRows: number
  /** Nodes of the draft tree. Decided here; the forward may leave some out. */
  nodes: number
  /** Milliseconds of retrieval. */
  retrievalMs: number
}

/** Head tokens of one forward while other requests are writing, so that a long prompt does not hold them up. */
const sharedPrefillRows = 64

/** Decides what takes part in a forward: how much of each head, how much of each draft. Executes nothing. */
export class Scheduler {
  readonly #decoder: Decoder
  readonly #maxNodes: number
  readonly #cost: ForwardCost

  constructor(decoder: Decoder, maxNodes: number, cost: ForwardCost) {
    this.#decoder = decoder
    this.#maxNodes = maxNodes
    this.#cost = cost
  }

  /** Fills the draft trees and sets `headRows`, `nodes` and `retrievalMs` of every share. */
  plan(shares: readonly Share[]): void {
    let freeRows = this.#decoder.batch.capacity
    for (const share of shares) {
      const { sequence } = share
      const limit = shares.length > 1 ? Math.min(freeRows, sharedPrefillRows) : freeRows
      share.nodes = 0
      share.retrievalMs = 0
      share.headRows = Math.min(sequence.headLength, limit)
      freeRows -= share.headRows
      if (sequence.isPrefilling || share.draft === 'off' || !this.#decoder.canBranch) continue
      const began = performance.now()
      share.nodes = this.#draft(share, share.draft, freeRows)
      share.retrievalMs = performance.now() - began
      freeRows -= share.nodes
    }
  }

  #draft({ sequence, headRows }: Share, draft: 'auto' | number, freeRows: number): number {
    const { tree } = sequence
    sequence.session.draft(tree, draft === 'auto' ? this.#maxNodes : Math.min(draft, this.#maxNodes))
    const available = usableNodes(sequence, freeRows)
    return draft === 'auto' ? chooseNodes(tree.probabilities, available, headRows, this.#cost) : available
  }
}

/** The longest prefix of the draft that fits into the forward and into the context. */
function usableNodes({ tree, room }: Sequence, freeRows: number): number {
  const most = Math.min(tree.size, freeRows)
  for (let node = 0; node < most; node++) if (tree.depths[node] >= room) return node
  return most
}
