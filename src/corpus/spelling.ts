// How tokens are written: forms that differ in capitals and spaces only, and shapes.

/** What {@link Spelling} needs of a vocabulary. */
export interface Spelt {
  readonly size: number
  /** The bytes one token stands for; read only. */
  bytesOf(token: number): Uint8Array
}

/** Turns incomplete characters into U+FFFD, and keeps a byte order mark. */
const decoder = new TextDecoder('utf-8', { ignoreBOM: true })
/** A token that has not been seen yet. */
const UNSEEN = -1

/**
 * A token's shape is the first of these that fits; 15 if none does. Tokens that stand for no text have shape 0.
 */
const SHAPE_PATTERNS = [
  /^$/,
  /\n/,
  /^\s+$/,
  /\d/,
  /^ \p{Lu}/u,
  /^ \p{Ll}{1,3}$/u,
  /^ \p{Ll}{4,6}$/u,
  /^ \p{L}/u,
  /^\p{Lu}/u,
  /^\p{Ll}{1,2}$/u,
  /^\p{L}/u,
  /^ ?[.!?;:]+/,
  /^ ?,/,
  /^ ?["'’`]/,
  /^ ?[([{<]/,
]
/** Number of shapes. */
export const SHAPES = SHAPE_PATTERNS.length + 1

/**
 * How the tokens of a vocabulary are written.
 *
 * - Tokens of one **form** differ only in capitals and the spaces around them. An answer that quotes a document
 *   capitalises the beginning of a sentence and leaves out the space after a quotation mark or a bracket:
 *
 *       " The"  "the"  " the"     one form           ".\n"  "."     two: line breaks are more than spaces
 *
 * - The **shape** says what kind of text a token is: a short word, the middle of a word, a number, a line break, ….
 *   Which shape usually follows which is much the same in all texts and vocabularies.
 *
 * Nothing is computed ahead: a token is looked at when it is first met.
 *
 * @example
 * const spelling = new Spelling(model.vocabulary)
 * spelling.formOf(the) === spelling.formOf(The)   // true
 */
export class Spelling {
  /** Form of each token: the first token of that form that was met. */
  readonly #forms: Int32Array
  readonly #shapes: Uint8Array
  readonly #firstOf = new Map<string, number>()
  readonly #vocabulary: Spelt

  /** @param vocabulary is read whenever a token is first met, so it must outlive the spelling */
  constructor(vocabulary: Spelt) {
    this.#vocabulary = vocabulary
    this.#forms = new Int32Array(vocabulary.size).fill(UNSEEN)
    this.#shapes = new Uint8Array(vocabulary.size)
  }

  /** The form of a token; a number outside the vocabulary is its own form. */
  formOf(token: number): number {
    if (token < 0 || token >= this.#forms.length) return token
    const form = this.#forms[token]
    return form === UNSEEN ? this.#meet(token) : form
  }

  /** Whether two tokens, both met before, are of one form. */
  alike(one: number, other: number): boolean {
    const form = this.#forms[one]
    return form >= 0 && form === this.#forms[other]
  }

  /** The shape of a token, from 0 to {@link SHAPES} - 1. */
  shapeOf(token: number): number {
    if (token < 0 || token >= this.#forms.length) return 0
    if (this.#forms[token] === UNSEEN) this.#meet(token)
    return this.#shapes[token]
  }

  /** Looks at a token for the first time and returns its form. */
  #meet(token: number): number {
    const text = decoder.decode(this.#vocabulary.bytesOf(token))
    const shape = SHAPE_PATTERNS.findIndex((pattern) => pattern.test(text))
    this.#shapes[token] = shape < 0 ? SHAPES - 1 : shape
    const bare = text.replace(/^ +| +$/g, '').toLowerCase()
    // Nothing but spaces, or part of a character: like no other.
    const alone = bare === '' || bare.includes('\ufffd')
    const form = alone ? token : (this.#firstOf.get(bare) ?? token)
    if (!alone && form === token) this.#firstOf.set(bare, token)
    this.#forms[token] = form
    return form
  }
}
