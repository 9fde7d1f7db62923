// The words of a template, read one after the other.

import { JinjaError } from './error.js'
import { type Token, tokenize } from './lexer.js'

/** Deepest nesting of expressions and statements. */
const mostDepth = 200

/** The words of a template, and which comes next. */
export class Words {
  readonly #tokens: Token[]
  #at = 0
  #depth = 0

  constructor(source: string) {
    this.#tokens = tokenize(source)
  }

  /** The next word, or one after it. */
  peek(ahead = 0): Token {
    return this.#tokens[Math.min(this.#at + ahead, this.#tokens.length - 1)]
  }

  /** Takes the next word; the last one is never passed. */
  next(): Token {
    return this.#tokens[Math.min(this.#at++, this.#tokens.length - 1)]
  }

  /** Whether the next word is of a kind, and has a value. */
  is(kind: Token['kind'], value?: string, ahead = 0): boolean {
    const token = this.peek(ahead)
    return token.kind === kind && (value === undefined || token.value === value)
  }

  /** The same; if so, takes the word. */
  take(kind: Token['kind'], value?: string): boolean {
    if (!this.is(kind, value)) return false
    this.#at++
    return true
  }

  /** Takes the next word, which must be this. @throws JinjaError `syntax` if it is another */
  expect(kind: Token['kind'], value?: string): Token {
    if (!this.is(kind, value)) throw this.unexpected(value ?? kind.replace('-', ' '))
    return this.next()
  }

  /** The error that something was expected, but the next word, or the one given, is another. */
  unexpected(wanted: string, { kind, value, at } = this.peek()): JinjaError {
    return new JinjaError(
      'syntax',
      `expected ${wanted}, got ${value === '' ? kind : JSON.stringify(value.slice(0, 40))} at character ${at}`,
    )
  }

  /** Reads something that may contain more of its kind. @throws JinjaError `syntax` if that goes too deep */
  nested<T>(read: () => T): T {
    if (++this.#depth > mostDepth) throw new JinjaError('syntax', 'the template is nested too deeply')
    const value = read()
    this.#depth--
    return value
  }

  /** Skips this many words. */
  skip(count: number): void {
    this.#at += count
  }
}
