// How a model spaces its JSON, where a grammar leaves it free.

const tab = 9
const lineFeed = 10
const space = 32
const [colon, comma] = [58, 44]

/** Most bytes of one stretch of white space that are remembered. */
const longest = 24

/** Most pairs of characters that are remembered. */
const mostHabits = 1024

/** Whether a byte or character is white space that may stand between the parts of JSON. */
export function isSpace(character: number): boolean {
  return character === space || character === lineFeed || character === tab || character === 13
}

/** White space by what stands before and after it. */
export type SpacingHabits = Map<number, Uint8Array>

/**
 * White space that a model put between two characters the last time it was free to:
 *
 *     {"a": 1, "b"      between : and 1   " "      between , and "   " "      between { and "   nothing
 *
 * To begin with, a blank after each colon and comma, as nearly all of them write.
 */
export class Spacing {
  readonly #habits: SpacingHabits
  /** The white space that is being written, and between what; -1: none is. */
  readonly #open = new Uint8Array(longest)
  #length = 0
  #before = -1
  #after = -1

  /** @param habits what is known of the model, shared by its answers */
  constructor(habits: SpacingHabits = new Map()) {
    this.#habits = habits
  }

  /** What to expect between two characters, by their codes. */
  between(before: number, after: number): Uint8Array {
    return this.#habits.get(keyOf(before, after)) ?? (before === colon || before === comma ? blank : nothing)
  }

  /** From here on, white space may be written until `after` comes, unless that is so already. */
  listen(before: number, after: number): void {
    if (this.#before >= 0) return
    this.#before = before
    this.#after = after
    this.#length = 0
  }

  /** The next byte of the text. */
  hear(byte: number): void {
    if (this.#before < 0) return
    if (isSpace(byte) && byte !== this.#after && this.#length < longest) {
      this.#open[this.#length++] = byte
      return
    }
    if (byte === firstByte(this.#after)) this.#remember()
    this.#before = -1
  }

  #remember(): void {
    const known = this.between(this.#before, this.#after)
    if (known.length === this.#length && known.every((byte, i) => byte === this.#open[i])) return
    // Grammars may have any characters; those of JSON are few.
    if (this.#habits.size >= mostHabits) this.#habits.clear()
    this.#habits.set(keyOf(this.#before, this.#after), this.#open.slice(0, this.#length))
  }
}

const nothing = new Uint8Array(0)
const blank = Uint8Array.of(space)

function keyOf(before: number, after: number): number {
  return before * 2 ** 21 + after
}

/** The first byte of a character in UTF-8. */
function firstByte(character: number): number {
  if (character < 0x80) return character
  if (character < 0x800) return 0xc0 | (character >> 6)
  return character < 0x10000 ? 0xe0 | (character >> 12) : 0xf0 | (character >> 18)
}
