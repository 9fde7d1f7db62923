/**
 * Where the JSON value ends that begins at a place; undefined where the text ends first or holds none. Only as exact
 * as is needed to find the end: brackets, strings and bare words.
 */
export function jsonEnd(text: string, start: number): number | undefined {
  const scanner = new JsonScanner()
  for (let i = start; i < text.length; i++) {
    const state = scanner.push(text[i])
    if (state === 'wrong') return undefined
    if (state === 'end') return i + 1
    if (state === 'before') return i
  }
  return scanner.isWhole ? text.length : undefined
}

/**
 * Follows a JSON value character by character. The value may come in pieces.
 *
 *     {"a": [1, "}"]} rest
 *                    └ 'end' with the bracket; a bare word or number ends before the character that follows it
 */
export class JsonScanner {
  #stack = ''
  #inString = false
  #escaped = false
  #bare = ''

  /** `more`: the value goes on. `end`: it ends with this character. `before`: it ended before it. `wrong`: it is none. */
  push(char: string): 'more' | 'end' | 'before' | 'wrong' {
    if (this.#inString) {
      if (this.#escaped) this.#escaped = false
      else if (char === '\\') this.#escaped = true
      else if (char === '"') {
        this.#inString = false
        return this.#stack === '' ? 'end' : 'more'
      }
      return 'more'
    }
    if (/[-+.\w]/.test(char)) {
      this.#bare += char
      return 'more'
    }
    const bare = this.#bare
    if (bare !== '') {
      if (!/^(?:true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?)$/.test(bare)) return 'wrong'
      if (this.#stack === '') return 'before'
      this.#bare = ''
    }
    switch (char) {
      case '"':
        this.#inString = true
        return bare === '' ? 'more' : 'wrong'
      case '{':
      case '[':
        if (this.#stack.length >= 500 || bare !== '') return 'wrong'
        this.#stack += char
        return 'more'
      case '}':
      case ']':
        if (this.#stack.at(-1) !== (char === '}' ? '{' : '[')) return 'wrong'
        this.#stack = this.#stack.slice(0, -1)
        return this.#stack === '' ? 'end' : 'more'
      case ',':
      case ':':
        return this.#stack === '' ? 'wrong' : 'more'
      case ' ':
      case '\n':
      case '\r':
      case '\t':
        return 'more'
      default:
        return 'wrong'
    }
  }

  /** Whether the text may end here: only a bare word or number may end so. */
  get isWhole(): boolean {
    return (
      this.#stack === '' &&
      !this.#inString &&
      /^(?:true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?)$/.test(this.#bare)
    )
  }
}
