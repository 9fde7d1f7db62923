// What an answer has to say next, as tokens.

import { Gate, type GrammarPlan } from './gate.js'
import type { ForcedText } from './grammar.js'
import type { Lexicon } from './lexicon.js'
import { Spacing, type SpacingHabits } from './spacing.js'

/** Most bytes looked ahead, and most tokens they make. */
const mostBytes = 192
const mostTokens = 48

/** The kind of place a foreseen token has, on which its reliability depends: the text is certain, its tokens are not. */
export const foresightKinds = {
  /** Within the text. */
  inner: 0,
  /** The first one, which the model might have joined with what it wrote before. */
  first: 1,
  /** After the first optional white space. */
  spaced: 2,
  /** The last one, which may go on beyond what is foreseen. */
  last: 3,
  /** The last one if it is only white space, which many vocabularies join with what follows. */
  lastSpace: 4,
} as const

/**
 * Follows an answer as its grammar does, and says what must come next:
 *
 *     {"city": "Bergen      a string: anything may follow                                 nothing
 *     {"city": "Bergen",    the next key is the only one left                ` "`, `day`, `":`, ` "`
 *
 * It has a grammar of its own, with its own bounds: looking ahead must not affect what is allowed.
 */
export class Foresight {
  /** The expected tokens; {@link length} of them, from {@link begin} on, have not been written yet. */
  readonly tokens = new Int32Array(mostTokens)
  /** One of {@link foresightKinds} for each. */
  readonly kinds = new Uint8Array(mostTokens)
  begin = 0
  length = 0
  readonly #lexicon: Lexicon
  readonly #tokenize: (text: string, special: boolean) => Int32Array
  readonly #gate: Gate
  readonly #text: ForcedText = { bytes: new Uint8Array(mostBytes), length: 0, certain: 0 }
  /** Bytes of the text that have been written. */
  #written = 0
  /** Whether the text that must come next is up to date. */
  #isKnown = false
  #isLost = false

  /**
   * @param tokenize tokenises as the model's texts are tokenised; with `special`, control tokens are recognised
   * @throws GrammarError `grammar-invalid`
   */
  constructor(
    plan: GrammarPlan,
    lexicon: Lexicon,
    tokenize: (text: string, special: boolean) => Int32Array,
    habits?: SpacingHabits,
  ) {
    this.#lexicon = lexicon
    this.#tokenize = tokenize
    this.#gate = new Gate(plan, lexicon, new Spacing(habits))
  }

  /** The model has written a token. */
  accept(token: number): void {
    if (this.#isLost) return
    if (this.length > 0 && this.tokens[this.begin] === token) {
      this.#written += this.#lexicon.lengthOf(token)
      this.begin++
      this.length--
    } else this.length = 0
    if (this.length === 0) this.#isKnown = false
    // A token that ends the answer is not text.
    if (this.#lexicon.ends.includes(token)) return
    try {
      this.#gate.accept(token)
    } catch {
      // Its own bounds are spent.
      this.#isLost = true
      this.#text.certain = 0
      this.length = 0
    }
  }

  /** Finds out what must come next, unless that is known. */
  look(): void {
    if (this.#isKnown || this.#isLost) return
    this.#isKnown = true
    this.#gate.foresee(this.#text)
    this.#written = 0
    this.begin = 0
    this.length = 0
    if (this.#text.length > 0) this.#split()
  }

  /**
   * How many bytes of the certain text a path has said, `said` of them before its last token; -1 if that token cannot come.
   * After the certain text, any token may.
   */
  follow(token: number, said: number): number {
    const { bytes, certain } = this.#text
    const at = this.#written + said
    if (at >= certain) return said
    const agreed = this.#lexicon.agreement(token, bytes, at, certain)
    return agreed === 0 ? -1 : said + agreed
  }

  /** Splits the text into tokens as the model most likely would. */
  #split(): void {
    const { bytes, length, certain } = this.#text
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, length).toString('utf8')
    for (const special of [true, false]) {
      if (this.#take(this.#tokenize(text, special), 0, length)) break
      // If the tokenizer puts a space before every text, a line feed prevents that.
      const ids = this.#tokenize(`\n${text}`, special)
      let lead = 0
      while (lead < ids.length && !this.#agrees(ids, lead, length)) lead++
      if (this.#take(ids, lead, length)) break
    }
    let end = 0
    for (let i = 0; i < this.length; i++) {
      end += this.#lexicon.lengthOf(this.tokens[i])
      this.kinds[i] = i === 0 ? foresightKinds.first : end <= certain ? foresightKinds.inner : foresightKinds.spaced
    }
    if (this.length === 0) return
    const last = this.#lexicon.bytesOf(this.tokens[this.length - 1])
    this.kinds[this.length - 1] = last.every((byte) => byte === 32) ? foresightKinds.lastSpace : foresightKinds.last
  }

  #agrees(ids: Int32Array, from: number, length: number): boolean {
    let at = 0
    for (let i = from; i < ids.length; i++) {
      const agreed = this.#lexicon.agreement(ids[i], this.#text.bytes, at, length)
      if (agreed === 0 || agreed < this.#lexicon.lengthOf(ids[i])) return false
      at += agreed
    }
    return at === length
  }

  /** Takes tokens from `from` on, if they say the text. */
  #take(ids: Int32Array, from: number, length: number): boolean {
    if (!this.#agrees(ids, from, length)) return false
    this.length = Math.min(ids.length - from, mostTokens)
    for (let i = 0; i < this.length; i++) this.tokens[i] = ids[from + i]
    return true
  }
}
