import type { ArgumentForm, CallForm, CallShape, Dialect, Field, ReasoningForm } from './dialect.js'
import { pythonForm } from './fallback.js'
import type { JinjaTemplate } from './jinja/template.js'
import { jsonEnd } from './json-text.js'
import { commonEnd, commonStart, firstMarker, markersOf, openingOf, thoughtMarkers } from './markers.js'
import { type Piece, Probe, type ProbeArguments, type ProbeMessage, probeCall, probeTools, words } from './probe.js'

/** What a template can show, and how it wants to be given it. */
export interface Capabilities {
  /** Whether it has a place for system text. */
  system: boolean
  /** Whether it describes tools. */
  tools: boolean
  /** Whether it shows calls of earlier turns. */
  calls: boolean
  /** Whether it wants the arguments of calls as text, not as an object. */
  argumentsAsText: boolean
  /** Whether it wants contents as lists of parts. */
  contentAsParts: boolean
  /** Whether it takes lists of parts too, and joins them its own way. */
  takesParts: boolean
  /** The field it looks for earlier thoughts in. */
  reasoningField: string | undefined
  /** Whether `enable_thinking` changes anything. */
  thinkingSwitch: boolean
  /** Whether ids of calls must have nine letters and digits. */
  shortIds: boolean
  /** Whether it lists documents. */
  documents: boolean
  /** Whether it looks for results in the message that called, as `tool_responses`, and not in messages of their own. */
  resultsInCall: boolean
}

/** Everything read off a template. */
export interface Derived {
  dialect: Dialect
  capabilities: Capabilities
  /** What the template writes between the last message and what the assistant writes first, in every case. */
  header: string
}

/** Reads a family's way of writing off its template, from the differences between made-up conversations. */
export function derive(template: JinjaTemplate, shared: Record<string, unknown>): Derived {
  return new Derivation(template, shared).run()
}

const user = { role: 'user', content: words.user }
const both: ProbeArguments = { [words.textKey]: words.text, [words.numberKey]: words.number }

class Derivation {
  readonly #probe: Probe
  readonly #template: JinjaTemplate
  readonly #eos: string
  #asParts = false
  #asText = false

  constructor(template: JinjaTemplate, shared: Record<string, unknown>) {
    this.#eos = String(shared.eos_token ?? '')
    this.#template = template
    this.#probe = new Probe(template, shared)
  }

  run(): Derived {
    this.#asParts = this.#wantsParts()
    const answer = this.#answer({ role: 'assistant', content: words.content })
    const prompts = [true, false].map((enable_thinking) => this.#prompt({ enable_thinking }))
    const call = this.#callAnswer([this.#call(words.name, words.id, both)])
    const thoughts = this.#thoughts()
    const firsts = [answer, call, thoughts?.answer].flatMap((pieces) => (pieces ? [firstLiteral(pieces)] : []))
    // Where the answer begins is where it may begin in different ways.
    const [prompt] = prompts
    let header = prompt.slice(0, Math.min(...firsts.map((first) => commonStart(prompt, first)), prompt.length))
    const after = answer ? lastLiteral(answer) : ''
    const reasoning = this.#reasoning(thoughts?.answer, header, prompts)
    // Some write instructions between the user's message and the turn of the assistant.
    const last = markersOf(prompt).at(-1) ?? ''
    const isOpening = last === '' || (reasoning?.close ?? '').includes(last.slice(1)) || last === reasoning?.open.trim()
    if (!isOpening && firsts.length > 0 && firsts.every((first) => first.startsWith(last, header.length)))
      header += last
    // What opens thoughts in every case is theirs all the same.
    const opening = reasoning && openingOf(firstMarker(reasoning.close))
    if (reasoning && opening !== undefined && header.trimEnd().endsWith(opening)) {
      const at = header.lastIndexOf(opening)
      reasoning.open = header.slice(at) + (reasoning.open.includes(opening) ? '' : reasoning.open)
      header = header.slice(0, at)
    }
    const content = this.#content(answer, header, after, reasoning)
    // Where thinking can be switched off, the prompt itself shows what stands for no thoughts.
    const off = prompts[1].startsWith(header) ? prompts[1].slice(header.length) : ''
    const opens = reasoning?.open.trim() ?? ''
    if (thoughts && reasoning && opens !== '' && off.includes(opens) && off.includes(reasoning.close.trim()))
      content.unthought = off
    const said = content.open.trim()
    if (reasoning && said !== '' && reasoning.close.trimEnd().endsWith(said))
      reasoning.close = reasoning.close.slice(0, reasoning.close.lastIndexOf(said))
    const ending = firstMarker(after.slice(content.close.length))
    const turnEnd = /^[<[]/.test(ending) || ending === this.#eos ? ending : ''
    const shown =
      call &&
      this.#calls(
        call,
        header,
        after,
        [turnEnd, ...markersOf(header)].filter((marker) => marker !== ''),
        reasoning,
      )
    // LFM2's first templates list tools between markers and never show a call.
    const isListed = this.#template.literals.some((literal) => literal.includes('<|tool_list_start|>'))
    const calls = shown ?? (isListed ? pythonForm : undefined)
    const channels = /<\|channel\|>[^<]*<\|message\|>/.test(content.open)
    const dialect: Dialect = {
      content,
      turnEnd,
      ...(channels && { channels }),
      ...(reasoning && { reasoning }),
      ...(calls && { calls }),
    }
    return {
      header,
      dialect,
      capabilities: {
        system: this.#shows([{ role: 'system', content: words.system }, user], 'system'),
        tools: this.#showsTools(),
        calls: call !== undefined,
        argumentsAsText: this.#asText,
        contentAsParts: this.#asParts,
        takesParts: this.#takesParts(),
        reasoningField: thoughts?.field,
        thinkingSwitch: prompts[0] !== prompts[1],
        shortIds:
          call !== undefined && this.#callAnswer([this.#call(words.name, 'call_wv1234567', both)]) === undefined,
        documents: this.#showsDocuments(),
        resultsInCall: this.#template.names.has('tool_responses') && !this.#template.names.has('tool_call_id'),
      },
    }
  }

  #message(message: ProbeMessage): ProbeMessage {
    return this.#asParts && typeof message.content === 'string'
      ? { ...message, content: [{ type: 'text', text: message.content }] }
      : message
  }

  #render(messages: ProbeMessage[], variables: Record<string, unknown> = {}): Piece[] | undefined {
    return this.#probe.render(
      messages.map((message) => this.#message(message)),
      variables,
    )
  }

  #shows(messages: ProbeMessage[], word: keyof typeof words): boolean {
    return this.#render(messages, { add_generation_prompt: true })?.some((piece) => piece.word === word) ?? false
  }

  #wantsParts(): boolean {
    if (this.#shows([user], 'user')) return false
    this.#asParts = true
    return this.#shows([user], 'user')
  }

  #takesParts(): boolean {
    const parts = [words.user, words.second].map((text) => ({ type: 'text', text }))
    const pieces = this.#probe.render([{ role: 'user', content: parts }], { add_generation_prompt: true })
    return (
      pieces !== undefined && shows(pieces, 'user') && shows(pieces, 'second') && !/["']type["']/.test(textOf(pieces))
    )
  }

  #showsTools(): boolean {
    const text = this.#render([user], { add_generation_prompt: true, tools: probeTools })
    return text?.some((piece) => piece.text.includes(words.otherName)) ?? false
  }

  #showsDocuments(): boolean {
    const documents = [{ title: words.name, text: words.result, contents: words.result, doc_id: 1, id: 1 }]
    const pieces = this.#render([user], { add_generation_prompt: true, documents })
    return pieces?.some((piece) => piece.text.includes(words.result)) ?? false
  }

  /** What follows the user's message where the assistant is to speak. */
  #prompt(variables: Record<string, unknown>): string {
    const pieces = this.#render([user], { add_generation_prompt: true, ...variables })
    return textOf(afterUser(pieces) ?? [])
  }

  /** What follows the user's message where the assistant has spoken; undefined where nothing of it is shown. */
  #answer(message: ProbeMessage, variables: Record<string, unknown> = {}): Piece[] | undefined {
    const pieces = afterUser(this.#render([user, message], variables))
    return pieces?.some((piece) => piece.word !== undefined) ? pieces : undefined
  }

  #call(name: string, id: string, args: ProbeArguments): unknown {
    return probeCall(name, id, args, this.#asText)
  }

  /** An answer that calls; some templates want results after it, and some no content in it. */
  #callAnswer(calls: unknown[], more: ProbeMessage = {}): Piece[] | undefined {
    for (const asText of this.#asText ? [true] : [false, true]) {
      const given = asText && !this.#asText ? calls.map(asTextCall) : calls
      for (const content of ['', null, undefined]) {
        const message = { role: 'assistant', ...(content !== undefined && { content }), tool_calls: given, ...more }
        const variants = [this.#answer(message, { tools: probeTools }), this.#beforeResult(message)]
        const shown = variants.find((pieces) => pieces && showsCall(pieces, asText))
        if (!shown) continue
        this.#asText = asText
        return shown
      }
    }
    return undefined
  }

  #beforeResult(message: ProbeMessage): Piece[] | undefined {
    const result = { role: 'tool', tool_call_id: words.id, name: words.name, content: words.result }
    const pieces = afterUser(this.#render([user, message, result], { tools: probeTools }))
    const end = pieces?.findIndex((piece) => piece.word === 'result') ?? -1
    return end < 0 ? undefined : pieces?.slice(0, end)
  }

  /** An answer with thoughts, and the field the template found them in. */
  #thoughts(): { answer: Piece[]; field: string } | undefined {
    for (const field of ['reasoning_content', 'reasoning', 'thinking', 'thoughts', 'thought']) {
      for (const enable_thinking of [true, undefined]) {
        const variables = enable_thinking === undefined ? {} : { enable_thinking }
        const answer = this.#answer({ role: 'assistant', content: words.content, [field]: words.reasoning }, variables)
        if (answer && shows(answer, 'reasoning')) return { answer, field }
      }
      const calling = this.#callAnswer([this.#call(words.name, words.id, both)], { [field]: words.reasoning })
      if (calling && shows(calling, 'reasoning')) return { answer: calling, field }
    }
    const parts = [
      { type: 'thinking', thinking: words.reasoning },
      { type: 'text', text: words.content },
    ]
    const answer = this.#answer({ role: 'assistant', content: parts })
    // A template that prints the list itself shows its keys.
    const isRead =
      answer &&
      shows(answer, 'reasoning') &&
      !textOf(answer).includes("thinking'") &&
      !textOf(answer).includes('thinking"')
    return isRead ? { answer, field: 'parts' } : undefined
  }

  #reasoning(answer: Piece[] | undefined, header: string, prompts: string[]): ReasoningForm | undefined {
    const at = answer?.findIndex((piece) => piece.word === 'reasoning') ?? -1
    if (answer && at >= 0) {
      const before = textOf(answer.slice(0, at)).slice(header.length)
      const next = answer[at + 1]
      const follows = answer[at + 2]?.word
      const close =
        next === undefined || next.word !== undefined ? '' : follows === 'content' ? next.text : untilCall(next.text)
      // Thoughts without any marker cannot be told from what is said.
      if (close.trim() !== '' && !/["']type["']/.test(before + close)) return { open: before, close, isShown: true }
    }
    const written = thoughtMarkers([...this.#template.literals, ...prompts])
    return written && { ...written, isShown: prompts.some((prompt) => prompt.includes(written.open)) }
  }

  #content(
    answer: Piece[] | undefined,
    header: string,
    after: string,
    reasoning: ReasoningForm | undefined,
  ): Dialect['content'] {
    let open = answer ? firstLiteral(answer).slice(header.length) : ''
    let unthought = ''
    const close = reasoning?.close.trim()
    if (reasoning && close) {
      const thought = open.lastIndexOf(close)
      if (thought >= 0) {
        const end = thought + close.length + (/^\s*/.exec(open.slice(thought + close.length))?.[0].length ?? 0)
        if (reasoning.open.trim() !== '' && open.includes(reasoning.open.trim())) unthought = open.slice(0, end)
        open = open.slice(end)
      } else if (reasoning.open.trim() !== '' && open.trim() === reasoning.open.trim()) open = ''
    }
    if (open.trim() === '') return { open: '', close: '', unthought }
    const ending = firstMarker(after)
    return { open, close: openingOf(ending) === open.trim() ? ending : '', unthought }
  }

  #calls(
    answer: Piece[],
    header: string,
    after: string,
    turnMarkers: readonly string[],
    reasoning: ReasoningForm | undefined,
  ): CallForm | undefined {
    const one = new Segment(answer, header.length, reasoning)
    one.dropEnd(after, turnMarkers)
    const shape = shapeOf(one)
    if (!shape) return undefined
    const two = this.#callAnswer([
      this.#call(words.name, words.id, both),
      this.#call(words.otherName, words.otherId, both),
    ])
    const segment = two && new Segment(two, header.length, reasoning)
    segment?.dropEnd(after, turnMarkers)
    return split(shape, segment)
  }
}

function asTextCall(call: unknown): unknown {
  const { function: called, ...rest } = call as { function: { arguments: unknown } }
  return { ...rest, function: { ...called, arguments: JSON.stringify(called.arguments) } }
}

/** Whether a call shows, with arguments as a model could write them: objects given to a template that wants text come out as Python. */
function showsCall(pieces: readonly Piece[], asText: boolean): boolean {
  if (!shows(pieces, 'name') && !shows(pieces, 'id')) return false
  const text = textOf(pieces)
  if (asText) return text.includes(`"${words.textKey}"`) && !text.includes(`\\"${words.textKey}\\"`)
  return text.includes(words.textKey) && !text.includes(`{'${words.textKey}'`)
}

function shows(pieces: readonly Piece[], word: keyof typeof words): boolean {
  return pieces.some((piece) => piece.word === word)
}

function textOf(pieces: readonly Piece[]): string {
  return pieces.map((piece) => piece.text).join('')
}

function afterUser(pieces: Piece[] | undefined): Piece[] | undefined {
  const at = pieces?.findLastIndex((piece) => piece.word === 'user') ?? -1
  return at < 0 ? undefined : pieces?.slice(at + 1)
}

function firstLiteral(pieces: readonly Piece[]): string {
  return pieces[0]?.word === undefined ? (pieces[0]?.text ?? '') : ''
}

function lastLiteral(pieces: readonly Piece[]): string {
  const last = pieces.at(-1)
  return last && last.word === undefined ? last.text : ''
}

/** What closes thoughts, without the opening of a call that follows at once. */
function untilCall(literal: string): string {
  const first = firstMarker(literal)
  const end = literal.indexOf(first) + first.length
  const space = /^\s*/.exec(literal.slice(end))?.[0] ?? ''
  // A closing that is a sentence ends at the line's end.
  if (!/^[<[]/.test(first)) return /^\s*[^\n]*\n*/.exec(literal)?.[0] ?? literal
  return literal.slice(0, end + space.length)
}

/** What the assistant wrote, as one text with the places of the words in it. */
class Segment {
  text: string
  readonly marks: { word: keyof typeof words; start: number; end: number }[] = []

  constructor(pieces: readonly Piece[], header: number, reasoning: ReasoningForm | undefined) {
    let text = ''
    for (const piece of pieces) {
      if (piece.word) this.marks.push({ word: piece.word, start: text.length, end: text.length + piece.text.length })
      text += piece.text
    }
    let from = header
    const close = reasoning?.close.trim()
    const limit = this.marks[0]?.start ?? text.length
    // Empty thoughts before the call are not part of it.
    const thought = close ? text.slice(from, limit).lastIndexOf(close) : -1
    if (close && thought >= 0) {
      from += thought + close.length
      // Its line breaks are the close's, not the call's.
      const space = /\s*$/.exec(reasoning?.close ?? '')?.[0] ?? ''
      if (text.startsWith(space, from)) from += space.length
    }
    const open = reasoning?.open.trim()
    if (open && text.slice(from, limit).trimStart().startsWith(open)) from = text.indexOf(open, from) + open.length
    this.text = text.slice(from)
    for (const mark of this.marks) {
      mark.start -= from
      mark.end -= from
    }
  }

  /** Cuts off what ends every turn. */
  dropEnd(after: string, turnMarkers: readonly string[]): void {
    const end = this.marks.at(-1)?.end ?? 0
    for (const marker of turnMarkers) {
      const turn = this.text.indexOf(marker, end)
      if (turn >= 0) this.text = this.text.slice(0, turn)
    }
    this.text = this.text.slice(0, Math.max(end, this.text.length - commonEnd(this.text.slice(end), after)))
  }

  find(word: keyof typeof words, from = 0) {
    return this.marks.find((mark) => mark.word === word && mark.start >= from)
  }
}

interface OneCall {
  shape: CallShape
  /** Where the call itself begins and ends, without what opens and closes it. */
  start: number
  end: number
  text: string
}

/** How a call is written, from an answer that holds one. */
function shapeOf(segment: Segment): OneCall | undefined {
  const { text } = segment
  const name = segment.find('name')
  const id = segment.find('id')
  const key = segment.find('textKey')
  if (!key || (!name && !id)) return undefined
  const args = argumentsAt(text, key.start)
  if (args) {
    const first = Math.min(name?.start ?? id?.start ?? 0, args.start)
    for (let at = 0; at <= first; at++) {
      if (text[at] !== '{' && text[at] !== '[') continue
      const end = jsonEnd(text, at)
      if (end === undefined || end <= args.end || at === args.start) continue
      const found = objectShape(text.slice(at, end))
      if (found) return { shape: { ...found, open: text.slice(0, at), close: text.slice(end) }, start: at, end, text }
    }
    const fields: (Field & Mark)[] = []
    for (const [field, mark] of [
      ['name', name],
      ['id', id],
    ] as const)
      if (mark && mark.end <= args.start) fields.push({ field, after: '', start: mark.start, end: mark.end })
    fields.sort((a, b) => a.start - b.start)
    if (fields.length === 0) return undefined
    for (const [i, field] of fields.entries())
      field.after = numbered(text.slice(field.end, fields[i + 1]?.start ?? args.start))
    const { start } = fields[0]
    const shape: CallShape = {
      kind: 'json',
      open: text.slice(0, start),
      fields: fields.map(({ field, after }) => ({ field, after })),
      close: text.slice(args.end),
    }
    return { shape, start, end: args.end, text }
  }
  if (!name) return undefined
  const value = segment.find('text', key.end)
  if (!value) return undefined
  const afterName = text.slice(name.end, key.start)
  const before = text.slice(key.end, value.start)
  const open = text.slice(0, name.start)
  if (/^\(\s*$/.test(afterName) && /^\s*=\s*["']$/.test(before)) {
    const end = text.indexOf(')', value.end)
    return { shape: { kind: 'python', open, close: text.slice(end + 1) }, start: name.start, end: end + 1, text }
  }
  if (/^\{\s*$/.test(afterName) && /^\s*:/.test(before)) {
    const end = text.indexOf('}', value.end)
    const quote = before.replace(/^\s*:\s*/, '')
    return { shape: { kind: 'loose', open, quote, close: text.slice(end + 1) }, start: name.start, end: end + 1, text }
  }
  return taggedShape(segment, open, { name, key, value })
}

/** A literal in which the number of the call is any number. */
function numbered(literal: string): string {
  return literal.replace(/(^|[:_#-])0(?=\D|$)/g, '$1\0')
}

type Mark = { start: number; end: number }

function taggedShape(
  segment: Segment,
  open: string,
  { name, key, value }: { name: Mark; key: Mark; value: Mark },
): OneCall | undefined {
  const { text } = segment
  const number = segment.find('number', value.end)
  const nextKey = segment.marks.find((mark) => mark.word === 'numberKey' && mark.start >= value.end)
  if (!number || !nextKey) return undefined
  const again = segment.find('textKey', value.end)
  const closesWithKey = again !== undefined && again.end <= nextKey.start
  const opening = text.slice(name.end, key.start)
  const afterKey = again && closesWithKey ? (/^[^<[\]]*>/.exec(text.slice(again.end))?.[0] ?? '') : ''
  const numberAgain = closesWithKey ? segment.find('numberKey', number.end) : undefined
  const closing = closesWithKey && again ? text.slice(value.end, again.start) : ''
  const between = text.slice(closesWithKey && again ? again.end + afterKey.length : value.end, nextKey.start)
  const rest = text.slice(numberAgain ? numberAgain.end + afterKey.length : number.end)
  const argumentOpen = between.slice(between.length - commonEnd(opening, between))
  const left = between.slice(0, between.length - argumentOpen.length)
  const argumentClose = closesWithKey ? '' : left.slice(0, commonStart(left, rest))
  const argument: ArgumentForm = {
    open: argumentOpen,
    beforeString: text.slice(key.end, value.start),
    beforeOther: text.slice(nextKey.end, number.start),
    close: closesWithKey ? closing : argumentClose,
    afterKey,
    separator: closesWithKey ? left : left.slice(argumentClose.length),
    closesWithKey,
  }
  if (closesWithKey ? closing.trim() === '' : argumentClose.trim() === '') return undefined
  const close = rest.slice(argumentClose.length)
  return {
    shape: { kind: 'tagged', open, afterName: opening.slice(0, opening.length - argumentOpen.length), argument, close },
    start: name.start,
    end: text.length - close.length,
    text,
  }
}

/** The JSON of the arguments around a key of theirs. */
function argumentsAt(text: string, key: number): { start: number; end: number } | undefined {
  for (let at = key; at >= 0 && key - at < 40; at--) {
    if (text[at] !== '{') continue
    const end = jsonEnd(text, at)
    if (end === undefined) continue
    const value = parsed(text.slice(at, end)) as ProbeArguments | undefined
    if (value?.[words.textKey] === words.text && value[words.numberKey] === words.number) return { start: at, end }
  }
  return undefined
}

function objectShape(json: string): (CallShape & { kind: 'object' }) | undefined {
  const value = parsed(json)
  const list = Array.isArray(value)
  const entry = list ? value[0] : value
  const name = pathTo(entry, (found) => found === words.name)
  const args = pathTo(entry, (found) => typeof found === 'object' && found !== null && words.textKey in found)
  if (!args) return undefined
  const id =
    pathTo(entry, (found) => found === words.id) ??
    Object.keys(entry as object)
      .filter((key) => /(^|_)id$/.test(key))
      .slice(0, 1)
  const asKey = !name && args.at(-1) === words.name
  if (!name && !asKey) return undefined
  return {
    kind: 'object',
    open: '',
    close: '',
    list,
    name: name ?? [],
    arguments: asKey ? [] : args,
    id: id.length === 0 ? undefined : id,
  }
}

function pathTo(value: unknown, isIt: (value: unknown) => boolean): string[] | undefined {
  if (isIt(value)) return []
  if (typeof value !== 'object' || value === null) return undefined
  for (const [key, inner] of Object.entries(value)) {
    const path = pathTo(inner, isIt)
    if (path) return [key, ...path]
  }
  return undefined
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json)
  } catch {
    return undefined
  }
}

/** Tells what opens and closes all calls from what opens and closes each, by an answer that holds two. */
function split({ shape, start, end, text }: OneCall, two: Segment | undefined): CallForm {
  const alone: CallForm = { section: { open: '', close: '' }, separator: '', call: shape }
  const before = text.slice(0, start)
  const after = text.slice(end)
  if (!two?.find('otherName') && !two?.find('otherId')) return alone
  if (shape.kind === 'object' && shape.list) return alone
  const first = two.text.indexOf(text.slice(start, end))
  if (first < 0) return alone
  const firstEnd = first + (end - start)
  const mark = two.marks.find(
    (other) => (other.word === 'otherName' || other.word === 'otherId') && other.start >= firstEnd,
  )
  if (!mark) return alone
  const second = shape.kind === 'object' ? two.text.lastIndexOf('{', two.text.lastIndexOf('"', mark.start)) : mark.start
  const middle = two.text.slice(
    firstEnd,
    shape.kind === 'object' ? objectStart(two.text, firstEnd, mark.start) : second,
  )
  const open = before.slice(before.length - commonEnd(before, middle))
  const close = after.slice(0, commonStart(after, middle.slice(0, middle.length - open.length)))
  return {
    section: { open: before.slice(0, before.length - open.length), close: after.slice(close.length) },
    separator: middle.slice(close.length, middle.length - open.length),
    call: { ...shape, open, close },
  }
}

/** Where the object begins that holds a place. */
function objectStart(text: string, from: number, place: number): number {
  for (let at = from; at < place; at++)
    if (text[at] === '{') {
      const end = jsonEnd(text, at)
      if (end !== undefined && end > place) return at
    }
  return place
}
