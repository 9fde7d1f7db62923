// What may have to be given back where memory is a state.

import type { Decoder } from './decoder.js'
import type { Sequence } from './sequence.js'

/**
 * What forwards may have to give back where memory is a state (recurrent and hybrid models). Such memory can go back by a
 * few positions, once after each forward of a sequence, but not to where it was before that forward:
 *
 *     state     s4 ─► root ─► a ─► b ─► c        rows of one forward
 *                      s5     s6   s7   s8
 *     kept      ▲      └──── taken back to ┘
 *               └ saved before, where it may be needed
 *
 * It is needed where the root itself turns out too close a race to be decided with others in the batch. Then all rows
 * go, and the head of the next forward begins where that of this one did. A window that forgets needs no such thing: its
 * forwards can be taken back whole.
 */
export class SavedStates {
  readonly #decoder: Decoder
  /** By the slot's first sequence id: the state, and how many tokens it has. */
  readonly #saved = new Map<number, { state: Uint8Array; length: number }>()

  constructor(decoder: Decoder) {
    this.#decoder = decoder
  }

  /** Saves the state of a sequence whose rows are laid, if its forward may have to be given back as a whole. */
  prepare(sequence: Sequence, isNoisy: boolean): void {
    const { committed, slot, headRows, rootRow } = sequence
    // Of a head of two, the first row stays.
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
