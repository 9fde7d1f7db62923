// Where a request's documents are in its prompt.

/** What is needed of a document to find it in the prompt. */
export interface SourceText {
  id?: string
  title?: string
  text: string
}

/** A stretch of the prompt, in tokens. */
interface Span {
  start: number
  end: number
  id: string
}

/**
 * Where a request's documents are in its prompt, for explanations. Found when first asked for: the text of the prompt is
 * put together from its tokens, and each document searched for in it. A template that changes a document hides it.
 *
 *     prompt     <|user|> Documents: [1] Terms  The premium is refunded …  Question: …
 *     tokens     0        1          2   …      7                    19    20
 *                                               └────── terms ────────┘
 */
export class DocumentSpans {
  readonly #prompt: ArrayLike<number>
  readonly #documents: readonly SourceText[]
  readonly #bytesOf: (token: number) => Uint8Array
  #spans: Span[] | undefined

  constructor(prompt: ArrayLike<number>, documents: readonly SourceText[], bytesOf: (token: number) => Uint8Array) {
    this.#prompt = prompt
    this.#documents = documents
    this.#bytesOf = bytesOf
  }

  /**
   * The document that contains a token of the prompt: its id, otherwise its title, otherwise its number.
   *
   * @param place index in the prompt
   */
  idAt(place: number): string | undefined {
    if (this.#documents.length === 0) return undefined
    this.#spans ??= this.#find()
    return this.#spans.find(({ start, end }) => start <= place && place < end)?.id
  }

  #find(): Span[] {
    const pieces = Array.from(this.#prompt, (token) => this.#bytesOf(token))
    const text = Buffer.concat(pieces)
    /** Byte at which each token begins. */
    const begins = new Int32Array(pieces.length + 1)
    for (const [k, piece] of pieces.entries()) begins[k + 1] = begins[k] + piece.length
    const spans: Span[] = []
    let from = 0
    for (const [k, { id, title, text: body }] of this.#documents.entries()) {
      const needle = Buffer.from(body.trim())
      if (needle.length === 0) continue
      // Documents mostly come in their order, and one may contain another.
      let at = text.indexOf(needle, from)
      if (at < 0) at = text.indexOf(needle)
      if (at < 0) continue
      from = at + needle.length
      spans.push({
        start: begins.findIndex((begin, token) => begin <= at && begins[token + 1] > at),
        end: begins.findIndex((begin) => begin >= at + needle.length),
        id: id ?? title ?? String(k + 1),
      })
    }
    return spans
  }
}
