// The gate: from where on a grammar applies in an answer, and which tokens may come next.

import { type ForcedText, Grammar } from './grammar.js'
import type { Lexicon } from './lexicon.js'
import { lead, literal } from './notation.js'
import type { Spacing } from './spacing.js'

/** A grammar, and from where on it applies. */
export interface GrammarPlan {
  /** GBNF. Empty: nothing is required besides what `thinking` says. */
  grammar: string
  /**
   * Texts that wake the grammar, which then begins with the text that woke it. Until then anything may be written, and the
   * answer may end. Default: it applies from the beginning, or once thinking is over.
   */
  wakes?: readonly string[] | undefined
  /** How thoughts are marked that may come before the grammar. Default: there are none. */
  thinking?: ThinkingPlan | undefined
  /** Control tokens that count by their text; all others are never drawn under a grammar. Default: none. */
  markers?: readonly number[] | undefined
}

/** How thoughts are marked, and how long they may be. */
export interface ThinkingPlan {
  /** The marker that opens them. */
  open: string
  /** The marker that closes them. */
  close: string
  /** Whether the prompt has opened them already; otherwise the answer may. */
  begun: boolean
  /** Most tokens of thoughts; then the closing marker must follow. Default: no bound. */
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
  /** What opens and closes thoughts, and what wakes the grammar: one byte per character. */
  readonly #opens: string
  readonly #closes: string
  readonly #wakes: readonly string[]
  /** Every token except those that end the answer. */
  #unended: Uint32Array | undefined
  #phase: 'start' | 'thinking' | 'closing' | 'asleep' | 'awake' = 'awake'
  #grammar: Grammar | undefined
  /** The opening of thoughts, while both may follow. */
  #opening: Grammar | undefined
  /** Text that may be part of a marker, one byte per character. */
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
    // A grammar that cannot be followed must be refused before anything is written.
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

  /** Whether the answer may end here, as far as the plan is concerned. */
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

  /** Writes what must follow, as {@link Grammar.foresee}; nothing if no grammar applies yet. */
  foresee(into: ForcedText): void {
    const grammar = this.#phase === 'awake' ? this.#grammar : this.#phase === 'closing' ? this.#opening : undefined
    into.length = 0
    into.certain = 0
    grammar?.foresee(into)
  }

  /** Finds in slices of some ten milliseconds what {@link allowed} then returns at once; `undefined` if it is known. */
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
      // An opening of several tokens may have begun like the required text.
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

  /** The budget is spent: only the closing marker may follow. */
  #close(): void {
    this.#phase = 'closing'
    this.#opening = new Grammar(`root ::= ${literal(this.#plan.thinking?.close ?? '')}`, this.#lexicon)
  }

  /** Thoughts are over. @param rest what the last token wrote after their closing marker */
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
    // It only looked like the beginning of what the grammar allows.
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
