// How a family writes calls, read off answers of made-up conversations that hold one call, and two.

import {
  type ArgumentForm,
  anyName,
  anyNumber,
  type CallForm,
  type CallShape,
  type ContentForm,
  type Field,
  type ObjectPart,
  type ReasoningForm,
} from './dialect.js'
import { jsonEnd } from './json-text.js'
import { commonEnd, commonStart } from './markers.js'
import { type Piece, type SpecimenArguments, words } from './specimen.js'

/** What the assistant wrote, as one text with the places of the words in it. */
export class Segment {
  text: string
  /** Whether it stands between the markers of what is said. */
  readonly isSaid: boolean
  /** What stands before it for nothing said. */
  readonly unsaid: string
  readonly marks: { word: keyof typeof words; start: number; end: number }[] = []

  /**
   * @param header length of what stands before the answer
   * @param content what opens all that is said, which may be calls too
   */
  constructor(
    pieces: readonly Piece[],
    header: number,
    reasoning: ReasoningForm | undefined,
    content: Pick<ContentForm, 'open' | 'close'>,
  ) {
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
    const begin = from
    const takes = (marker: string): boolean => {
      const word = marker.trim()
      if (word === '' || !text.slice(from, limit).trimStart().startsWith(word)) return false
      from = text.indexOf(word, from) + word.length
      const space = /\s*$/.exec(marker)?.[0] ?? ''
      if (text.startsWith(space, from)) from += space.length
      return true
    }
    const isOpen = takes(content.open)
    const isClosed = isOpen && takes(content.close)
    this.isSaid = isOpen && !isClosed
    this.unsaid = isClosed ? text.slice(begin, from) : ''
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

  /** The last place of a word before another place. */
  findBefore(word: keyof typeof words, end: number) {
    return this.marks.findLast((mark) => mark.word === word && mark.end <= end)
  }

  /** A stretch of it as a literal, in which names of functions may be any. */
  literal(start: number, end: number): string {
    let literal = ''
    let at = start
    for (const mark of this.marks) {
      if ((mark.word !== 'name' && mark.word !== 'otherName') || mark.start < start || mark.end > end) continue
      literal += this.text.slice(at, mark.start) + anyName
      at = mark.end
    }
    return literal + this.text.slice(at, end)
  }
}

/** The form of calls that an answer with one shows, and one with two; undefined where it shows none that can be read. */
export function callForm(one: Segment, two: Segment | undefined, said: readonly Piece[]): CallForm | undefined {
  const call = shapeOf(one)
  if (!call) return undefined
  const form = split(call, one, two)
  return { ...form, space: spaceBefore(form, said), isSaid: one.isSaid, unsaid: one.unsaid }
}

/** White space between what is said and a call behind it, besides that which calls begin with or have between them. */
function spaceBefore(form: Omit<CallForm, 'space' | 'isSaid' | 'unsaid'>, pieces: readonly Piece[]): string {
  const { section, call, separator } = form
  const place = pieces.findIndex((piece) => piece.word === 'content')
  const next = pieces[place + 1]
  const open = section.open + call.open
  if (place < 0 || next === undefined || next.word !== undefined || open.trim() === '') return ''
  const [before, own] = [next.text, open].map((text) => /^\s*/.exec(text)?.[0] ?? '')
  const isCall = next.text.startsWith(open.trim().split(/\s/, 1)[0].split(anyName, 1)[0], before.length)
  const space = before.slice(0, before.length - own.length)
  return isCall && before.endsWith(own) && space !== separator ? space : ''
}

type ObjectShape = CallShape & { kind: 'object' }

interface OneCall {
  shape: CallShape
  /** Where the call itself begins and ends, without what opens and closes it. */
  start: number
  end: number
}

/** How a call is written, from an answer that holds one. */
function shapeOf(segment: Segment): OneCall | undefined {
  const { text } = segment
  const id = segment.find('id')
  const key = segment.find('textKey')
  // Where the name stands twice, the first is part of what opens the call.
  const name = (key && segment.findBefore('name', key.start)) ?? segment.find('name')
  if (!key || (!name && !id)) return undefined
  const args = argumentsAt(text, key.start)
  if (args) {
    const first = Math.min(name?.start ?? id?.start ?? 0, args.start)
    for (let at = 0; at <= first; at++) {
      if (text[at] !== '{' && text[at] !== '[') continue
      const end = jsonEnd(text, at)
      if (end === undefined || end <= args.end || at === args.start) continue
      const found = objectShape(text.slice(at, end))
      if (!found) continue
      const parts = partsOf(segment, at, end, args, found.list !== undefined)
      return { shape: { ...found, parts, open: segment.literal(0, at), close: text.slice(end) }, start: at, end }
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
      open: segment.literal(0, start),
      fields: fields.map(({ field, after }) => ({ field, after })),
      close: text.slice(args.end),
    }
    return { shape, start, end: args.end }
  }
  if (!name) return undefined
  const value = segment.find('text', key.end)
  if (!value) return undefined
  const afterName = text.slice(name.end, key.start)
  const before = text.slice(key.end, value.start)
  const open = segment.literal(0, name.start)
  if (/^\(\s*$/.test(afterName) && /^\s*=\s*["']$/.test(before)) {
    const end = text.indexOf(')', value.end)
    const separator = /,\s*$/.exec(text.slice(value.end, segment.find('numberKey')?.start ?? value.end))?.[0] ?? ', '
    return { shape: { kind: 'python', open, separator, close: text.slice(end + 1) }, start: name.start, end: end + 1 }
  }
  if (/^\{\s*$/.test(afterName) && /^\s*:/.test(before)) {
    const end = text.indexOf('}', value.end)
    const quote = before.replace(/^\s*:\s*/, '')
    return { shape: { kind: 'loose', open, quote, close: text.slice(end + 1) }, start: name.start, end: end + 1 }
  }
  return taggedShape(segment, open, { name, key, value })
}

/** A literal in which the number of the call is any number. */
function numbered(literal: string): string {
  return literal.replace(/(^|[:_#-])0(?=\D|$)/g, `$1${anyNumber}`)
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
  }
}

/** The types of JSON, by a value of each that a call may show. */
export const typeValues: Record<string, unknown> = { boolean: true, null: null, array: [], object: {} }

/**
 * What stands between key and value for values of a type, from a call in which such a one stands where else a number does:
 *
 *     <arg key="wvatext" type="string">    <arg key="wvbnumber" type="number">    <arg key="wvbnumber" type="boolean">
 *                      └ lead  └ end
 */
export function beforeType({ beforeString, beforeOther }: ArgumentForm, segment: Segment): string | undefined {
  const key = segment.find('numberKey')
  let lead = 0
  while (lead < beforeString.length && beforeString[lead] === beforeOther[lead]) lead++
  const end = beforeString.slice(beforeString.length - commonEnd(beforeString.slice(lead), beforeOther.slice(lead)))
  const behind = key && segment.text.slice(key.end)
  if (!behind?.startsWith(beforeString.slice(0, lead)) || end === '') return undefined
  const word = /^[\w.-]+/.exec(behind.slice(lead))?.[0] ?? ''
  return behind.startsWith(end, lead + word.length) ? behind.slice(0, lead + word.length) + end : undefined
}

/** The JSON of the arguments around a key of theirs. */
function argumentsAt(text: string, key: number): { start: number; end: number } | undefined {
  for (let at = key; at >= 0 && key - at < 40; at--) {
    if (text[at] !== '{') continue
    const end = jsonEnd(text, at)
    if (end === undefined) continue
    const value = parsed(text.slice(at, end)) as SpecimenArguments | undefined
    if (value?.[words.textKey] === words.text && value[words.numberKey] === words.number) return { start: at, end }
  }
  return undefined
}

/** What an object consists of, in the order the template writes it. */
function partsOf(segment: Segment, start: number, end: number, args: Mark, isList: boolean): ObjectPart[] {
  const inner = isList ? segment.text.indexOf('{', start) : start
  const innerEnd = isList ? segment.text.lastIndexOf('}', end - 1) + 1 : end
  const named = (['name', 'id'] as const).flatMap((field) => {
    const mark = segment.marks.find((other) => other.word === field && other.start > inner && other.end < innerEnd)
    return mark ? [{ field, start: mark.start, end: mark.end }] : []
  })
  const fields = [...named, { field: 'arguments' as const, ...args }].sort((a, b) => a.start - b.start)
  const parts: ObjectPart[] = []
  let at = inner
  // Some count their calls where others have ids.
  const literal = (from: number, to: number) => ({
    text: segment.text.slice(from, to).replaceAll('"0"', `"${anyNumber}"`),
  })
  for (const { field, start: from, end: to } of fields) {
    parts.push(literal(at, from), { field })
    at = to
  }
  return [...parts, literal(at, innerEnd)]
}

function objectShape(json: string): Omit<ObjectShape, 'parts'> | undefined {
  const value = parsed(json)
  const isList = Array.isArray(value)
  const entry = isList ? value[0] : value
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
    list: isList ? listAround(json) : undefined,
    name: name ?? [],
    arguments: asKey ? [] : args,
    id: id.length === 0 ? undefined : id,
  }
}

/** What stands around the objects of a list that holds one, as far as it tells. */
function listAround(json: string): { open: string; separator: string; close: string } {
  const open = json.slice(0, json.indexOf('{'))
  return { open, separator: `,${open.slice(1) || ' '}`, close: json.slice(json.lastIndexOf('}') + 1) }
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
function split(
  { shape, start, end }: OneCall,
  one: Segment,
  two: Segment | undefined,
): Omit<CallForm, 'space' | 'isSaid' | 'unsaid'> {
  const alone = { section: { open: '', close: '' }, separator: '', call: shape }
  const before = one.literal(0, start)
  const after = one.text.slice(end)
  if (!two?.find('otherName') && !two?.find('otherId')) return alone
  if (shape.kind === 'object' && shape.list) {
    const separator = listSeparator(two)
    return separator === undefined ? alone : { ...alone, call: { ...shape, list: { ...shape.list, separator } } }
  }
  const first = two.text.indexOf(one.text.slice(start, end))
  if (first < 0) return alone
  const firstEnd = first + (end - start)
  const mark = secondCall(two, firstEnd, before.includes(anyName))
  if (!mark) return alone
  const second = shape.kind === 'object' ? objectStart(two.text, firstEnd, mark.start) : mark.start
  const middle = two.literal(firstEnd, second)
  const open = before.slice(before.length - commonEnd(before, middle))
  const close = after.slice(0, commonStart(after, middle.slice(0, middle.length - open.length)))
  return {
    section: { open: before.slice(0, before.length - open.length), close: after.slice(close.length) },
    separator: middle.slice(close.length, middle.length - open.length),
    call: { ...counted(shape, two.text.slice(mark.end)), open, close },
  }
}

/** What stands between the two objects of a list. */
function listSeparator({ text, marks }: Segment): string | undefined {
  const start = text.indexOf('{')
  const end = jsonEnd(text, start)
  const mark = marks.find(({ word }) => word === 'otherName' || word === 'otherId')
  if (end === undefined || !mark) return undefined
  const separator = text.slice(end, objectStart(text, end, mark.start))
  return /^\s*,\s*$/.test(separator) ? separator : undefined
}

/** What the second call begins with: its name or id, or the last of its names where it has several. */
function secondCall(two: Segment, from: number, saysTwice: boolean): Mark | undefined {
  if (saysTwice) return two.findBefore('otherName', two.find('textKey', from)?.start ?? 0)
  return two.marks.find(({ word, start }) => (word === 'otherName' || word === 'otherId') && start >= from)
}

/** A call behind whose name its number may stand, as the second shows: `index="1"`. @param behind what follows the second's name */
function counted(shape: CallShape, behind: string): CallShape {
  if (shape.kind === 'tagged') return { ...shape, afterName: varying(shape.afterName, behind) }
  if (shape.kind !== 'json') return shape
  const fields = shape.fields.map((field, i) =>
    i === 0 && field.field === 'name' ? { field: field.field, after: varying(field.after, behind) } : field,
  )
  return { ...shape, fields }
}

/** A literal in which numbers are any that another text has not the same. */
function varying(literal: string, other: string): string {
  const [here, there] = [literal, other.slice(0, literal.length)].map((text) => text.split(/(\d+)/))
  if (here.length !== there.length || here.some((part, i) => i % 2 === 0 && part !== there[i])) return literal
  return here.map((part, i) => (part === there[i] ? part : anyNumber)).join('')
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
