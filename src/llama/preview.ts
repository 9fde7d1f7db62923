// What noise in the logits would do to a draw.

import type { LlamaFunctions } from './abi.js'
import type { Candidates } from './candidates.js'
import type { Pointer } from './native.js'

/**
 * How the logits of the tokens above the one drawn, of itself, and of those below are moved: the two extremes of what
 * noise can do to a draw. A random number falls into an interval of the tokens' sum of probabilities, best first:
 *
 *     │ above        │ drawn   │ below   │
 *                       ↑ the number
 *
 *     + − −   the interval moves to the right as far as it can
 *     − − +   to the left
 *
 * Filters go with it: what is less likely is cut off sooner in the first case, and later in the second.
 */
const shifts = [
  [1, -1, -1],
  [-1, -1, 1],
] as const

/**
 * Finds out whether a draw depends on the noise of its row, without drawing: repeats the draw from what is left after
 * penalties and grammar, with the same random number and the logits moved within the noise.
 */
export class Preview {
  readonly #llama: LlamaFunctions
  readonly #candidates: Candidates
  /** Samplers that only filter and scale. */
  readonly #filters: readonly Pointer[]
  /** Draws; only copies of it are used here. */
  readonly #draw: Pointer

  /** @param links from top-k on, the drawing one last; they stay the caller's */
  constructor(llama: LlamaFunctions, candidates: Candidates, links: readonly Pointer[]) {
    this.#llama = llama
    this.#candidates = candidates
    this.#filters = links.slice(0, -1)
    this.#draw = links[links.length - 1]
  }

  /**
   * Whether the draw from some candidates, best first, stays the same however noise up to `noise` moves two logits
   * against each other.
   */
  isSure(ids: Int32Array, logits: Float32Array, noise: number): boolean {
    const drawn = this.#tryDraw(ids, logits)
    const place = ids.indexOf(drawn)
    const level = logits[place]
    // Tokens that may overtake each other may lie in any order: not worth finding out.
    if (logits[place - 1] - level <= noise || level - logits[place + 1] <= noise) return false
    return shifts.every(([above, self, below]) => {
      const moved = logits.map((logit, i) => logit + ((i === place ? self : i < place ? above : below) * noise) / 2)
      return this.#tryDraw(ids, moved) === drawn
    })
  }

  /** The token that would be drawn from a list, best first, with the coming random number. */
  #tryDraw(ids: Int32Array, logits: Float32Array): number {
    const candidates = this.#candidates
    candidates.put(ids, logits)
    for (const filter of this.#filters) this.#llama.llama_sampler_apply(filter, candidates.header)
    const copy = this.#llama.llama_sampler_clone(this.#draw)
    this.#llama.llama_sampler_apply(copy, candidates.header)
    this.#llama.llama_sampler_free(copy)
    return candidates.selected
  }
}
