import { GrammarBuilder, type JsonSchema } from '../grammar/json-schema.js'
import { literal } from '../grammar/notation.js'
import type { ArgumentForm, CallForm, CallShape, Dialect } from './dialect.js'
import { fallbackForms } from './fallback.js'
import type { ToolDefinition } from './message.js'
import { isText, typesOf } from './parameter.js'

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
  const form = dialect.calls ?? fallbackForms(undefined)[0]
  const builder = new GrammarBuilder(tools.length > 0 ? 'tools' : 'response_format')
  const answers: string[] = []
  const { open, close } = dialect.content
  if (schema !== undefined) answers.push(`${quoted(open)} ${builder.add(schema)} ${quoted(close)}`)
  const isStrict = tools.some((tool) => tool.function.strict)
  if (mustCall || (tools.length > 0 && (schema !== undefined || isStrict)))
    answers.push(new CallGrammar(builder, form, parallel).calls(tools))
  if (answers.length === 0) return undefined
  if (mustCall || schema !== undefined) return { grammar: builder.build(`${space} (${answers.join(' | ')})`) }
  return { grammar: builder.build(answers[0]), wakes: wakesOf(form) }
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
      return `${quoted(section.open.trimStart())} ${quoted(trimmed)} "[" ${space} ${bodies}${more} ${space} "]" ${quoted(call.close.trimEnd())}`
    }
    const first = `${quoted(trimmed)} ${bodies} ${quoted(call.close)}`
    const more = this.#parallel ? ` (${quoted(separator)} ${quoted(call.open)} ${bodies} ${quoted(call.close)})*` : ''
    return `${quoted(section.open.trimStart())} ${first}${more} ${quoted(section.close)}`
  }

  #body({ function: { name, parameters } }: ToolDefinition): string {
    const shape = this.#form.call
    const schema: JsonSchema =
      parameters && Object.keys(parameters).length > 0 ? parameters : { type: 'object', additionalProperties: false }
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
        : `${literal(`${key}:`)} ${this.#loose(property, schema, quote)}`,
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
    return this.#list(schema, form.separator, (key, property, root) => {
      const types = typesOf(property, root)
      const values = (property as { enum?: unknown[] }).enum
      const close = form.closesWithKey ? `${form.close}${key}${form.afterKey}` : form.close
      const isString = isText(types) || types === undefined || types.has('string')
      const value =
        isText(types) && values
          ? `(${values.map((one) => literal(String(one))).join(' | ')}) ${quoted(close)}`
          : isString
            ? this.#until(close)
            : `${this.#builder.add(property)} ${quoted(close)}`
      return `${quoted(`${form.open}${key}${isString ? form.beforeString : form.beforeOther}`)} ${value}`
    })
  }

  /** Arguments, each once, the required ones among them: in any order where they are few, else in the schema's. */
  #list(
    schema: JsonSchema,
    separator: string,
    write: (key: string, property: Record<string, unknown>, root: Record<string, unknown>) => string,
  ): string {
    const root = schema as { properties?: Record<string, Record<string, unknown>>; required?: string[] }
    const required = new Set(root.required)
    const entries = Object.entries(root.properties ?? {})
    const args = entries.map(([key, property]) => ({
      text: this.#builder.rule(write(key, property, root as Record<string, unknown>)),
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
  #python(property: Record<string, unknown>, root: JsonSchema): string {
    const types = typesOf(property, root as Record<string, unknown>)
    const words = [...(types?.has('boolean') ? ['"True"', '"False"'] : []), ...(types?.has('null') ? ['"None"'] : [])]
    return `(${[this.#builder.add(property), ...words].join(' | ')})`
  }

  /** A value of a dialect with quotes of its own. */
  #loose(property: Record<string, unknown>, root: JsonSchema, quote: string): string {
    const types = typesOf(property, root as Record<string, unknown>)
    if (isText(types)) return `${quoted(quote)} ${this.#until(quote)}`
    if (types && [...types].every((type) => ['number', 'boolean', 'null'].includes(type)))
      return this.#builder.add(property)
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
