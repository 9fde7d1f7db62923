/**
 * Which characters are neighbours within some token of a vocabulary. Between two that never do no token reaches
 * across, whatever is around them.
 *
 *     tokens   the, their, en        pairs   th he ei ir en
 *     text     t h e n               between h and e: maybe; between e and n: maybe; between n and t: never
 *
 * Pairs are kept as bits by their hash, so now and then a pair that never occurs is held for one that does, but not the
 * other way round.
 */
export class Neighbours {
  readonly #bits: Uint32Array

  /** @param capacity about how many pairs there may be */
  constructor(capacity: number) {
    this.#bits = new Uint32Array(2 ** Math.max(10, Math.ceil(Math.log2(capacity))))
  }

  /** Takes up the pairs of a token's text. */
  add(text: string): void {
    let before = -1
    for (const character of text) {
      const code = codeOf(character.codePointAt(0) as number)
      if (before >= 0) {
        const hash = hashOf(before, code)
        this.#bits[(hash >>> 5) & (this.#bits.length - 1)] |= 1 << (hash & 31)
      }
      before = code
    }
  }

  /** Whether some token may have `left` directly before `right`. */
  meet(left: number, right: number): boolean {
    const [a, b] = [codeOf(left), codeOf(right)]
    return (
      this.#has(a, b) ||
      // Tokens may begin and end within a character; what they have of it was read as U+FFFD.
      (b > 0x7f && this.#has(a, broken)) ||
      (a > 0x7f && this.#has(broken, b)) ||
      (a > 0x7f && b > 0x7f && this.#has(broken, broken))
    )
  }

  #has(left: number, right: number): boolean {
    const hash = hashOf(left, right)
    return ((this.#bits[(hash >>> 5) & (this.#bits.length - 1)] >>> (hash & 31)) & 1) === 1
  }
}

const broken = 0xfffd

/** SentencePiece writes a space as U+2581. */
function codeOf(code: number): number {
  return code === 0x2581 ? 0x20 : code
}

function hashOf(left: number, right: number): number {
  const mixed = Math.imul(Math.imul(left, 0x9e3779b1) ^ right, 0x85ebca6b)
  return (mixed ^ (mixed >>> 15)) >>> 0
}
