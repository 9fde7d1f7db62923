// Which messages were heard.

/** Writers that are followed. */
const MOST_WRITERS = 1024
/** How many of a writer's last messages are remembered individually. */
const REACH = 1024

/**
 * Which messages of each writer were heard, by their numbers: a message that comes by several ways is read only once.
 *
 *     numbers   … 41 42 43 44 45 46 47          last = 47
 *     heard      ✓  ✓  ✓  –  ✓  ✓  ✓            one bit each for the last 1,024
 */
export class Heard {
  /** The one that was heard last comes last. */
  readonly #writers = new Map<string, { last: number; bits: Uint32Array }>()

  /** Notes a message; says how many numbers were passed over to it. */
  note(writer: string, number: number): number {
    let known = this.#writers.get(writer)
    const passed = known ? Math.max(0, number - known.last - 1) : 0
    if (known) this.#writers.delete(writer)
    else known = { last: number - 1, bits: new Uint32Array(REACH / 32) }
    this.#writers.set(writer, known)
    if (this.#writers.size > MOST_WRITERS) this.#writers.delete(this.#writers.keys().next().value!)
    if (number <= known.last - REACH) return 0
    for (let next = Math.max(known.last, number - REACH) + 1; next < number; next++) clear(known.bits, next)
    known.bits[(number % REACH) >>> 5] |= 1 << (number % 32)
    known.last = Math.max(known.last, number)
    return passed
  }

  /** Whether a message was heard, as far as that is known. */
  has(writer: string, number: number): boolean {
    const known = this.#writers.get(writer)
    if (!known || !(number <= known.last && number > known.last - REACH)) return false
    return ((known.bits[(number % REACH) >>> 5] >>> (number % 32)) & 1) === 1
  }

  /** Forgets all. */
  clear(): void {
    this.#writers.clear()
  }
}

function clear(bits: Uint32Array, number: number): void {
  bits[(number % REACH) >>> 5] &= ~(1 << (number % 32))
}
