// Patterns of ECMAScript as automata.

import { GrammarError } from './error.js'

/** Ranges of code points, `low, high, low, high, …`, ascending. */
export type CharSet = readonly number[]

/** Bounds of what is read; what people write is far below. */
const mostStates = 20_000
const mostRepetitions = 2000
const mostNesting = 100

const lastCodePoint = 0x10ffff
/** Halves of characters outside the first plane: no text of JSON holds one alone. */
const surrogates: CharSet = [0xd800, 0xdfff]

/** Every character. */
export const anyChar: CharSet = [0, 0xd7ff, 0xe000, lastCodePoint]

const digits: CharSet = [48, 57]
const wordChars: CharSet = [48, 57, 65, 90, 95, 95, 97, 122]
const spaces: CharSet = [
  9, 13, 32, 32, 0xa0, 0xa0, 0x1680, 0x1680, 0x2000, 0x200a, 0x2028, 0x2029, 0x202f, 0x202f, 0x205f, 0x205f, 0x3000,
  0x3000, 0xfeff, 0xfeff,
]
const lineEnds: CharSet = [10, 10, 13, 13, 0x2028, 0x2029]
const controlEscapes: Record<string, number> = { t: 9, n: 10, v: 11, f: 12, r: 13, '0': 0 }

/** An edge of an automaton: over a character, over nothing, or over nothing only at the begin or end of the text. */
export type Edge = { set: CharSet; to: number } | { when: 'always' | 'start' | 'end'; to: number }

/**
 * A pattern of ECMAScript as an automaton, which reads any text in one pass, whatever the pattern is; JavaScript's own
 * may take years for one text.
 *
 *     ab?$      0 ─a→ 1 ─b→ 2 ─end→ 3
 *                     └─────→┘
 */
export class Automaton {
  /** Character sets on the edges. */
  readonly sets: readonly CharSet[]
  readonly #start: number
  readonly #final: number
  /** Edges over a character, by state. */
  readonly #over: readonly (readonly { set: CharSet; to: number }[])[]
  /** Edges over nothing, by state. */
  readonly #free: readonly (readonly { when: 'always' | 'start' | 'end'; to: number }[])[]

  constructor(edges: readonly (readonly Edge[])[], start: number, final: number) {
    this.#start = start
    this.#final = final
    this.#over = edges.map((list) => list.filter((edge) => 'set' in edge))
    this.#free = edges.map((list) => list.filter((edge) => 'when' in edge))
    this.sets = this.#over.flatMap((list) => list.map(({ set }) => set))
  }

  /** The states before the first character. */
  begin(): number[] {
    return this.#closure([this.#start], true, false)
  }

  /** The states after one more character. */
  step(states: readonly number[], character: number): number[] {
    const next: number[] = []
    for (const state of states) for (const { set, to } of this.#over[state]) if (includes(set, character)) next.push(to)
    return this.#closure(next, false, false)
  }

  /** Whether the text may end in these states. @param atStart whether no character has been read */
  accepts(states: readonly number[], atStart: boolean): boolean {
    return this.#closure(states, atStart, true).includes(this.#final)
  }

  /** All states that can be reached without a character; kept are those that something follows from. */
  #closure(from: readonly number[], atStart: boolean, atEnd: boolean): number[] {
    const found = new Set(from)
    for (const state of found)
      for (const { when, to } of this.#free[state])
        if (when === 'always' || (when === 'start' ? atStart : atEnd)) found.add(to)
    const kept: number[] = []
    for (const state of found)
      if (
        atEnd ||
        state === this.#final ||
        this.#over[state].length > 0 ||
        this.#free[state].some(({ when }) => when !== 'always')
      )
        kept.push(state)
    return kept.sort((a, b) => a - b)
  }
}

/** What a pattern demands of a text: all of these, each to be found or (a negative lookahead) not. */
export interface Demand {
  automaton: Automaton
  negated: boolean
}

/**
 * Reads a pattern. It may match anywhere in the text, as in JSON schemas, unless it is anchored.
 *
 * @throws GrammarError `schema-invalid` for what is no pattern, or none that an automaton can follow: back references,
 *   word boundaries, and assertions elsewhere than at the begin
 */
export function readPattern(source: string): Demand[] {
  return new PatternReader(source).read()
}

/** Whether a text is what demands ask for. */
export function meetsDemands(text: string, demands: readonly Demand[]): boolean {
  return demands.every(({ automaton, negated }) => {
    let states = automaton.begin()
    for (const character of text) states = automaton.step(states, character.codePointAt(0) as number)
    return automaton.accepts(states, text === '') !== negated
  })
}

/** A piece of an automaton under construction: where it is entered, and where it is left. */
interface Piece {
  enter: number
  leave: number
}

class PatternReader {
  readonly #source: string
  #at = 0
  #depth = 0
  #edges: Edge[][] = []
  /** Demands of lookaheads at the begin. */
  readonly #ahead: Demand[] = []
  /** Whether nothing has been read of the pattern so far that takes a character. */
  #atBegin: boolean
  #hasAlternatives = false

  constructor(source: string) {
    this.#source = source
    this.#atBegin = source.startsWith('^')
  }

  read(): Demand[] {
    const piece = this.#alternatives()
    if (this.#at < this.#source.length) throw this.#unexpected()
    if (this.#ahead.length > 0 && this.#hasAlternatives)
      throw this.#refuse('has an assertion in one of its alternatives')
    return [...this.#ahead, { automaton: this.#close(piece, true, true), negated: false }]
  }

  /** Makes an automaton of a piece, with any text before and behind it if wished. */
  #close({ enter, leave }: Piece, before: boolean, behind: boolean): Automaton {
    if (before)
      this.#edges[this.#state()] = [
        { set: anyChar, to: this.#edges.length - 1 },
        { when: 'always', to: enter },
      ]
    const start = before ? this.#edges.length - 1 : enter
    if (behind) this.#edges[leave].push({ set: anyChar, to: leave })
    return new Automaton(this.#edges, start, leave)
  }

  #alternatives(): Piece {
    const first = this.#sequence()
    if (this.#peek() !== '|') return first
    const enter = this.#state({ when: 'always', to: first.enter })
    const leave = this.#state()
    this.#join(first.leave, leave)
    if (this.#depth === 0) this.#hasAlternatives = true
    while (this.#peek() === '|') {
      this.#at++
      const next = this.#sequence()
      this.#edges[enter].push({ when: 'always', to: next.enter })
      this.#join(next.leave, leave)
    }
    return { enter, leave }
  }

  #sequence(): Piece {
    const enter = this.#state()
    let leave = enter
    for (;;) {
      const character = this.#peek()
      if (character === '' || character === '|' || character === ')') return { enter, leave }
      const begin = this.#at
      const item = this.#item()
      if (!item) continue
      const times = this.#times()
      const piece = times ? this.#repeat(item, begin, ...times) : item
      this.#join(leave, piece.enter)
      leave = piece.leave
    }
  }

  #item(): Piece | undefined {
    const character = this.#source[this.#at++]
    switch (character) {
      case '(':
        return this.#group()
      case '[':
        return this.#char(this.#class())
      case '.':
        return this.#char(without(anyChar, lineEnds))
      case '^':
        return this.#assert('start')
      case '$':
        return this.#assert('end')
      case '\\':
        return this.#char(this.#escape(false))
      case '*':
      case '+':
      case '?':
        this.#at--
        throw this.#unexpected()
      default: {
        if (character === '{' && /^\{\d+(?:,\d*)?\}/.test(this.#source.slice(this.#at - 1))) {
          this.#at--
          throw this.#unexpected()
        }
        this.#at--
        const code = this.#source.codePointAt(this.#at) as number
        this.#at += code > 0xffff ? 2 : 1
        return this.#char([code, code])
      }
    }
  }

  #group(): Piece | undefined {
    if (++this.#depth > mostNesting) throw this.#refuse(`is nested deeper than ${mostNesting} levels`)
    const rest = this.#source.slice(this.#at)
    const [kind] = /^(?:\?:|\?=|\?!|\?<=|\?<!|\?<[A-Za-z_$][\w$]*>)/.exec(rest) ?? ['']
    if (kind === '' && rest[0] === '?') throw this.#unexpected()
    this.#at += kind.length
    const isAhead = kind === '?=' || kind === '?!'
    if (kind === '?<=' || kind === '?<!' || (isAhead && (!this.#atBegin || this.#depth > 1)))
      throw this.#refuse('has an assertion elsewhere than at its begin')
    const outer = this.#edges
    if (isAhead) this.#edges = []
    const piece = this.#alternatives()
    if (this.#peek() !== ')') throw this.#unexpected()
    this.#at++
    this.#depth--
    if (!isAhead) return piece
    this.#ahead.push({ automaton: this.#close(piece, false, true), negated: kind === '?!' })
    this.#edges = outer
    this.#atBegin = true
    return undefined
  }

  /** `*`, `+`, `?` or `{m,n}`, greedy or not, if one stands here. */
  #times(): [least: number, most: number] | undefined {
    const [whole, sign, least, comma, most] =
      /^(?:([*+?])|\{(\d+)(,)?(\d*)\})\??/.exec(this.#source.slice(this.#at)) ?? []
    if (whole === undefined) return undefined
    this.#at += whole.length
    if (sign) return sign === '*' ? [0, Infinity] : sign === '+' ? [1, Infinity] : [0, 1]
    const low = Number(least)
    const high = comma === undefined ? low : most === '' ? Infinity : Number(most)
    if (high < low) throw this.#refuse(`repeats ${whole}, from more to less`)
    if (Math.max(low, high === Infinity ? 0 : high) > mostRepetitions)
      throw this.#refuse(`repeats more than ${mostRepetitions} times`)
    return [low, high]
  }

  /** Reads the item again for every further repetition: a piece can stand in one place only. */
  #repeat(item: Piece, begin: number, least: number, most: number): Piece {
    const end = this.#at
    const again = (): Piece => {
      this.#at = begin
      const piece = this.#item()
      if (!piece) throw this.#refuse('repeats an assertion')
      return piece
    }
    const enter = this.#state()
    let leave = enter
    let unused: Piece | undefined = item
    const next = () => {
      const piece = unused ?? again()
      unused = undefined
      return piece
    }
    for (let i = 0; i < least; i++) {
      const piece = next()
      this.#join(leave, piece.enter)
      leave = piece.leave
    }
    if (most === Infinity) {
      const piece = next()
      const loop = this.#state({ when: 'always', to: piece.enter })
      this.#join(leave, loop)
      this.#join(piece.leave, loop)
      leave = loop
    } else {
      const out = this.#state()
      for (let i = least; i < most; i++) {
        const piece = next()
        this.#join(leave, out)
        this.#join(leave, piece.enter)
        leave = piece.leave
      }
      this.#join(leave, out)
      leave = out
    }
    this.#at = end
    return { enter, leave }
  }

  #class(): CharSet {
    const negated = this.#peek() === '^'
    if (negated) this.#at++
    const set: number[] = []
    while (this.#peek() !== ']') {
      const low = this.#classAtom()
      if (this.#peek() === '-' && this.#source[this.#at + 1] !== ']' && this.#at + 1 < this.#source.length) {
        this.#at++
        const high = this.#classAtom()
        if (low.length !== 2 || low[0] !== low[1] || high.length !== 2 || high[0] !== high[1])
          throw this.#refuse('has a range between sets of characters')
        if (high[0] < low[0]) throw this.#refuse('has a range that runs backwards')
        set.push(low[0], high[0])
      } else set.push(...low)
    }
    this.#at++
    const merged = without(union(set), surrogates)
    return negated ? without(anyChar, merged) : merged
  }

  #classAtom(): CharSet {
    if (this.#at >= this.#source.length) throw this.#unexpected()
    if (this.#peek() === '\\') {
      this.#at++
      return this.#escape(true)
    }
    const code = this.#source.codePointAt(this.#at) as number
    this.#at += code > 0xffff ? 2 : 1
    return [code, code]
  }

  /** What stands behind a backslash. */
  #escape(inClass: boolean): CharSet {
    const character = this.#source[this.#at++] ?? ''
    const one = (code: number): CharSet => [code, code]
    switch (character) {
      case 'd':
        return digits
      case 'D':
        return without(anyChar, digits)
      case 'w':
        return wordChars
      case 'W':
        return without(anyChar, wordChars)
      case 's':
        return spaces
      case 'S':
        return without(anyChar, spaces)
      case 'p':
      case 'P':
        return this.#property(character === 'P')
      case 'b':
        if (inClass) return one(8)
        throw this.#refuse('asks for word boundaries (\\b)')
      case 'B':
        throw this.#refuse('asks for word boundaries (\\B)')
      case 'x':
        return one(this.#hex(/^[0-9a-fA-F]{2}/))
      case 'u':
        if (this.#peek() === '{') return one(this.#hex(/^\{([0-9a-fA-F]{1,6})\}/))
        return one(this.#unit())
      case 'c': {
        const letter = this.#source[this.#at++] ?? ''
        if (!/[A-Za-z]/.test(letter)) throw this.#unexpected()
        return one(letter.charCodeAt(0) % 32)
      }
      default:
        if (Object.hasOwn(controlEscapes, character) && !/\d/.test(this.#peek())) return one(controlEscapes[character])
        if (/[1-9k]/.test(character)) throw this.#refuse('refers back to a group')
        if (character === '' || /[A-Za-z0-9]/.test(character)) {
          this.#at--
          throw this.#unexpected()
        }
        this.#at--
        return this.#classAtomLiteral()
    }
  }

  #classAtomLiteral(): CharSet {
    const code = this.#source.codePointAt(this.#at) as number
    this.#at += code > 0xffff ? 2 : 1
    return [code, code]
  }

  /** `\uXXXX`; two halves of one character belong together. */
  #unit(): number {
    const high = this.#hex(/^[0-9a-fA-F]{4}/)
    if (high < 0xd800 || high > 0xdbff || !/^\\u[dD][c-fC-F]/.test(this.#source.slice(this.#at))) return high
    this.#at += 2
    return 0x10000 + ((high - 0xd800) << 10) + (this.#hex(/^[0-9a-fA-F]{4}/) - 0xdc00)
  }

  #hex(pattern: RegExp): number {
    const found = pattern.exec(this.#source.slice(this.#at))
    const value = found ? Number.parseInt(found[1] ?? found[0], 16) : Number.NaN
    if (!found || value > lastCodePoint) throw this.#unexpected()
    this.#at += found[0].length
    return value
  }

  #property(negated: boolean): CharSet {
    const [whole] = /^\{[A-Za-z_]+(?:=[A-Za-z_]+)?\}/.exec(this.#source.slice(this.#at)) ?? []
    if (whole === undefined) throw this.#unexpected()
    this.#at += whole.length
    const set = propertySet(whole)
    if (!set) throw this.#refuse(`names a property of characters that is not known: \\p${whole}`)
    return negated ? without(anyChar, set) : set
  }

  #char(set: CharSet): Piece {
    this.#atBegin = false
    const leave = this.#state()
    return { enter: this.#state({ set: without(set, surrogates), to: leave }), leave }
  }

  #assert(when: 'start' | 'end'): Piece {
    if (when === 'end') this.#atBegin = false
    const leave = this.#state()
    return { enter: this.#state({ when, to: leave }), leave }
  }

  #state(...edges: Edge[]): number {
    if (this.#edges.length >= mostStates) throw this.#refuse('is too large')
    return this.#edges.push(edges) - 1
  }

  #join(from: number, to: number): void {
    this.#edges[from].push({ when: 'always', to })
  }

  #peek(): string {
    return this.#source[this.#at] ?? ''
  }

  #unexpected(): GrammarError {
    const found =
      this.#at < this.#source.length ? JSON.stringify(this.#source.slice(this.#at, this.#at + 10)) : 'its end'
    return this.#refuse(`is no regular expression: at character ${this.#at} stands ${found}`)
  }

  #refuse(why: string): GrammarError {
    return new GrammarError('schema-invalid', `the pattern ${JSON.stringify(this.#source.slice(0, 100))} ${why}`)
  }
}

/** Properties that are looked up: each takes a pass over all characters, once. */
const properties =
  /^\{(?:(?:General_Category=|gc=)?(?:L|Letter|Lu|Uppercase_Letter|Ll|Lowercase_Letter|M|Mark|N|Number|Nd|Decimal_Number|P|Punctuation|S|Symbol|Z|Separator|Zs)|Alphabetic|Uppercase|Lowercase|White_Space|Emoji|Emoji_Component|Emoji_Modifier|Emoji_Modifier_Base|Emoji_Presentation|Regional_Indicator|RI|Extended_Pictographic|(?:Script|sc)=(?:Latin|Greek|Cyrillic|Han|Hiragana|Katakana|Hangul|Arabic|Hebrew|Thai|Devanagari))\}$/
const knownProperties = new Map<string, CharSet>()

/** The characters of a Unicode property, as this JavaScript knows it. */
function propertySet(braced: string): CharSet | undefined {
  if (!properties.test(braced)) return undefined
  const known = knownProperties.get(braced)
  if (known) return known
  const test = new RegExp(`^\\p${braced}$`, 'u')
  const set: number[] = []
  for (let code = 0; code <= lastCodePoint; code++) {
    if (code === surrogates[0]) code = surrogates[1] + 1
    if (!test.test(String.fromCodePoint(code))) continue
    if (set.length > 0 && set[set.length - 1] === code - 1) set[set.length - 1] = code
    else set.push(code, code)
  }
  knownProperties.set(braced, set)
  return set
}

/** Whether a set holds a character. */
export function includes(set: CharSet, character: number): boolean {
  for (let i = 0; i < set.length; i += 2) if (character <= set[i + 1]) return character >= set[i]
  return false
}

/** Ranges in any order, made ascending and apart. */
export function union(ranges: CharSet): number[] {
  const pairs: [number, number][] = []
  for (let i = 0; i < ranges.length; i += 2) pairs.push([ranges[i], ranges[i + 1]])
  pairs.sort((a, b) => a[0] - b[0])
  const set: number[] = []
  for (const [low, high] of pairs)
    if (set.length > 0 && low <= set[set.length - 1] + 1) set[set.length - 1] = Math.max(set[set.length - 1], high)
    else set.push(low, high)
  return set
}

/** What of a set is not in another. */
export function without(set: CharSet, other: CharSet): number[] {
  const rest: number[] = []
  for (let i = 0; i < set.length; i += 2) {
    let low = set[i]
    for (let j = 0; j < other.length && low <= set[i + 1]; j += 2) {
      if (other[j + 1] < low) continue
      if (other[j] > set[i + 1]) break
      if (other[j] > low) rest.push(low, other[j] - 1)
      low = other[j + 1] + 1
    }
    if (low <= set[i + 1]) rest.push(low, set[i + 1])
  }
  return rest
}
