// States saved before forwards that may have to be undone, where memory is a state.

import type { Decoder } from './decoder.js'
import type { Sequence } from './sequence.js'

/**
 * States saved before forwards that may have to be undone, where memory is a state (recurrent and hybrid models). Such
 * memory can go back by a few positions, once after each forward of a sequence, but not to where it was before it:
 *
 *     state     s4 ─► root ─► a ─► b ─► c        rows of one forward
 *                      s5     s6   s7   s8
 *     kept      ▲      └──── taken back to ┘
 *               └ saved before, if it may be needed
 *
 * It is needed if two candidates for the root's own token turn out too close to be decided in a batch with others. Then
 * all rows go, and the head of the next forward begins where that of this one did. A sliding window needs no saved state:
 * its forwards can be undone as a whole.
 */
export class SavedStates {
  readonly #decoder: Decoder
  /** By the slot's first sequence id: the state, and how many tokens it has. */
  readonly #saved = new Map<number, { state: Uint8Array; length: number }>()

  constructor(decoder: Decoder) {
    this.#decoder = decoder
  }

  /** Saves the state of a sequence whose rows are laid, if all of them may have to be taken back. */
  prepare(sequence: Sequence, isNoisy: boolean): void {
    const { committed, slot, headRows, rootRow } = sequence
    // The first row of a longer head stays in any case.
    if (this.#decoder.goesBackWhole || !isNoisy || rootRow < 0 || headRows > 1 || committed === 0) return
    const id = slot.ids[0]
    const state = this.#decoder.saveState?.(id)
    if (state) this.#saved.set(id, { state, length: committed })
  }

  /**
   * Takes back the last `count` of the `rows` that a sequence had in the forward.
   *
   * @param begin tokens with cells before the forward
   * @returns how many have cells now
   */
  takeBack({ slot }: Sequence, begin: number, rows: number, count: number): number {
    const id = slot.ids[0]
    const saved = this.#saved.get(id)
    this.#saved.delete(id)
    if (count === 0) return begin + rows
    const end = begin + rows - count
    if ((count < rows || this.#decoder.goesBackWhole) && this.#decoder.removePositions(id, end, -1)) return end
    if (saved?.length !== begin || !this.#decoder.loadState)
      throw new Error(`${count} of ${rows} rows of sequence ${id} cannot be taken back`)
    this.#decoder.loadState(id, saved.state, begin)
    return begin
  }
}
