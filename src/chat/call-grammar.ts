// What an answer may be, as a grammar in a family's own way of writing.

import { GrammarBuilder, type JsonSchema } from '../grammar/json-schema.js'
import { literal } from '../grammar/notation.js'
import { channelCalls, channelWakes } from './channel-grammar.js'
import type { ArgumentForm, CallForm, CallShape, Dialect } from './dialect.js'
import { fallbackForms } from './fallback.js'
import type { ToolDefinition } from './message.js'
import { choices, isStructure, isText, parametersOf, textsOf, typesOf } from './parameter.js'

/** What an answer may be. */
export interface AnswerDemand {
  tools: readonly ToolDefinition[]
  /** Whether it must call. */
  mustCall: boolean
  /** Whether it may make several calls. */
  parallel: boolean
  /** The schema of an answer in JSON; undefined: any text. */
  schema?: JsonSchema | undefined
}

/** The grammar of an answer, and the texts that wake it where it sleeps at first. */
export interface AnswerGrammar {
  grammar: string
  wakes?: string[]
}

/** Most arguments that may come in any order: there are as many rules as sets of them. */
const mostUnordered = 7

/** Deepest nesting of a value's tags. */
const mostDepth = 64

/** What entries of a list are called where values stand in tags. */
const entryKey = 'item'

type Schema = Record<string, unknown>

/** White space models write between parts. */
const space = '[ \\n]{0,8}'

/**
 * The grammar of an answer in a family's own way of writing. Undefined where nothing is demanded.
 *
 *     must call                 calls
 *     schema                    JSON
 *     schema and tools          calls or JSON
 *     tools, some strict        anything; once a call begins: calls
 *
 * @throws GrammarError `schema-invalid`
 */
export function answerGrammar(
  dialect: Dialect,
  { tools, mustCall, parallel, schema }: AnswerDemand,
): AnswerGrammar | undefined {
  const builder = new GrammarBuilder(tools.length > 0 ? 'tools' : 'response_format')
  const answers: string[] = []
  const { open, close } = dialect.content
  if (schema !== undefined) answers.push(`${quoted(open)} ${builder.add(schema)} ${quoted(close)}`)
  const isStrict = tools.some((tool) => tool.function.strict)
  const mayCall = mustCall || (tools.length > 0 && (schema !== undefined || isStrict))
  if (!mayCall && answers.length === 0) return undefined
  const isAsleep = !mustCall && schema === undefined
  const form = dialect.calls ?? fallbackForms(undefined)[0]
  if (mayCall)
    answers.push(
      dialect.channels ? channelCalls(builder, tools) : new CallGrammar(builder, form, parallel).calls(tools),
    )
  if (!isAsleep) return { grammar: builder.build(`${space} (${answers.join(' | ')})`) }
  return { grammar: builder.build(answers[0]), wakes: dialect.channels ? channelWakes : wakesOf(form) }
}

/** Texts with which calls begin. */
function wakesOf({ section, call }: CallForm): string[] {
  const opening = `${section.open}${call.open}`.trim()
  if (opening !== '') return [(/^\S*/.exec(opening) ?? [''])[0]]
  return call.kind === 'object' ? [call.list ? '[{"' : '{"name"'] : []
}

/** Writes calls as one family does. */
class CallGrammar {
  readonly #builder: GrammarBuilder
  readonly #form: CallForm
  readonly #parallel: boolean
  /** Rules of lists and objects in the family's own way, by their schemas. */
  readonly #structures = new Map<Schema, string>()

  constructor(builder: GrammarBuilder, form: CallForm, parallel: boolean) {
    this.#builder = builder
    this.#form = form
    this.#parallel = parallel
  }

  /** One call, or several where that may be. */
  calls(tools: readonly ToolDefinition[]): string {
    const { section, separator, call } = this.#form
    const bodies = this.#builder.rule(tools.map((tool) => this.#body(tool)).join(' | '))
    const trimmed = section.open.trim() === '' ? call.open.trimStart() : call.open
    if (call.kind === 'object' && call.list) {
      const more = this.#parallel ? ` ("," ${space} ${bodies})*` : ''
      const end = `${call.close}${section.close}`.trimEnd()
      return `${quoted(section.open.trimStart())} ${quoted(trimmed)} "[" ${space} ${bodies}${more} ${space} "]" ${quoted(end)}`
    }
    const first = `${quoted(trimmed)} ${bodies} ${quoted(call.close)}`
    const more = this.#parallel ? ` (${quoted(separator)} ${quoted(call.open)} ${bodies} ${quoted(call.close)})*` : ''
    return `${quoted(section.open.trimStart())} ${first}${more} ${quoted(section.close)}`
  }

  #body({ function: { name, parameters } }: ToolDefinition): string {
    const shape = this.#form.call
    const schema = parametersOf(parameters)
    if (shape.kind === 'object') return this.#object(shape, name, this.#builder.add(schema))
    if (shape.kind === 'json')
      return `${shape.fields.map(({ field, after }) => `${field === 'name' ? literal(name) : '[a-zA-Z0-9]{9}'} ${numbered(after)}`).join(' ')} ${this.#builder.add(schema)}`
    if (shape.kind === 'tagged')
      return `${literal(name)} ${quoted(shape.afterName)} ${this.#tagged(schema, shape.argument)}`
    const isPython = shape.kind === 'python'
    const quote = isPython ? '' : shape.quote
    const args = this.#list(schema, isPython ? ', ' : ',', (key, property) =>
      isPython
        ? `${literal(`${key}=`)} ${this.#python(property, schema)}`
        : `${literal(`${key}:`)} ${this.#loose(property, schema as Schema, quote)}`,
    )
    return `${literal(`${name}${isPython ? '(' : '{'}`)} ${args} "${isPython ? ')' : '}'}"`
  }

  #object(shape: CallShape & { kind: 'object' }, name: string, args: string): string {
    if (shape.name.length === 0) return `${literal(`{${JSON.stringify(name)}: `)} ${args} "}"`
    const [key, within] = [shape.arguments.at(-1) ?? 'arguments', shape.name.slice(0, -1)]
    const open = within.map((outer) => `{${JSON.stringify(outer)}: `).join('')
    const id = shape.id?.at(-1)
    const idRule = id === undefined ? '' : `${literal(`${JSON.stringify(id)}: "`)} [a-zA-Z0-9]{1,9} "\\""`
    // Ids that answer to results come first in the families that write them so, others last.
    const first = id?.startsWith('tool') ? `${idRule} ", "` : ''
    const last = id !== undefined && first === '' ? `", " ${idRule}` : ''
    const named = literal(`${JSON.stringify(shape.name.at(-1))}: ${JSON.stringify(name)}, ${JSON.stringify(key)}: `)
    return `${literal(`${open}{`)} ${first} ${named} ${args} ${last} ${literal('}'.repeat(within.length + 1))}`
  }

  #tagged(schema: JsonSchema, form: ArgumentForm): string {
    const root = schema as Schema
    return this.#list(schema, form.separator, (key, property) => this.#argument(form, key, property, root, 0))
  }

  #argument(form: ArgumentForm, key: string, schema: Schema, root: Schema, depth: number): string {
    const types = typesOf(schema, root)
    const texts = isText(types) ? textsOf(schema, root) : undefined
    const close = form.closesWithKey ? `${form.close}${key}${form.afterKey}` : form.close
    const isString = types === undefined || types.has('string')
    const nested = form.closesWithKey && types && isStructure(types) && this.#nested(form, schema, root, depth)
    const value = texts
      ? `(${texts.map(literal).join(' | ')}) ${quoted(close)}`
      : isString
        ? this.#until(close)
        : `${nested || this.#builder.add(schema, root)} ${quoted(close)}`
    return `${quoted(`${form.open}${key}${isString ? form.beforeString : form.beforeOther}`)} ${value}`
  }

  /** Objects and lists in tags of their own: `<a><b>1</b></a>`; JSON where the schema does not say what is in them. */
  #nested(form: ArgumentForm, schema: Schema, root: Schema, depth: number): string {
    const within = (key: string, inner: Schema) => this.#argument(form, key, inner, root, depth + 1)
    return this.#structure(schema, root, depth, {
      list: (of) => `(${this.#builder.rule(within(entryKey, of))})*`,
      object: (known) => this.#list(known, form.separator, within),
      other: (one) => this.#builder.add(one, root),
    })
  }

  /** A value that may be several things, of which lists and objects are written in the family's own way. */
  #structure(
    schema: Schema,
    root: Schema,
    depth: number,
    write: Record<'list' | 'object' | 'other', (schema: Schema) => string>,
  ): string {
    const ways = depth > mostDepth ? undefined : choices(schema, root)
    if (!ways) return write.other(schema)
    const parts = ways.map((way) => {
      const { items, properties } = way
      if (!isObject(items) && !isObject(properties)) return write.other(way)
      // Schemas may hold themselves, and so may rules.
      const known = this.#structures.get(way)
      if (known !== undefined) return known
      return this.#builder.rule((name) => {
        this.#structures.set(way, name)
        return isObject(items) ? write.list(items) : write.object(way)
      })
    })
    return `(${parts.join(' | ')})`
  }

  /** Arguments, each once, the required ones among them: in any order where they are few, else in the schema's. */
  #list(schema: JsonSchema, separator: string, write: (key: string, property: Schema) => string): string {
    const { properties = {}, required: needed } = schema as { properties?: Record<string, Schema>; required?: string[] }
    const required = new Set(needed)
    const args = Object.entries(properties).map(([key, property]) => ({
      text: this.#builder.rule(write(key, property)),
      isRequired: required.has(key),
    }))
    const between = separator.trim() === '' ? '[ \\n]{0,2}' : quoted(separator)
    const rests = new Map<number, string>()
    /** What may follow once the arguments in `used` are written. */
    const rest = (used: number): string => {
      const known = rests.get(used)
      if (known !== undefined) return known
      const ways: string[] = []
      let isWhole = true
      for (const [i, { text, isRequired }] of args.entries()) {
        if ((used & (1 << i)) !== 0) continue
        const others = args.length <= mostUnordered ? used | (1 << i) : (2 << i) - 1
        if (isWhole || args.length <= mostUnordered) ways.push(`${used === 0 ? '' : between} ${text} ${rest(others)}`)
        if (isRequired) isWhole = false
      }
      if (isWhole) ways.push('""')
      const name = this.#builder.rule(ways.join(' | '))
      rests.set(used, name)
      return name
    }
    return rest(0)
  }

  /** A value as JSON, or with Python's words for the three that have other names there. */
  #python(property: Schema, root: JsonSchema): string {
    const types = typesOf(property, root as Schema)
    const words = [...(types?.has('boolean') ? ['"True"', '"False"'] : []), ...(types?.has('null') ? ['"None"'] : [])]
    return `(${[this.#builder.add(property, root), ...words].join(' | ')})`
  }

  /** A value of a dialect with quotes of its own. */
  #loose(schema: Schema, root: Schema, quote: string, depth = 0): string {
    const types = typesOf(schema, root)
    const texts = isText(types) ? textsOf(schema, root) : undefined
    if (texts) return `(${texts.map((text) => literal(`${quote}${text}${quote}`)).join(' | ')})`
    if (isText(types)) return `${quoted(quote)} ${this.#until(quote)}`
    if (types && [...types].every((type) => ['number', 'boolean', 'null'].includes(type)))
      return this.#builder.add(schema, root)
    const within = (inner: Schema) => this.#loose(inner, root, quote, depth + 1)
    return this.#structure(schema, root, depth, {
      list: (of) => {
        const entry = this.#builder.rule(within(of))
        return `"[" (${entry} ("," ${entry})*)? "]"`
      },
      object: (known) => `"{" ${this.#list(known, ',', (key, inner) => `${literal(`${key}:`)} ${within(inner)}`)} "}"`,
      other: () => this.#anyLoose(quote),
    })
  }

  #anyLoose(quote: string): string {
    return this.#builder.rule((value) => {
      const text = `${quoted(quote)} ${this.#until(quote)}`
      const pair = `[a-zA-Z0-9_-]+ ":" ${value}`
      return `"{" (${pair} ("," ${pair})*)? "}" | "[" (${value} ("," ${value})*)? "]" | ${text} | number | boolean | null`
    })
  }

  /** Any text up to a marker, and the marker: an automaton that knows how much of it has been read. */
  #until(marker: string): string {
    const chars = [...marker]
    if (chars.length === 0) return '[^\\x00]*'
    const states = chars.map(() => this.#builder.rule(''))
    const distinct = [...new Set(chars)]
    for (const state of chars.keys()) {
      const steps = distinct.map((char) => {
        const next = longestStart(chars, [...chars.slice(0, state), char])
        return next === chars.length ? literal(char) : next === 0 ? undefined : `${literal(char)} ${states[next]}`
      })
      const home = distinct.filter((_, i) => steps[i] === undefined)
      const others = `[^${distinct.map(inClass).join('')}] ${states[0]}`
      const back = home.map((char) => `${literal(char)} ${states[0]}`)
      this.#builder.define(states[state], [...steps.filter((step) => step !== undefined), ...back, others].join(' | '))
    }
    return states[0]
  }
}

/** How much of a marker the end of a text is. */
function longestStart(marker: readonly string[], text: readonly string[]): number {
  for (let length = Math.min(marker.length, text.length); length > 0; length--)
    if (marker.slice(0, length).join('') === text.slice(text.length - length).join('')) return length
  return 0
}

function isObject(value: unknown): value is Schema {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function inClass(char: string): string {
  if (char === '\n') return '\\n'
  return /[\]\\^-]/.test(char) ? `\\${char}` : char
}

function quoted(text: string): string {
  return text === '' ? '' : literal(text)
}

function numbered(text: string): string {
  return text
    .split('\0')
    .map((part) => quoted(part))
    .join(' [0-9]{1,4} ')
}
