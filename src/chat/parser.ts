import { CallReader, type CallSink, type Reading } from './call-reader.js'
import { Channels, type PartSink } from './channels.js'
import type { CallForm, Dialect } from './dialect.js'
import { fallbackForms } from './fallback.js'
import { Literal, skipSpace } from './literal.js'
import type { AssistantMessage, MessageDelta, ToolDefinition } from './message.js'
import { Parameters } from './parameter.js'
import { Reader, type Waiting } from './reader.js'

export interface ParserOptions {
  /** Functions that may be called; what looks like a call of another is content. */
  tools?: readonly ToolDefinition[] | undefined
  /** Whether more than one call is taken. Default: true. */
  parallelCalls?: boolean | undefined
  /** Whether thoughts are told apart from the content, without their markers. Default: true. */
  splitReasoning?: boolean | undefined
  /** Whether the answer is JSON: white space and a code fence around it are dropped. Default: false. */
  json?: boolean | undefined
  /** What the template wrote after the turn's header: thoughts may begin, or be over, in the prompt. */
  prompted?: string | undefined
  /** The beginning of the answer, where it is continued. */
  prefill?: string | undefined
  /** Whether the prefill is part of the message. Default: false. */
  echo?: boolean | undefined
  /** Makes the id of a call the model gave none. */
  newId?: (() => string) | undefined
}

/**
 * Tells the parts of an answer apart while it is written. Text goes in with the text of control tokens; what is certain
 * comes out at once, the rest when it is decided:
 *
 *     in      Let me look.<tool_                             held back: "<tool_"
 *     in      call>{"name": "weather", "arguments": {"ci     a call of weather, with {"ci so far
 *
 * However the text is cut into pieces, the message is the same.
 */
export class AnswerParser {
  readonly #reader = new Reader()
  readonly #dialect: Dialect
  readonly #parameters: Parameters
  readonly #parallel: boolean
  readonly #split: boolean
  readonly #json: boolean
  readonly #newId: () => string
  readonly #run: Waiting<void>
  readonly #forms: Form[]
  readonly #message: AssistantMessage = { content: '', reasoning: '', toolCalls: [] }
  #deltas: MessageDelta[] = []
  #isCut = false
  /** White space that becomes part of the content only if more follows. */
  #space = ''
  #afterCall = false
  /** Characters of each part that were prefilled. */
  #forgotten = { content: 0, reasoning: 0 }

  constructor(dialect: Dialect, options: ParserOptions = {}) {
    this.#dialect = dialect
    this.#parameters = new Parameters(options.tools ?? [])
    this.#parallel = options.parallelCalls ?? true
    this.#split = options.splitReasoning ?? true
    let made = 0
    this.#newId = options.newId ?? (() => `call_${made++}`)
    const forms = dialect.calls ? [dialect.calls, ...fallbackForms(dialect.calls)] : fallbackForms(undefined)
    this.#forms = options.tools && options.tools.length > 0 ? forms.map((form) => new Form(form)) : []
    // Where calls may come instead, JSON is told from them like any other text.
    this.#json = (options.json ?? false) && this.#forms.length === 0
    this.#run = this.#answer()
    this.#feed(options.prompted ?? '')
    const given = this.#deltas.length
    this.#feed(options.prefill ?? '')
    if (!options.echo) this.#forget(given)
  }

  /** Takes more text and returns what became certain. */
  push(text: string): MessageDelta[] {
    this.#feed(text)
    return this.#taken()
  }

  /** The answer is over. @param isCut whether it ended before it was whole */
  end(isCut = false): MessageDelta[] {
    this.#isCut = isCut
    this.#reader.ended = true
    while (!this.#run.next().done);
    return this.#taken()
  }

  /** The message so far, without what was prefilled. */
  get message(): AssistantMessage {
    const { content, reasoning, toolCalls } = this.#message
    return {
      content: content.slice(this.#forgotten.content),
      reasoning: reasoning.slice(this.#forgotten.reasoning),
      toolCalls,
    }
  }

  #feed(text: string): void {
    if (text === '') return
    this.#reader.text += text
    this.#run.next()
  }

  #taken(): MessageDelta[] {
    const taken = this.#deltas
    this.#deltas = []
    return taken
  }

  /** What was prefilled is the caller's already: it is not said again. */
  #forget(from: number): void {
    this.#deltas = this.#deltas.slice(0, from)
    const message: AssistantMessage = { content: '', reasoning: '', toolCalls: [] }
    for (const delta of this.#deltas)
      if (delta.type === 'content') message.content += delta.text
      else if (delta.type === 'reasoning') message.reasoning += delta.text
    this.#forgotten = {
      content: this.#message.content.length - message.content.length,
      reasoning: this.#message.reasoning.length - message.reasoning.length,
    }
  }

  *#answer(): Waiting<void> {
    // Models of templates without thoughts may think all the same.
    const reasoning = this.#dialect.reasoning ?? { open: '<think>', close: '</think>' }
    const open = new Literal(reasoning.open)
    const close = new Literal(reasoning.close)
    if (this.#dialect.channels)
      return yield* new Channels(this.#reader, this.#parameters, this.#split).read(this.#parts())
    if (this.#json) return yield* this.#jsonAnswer(open, close)
    yield* this.#firstThoughts(open, close)
    yield* this.#speech(open, close)
    this.#space = ''
  }

  /** Thoughts the answer begins with; where they have no opening, they begin unless the prompt has closed them. */
  *#firstThoughts(open: Literal, close: Literal): Waiting<void> {
    const reader = this.#reader
    if (yield* this.#orphanClose(close)) return
    const start = reader.at
    const begun = open.isEmpty ? start : yield* reader.match(open)
    if (begun === undefined) return
    reader.at = begun
    yield* this.#thoughts(start, close)
  }

  /** Thoughts that ended before they began: their closing is the first thing written. */
  *#orphanClose(close: Literal): Waiting<boolean> {
    if (!(yield* this.#reader.takeStart(close))) return false
    yield* this.#reader.space()
    return true
  }

  /**
   * Thoughts up to their close. What looks like a call in them is held back: it is one only if the thoughts never end.
   *
   * @param start where their opening begins
   */
  *#thoughts(start: number, close: Literal): Waiting<void> {
    const reader = this.#reader
    const from = reader.at
    let said = from
    let call: number | undefined
    const say = (end: number) => {
      if (!this.#split || end <= said) return
      let begin = said
      if (this.#message.reasoning === '') begin = Math.min(end, skipSpace(reader.text, begin))
      if (begin < end) this.#reason(reader.text.slice(begin, end))
      said = end
    }
    let looked = from
    while (true) {
      const ending = find(reader.text, looked, [close], reader.ended, true)
      if (ending.match) {
        say(trimmedEnd(reader.text, said, ending.at))
        if (!this.#split) this.#say(reader.text.slice(start, ending.end))
        reader.at = ending.end
        const space = reader.at
        yield* reader.space()
        if (!this.#split) this.#say(reader.text.slice(space, reader.at))
        return
      }
      const found = call === undefined ? this.#callAt(said, ending.at) : { at: call, isCertain: true }
      if (found.isCertain) call = found.at
      say(trimmedEnd(reader.text, said, Math.min(ending.at, found.at)))
      looked = Math.max(looked, ending.at - 1)
      if (reader.ended) break
      yield
    }
    // Never closed.
    if (call !== undefined && (yield* this.#tryUnclosed(call, say))) {
      if (!this.#split) this.#say(reader.text.slice(from, call))
      return
    }
    const end = this.#isCut ? find(reader.text, looked, [close], false, true).at : reader.text.length
    say(end)
    if (!this.#split) this.#say(reader.text.slice(start, end))
    reader.at = reader.text.length
  }

  /** Whether thoughts that were never closed go over into calls: only if whole calls stand there. */
  *#tryUnclosed(call: number, say: (end: number) => void): Waiting<boolean> {
    const reader = this.#reader
    for (const form of this.#forms) {
      const entry = form.entries.find((one) => typeof one.literal.matchAt(reader.text, call, true) === 'number')
      if (!entry) continue
      reader.at = entry.literal.matchAt(reader.text, call, true) as number
      if (entry.isSection) {
        const begun = form.open.matchAt(reader.text, reader.at, true)
        if (typeof begun !== 'number') continue
        reader.at = begun
      }
      const trial = yield* form.reader(reader, this.#parameters).read({ begin: () => {}, add: () => {} })
      if (trial !== 'call') continue
      say(withoutSpace(reader.text, 0, call, entry.literal.leading))
      reader.at = call
      return true
    }
    return false
  }

  /** The first place where a call begins, or may begin once more text is known; else `end`. */
  #callAt(from: number, end: number): { at: number; isCertain: boolean } {
    const literals = this.#forms.flatMap((form) =>
      form.entries.filter((entry) => !entry.isBare).map((entry) => entry.literal),
    )
    if (literals.length === 0) return { at: end, isCertain: false }
    const { text, ended } = this.#reader
    const { at, match } = find(text, from, literals, ended)
    return at < end ? { at, isCertain: match !== undefined } : { at: end, isCertain: false }
  }

  /** What is said, with calls between. */
  *#speech(open: Literal, close: Literal): Waiting<void> {
    const reader = this.#reader
    const contentOpen = new Literal(this.#dialect.content.open)
    const contentClose = new Literal(this.#dialect.content.close)
    const turnEnd = new Literal(this.#dialect.turnEnd)
    // Where thoughts are marked as no text is, they may come again later.
    const mayReturn = /[|｜]/.test(open.words[0] ?? '')
    let looked = reader.at
    let lineStart = true
    while (true) {
      // 1. Calls that begin without a marker, at the beginning of the answer or of a line.
      if (lineStart && (yield* this.#bareCall())) {
        looked = reader.at
        continue
      }
      lineStart = false
      // 2. Up to the next marker.
      const entries = this.#forms.flatMap((form) =>
        form.entries.filter((entry) => !entry.isBare).map((entry) => ({ form, ...entry })),
      )
      const others = [contentOpen, contentClose, turnEnd].filter((literal) => !literal.isEmpty)
      const think = open.isEmpty ? [] : [open]
      const literals = [...entries.map((entry) => entry.literal), ...others, ...think]
      const found = find(reader.text, looked, literals, reader.ended)
      const line = this.#lineBreak(looked, found.at)
      if (line !== undefined && line <= found.at) {
        this.#sayUpTo(line, '')
        looked = line
        lineStart = true
        continue
      }
      if (!found.match) {
        if (!reader.ended)
          this.#sayUpTo(close.isMarker ? withoutLast(reader.text, reader.at, found.at, close.words[0]) : found.at, '')
        if (reader.ended) {
          const end = this.#isCut ? cutMarker(reader.text, reader.at, literals) : reader.text.length
          this.#sayUpTo(close.isMarker ? withoutLast(reader.text, reader.at, end, close.words[0]) : end, '')
          this.#flushSpace()
          return
        }
        looked = reader.at
        yield
        continue
      }
      const { match } = found
      const isThought =
        match === open &&
        (mayReturn || (this.#message.content === '' && reader.text.slice(reader.at, found.at).trim() === ''))
      if (match === open && !isThought) {
        this.#sayUpTo(found.at + 1, '')
        looked = reader.at
        continue
      }
      this.#sayUpTo(found.at, match.leading)
      if (match === turnEnd) {
        this.#flushSpace()
        reader.at = reader.text.length
        return
      }
      if (match === open) {
        this.#space = ''
        const start = reader.at
        reader.at = found.end
        yield* this.#thoughts(start, close)
        looked = reader.at
        lineStart = true
        continue
      }
      const matching = entries.filter(
        (entry) => entry.literal.matchAt(reader.text, found.at, reader.ended) === found.end || entry.literal === match,
      )
      const start = found.at
      let reading: Reading = 'none'
      if (matching.length > 0) {
        for (const { form, isSection, literal } of matching) {
          reader.at = literal.matchAt(reader.text, start, reader.ended) as number
          reading = yield* this.#calls(form, isSection)
          if (reading !== 'none') break
        }
        if (reading === 'cut') {
          // The text ended within a call: what it says of it has been told, and its markup is not said.
          if (!this.#afterCall && !this.#isCut) this.#say(reader.text.slice(start))
          return
        }
        if (reading === 'none') {
          // It only looked like one.
          this.#say(reader.text.slice(start, start + 1))
          reader.at = start + 1
        }
      } else reader.at = found.end
      if (match === contentOpen) yield* reader.space()
      looked = reader.at
    }
  }

  /** The place after the next line break, where a call without a marker may begin. */
  #lineBreak(from: number, end: number): number | undefined {
    if (!this.#forms.some((form) => form.entries.some((entry) => entry.isBare && entry.isInText))) return undefined
    const at = this.#reader.text.indexOf('\n', from)
    return at >= 0 && at < end ? at + 1 : undefined
  }

  *#bareCall(): Waiting<boolean> {
    const reader = this.#reader
    const isStart = this.#message.content === '' && !this.#afterCall
    for (const form of this.#forms)
      for (const entry of form.entries) {
        if (!entry.isBare || (!isStart && !entry.isInText)) continue
        const start = reader.at
        yield* reader.space()
        if ((yield* reader.peek()) === undefined) {
          reader.at = start
          return false
        }
        let reading: Reading = 'none'
        if (yield* reader.takeLiteral(entry.literal)) reading = yield* this.#calls(form, entry.isSection)
        if (reading === 'call') return true
        if (reading === 'cut' && (this.#afterCall || this.#isCut)) {
          reader.at = reader.text.length
          return true
        }
        reader.at = start
      }
    return false
  }

  /** Calls one after another, from behind the first opening. */
  *#calls(form: Form, isSection: boolean): Waiting<Reading> {
    const reader = this.#reader
    const before = this.#message.toolCalls.length
    let opened = !isSection
    while (true) {
      const start = reader.at
      if (!opened) {
        const begun = yield* reader.match(form.open)
        if (begun === undefined) {
          reader.at = start
          return this.#message.toolCalls.length > before
            ? 'call'
            : reader.ended && skipSpace(reader.text, start) >= reader.text.length
              ? 'cut'
              : 'none'
        }
        reader.at = begun
      }
      opened = false
      const reading = yield* form.reader(reader, this.#parameters).read(this.#sink())
      if (reading === 'none') {
        if (this.#message.toolCalls.length === before) return 'none'
        reader.at = start
        return 'call'
      }
      this.#afterCall = true
      if (reading === 'cut') return 'cut'
      yield* reader.takeStart(form.close)
      // Another call, the end of all of them, or something else.
      const separated = yield* reader.match(form.again)
      const opens = separated !== undefined && !form.again.isEmpty
      if (opens) {
        const literal = form.separator
        const next = literal.isEmpty ? reader.at : literal.matchAt(reader.text, reader.at, reader.ended)
        if (typeof next === 'number') reader.at = next
        continue
      }
      yield* reader.takeStart(form.sectionClose)
      return 'call'
    }
  }

  #parts(): PartSink {
    return { say: (text) => this.#say(text), reason: (text) => this.#reason(text), call: () => this.#sink() }
  }

  #sink(): CallSink {
    let index = -1
    return {
      begin: (name, id) => {
        this.#flushSpace()
        this.#afterCall = true
        if (!this.#parallel && this.#message.toolCalls.length > 0) return
        index = this.#message.toolCalls.length
        const call = {
          id: id === undefined || id === '' ? this.#newId() : id,
          type: 'function' as const,
          function: { name, arguments: '' },
        }
        this.#message.toolCalls.push(call)
        this.#deltas.push({ type: 'call', index, id: call.id, name })
      },
      add: (text) => {
        if (index < 0 || text === '') return
        this.#message.toolCalls[index].function.arguments += text
        this.#deltas.push({ type: 'arguments', index, text })
      },
    }
  }

  /** Says what stands before a place, without the white space that belongs to what follows. */
  #sayUpTo(end: number, leading: string): void {
    const reader = this.#reader
    if (end < reader.at) return
    const whole = this.#space + reader.text.slice(reader.at, end)
    this.#space = ''
    this.#say(whole.slice(0, withoutSpace(whole, 0, whole.length, leading)))
    reader.at = end
  }

  #say(text: string): void {
    if (text === '') return
    // Without calls to come, only the white space of an answer that has none else waits.
    const kept =
      this.#forms.length === 0 && !this.#json && (this.#message.content !== '' || text.trim() !== '')
        ? text
        : text.trimEnd()
    if (kept === '') {
      this.#space += text
      return
    }
    const whole = this.#space + kept
    this.#space = text.slice(kept.length)
    this.#message.content += whole
    this.#deltas.push({ type: 'content', text: whole })
  }

  /** White space at the end of an answer is part of it, unless it is all there is. */
  #flushSpace(): void {
    if (this.#space !== '' && this.#message.content !== '' && !this.#afterCall) {
      this.#message.content += this.#space
      this.#deltas.push({ type: 'content', text: this.#space })
    }
    this.#space = ''
  }

  #reason(text: string): void {
    this.#message.reasoning += text
    this.#deltas.push({ type: 'reasoning', text })
  }

  /** JSON, after thoughts, perhaps in a code fence. */
  *#jsonAnswer(open: Literal, close: Literal): Waiting<void> {
    const reader = this.#reader
    yield* this.#firstThoughts(open, close)
    yield* reader.space()
    const fence = new Literal('```json')
    const isFenced = yield* reader.takeLiteral(fence)
    if (isFenced) yield* reader.space()
    const ends = isFenced ? [new Literal('```')] : []
    const contentOpen = new Literal(this.#dialect.content.open)
    yield* reader.takeStart(contentOpen)
    const literals = [...ends, new Literal(this.#dialect.content.close), new Literal(this.#dialect.turnEnd)].filter(
      (literal) => !literal.isEmpty,
    )
    while (true) {
      const found = find(reader.text, reader.at, literals, reader.ended)
      this.#sayUpTo(found.at, '')
      if (found.match || reader.ended) break
      yield
    }
    this.#space = ''
    reader.at = reader.text.length
  }
}

/** A way of writing calls, ready for reading. */
class Form {
  readonly open: Literal
  readonly close: Literal
  readonly sectionClose: Literal
  readonly separator: Literal
  /** What stands between two calls, up to where the second begins. */
  readonly again: Literal
  /** Openings calls may begin with: the section's, a call's, or a call's without its first marker. */
  readonly entries: { literal: Literal; isSection: boolean; isBare: boolean; isInText: boolean }[] = []
  readonly #form: CallForm

  constructor(form: CallForm) {
    this.#form = form
    const { call, section, separator } = form
    this.open = new Literal(call.open)
    this.close = new Literal(call.close)
    this.sectionClose = new Literal(section.close)
    this.separator = new Literal(separator)
    this.again = new Literal(`${separator}${call.open}`)
    const all = new Literal(section.open)
    if (!all.isEmpty) this.entries.push({ literal: all, isSection: true, isBare: !all.isMarker, isInText: true })
    if (!this.open.isEmpty || all.isEmpty)
      this.entries.push({
        literal: this.open,
        isSection: false,
        isBare: !this.open.isMarker,
        isInText: call.kind === 'object',
      })
    if (!this.separator.isEmpty && this.open.isEmpty && this.separator.words[0].length > 1)
      this.entries.push({ literal: this.separator, isSection: false, isBare: false, isInText: true })
    // Models leave out the first marker of several.
    const rest = this.open.from(1)
    if (!rest.isEmpty && rest.isMarker)
      this.entries.push({ literal: rest, isSection: false, isBare: false, isInText: true })
  }

  reader(reader: Reader, parameters: Parameters): CallReader {
    return new CallReader(
      reader,
      parameters,
      this.#form.call,
      [this.close, this.sectionClose].filter((literal) => !literal.isEmpty),
    )
  }
}

interface Found {
  /** The literal that stands at `at` and ends at `end`; undefined: none does, and `at` is how far that is certain. */
  match: Literal | undefined
  at: number
  end: number
}

/** The first place where one of some literals stands; of several there, the longest. */
function find(text: string, from: number, literals: readonly Literal[], ended: boolean, partly = false): Found {
  let best: Found = { match: undefined, at: text.length, end: text.length }
  for (const literal of literals) {
    const [word] = literal.words
    if (word === undefined) continue
    const lead = word.includes('\0') ? word.slice(0, word.indexOf('\0')) : word
    for (
      let at = next(text, lead, from, ended);
      at >= 0 && at <= best.at && at < text.length;
      at = next(text, lead, at + 1, ended)
    ) {
      const end = partly ? literal.matchStart(text, at, ended) : literal.matchAt(text, at, ended)
      if (end === undefined) continue
      if (end === 'maybe') {
        // Undecided: nothing behind it is certain.
        if (at < best.at || (at === best.at && !best.match)) best = { match: undefined, at, end: at }
        break
      }
      if (at < best.at || !best.match || end > best.end)
        if (at < best.at || best.end > best.at || at === best.at) best = pick(best, { match: literal, at, end })
      break
    }
  }
  return best
}

function pick(best: Found, other: Found): Found {
  if (other.at < best.at) return other
  // An undecided one at the same place may turn out longer.
  if (!best.match && best.at === other.at && best.end === best.at) return best
  return !best.match || other.end > best.end ? other : best
}

/** The next place where a word stands or, at the end of the text, may begin. */
function next(text: string, word: string, from: number, ended: boolean): number {
  const at = text.indexOf(word, from)
  if (at >= 0 || ended) return at
  for (let length = Math.min(word.length - 1, text.length - from); length > 0; length--)
    if (text.endsWith(word.slice(0, length))) return text.length - length
  return -1
}

/** Where a marker begins that the end of the text cut off; one character may be anything. */
function cutMarker(text: string, from: number, literals: readonly Literal[]): number {
  const { at, match } = find(text, from, literals, false)
  return !match && text.length - at > 1 ? at : text.length
}

/** Up to a closing of thoughts, whole or not, that a text ends with: some models close them once more. */
function withoutLast(text: string, from: number, end: number, word: string): number {
  const known = text.slice(from, end).trimEnd()
  for (let length = Math.min(word.length, known.length); length > 0; length--)
    if (known.endsWith(word.slice(0, length))) return from + known.length - length
  return end
}

/** The end of a text without the white space a marker begins with. */
function withoutSpace(text: string, from: number, end: number, leading: string): number {
  let at = end
  for (let i = leading.length - 1; i >= 0 && at > from && text[at - 1] === leading[i]; i--) at--
  return at
}

function trimmedEnd(text: string, from: number, end: number): number {
  let at = end
  while (at > from && /\s/.test(text[at - 1])) at--
  return at
}
