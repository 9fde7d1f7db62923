import { wordsOf } from './markers.js'

/** Whether a literal stands at a place: it does and ends there, it may once more text is known, or it does not. */
export type Match = number | 'maybe' | undefined

/**
 * A literal of a dialect, ready to be looked for. White space within it may be more or less in what a model writes;
 * `\0` in it stands for any number.
 */
export class Literal {
  readonly words: string[]
  /** White space it begins with, which belongs to it where it is there. */
  readonly leading: string

  constructor(literal: string) {
    this.words = wordsOf(literal)
    this.leading = /^\s*/.exec(literal)?.[0] ?? ''
  }

  get isEmpty(): boolean {
    return this.words.length === 0
  }

  /** Whether it is unlikely to stand in ordinary text. */
  get isMarker(): boolean {
    return /[<[\]>|｜]/.test(this.words[0] ?? '') && (this.words[0]?.length ?? 0) > 2
  }

  /** From its n-th word on. */
  from(word: number): Literal {
    return new Literal(this.words.slice(word).join(' '))
  }

  /** Looks for all of it at a place; white space may stand before it. */
  matchAt(text: string, at: number, ended: boolean): Match {
    let place = at
    for (const word of this.words) {
      place = skipSpace(text, place)
      const next = matchWord(word, text, place)
      if (next === 'maybe') return ended ? undefined : 'maybe'
      if (next === undefined) return undefined
      place = next
    }
    return place
  }

  /** Looks for as much of it as there is, at least its first word: models leave out the rest of a closing. */
  matchStart(text: string, at: number, ended: boolean): Match {
    let end: number | undefined
    let place = at
    for (const word of this.words) {
      place = skipSpace(text, place)
      const next = matchWord(word, text, place)
      if (next === 'maybe') return ended ? end : 'maybe'
      if (next === undefined) return end
      end = next
      place = next
    }
    return end ?? at
  }
}

function matchWord(word: string, text: string, at: number): Match {
  let place = at
  for (let i = 0; i < word.length; i++) {
    if (place >= text.length) return 'maybe'
    if (word[i] === '\0') {
      const digits = /\d+/y
      digits.lastIndex = place
      const found = digits.exec(text)
      if (!found) return undefined
      place += found[0].length
    } else if (text[place++] !== word[i]) return undefined
  }
  return place
}

export function skipSpace(text: string, at: number): number {
  let place = at
  while (place < text.length && /\s/.test(text[place])) place++
  return place
}
