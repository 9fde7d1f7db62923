import { skipSpace } from './literal.js'

/** What a parser does while it waits: it yields, and goes on when more text is there or the text has ended. */
export type Waiting<T> = Generator<void, T, void>

/** The text of an answer as far as it is known, and how far it is read. */
export class Reader {
  text = ''
  at = 0
  ended = false

  get rest(): string {
    return this.text.slice(this.at)
  }

  /** The next character; undefined at the end. */
  *peek(): Waiting<string | undefined> {
    while (this.at >= this.text.length) {
      if (this.ended) return undefined
      yield
    }
    return this.text[this.at]
  }

  *next(): Waiting<string | undefined> {
    const char = yield* this.peek()
    if (char !== undefined) this.at++
    return char
  }

  *space(): Waiting<void> {
    while (true) {
      this.at = skipSpace(this.text, this.at)
      if (this.at < this.text.length || this.ended) return
      yield
    }
  }

  /** Takes one character if it is the next. */
  *take(char: string): Waiting<boolean> {
    if ((yield* this.peek()) !== char) return false
    this.at++
    return true
  }

  /** Takes characters as long as they are of a kind. */
  *while(isKind: (char: string) => boolean, most = 1024): Waiting<string> {
    const start = this.at
    while (this.at - start < most) {
      const char = yield* this.peek()
      if (char === undefined || !isKind(char)) break
      this.at++
    }
    return this.text.slice(start, this.at)
  }
}
