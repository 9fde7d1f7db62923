import type { ArgumentForm, CallShape } from './dialect.js'
import { JsonScanner } from './json-text.js'
import { Literal, skipSpace } from './literal.js'
import { entries, isText, type Parameters, property, typedValue, typesOf } from './parameter.js'
import type { Reader, Waiting } from './reader.js'
import { looseValue, pythonValue } from './values.js'

/** Where a call goes while it is read. */
export interface CallSink {
  /** The name is known, so this is a call. */
  begin(name: string, id: string | undefined): void
  /** More of the arguments' JSON. */
  add(text: string): void
}

/** How a reading of a call ended: it is one, the text ended within it, or it is none. */
export type Reading = 'call' | 'cut' | 'none'

/** Reads calls of one shape, from the first character after their opening. */
export class CallReader {
  readonly #reader: Reader
  readonly #parameters: Parameters
  readonly #shape: CallShape
  /** What may follow the call, besides its own close: it tells where bare values end. */
  readonly #after: readonly Literal[]

  constructor(reader: Reader, parameters: Parameters, shape: CallShape, after: readonly Literal[]) {
    this.#reader = reader
    this.#parameters = parameters
    this.#shape = shape
    this.#after = after
  }

  /** Reads one call; a list of them where the shape is a list. */
  *read(sink: CallSink): Waiting<Reading> {
    const { kind } = this.#shape
    if (kind === 'object') return yield* this.#objects(sink)
    if (kind === 'json') return yield* this.#json(this.#shape, sink)
    const name = yield* this.#name()
    if (name === undefined) return 'none'
    if (kind === 'python') return yield* this.#python(name, sink)
    if (kind === 'loose') return yield* this.#loose(name, this.#shape.quote, sink)
    return yield* this.#tagged(name, this.#shape, sink)
  }

  /** The longest of the functions' names that stands here. */
  *#name(): Waiting<string | undefined> {
    const { names } = this.#parameters
    const reader = this.#reader
    yield* reader.space()
    while (true) {
      const { rest } = reader
      const undecided = !reader.ended && names.some((name) => name.length > rest.length && name.startsWith(rest))
      const found = names.filter((name) => rest.startsWith(name)).sort((a, b) => b.length - a.length)[0]
      if (found !== undefined && !undecided && (rest.length > found.length || reader.ended)) {
        if (/[\w-]/.test(rest[found.length] ?? '')) return undefined
        reader.at += found.length
        return found
      }
      if (found === undefined && !undecided) return undefined
      if (reader.ended) return undefined
      yield
    }
  }

  *#objects(sink: CallSink): Waiting<Reading> {
    const reader = this.#reader
    yield* reader.space()
    if (!(yield* reader.take('['))) return yield* this.#object(sink)
    let found = false
    while (true) {
      yield* reader.space()
      if (found && (yield* reader.take(']'))) return 'call'
      const reading = yield* this.#object(sink)
      if (reading !== 'call') return found ? 'call' : reading
      found = true
      yield* reader.space()
      if ((yield* reader.peek()) === undefined) return 'cut'
      if (!(yield* reader.take(',')) && (yield* reader.peek()) !== ']') return 'call'
    }
  }

  /** `{"name": "f", "arguments": {…}}`, keys in any order, nested as the template nests them. */
  *#object(sink: CallSink): Waiting<Reading> {
    const call = {
      name: undefined as string | undefined,
      id: undefined as string | undefined,
      held: '',
      started: false,
      whole: false,
    }
    // An id that comes last is waited for where the family writes one: it names the call from its beginning.
    const waits = (this.#shape as CallShape & { kind: 'object' }).id !== undefined
    const begin = (isOver = false) => {
      if (call.started || call.name === undefined || (waits && call.id === undefined && !isOver)) return
      call.started = true
      sink.begin(call.name, call.id)
      if (call.held !== '') sink.add(call.held)
    }
    const reading = yield* this.#fields(call, sink, begin, [])
    if (reading === 'none' && !call.started) return 'none'
    if (reading === 'call' && call.name === undefined) return 'none'
    if (reading === 'cut' && call.name === undefined) return 'cut'
    begin(true)
    if (reading === 'call' && !call.whole) sink.add('{}')
    return reading === 'none' ? 'call' : reading
  }

  *#fields(
    call: { name: string | undefined; id: string | undefined; held: string; started: boolean; whole: boolean },
    sink: CallSink,
    begin: () => void,
    path: string[],
  ): Waiting<Reading> {
    const reader = this.#reader
    const shape = this.#shape as CallShape & { kind: 'object' }
    if (!(yield* reader.take('{'))) return (yield* reader.peek()) === undefined ? 'cut' : 'none'
    while (true) {
      yield* reader.space()
      if (yield* reader.take('}')) return 'call'
      const key = yield* this.#string()
      if (key === 'cut' || key === 'none') return key
      yield* reader.space()
      if (!(yield* reader.take(':'))) return (yield* reader.peek()) === undefined ? 'cut' : 'none'
      yield* reader.space()
      const here = [...path, key.value]
      const asKey = shape.name.length === 0 && this.#parameters.has(key.value) && path.length === 0
      if (asKey) call.name = key.value
      if (isPath(here, shape.name, ['name', 'tool_name', 'function_name'])) {
        if (call.started) return 'none'
        const name = yield* this.#string()
        if (name === 'cut' || name === 'none') return name
        if (!this.#parameters.has(name.value)) return 'none'
        call.name = name.value
        begin()
      } else if (asKey || isPath(here, shape.arguments, ['arguments', 'parameters', 'args'])) {
        begin()
        const reading = yield* this.#value(
          (text) => {
            if (call.started) sink.add(text)
            else call.held += text
          },
          (yield* reader.peek()) === '"',
        )
        if (reading !== 'call') return reading
        call.whole = true
      } else if (isPath(here, shape.id, ['id', 'tool_call_id'])) {
        let text = ''
        const reading = yield* this.#value((more) => (text += more), false)
        if (reading !== 'call') return reading
        call.id = text.startsWith('"') ? String(JSON.parse(text)) : text
        begin()
      } else if (
        (yield* reader.peek()) === '{' &&
        (key.value === 'function' || shape.arguments[here.length - 1] === key.value)
      ) {
        const reading = yield* this.#fields(call, sink, begin, here)
        if (reading !== 'call') return reading
      } else {
        const reading = yield* this.#value(() => {}, false)
        if (reading !== 'call') return reading
      }
      yield* reader.space()
      if (!(yield* reader.take(',')) && (yield* reader.peek()) !== '}')
        return (yield* reader.peek()) === undefined ? 'cut' : 'none'
    }
  }

  *#string(): Waiting<{ value: string } | 'cut' | 'none'> {
    if ((yield* this.#reader.peek()) !== '"') return (yield* this.#reader.peek()) === undefined ? 'cut' : 'none'
    let text = ''
    const reading = yield* this.#value((more) => (text += more), false)
    if (reading !== 'call') return reading
    try {
      return { value: JSON.parse(text) as string }
    } catch {
      return 'none'
    }
  }

  /** A value of JSON as it is written; where `unquote`, a string holds it. */
  *#value(add: (text: string) => void, unquote: boolean): Waiting<Reading> {
    const reader = this.#reader
    if (unquote) {
      const text = yield* this.#string()
      if (text === 'cut' || text === 'none') return text
      add(text.value.trim() === '' ? '{}' : text.value)
      return 'call'
    }
    const scanner = new JsonScanner()
    while (true) {
      const start = reader.at
      let state: ReturnType<JsonScanner['push']> = 'more'
      while (reader.at < reader.text.length && state === 'more') {
        state = scanner.push(reader.text[reader.at])
        if (state === 'more' || state === 'end') reader.at++
      }
      if (reader.at > start) add(reader.text.slice(start, reader.at))
      if (state === 'end' || state === 'before') return 'call'
      if (state === 'wrong') return 'none'
      if (reader.ended) return scanner.isWhole ? 'call' : 'cut'
      yield
    }
  }

  /** Name and id between markers, then JSON. */
  *#json(shape: CallShape & { kind: 'json' }, sink: CallSink): Waiting<Reading> {
    const reader = this.#reader
    let name: string | undefined
    let id: string | undefined
    const lead = /[^>\]|\s]*$/.exec(shape.open)?.[0] ?? ''
    for (const { field, after } of shape.fields) {
      const literal = new Literal(after)
      let text: string
      if (field === 'name') {
        const found = yield* this.#name()
        if (found === undefined) return isCutName(reader, this.#parameters.names) ? 'cut' : 'none'
        name = found
        text = found
      } else {
        const stop = literal.words[0]?.[0] ?? '{'
        text = (yield* reader.while((char) => char !== stop && char !== '{' && !/\s/.test(char), 256)).trim()
        id = text
      }
      const start = reader.at
      const end = yield* reader.match(literal)
      if (end === undefined)
        return reader.ended && skipSpace(reader.text, reader.at) >= reader.text.length ? 'cut' : 'none'
      reader.at = end
      // A number in it makes it an id: `functions.f:0`.
      if (field === 'name' && after.includes('\0'))
        id = lead + text + (/^[^<[\s|]*/.exec(reader.text.slice(start, end))?.[0] ?? '')
    }
    if (name === undefined) {
      name = this.#parameters.names.find(
        (known) => id === known || new RegExp(`(^|[.:])${escaped(known)}([.:]|$)`).test(id ?? ''),
      )
      if (name === undefined) return 'none'
    }
    yield* reader.space()
    const first = yield* reader.peek()
    if (first !== undefined && first !== '{') return 'none'
    sink.begin(name, id)
    if (first === undefined) return 'cut'
    const reading = yield* this.#value((text) => sink.add(text), false)
    return reading === 'none' ? 'call' : reading
  }

  *#python(name: string, sink: CallSink): Waiting<Reading> {
    const reader = this.#reader
    if (!(yield* reader.take('('))) return (yield* reader.peek()) === undefined ? 'cut' : 'none'
    sink.begin(name, undefined)
    sink.add('{')
    let count = 0
    while (true) {
      yield* reader.space()
      if (yield* reader.take(')')) break
      const key = yield* reader.while((char) => /[\w.-]/.test(char))
      yield* reader.space()
      if (key === '' || !(yield* reader.take('='))) return (yield* reader.peek()) === undefined ? 'cut' : 'call'
      sink.add(`${count++ > 0 ? ', ' : ''}${JSON.stringify(key)}: `)
      const value = yield* pythonValue(reader)
      if (value === undefined) return (yield* reader.peek()) === undefined ? 'cut' : 'call'
      sink.add(value)
      yield* reader.space()
      if (!(yield* reader.take(',')) && (yield* reader.peek()) !== ')')
        return (yield* reader.peek()) === undefined ? 'cut' : 'call'
    }
    sink.add('}')
    return 'call'
  }

  *#loose(name: string, quote: string, sink: CallSink): Waiting<Reading> {
    const reader = this.#reader
    if ((yield* reader.peek()) !== '{') return (yield* reader.peek()) === undefined ? 'cut' : 'none'
    sink.begin(name, undefined)
    const value = yield* looseValue(reader, quote)
    if (value === undefined) return 'cut'
    sink.add(value)
    return 'call'
  }

  *#tagged(name: string, shape: CallShape & { kind: 'tagged' }, sink: CallSink): Waiting<Reading> {
    const reader = this.#reader
    const { argument } = shape
    const open = new Literal(argument.open)
    const close = new Literal(shape.close)
    const afterName = new Literal(shape.afterName)
    const named = yield* reader.match(afterName)
    if (named === undefined)
      return reader.ended && skipSpace(reader.text, reader.at) >= reader.text.length ? 'cut' : 'none'
    reader.at = named
    sink.begin(name, undefined)
    sink.add('{')
    let count = 0
    while (true) {
      const next = yield* reader.match(open)
      if (next === undefined) break
      // A close may look like an opening up to its slash; the longer match is meant.
      const closed = yield* reader.matchStart(close)
      if (typeof closed === 'number' && closed > next && !close.isEmpty) break
      reader.at = next
      const reading = yield* this.#argument(name, argument, count++, sink)
      if (reading !== 'call') return reading === 'none' ? 'call' : reading
    }
    if (reader.ended && skipSpace(reader.text, reader.at) >= reader.text.length && !close.isEmpty) return 'cut'
    sink.add('}')
    return 'call'
  }

  *#argument(name: string, form: ArgumentForm, count: number, sink: CallSink): Waiting<Reading> {
    const reader = this.#reader
    const asString = new Literal(form.beforeString)
    const asOther = new Literal(form.beforeOther)
    const stop = asString.words[0]?.[0] ?? '>'
    const key = (yield* reader.while((char) => char !== stop && char !== '\n', 256)).trim()
    if ((yield* reader.peek()) === undefined) return 'cut'
    let typed: 'string' | 'other' | undefined
    let begin = yield* reader.match(asString)
    if (form.beforeString !== form.beforeOther) typed = begin === undefined ? 'other' : 'string'
    if (begin === undefined) begin = yield* reader.match(asOther)
    if (begin === undefined) return reader.ended ? 'cut' : 'none'
    reader.at = begin
    yield* this.#line(typed === 'other' ? form.beforeOther : form.beforeString)
    sink.add(`${count > 0 ? ', ' : ''}${JSON.stringify(key)}: `)
    const root = this.#parameters.root(name)
    const schema = this.#parameters.of(name, key)
    const types = typed === 'string' ? new Set(['string']) : typed === 'other' ? undefined : typesOf(schema, root)
    if (form.closesWithKey && types && !types.has('string') && (types.has('object') || types.has('array'))) {
      const value = yield* this.#nested(form, key, schema, root, 0)
      if (value === undefined) return 'cut'
      sink.add(value)
      return 'call'
    }
    return yield* this.#bare(form, key, types, sink)
  }

  /** The line break that a marker ends with, where it is there. */
  *#line(literal: string): Waiting<void> {
    const space = /\s*$/.exec(literal)?.[0] ?? ''
    for (const char of space) if (!(yield* this.#reader.take(char))) return
  }

  /** A value up to its closing marker: text as it comes, anything else when it is whole. */
  *#bare(form: ArgumentForm, key: string, types: Set<string> | undefined, sink: CallSink): Waiting<Reading> {
    const reader = this.#reader
    const streams = isText(types)
    const literal = this.#closing(form, key)
    if (yield* reader.takeText('<![CDATA[')) {
      const raw = yield* reader.upTo(']]>')
      if (raw === undefined) return 'cut'
      sink.add(typedValue(raw, types))
      yield* reader.takeStart(literal)
      return 'call'
    }
    if (streams) sink.add('"')
    let from = reader.at
    while (true) {
      const end = this.#valueEnd(form, literal, from)
      const certain = typeof end === 'object' ? end.start : this.#certain(literal, from)
      if (streams && certain > reader.at) {
        sink.add(JSON.stringify(reader.text.slice(reader.at, certain)).slice(1, -1))
        reader.at = certain
      }
      if (typeof end === 'object') {
        if (streams) sink.add('"')
        else sink.add(typedValue(reader.text.slice(reader.at, end.start), types))
        reader.at = end.end
        return 'call'
      }
      if (reader.ended) return 'cut'
      from = Math.max(reader.at, Math.min(certain, reader.text.length))
      yield
    }
  }

  #closing(form: ArgumentForm, key: string): Literal {
    return new Literal(form.closesWithKey ? `${form.close}${key}${form.afterKey}` : form.close)
  }

  /** Up to where text is certain to be part of the value. */
  #certain(literal: Literal, from: number): number {
    const { text } = this.#reader
    const mark = literal.first
    for (let at = from; at < text.length; at++)
      if (/\s/.test(text[at]) || text[at] === mark[0]) {
        const word = skipSpace(text, at)
        if (word >= text.length || mark.startsWith(text.slice(word, word + mark.length))) return at
      }
    return text.length
  }

  /**
   * Where the value ends: at a closing marker after which the call goes on or ends, for values may hold the marker.
   *
   *     <parameter=code>print("</parameter>")</parameter>\n</function>
   *                            └ no           └ yes
   */
  #valueEnd(form: ArgumentForm, literal: Literal, from: number): { start: number; end: number } | undefined {
    const reader = this.#reader
    const mark = literal.first
    const follows = [new Literal(form.open), ...this.#after]
    let last: { start: number; end: number } | undefined
    for (let at = reader.text.indexOf(mark, from); at >= 0; at = reader.text.indexOf(mark, at + 1)) {
      const end = literal.matchAt(reader.text, at, reader.ended)
      if (end === 'maybe') return undefined
      if (end === undefined) continue
      last = { start: literal.beginning(reader.text, at, reader.at), end }
      if (skipSpace(reader.text, end) >= reader.text.length) return reader.ended ? last : undefined
      for (const next of follows) {
        if (next.isEmpty) return last
        const match = new Literal(next.words[0]).matchAt(reader.text, end, reader.ended)
        if (match === 'maybe') return undefined
        if (match !== undefined) return last
      }
    }
    return reader.ended ? last : undefined
  }

  /** `<a><b>1</b></a>`: objects by their keys, lists as entries of one name. */
  *#nested(
    form: ArgumentForm,
    key: string,
    schema: Record<string, unknown> | undefined,
    root: Record<string, unknown>,
    depth: number,
  ): Waiting<string | undefined> {
    const reader = this.#reader
    if (depth > 50) return undefined
    const open = new Literal(form.open)
    const close = this.#closing(form, key)
    const isList = typesOf(schema, root)?.has('array') ?? false
    const parts: string[] = []
    let nested = false
    while (true) {
      const closed = yield* reader.match(close)
      if (closed !== undefined) {
        reader.at = closed
        if (parts.length > 0 || nested) return isList ? `[${parts.join(', ')}]` : `{${parts.join(', ')}}`
        return isList ? '[]' : '{}'
      }
      const opened = yield* reader.match(open)
      if (opened === undefined) {
        if (reader.ended && reader.rest.trim() === '') return undefined
        // No tags inside: a bare value after all.
        const parts2: string[] = []
        const reading = yield* this.#bare(form, key, typesOf(schema, root), {
          begin: () => {},
          add: (text) => parts2.push(text),
        })
        return reading === 'call' ? parts2.join('') : undefined
      }
      nested = true
      reader.at = opened
      const stop = form.beforeString.trim()[0] ?? '>'
      const inner = (yield* reader.while((char) => char !== stop, 256)).trim()
      const begin = yield* reader.match(new Literal(form.beforeString))
      if (begin === undefined) return undefined
      reader.at = begin
      const of = isList ? entries(schema, root) : property(schema, inner, root)
      const types = typesOf(of, root)
      let value: string | undefined
      if (
        types
          ? !types.has('string') && (types.has('object') || types.has('array'))
          : (yield* reader.match(open)) !== undefined
      )
        value = yield* this.#nested(form, inner, of, root, depth + 1)
      else {
        const texts: string[] = []
        const reading = yield* this.#bare(form, inner, types, { begin: () => {}, add: (text) => texts.push(text) })
        value = reading === 'call' ? texts.join('') : undefined
      }
      if (value === undefined) return undefined
      parts.push(isList ? value : `${JSON.stringify(inner)}: ${value}`)
    }
  }
}

function isPath(here: string[], path: string[] | undefined, others: string[]): boolean {
  if (path && path.length > 0 && here.length === path.length && path.every((key, i) => key === here[i])) return true
  const last = here.at(-1) ?? ''
  return others.includes(last) && (here.length === 1 || here[0] === 'function')
}

function isCutName(reader: Reader, names: readonly string[]): boolean {
  return reader.ended && names.some((name) => name.startsWith(reader.rest.trimStart()))
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
}
