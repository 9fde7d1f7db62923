/**
 * How often each token has occurred: a hash table with open addressing in two typed arrays.
 *
 *     slot        0   1   2   3   4   5   6   7
 *     ~key        –   9   –   –  13   5   –   –      13 wanted slot 4, 5 wanted it too and went one on
 *     count       –   2   –   –   7   1   –   –
 */
export class TokenCounts {
  #keys = new Int32Array(256)
  #counts = new Int32Array(256)
  #distinct = 0
  /** Tokens counted in all. */
  total = 0

  /** Bytes it holds. */
  get byteLength(): number {
    return this.#keys.byteLength + this.#counts.byteLength
  }

  /** Forgets everything; keeps its room. */
  clear(): void {
    this.#keys.fill(0)
    this.#counts.fill(0)
    this.#distinct = 0
    this.total = 0
  }

  /** Counts one occurrence and returns how many there are now. */
  add(token: number): number {
    this.total++
    let slot = this.#slotOf(token)
    if (this.#keys[slot] === 0) {
      if (this.#distinct * 2 >= this.#keys.length) {
        this.#grow()
        slot = this.#slotOf(token)
      }
      this.#keys[slot] = ~token
      this.#distinct++
    }
    return ++this.#counts[slot]
  }

  /** Occurrences of `token` so far. */
  get(token: number): number {
    return this.#counts[this.#slotOf(token)]
  }

  /** The slot that holds `token`, or the free one where it belongs. */
  #slotOf(token: number): number {
    const keys = this.#keys
    const mask = keys.length - 1
    const h = Math.imul(token, 0x9e3779b1)
    let slot = (h ^ (h >>> 15)) & mask
    while (keys[slot] !== 0 && keys[slot] !== ~token) slot = (slot + 1) & mask
    return slot
  }

  #grow(): void {
    const keys = this.#keys
    const counts = this.#counts
    this.#keys = new Int32Array(keys.length * 2)
    this.#counts = new Int32Array(keys.length * 2)
    for (let k = 0; k < keys.length; k++) {
      if (keys[k] === 0) continue
      const slot = this.#slotOf(~keys[k])
      this.#keys[slot] = keys[k]
      this.#counts[slot] = counts[k]
    }
  }
}
