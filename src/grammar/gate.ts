// From where on a grammar holds in an answer, and whether it is met so far.

import { type ForcedText, Grammar } from './grammar.js'
import type { Lexicon } from './lexicon.js'
import { lead, literal } from './notation.js'
import type { Spacing } from './spacing.js'

/** A grammar, and from where on it holds. */
export interface GrammarPlan {
  /** GBNF. Empty: nothing is demanded but what `thinking` says. */
  grammar: string
  /**
   * Texts at which the grammar wakes; it begins with the text that woke it. Until then anything may be written, and the
   * answer may end. Default: it holds from the beginning, or once thinking is over.
   */
  wakes?: readonly string[] | undefined
  /** How thoughts are marked, which may stand before what the grammar says. */
  thinking?: ThinkingPlan | undefined
  /** Control tokens that count by their text; all others are never drawn under a grammar. */
  markers?: readonly number[] | undefined
}

export interface ThinkingPlan {
  open: string
  close: string
  /** Whether the prompt has opened them; else the answer may. */
  begun: boolean
  /** Most tokens of them; then their closing is demanded. */
  budget?: number | undefined
}

/**
 * Says which tokens may come next, as a {@link GrammarPlan} has it: a grammar that sleeps until it is due.
 *
 *     start ──(opening)──► thinking ──(closing, or the budget is spent)──► due ──(a text that wakes it)──► awake
 *       └──────────────────────────(anything else)──────────────────────────┘
 */
export class Gate {
  readonly #plan: GrammarPlan
  readonly #lexicon: Lexicon
  readonly #spacing: Spacing | undefined
  /** What opens and closes thoughts, and what wakes the grammar: bytes, one a character. */
  readonly #opens: string
  readonly #closes: string
  readonly #wakes: readonly string[]
  /** Every token but those that end the answer. */
  #unended: Uint32Array | undefined
  #phase: 'start' | 'thinking' | 'closing' | 'asleep' | 'awake' = 'awake'
  #grammar: Grammar | undefined
  /** The opening of thoughts, while both may follow. */
  #opening: Grammar | undefined
  /** Bytes, one a character, that may be part of a marker. */
  #seen = ''
  #thoughtTokens = 0

  /**
   * @param spacing for {@link foresee}
   * @throws GrammarError `grammar-invalid`
   */
  constructor(plan: GrammarPlan, lexicon: Lexicon, spacing?: Spacing) {
    this.#plan = plan
    this.#spacing = spacing
    this.#lexicon = lexicon
    const { thinking, grammar, wakes = [] } = plan
    this.#opens = latin(Buffer.from(thinking?.open.trim() ?? ''))
    this.#closes = latin(Buffer.from(thinking?.close.trim() ?? ''))
    this.#wakes = wakes.map((text) => latin(Buffer.from(text)))
    // What cannot be followed is to be said before anything is written.
    this.#grammar = grammar === '' ? undefined : new Grammar(grammar, lexicon, spacing)
    if (thinking && (thinking.begun || this.#opens === '')) this.#phase = 'thinking'
    else if (thinking) {
      this.#phase = 'start'
      this.#opening = new Grammar(`root ::= ${lead} ${literal(thinking.open.trim())}`, lexicon)
    } else this.#phase = this.#isLazy ? 'asleep' : 'awake'
  }

  get #isLazy(): boolean {
    return this.#plan.grammar === '' || this.#plan.wakes !== undefined
  }

  /** Whether the text so far is one the grammar allows, nothing missing. */
  get isWhole(): boolean {
    return this.#phase === 'awake' ? (this.#grammar?.isWhole ?? true) : this.#phase === 'asleep'
  }

  /** Bit `id % 32` of word `id / 32` says whether a token may follow; undefined: any may. Valid until the next call. */
  allowed(): Uint32Array | undefined {
    switch (this.#phase) {
      case 'awake':
        return this.#grammar?.allowed()
      case 'closing':
        return this.#opening?.allowed()
      case 'asleep':
        return undefined
      case 'thinking':
        return this.#isLazy ? undefined : this.#withoutEnds()
      case 'start': {
        if (this.#isLazy) return undefined
        const demanded = this.#grammar?.allowed()
        const opening = this.#opening?.allowed()
        if (!demanded || !opening) return demanded ?? opening
        const both = demanded.slice()
        for (let i = 0; i < both.length; i++) both[i] |= opening[i]
        return both
      }
    }
  }

  /** Writes what must follow, as {@link Grammar.foresee}; nothing where no grammar holds yet. */
  foresee(into: ForcedText): void {
    const grammar = this.#phase === 'awake' ? this.#grammar : this.#phase === 'closing' ? this.#opening : undefined
    into.length = 0
    into.certain = 0
    grammar?.foresee(into)
  }

  /** Finds what {@link allowed} then tells soon, in pieces of some ten milliseconds; undefined where that takes no time. */
  prepare(): Iterator<void> | undefined {
    if (this.#phase === 'awake') return this.#grammar?.prepare()
    if (this.#phase === 'closing') return this.#opening?.prepare()
    if (this.#phase !== 'start' || this.#isLazy) return undefined
    return this.#opening?.prepare() ?? this.#grammar?.prepare()
  }

  /** Reads a token that {@link allowed} allows. */
  accept(token: number): void {
    const bytes = this.#lexicon.bytesOf(token)
    if (this.#phase === 'thinking') this.#thoughtTokens++
    this.#read(bytes)
    const { budget } = this.#plan.thinking ?? {}
    if (this.#phase === 'thinking' && budget !== undefined && this.#thoughtTokens >= budget) this.#close()
  }

  #read(bytes: Uint8Array): void {
    if (bytes.length === 0) return
    if (this.#phase === 'awake') {
      this.#grammar?.accept(bytes)
      return
    }
    this.#seen += latin(bytes)
    if (this.#phase === 'closing') {
      this.#opening?.accept(bytes)
      if (this.#opening?.isWhole) this.#due('')
    } else if (this.#phase === 'thinking') this.#think()
    else if (this.#phase === 'asleep') this.#listen()
    else this.#begin(bytes)
  }

  /** The first words: thoughts, or what is due without them. */
  #begin(bytes: Uint8Array): void {
    const said = this.#seen.trimStart()
    if (said.startsWith(this.#opens)) {
      this.#phase = 'thinking'
      // An opening of several tokens may have begun like the demanded text.
      const { grammar } = this.#plan
      if (said.length > bytes.length && grammar !== '')
        this.#grammar = new Grammar(grammar, this.#lexicon, this.#spacing)
      this.#seen = said.slice(this.#opens.length)
      this.#think()
      return
    }
    if (!this.#isLazy && this.#grammar && !this.#grammar.follows(bytes)) this.#grammar = undefined
    if (this.#opening && !this.#opening.follows(bytes)) this.#opening = undefined
    if (this.#opens.startsWith(said)) return
    this.#phase = this.#isLazy ? 'asleep' : 'awake'
    if (this.#isLazy) this.#listen()
  }

  #think(): void {
    const at = this.#seen.indexOf(this.#closes)
    if (at >= 0) this.#due(this.#seen.slice(at + this.#closes.length))
    else this.#seen = this.#seen.slice(-this.#closes.length)
  }

  /** The budget is spent: nothing but the closing may follow. */
  #close(): void {
    this.#phase = 'closing'
    this.#opening = new Grammar(`root ::= ${literal(this.#plan.thinking?.close ?? '')}`, this.#lexicon)
  }

  /** Thoughts are over. @param rest what the last token wrote behind their closing */
  #due(rest: string): void {
    this.#phase = this.#isLazy ? 'asleep' : 'awake'
    this.#seen = ''
    if (rest !== '') this.#read(Buffer.from(rest, 'latin1'))
  }

  /** Looks for what wakes the grammar. */
  #listen(): void {
    const { grammar } = this.#plan
    if (grammar === '') return
    let first = -1
    let longest = 1
    for (const text of this.#wakes) {
      longest = Math.max(longest, text.length)
      const at = this.#seen.indexOf(text)
      if (at >= 0 && (first < 0 || at < first)) first = at
    }
    if (first < 0) {
      this.#seen = this.#seen.slice(-longest)
      return
    }
    const woken = this.#seen.slice(first)
    this.#seen = ''
    const next = this.#grammar ?? new Grammar(grammar, this.#lexicon, this.#spacing)
    this.#grammar = undefined
    // It only looked like what the grammar begins with.
    if (!next.follows(Buffer.from(woken, 'latin1'))) return
    this.#grammar = next
    this.#phase = 'awake'
  }

  #withoutEnds(): Uint32Array {
    if (!this.#unended) {
      this.#unended = new Uint32Array(Math.ceil(this.#lexicon.size / 32)).fill(0xffffffff)
      for (const id of this.#lexicon.ends) this.#unended[id >>> 5] &= ~(1 << (id & 31))
    }
    return this.#unended
  }
}

function latin(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1')
}
