import { GrammarError } from './error.js'
import { integersBetween } from './integer-range.js'
import { formats, literal, primitives } from './json-rules.js'

/** A JSON schema, or a part of one. */
export type JsonSchema = boolean | { [keyword: string]: unknown }

/** Keywords that say something about a value but do not restrict it. */
const annotations = new Set(
  [
    'title',
    'description',
    'default',
    'examples',
    '$schema',
    '$id',
    '$comment',
    'deprecated',
    'readOnly',
    'writeOnly',
  ].concat(['$defs', 'definitions', 'strict']),
)

/** Keywords understood with each type. */
const keywords: Record<string, readonly string[]> = {
  object: ['properties', 'required', 'additionalProperties'],
  array: ['items', 'prefixItems', 'minItems', 'maxItems'],
  string: ['minLength', 'maxLength', 'format'],
  integer: ['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum'],
  number: ['minimum', 'exclusiveMinimum', 'maximum', 'exclusiveMaximum'],
  boolean: [],
  null: [],
}

/** What people write is far below. */
const mostRepetitions = 2000
const mostRules = 4000
const mostDepth = 64

/** Whole numbers beyond these bounds are not exact in JSON readers; the grammar writes at most 15 digits anyway. */
const exactBound = Number.MAX_SAFE_INTEGER

/**
 * Turns JSON schemas into one GBNF grammar. Every text the grammar admits is valid under the schema; properties come in
 * the order of the schema, and only those it names. Keywords it does not know are refused, never ignored.
 *
 * @example
 * jsonSchemaToGrammar({ type: 'object', properties: { age: { type: 'integer' } }, required: ['age'] })
 * // root ::= "{" ws "\"age\"" ":" ws integer ws "}" …
 */
export class GrammarBuilder {
  readonly #rules = new Map<string, string>()
  readonly #refs = new Map<string, string>()
  readonly #param: string
  #root: JsonSchema = true
  #count = 0

  /** @param param name of the field in error messages */
  constructor(param: string) {
    this.#param = param
  }

  /** Adds a schema of its own and returns the expression for its values. @throws GrammarError `schema-invalid` */
  add(schema: JsonSchema): string {
    this.#root = schema
    this.#refs.clear()
    return this.#visit(schema, '#', 0)
  }

  /** The grammar whose texts are what `expression` says. */
  build(expression: string): string {
    const rules = new Map([['root', expression], ...this.#rules])
    const pending = [...rules.values()]
    for (let body = pending.pop(); body !== undefined; body = pending.pop())
      for (const [name] of withoutLiterals(body).matchAll(/[a-z]+[a-z0-9-]*/g))
        if (Object.hasOwn(primitives, name) && !rules.has(name)) {
          rules.set(name, primitives[name])
          pending.push(primitives[name])
        }
    return [...rules].map(([name, body]) => `${name} ::= ${body}`).join('\n')
  }

  #visit(schema: unknown, path: string, depth: number): string {
    if (depth > mostDepth) throw this.#refuse(path, `is nested deeper than ${mostDepth} levels`)
    if (schema === true) return 'value'
    if (schema === false) throw this.#refuse(path, 'is false, which no value fulfils')
    if (typeof schema !== 'object' || schema === null || Array.isArray(schema))
      throw this.#refuse(path, 'must be an object or true')
    const node = schema as Record<string, unknown>
    const has = (keyword: string) => node[keyword] !== undefined
    if (has('$ref')) return this.#reference(node, path, depth)
    if (has('const')) {
      this.#allow(node, path, ['const', 'type'])
      return literal(JSON.stringify(node.const))
    }
    if (has('enum')) {
      this.#allow(node, path, ['enum', 'type'])
      const values = node.enum
      if (!Array.isArray(values) || values.length === 0) throw this.#refuse(path, 'enum must list at least one value')
      return this.#rule(values.map((value) => literal(JSON.stringify(value))).join(' | '), path)
    }
    for (const union of ['anyOf', 'oneOf', 'allOf']) {
      if (!has(union)) continue
      this.#allow(node, path, [union])
      const branches = node[union]
      if (!Array.isArray(branches) || branches.length === 0)
        throw this.#refuse(path, `${union} must list at least one schema`)
      if (union === 'allOf' && branches.length > 1)
        throw this.#refuse(path, 'allOf of several schemas is not supported')
      return this.#rule(
        branches.map((branch, i) => this.#visit(branch, `${path}/${union}/${i}`, depth + 1)).join(' | '),
        path,
      )
    }
    const type = node.type ?? inferType(node)
    if (Array.isArray(type)) {
      if (type.length === 0) throw this.#refuse(path, 'type must name at least one type')
      const understood = type.flatMap((name) => keywords[String(name)] ?? [])
      this.#allow(node, path, ['type', ...understood])
      return this.#rule(type.map((name) => this.#typed(pick(node, name), name, path, depth)).join(' | '), path)
    }
    if (type === undefined) {
      this.#allow(node, path, [])
      return 'value'
    }
    this.#allow(node, path, ['type', ...(keywords[String(type)] ?? [])])
    return this.#typed(node, type, path, depth)
  }

  #typed(node: Record<string, unknown>, type: unknown, path: string, depth: number): string {
    switch (type) {
      case 'object':
        return this.#object(node, path, depth)
      case 'array':
        return this.#array(node, path, depth)
      case 'string':
        return this.#string(node, path)
      case 'integer':
        return this.#integer(node, path)
      case 'number':
        return this.#number(node, path)
      case 'boolean':
      case 'null':
        return type
      default:
        throw this.#refuse(path, `type must be one of ${Object.keys(keywords).join(', ')}, got ${JSON.stringify(type)}`)
    }
  }

  /**
   * Properties in order, optional ones left out at will. `start` is what may follow while nothing is written yet,
   * `more` what may follow a property:
   *
   *     required    start = pair more'             more = "," pair more'
   *     optional    start = pair more' | start'    more = ("," pair)? more'
   */
  #object(node: Record<string, unknown>, path: string, depth: number): string {
    const { additionalProperties } = node
    const required = node.required ?? []
    if (!Array.isArray(required) || required.some((name) => typeof name !== 'string'))
      throw this.#refuse(path, 'required must be a list of names')
    const properties = (node.properties ?? {}) as Record<string, unknown>
    if (typeof properties !== 'object' || properties === null || Array.isArray(properties))
      throw this.#refuse(path, 'properties must be an object')
    const names = [...new Set([...Object.keys(properties), ...(required as string[])])]
    if (names.length === 0) {
      if (additionalProperties === false) return '"{" ws "}"'
      if (additionalProperties === undefined || additionalProperties === true) return 'object'
      const value = this.#visit(additionalProperties, `${path}/additionalProperties`, depth + 1)
      const pair = `${'string'} ":" ws ${value}`
      return this.#rule(`"{" ws (${pair} ("," ws ${pair})* ws)? "}"`, path)
    }
    let start = ''
    let more = ''
    for (const name of names.reverse()) {
      const schema = Object.hasOwn(properties, name) ? properties[name] : true
      const value = this.#visit(schema, `${path}/properties/${name}`, depth + 1)
      const pair = `${literal(JSON.stringify(name))} ":" ws ${value}`
      const isRequired = required.includes(name)
      const after = more === '' ? '' : ` ${this.#rule(more, path)}`
      // llama.cpp would read an empty last alternative on into the next rule.
      if (isRequired) start = `${pair}${after}`
      else start = start === '' ? `(${pair}${after})?` : `${pair}${after} | ${this.#rule(start, path)}`
      more = isRequired ? `"," ws ${pair}${after}` : `("," ws ${pair})?${after}`
    }
    return this.#rule(`"{" ws (${start}) ws "}"`, path)
  }

  #array(node: Record<string, unknown>, path: string, depth: number): string {
    const least = this.#length(node.minItems, path, 'minItems') ?? 0
    const most = this.#length(node.maxItems, path, 'maxItems')
    if (most !== undefined && most < least) throw this.#refuse(path, 'maxItems is smaller than minItems')
    const fixed = node.prefixItems ?? (Array.isArray(node.items) ? node.items : undefined)
    if (fixed !== undefined) {
      if (!Array.isArray(fixed)) throw this.#refuse(path, 'prefixItems must be a list')
      if (fixed.length < least || fixed.length > (most ?? fixed.length))
        throw this.#refuse(path, 'a tuple of another length than prefixItems is not supported')
      const items = fixed.map((item, i) => this.#visit(item, `${path}/prefixItems/${i}`, depth + 1))
      return this.#rule(`"[" ws ${items.map((item) => `${item} `).join('"," ws ')}ws "]"`, path)
    }
    if (most === 0) return '"[" ws "]"'
    const item = this.#visit(node.items ?? true, `${path}/items`, depth + 1)
    const rest = most === undefined ? `{${Math.max(0, least - 1)},}` : `{${Math.max(0, least - 1)},${most - 1}}`
    const list = most === 1 ? item : `${item} ("," ws ${item})${rest}`
    return this.#rule(`"[" ws ${least === 0 ? `(${list} ws)?` : `${list} ws`} "]"`, path)
  }

  #string(node: Record<string, unknown>, path: string): string {
    const least = this.#length(node.minLength, path, 'minLength') ?? 0
    const most = this.#length(node.maxLength, path, 'maxLength')
    if (node.format !== undefined) {
      const rule =
        typeof node.format === 'string' && Object.hasOwn(formats, node.format) ? formats[node.format] : undefined
      if (rule === undefined || node.minLength !== undefined || node.maxLength !== undefined)
        throw this.#refuse(path, `format must be one of ${Object.keys(formats).join(', ')}, and stand without a length`)
      return this.#rule(`"\\"" ${rule} "\\""`, path)
    }
    if (least === 0 && most === undefined) return 'string'
    if (most !== undefined && most < least) throw this.#refuse(path, 'maxLength is smaller than minLength')
    return this.#rule(`"\\"" char{${least},${most ?? ''}} "\\""`, path)
  }

  #integer(node: Record<string, unknown>, path: string): string {
    const bound = (inclusive: string, exclusive: string, step: 1 | -1) => {
      const a = this.#bound(node[inclusive], path, inclusive)
      const b = this.#bound(node[exclusive], path, exclusive)
      const bounds = [
        ...(a === undefined ? [] : [step > 0 ? Math.ceil(a) : Math.floor(a)]),
        ...(b === undefined ? [] : [step > 0 ? Math.floor(b) + 1 : Math.ceil(b) - 1]),
      ].filter((value) => Math.abs(value) < exactBound)
      return bounds.length === 0 ? undefined : step > 0 ? Math.max(...bounds) : Math.min(...bounds)
    }
    const least = bound('minimum', 'exclusiveMinimum', 1)
    const most = bound('maximum', 'exclusiveMaximum', -1)
    if (least === undefined && most === undefined) return 'integer'
    const limit = 999_999_999_999_999
    if (Math.abs(least ?? 0) > limit || Math.abs(most ?? 0) > limit)
      throw this.#refuse(path, 'bounds of an integer may have at most 15 digits')
    if ((least ?? -limit) > (most ?? limit)) throw this.#refuse(path, 'maximum is smaller than minimum')
    return this.#rule(integersBetween(least ?? -limit, most ?? limit).join(' | '), path)
  }

  #number(node: Record<string, unknown>, path: string): string {
    const { minimum, exclusiveMinimum, maximum, exclusiveMaximum } = node
    if (
      maximum !== undefined ||
      exclusiveMaximum !== undefined ||
      exclusiveMinimum !== undefined ||
      (minimum ?? 0) !== 0
    )
      throw this.#refuse(path, 'bounds of a number other than minimum 0 are not supported; use an integer')
    if (minimum === undefined) return 'number'
    return this.#rule('("0" | [1-9] [0-9]{0,14}) ("." [0-9]{1,15})? ([eE] [-+]? [0-9]{1,2})?', path)
  }

  #reference(node: Record<string, unknown>, path: string, depth: number): string {
    this.#allow(node, path, ['$ref'])
    const { $ref } = node
    if (typeof $ref !== 'string' || !$ref.startsWith('#'))
      throw this.#refuse(path, '$ref must point into the same schema (#/…)')
    const known = this.#refs.get($ref)
    if (known !== undefined) return known
    let target: unknown = this.#root
    for (const part of $ref.split('/').slice(1)) {
      const key = decodeURIComponentSafely(part).replaceAll('~1', '/').replaceAll('~0', '~')
      target =
        typeof target === 'object' && target !== null && Object.hasOwn(target, key)
          ? (target as Record<string, unknown>)[key]
          : undefined
    }
    if (target === undefined) throw this.#refuse(path, `$ref points at nothing: ${$ref}`)
    const name = `r${this.#count++}`
    this.#refs.set($ref, name)
    this.#rules.set(name, '""')
    const body = this.#visit(target, $ref, depth + 1)
    // A rule that is only itself would never end.
    if (body === name) throw this.#refuse(path, `$ref ${$ref} points at itself`)
    this.#rules.set(name, body)
    return name
  }

  #rule(body: string, path: string): string {
    if (this.#count >= mostRules) throw this.#refuse(path, `has more than ${mostRules} parts, the most that are read`)
    const name = `r${this.#count++}`
    this.#rules.set(name, body)
    return name
  }

  #length(value: unknown, path: string, keyword: string): number | undefined {
    if (value === undefined) return undefined
    if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= mostRepetitions) return value
    throw this.#refuse(path, `${keyword} must be an integer from 0 to ${mostRepetitions}, got ${JSON.stringify(value)}`)
  }

  #bound(value: unknown, path: string, keyword: string): number | undefined {
    if (value === undefined) return undefined
    if (typeof value === 'number' && Number.isFinite(value)) return value
    throw this.#refuse(path, `${keyword} must be a number, got ${JSON.stringify(value)}`)
  }

  #allow(node: Record<string, unknown>, path: string, allowed: readonly string[]): void {
    for (const keyword of Object.keys(node))
      if (!allowed.includes(keyword) && !annotations.has(keyword))
        throw this.#refuse(
          path,
          `the keyword '${keyword}' is not supported${allowed.includes('type') || allowed.length === 0 ? '' : ` next to ${allowed[0]}`}`,
        )
  }

  #refuse(path: string, why: string) {
    return new GrammarError('schema-invalid', `${this.#param}: ${path}: ${why}`, this.#param)
  }
}

/** The grammar of the texts that are values of a schema. @throws GrammarError `schema-invalid` for what is not supported */
export function jsonSchemaToGrammar(schema: JsonSchema, param = 'json_schema'): string {
  const builder = new GrammarBuilder(param)
  return builder.build(builder.add(schema))
}

/** The grammar of any JSON object. */
export function jsonObjectGrammar(): string {
  return jsonSchemaToGrammar({ type: 'object' })
}

/** The part of a schema that concerns one type. */
function pick(node: Record<string, unknown>, type: unknown): Record<string, unknown> {
  const own = keywords[String(type)] ?? []
  return Object.fromEntries(Object.entries(node).filter(([keyword]) => own.includes(keyword)))
}

function inferType(node: Record<string, unknown>): string | undefined {
  return Object.keys(keywords).find((type) => keywords[type].some((keyword) => node[keyword] !== undefined))
}

function withoutLiterals(body: string): string {
  return body.replace(/"(?:[^"\\]|\\.)*"|\[(?:[^\]\\]|\\.)*\]/g, ' ')
}

function decodeURIComponentSafely(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
