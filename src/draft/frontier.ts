// The open ends of a draft, the most valuable on top.

/** What an empty {@link Frontier} returns. */
export const NOTHING = -0x80000000

/**
 * The open ends of a growing draft: numbered items with a value each, the most valuable taken first. A binary heap in
 * preallocated arrays.
 *
 *                 0.61                 items   4  0  7  2
 *               ┌──┴──┐                values  .61 .20 .40 .05
 *             0.20   0.40              children of place k: 2k + 1 and 2k + 2
 *            ┌──┘
 *          0.05
 */
export class Frontier {
  readonly #items: Int32Array
  readonly #values: Float64Array
  /** Items waiting. */
  size = 0

  /** @param capacity most items that may wait at a time; further ones are dropped */
  constructor(capacity: number) {
    this.#items = new Int32Array(capacity)
    this.#values = new Float64Array(capacity)
  }

  /** Bytes it holds. */
  get byteLength(): number {
    return this.#items.byteLength + this.#values.byteLength
  }

  /** The value of the most valuable item; 0 if none waits. */
  get best(): number {
    return this.size > 0 ? this.#values[0] : 0
  }

  /** Empties the frontier; nothing is allocated or freed. */
  clear(): void {
    this.size = 0
  }

  /** Adds an item whose value is `given[at]`; passed as an argument, a fraction might cost an object. */
  push(item: number, given: Float64Array, at: number): void {
    const items = this.#items
    const values = this.#values
    const value = given[at]
    if (this.size === items.length) return
    let place = this.size++
    while (place > 0) {
      const parent = (place - 1) >> 1
      if (values[parent] >= value) break
      items[place] = items[parent]
      values[place] = values[parent]
      place = parent
    }
    items[place] = item
    values[place] = value
  }

  /** Takes the most valuable item; {@link NOTHING} if none waits. */
  pop(): number {
    const items = this.#items
    const values = this.#values
    if (this.size === 0) return NOTHING
    const best = items[0]
    const size = --this.size
    const item = items[size]
    const value = values[size]
    let place = 0
    for (let child = 1; child < size; child = 2 * place + 1) {
      if (child + 1 < size && values[child + 1] > values[child]) child++
      if (values[child] <= value) break
      items[place] = items[child]
      values[place] = values[child]
      place = child
    }
    items[place] = item
    values[place] = value
    return best
  }
}
