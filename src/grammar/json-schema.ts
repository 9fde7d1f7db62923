// JSON schemas as grammars.

import type { Demand } from './automaton.js'
import { type CharSet, without } from './char-set.js'
import type { GrammarError } from './error.js'
import { equivalents, formats } from './formats.js'
import { literal, primitives } from './json-rules.js'
import { mostWhole, type NumberBounds, numberDemands, numerals } from './number-language.js'
import { readPattern } from './pattern.js'
import { areApart } from './schema-apart.js'
import { isValid, itemSchemas, propertySchemas } from './schema-check.js'
import { checkKeywords, type Facts, factsOf, listOf, type Part, type SchemaType, writtenTypes } from './schema-facts.js'
import { isAnnotation, isSame, type JsonSchema, type SchemaNode, SchemaSource } from './schema-source.js'
import { type Place, textLanguage } from './text-language.js'

export type { JsonSchema } from './schema-source.js'

/** What people write is far below. */
const mostRepetitions = 2000
const mostRules = 8000
const mostDepth = 64

/** Items of a set of values that may come in any order; sets with more come in the order of the schema. */
const mostShuffled = 5

/** Control characters that JSON has a short escape for; the others are not written. */
const shortEscapes: Record<number, string> = { 8: 'b', 9: 't', 10: 'n', 12: 'f', 13: 'r' }

/** Characters that texts are written with. */
const writable: CharSet = [8, 10, 12, 13, 32, 126, 128, 0xd7ff, 0xe000, 0x10ffff]
const needEscapes: CharSet = [0, 31, 34, 34, 92, 92, 127, 127]

/** A rule that no text follows. */
const nothing = '[b-a]'

/** A part of the schema: whether it is being written, and its expression, or its name if it holds itself. */
interface Visit {
  isOpen: boolean
  expression: string | undefined
}

/** What has been written of an object, or of a list without repetitions, as the name of a rule. */
type Memo = Map<string, string | undefined>

/** Texts by their bounds: the same formats come with every request. */
const knownTexts = new Map<string, ReturnType<typeof textLanguage>>()
const keptTexts = 100

/**
 * Turns JSON schemas into one GBNF grammar. Every text the grammar admits is valid under the schema; properties come in
 * the order of the schema, and only those it names, if it names any. Keywords it does not know are refused, never ignored.
 *
 * A schema that no value fulfils gives no expression: then a property is left out, a list stays empty, a branch of
 * `anyOf` falls away.
 *
 * @example
 * compileSchema({ type: 'object', properties: { age: { type: 'integer' } }, required: ['age'] })
 * // root ::= "{" ws "\"age\"" ":" ws integer ws "}" …
 */
export class GrammarBuilder {
  readonly #rules = new Map<string, string>()
  readonly #visits = new Map<object, Visit>()
  readonly #texts = new Map<string, string | undefined>()
  readonly #field: string
  #source: SchemaSource
  #count = 0

  /** @param field name of the field in error messages */
  constructor(field: string) {
    this.#field = field
    this.#source = new SchemaSource(true, field)
  }

  /** Adds a schema of its own and returns the expression for its values. @throws GrammarError `schema-invalid` */
  add(schema: JsonSchema): string {
    this.#source = new SchemaSource(schema, this.#field)
    this.#visits.clear()
    const expression = this.#visit(schema, '#', 0)
    if (expression !== undefined) return expression
    throw this.#refuse('#', schema === false ? 'is false, which no value fulfils' : 'no value fulfils it')
  }

  /** Adds a rule of the caller's, and returns its name. @param body made of the rule's own name, where it holds itself */
  rule(body: string | ((name: string) => string)): string {
    const name = this.#rule('', '#')
    this.define(name, typeof body === 'string' ? body : body(name))
    return name
  }

  /** Says what a rule of the caller's is made of. */
  define(name: string, body: string): void {
    this.#rules.set(name, body)
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

  #visit(schema: unknown, path: string, depth: number): string | undefined {
    if (depth > mostDepth) throw this.#refuse(path, `is nested deeper than ${mostDepth} levels`)
    if (schema === true) return 'value'
    if (schema === false) return undefined
    if (typeof schema !== 'object' || schema === null || Array.isArray(schema))
      throw this.#refuse(path, 'must be an object or a boolean')
    const known = this.#visits.get(schema)
    if (known) {
      // It holds itself: then it has to be a rule with a name.
      if (known.isOpen) known.expression ??= this.#rule('', path)
      return known.expression
    }
    const visit: Visit = { isOpen: true, expression: undefined }
    this.#visits.set(schema, visit)
    const body = this.#node(schema as SchemaNode, path, depth)
    visit.isOpen = false
    const name = visit.expression
    if (name === undefined) visit.expression = body
    // A rule that is only itself would never end.
    else if (body === name) throw this.#refuse(path, '$ref points at itself')
    else this.#rules.set(name, body ?? nothing)
    return visit.expression
  }

  #node(node: SchemaNode, path: string, depth: number): string | undefined {
    checkKeywords(this.#source, node, path)
    const said = Object.keys(node).filter((keyword) => !isAnnotation(keyword))
    if (said.length === 0) return 'value'
    const [only] = said
    // What stands alone is not written out with the rest: it may be used elsewhere too, and may hold itself.
    if (said.length === 1 && only === '$ref')
      return this.#visit(this.#source.resolve(node.$ref, path), String(node.$ref), depth + 1)
    if (said.length === 1 && (only === 'anyOf' || only === 'oneOf')) {
      if (only === 'oneOf') this.#checkChoices(factsOf(this.#source, node, path), path)
      const branches = listOf(this.#source, node, only, path)
      return this.#either(
        branches.map((branch, i) => this.#visit(branch, `${path}/${only}/${i}`, depth + 1)),
        path,
      )
    }
    if (said.length === 1 && only === 'allOf') {
      const [first, ...more] = listOf(this.#source, node, 'allOf', path)
      if (more.length === 0) return this.#visit(first, `${path}/allOf/0`, depth + 1)
    }
    const alternatives = factsOf(this.#source, node, path)
    this.#checkChoices(alternatives, path)
    const values = this.#values(
      alternatives.flatMap((facts) => facts.values ?? []),
      node,
      path,
    )
    const others = alternatives.filter((facts) => facts.values === undefined)
    return this.#either([...values, ...others.map((facts) => this.#facts(facts, path, depth))], path)
  }

  /** Of listed values, those that are valid under the whole schema. */
  #values(values: readonly unknown[], node: SchemaNode, path: string): string[] {
    const different = values.filter((value, i) => !values.slice(0, i).some((other) => isSame(value, other)))
    return different
      .filter((value) => isValid(this.#source, value, node, path))
      .map((value) => literal(JSON.stringify(value)))
  }

  /** Branches of one `oneOf` must be so that no text written for one fits another. */
  #checkChoices(alternatives: readonly Facts[], path: string): void {
    for (const [i, a] of alternatives.entries())
      for (const b of alternatives.slice(0, i))
        for (const { of, branch } of a.choices) {
          const other = b.choices.find((choice) => choice.of === of && choice.branch !== branch)
          if (other && !areApart(this.#source, a, b))
            throw this.#refuse(
              path,
              `oneOf: a value may fit both schema ${other.branch} and schema ${branch}; use anyOf`,
            )
        }
  }

  #facts(facts: Facts, path: string, depth: number): string | undefined {
    if (facts.parts.length === 0 && facts.types.size === 6) return 'value'
    return this.#either(
      writtenTypes(facts).map((type) => this.#typed(type, facts.parts, path, depth)),
      path,
    )
  }

  #typed(type: SchemaType, parts: readonly Part[], path: string, depth: number): string | undefined {
    switch (type) {
      case 'object':
        return this.#object(parts, path, depth)
      case 'array':
        return this.#array(parts, path, depth)
      case 'string':
        return this.#string(parts, path)
      case 'number':
      case 'integer':
        return this.#number(parts, type, path)
      default:
        return type
    }
  }

  #object(parts: readonly Part[], path: string, depth: number): string | undefined {
    const least = Math.max(0, ...this.#lengths(parts, 'minProperties'))
    const most = Math.min(...this.#lengths(parts, 'maxProperties'))
    const required = new Set<string>()
    const named: string[] = []
    for (const { node, path: place } of parts) {
      for (const keyword of ['properties', 'patternProperties']) this.#checkObject(node[keyword], place, keyword)
      const list = node.required ?? []
      if (!Array.isArray(list) || list.some((name) => typeof name !== 'string'))
        throw this.#refuse(place, 'required must be a list of names')
      for (const name of list) required.add(name as string)
      named.push(...Object.keys((node.properties as object | undefined) ?? {}))
    }
    const nameSchemas = parts.flatMap(({ node }) => (node.propertyNames === undefined ? [] : [node.propertyNames]))
    const listed = nameSchemas.flatMap((schema) => this.#listedNames(schema, path))
    const names = [...new Set([...named, ...required, ...(named.length === 0 ? listed : [])])]
    for (const { node, path: place } of parts)
      if (node.unevaluatedProperties !== undefined && node.unevaluatedProperties !== true && place !== path)
        throw this.#refuse(place, 'unevaluatedProperties within another schema is not supported')
    if (names.length > mostRepetitions)
      throw this.#refuse(path, `names more than ${mostRepetitions} properties, the most that are read`)
    if (names.length === 0) return this.#openObject(parts, nameSchemas, least, most, path, depth)
    const pairs = names.flatMap((name) => {
      const place = `${path}/properties/${name}`
      const value = nameSchemas.every((schema) => isValid(this.#source, name, schema, `${path}/propertyNames`))
        ? this.#all(
            parts.flatMap(({ node }) => propertySchemas(node, name)),
            place,
            depth + 1,
          )
        : undefined
      const pair = value === undefined ? undefined : `${literal(JSON.stringify(name))} ":" ws ${value}`
      return pair === undefined && !required.has(name) ? [] : [{ pair, isRequired: required.has(name) }]
    })
    if (pairs.some(({ pair }) => pair === undefined)) return undefined
    const body = this.#properties(pairs as { pair: string; isRequired: boolean }[], least, most, path)
    if (body === undefined) return undefined
    return body === '' ? '"{" ws "}"' : this.#rule(`"{" ws ${body}`, path)
  }

  /**
   * What follows the brace: properties in order, optional ones left out at will. A rule for each place in the list and
   * for what counts there of what is written: whether anything is, and how much, where there are bounds.
   */
  #properties(pairs: readonly { pair: string; isRequired: boolean }[], least: number, most: number, path: string) {
    const memo: Memo = new Map()
    const counts = least > 0 || most < pairs.length
    const from = (i: number, written: number): string | undefined => {
      if (written > most) return undefined
      if (i === pairs.length) return written < least ? undefined : written > 0 ? 'ws "}"' : '"}"'
      const key = `${i}/${counts ? written : Math.min(written, 1)}`
      if (memo.has(key)) return memo.get(key)
      const { pair, isRequired } = pairs[i]
      const after = from(i + 1, written + 1)
      const ways = [
        ...(after === undefined ? [] : [`${written > 0 ? '"," ws ' : ''}${pair} ${after}`]),
        ...(isRequired ? [] : [from(i + 1, written)].filter((way) => way !== undefined)),
      ]
      const body = ways.length === 0 ? undefined : this.#rule(ways.join(' | '), path)
      memo.set(key, body)
      return body
    }
    return from(0, 0)
  }

  /** An object that names no properties: any, as far as other keywords let them be. */
  #openObject(
    parts: readonly Part[],
    nameSchemas: readonly unknown[],
    least: number,
    most: number,
    path: string,
    depth: number,
  ): string | undefined {
    const said = parts.filter(
      ({ node }) => node.additionalProperties !== undefined || node.patternProperties !== undefined,
    )
    const closed = parts.some(({ node }) => node.unevaluatedProperties === false) && said.length === 0
    if (said.length === 0 && nameSchemas.length === 0 && least === 0 && most === Infinity && !closed) return 'object'
    const empty = least === 0 ? '"{" ws "}"' : undefined
    const patterns = parts.flatMap(({ node }) =>
      Object.entries((node.patternProperties as SchemaNode | undefined) ?? {}),
    )
    // Names that a pattern asks for if that is the only way; what else they match is asked of the value too.
    const mustMatch = parts.some(({ node }) => node.additionalProperties === false)
    const [pattern] = patterns
    const key = this.#all(
      [{ type: 'string', ...(pattern && mustMatch && { pattern: pattern[0] }) }, ...nameSchemas],
      `${path}/propertyNames`,
      depth + 1,
    )
    const others = parts.flatMap(({ node }) =>
      node.additionalProperties === undefined || (node.additionalProperties === false && pattern)
        ? []
        : [node.additionalProperties],
    )
    const isDead =
      mustMatch &&
      (!pattern ||
        parts.some(
          ({ node }) => node.additionalProperties === false && !Object.hasOwn(node.patternProperties ?? {}, pattern[0]),
        ))
    const value =
      closed || isDead
        ? undefined
        : this.#all([...patterns.map(([, schema]) => schema), ...others], `${path}/additionalProperties`, depth + 1)
    if (key === undefined || value === undefined || most === 0) return empty
    // The same name may come twice, and then counts once.
    if (least > 1) throw this.#refuse(path, 'minProperties above 1 is only supported where properties are named')
    const pair = `${key} ":" ws ${value}`
    const more = most === Infinity ? '*' : `{0,${most - 1}}`
    const list = `${pair} ("," ws ${pair})${more} ws`
    return this.#rule(`"{" ws ${least === 0 ? `(${list})?` : list} "}"`, path)
  }

  /** The names that a schema of names lists, if it does. */
  #listedNames(schema: unknown, path: string): string[] {
    const facts = factsOf(this.#source, schema, `${path}/propertyNames`)
    if (facts.length === 0 || facts.some(({ values }) => values === undefined)) return []
    return facts.flatMap(({ values }) => values ?? []).filter((value) => typeof value === 'string')
  }

  #array(parts: readonly Part[], path: string, depth: number): string | undefined {
    const least = Math.max(0, ...this.#lengths(parts, 'minItems'))
    let most = Math.min(...this.#lengths(parts, 'maxItems'))
    for (const { node, path: place } of parts) {
      if (node.prefixItems !== undefined && !Array.isArray(node.prefixItems))
        throw this.#refuse(place, 'prefixItems must be a list')
      if (node.unevaluatedItems !== undefined && node.unevaluatedItems !== true && node.items === undefined)
        throw this.#refuse(place, 'unevaluatedItems is not supported')
    }
    const lists = parts.map(({ node }) => itemSchemas(node))
    const schemasAt = (i: number) => lists.map(({ first, rest }) => (i < first.length ? first[i] : rest))
    const length = Math.max(0, ...lists.map(({ first }) => first.length))
    const isUnique = parts.some(({ node }) => node.uniqueItems === true)
    if (isUnique && length === 0 && most > 1) return this.#set(schemasAt(0), least, most, path)
    const fixed: string[] = []
    for (let i = 0; i < Math.min(length, most); i++) {
      const item = this.#all(schemasAt(i), `${path}/prefixItems/${i}`, depth + 1)
      if (item === undefined) most = i
      else fixed.push(item)
    }
    // A tuple is written as long as it is told; what may follow it is written where the schema says what.
    const wantsRest = length === 0 || least > length || parts.some(({ node }) => saysRest(node))
    const rest = wantsRest && most > length ? this.#all(schemasAt(length), `${path}/items`, depth + 1) : undefined
    if (rest === undefined) most = Math.min(most, fixed.length)
    if (most < least) return undefined
    if (most === 0) return '"[" ws "]"'
    if (isUnique && most > 1)
      throw this.#refuse(path, 'uniqueItems is only supported where the items are listed values')
    const head = fixed.slice(0, most)
    if (rest === undefined || most === head.length) return this.#rule(`"[" ws ${head.join(' "," ws ')} ws "]"`, path)
    const low = Math.max(0, least - head.length)
    const high = most - head.length
    if (head.length > 0) {
      const tail = `("," ws ${rest}){${low},${high === Infinity ? '' : high}}`
      return this.#rule(`"[" ws ${head.join(' "," ws ')} ${tail} ws "]"`, path)
    }
    const times = `{${Math.max(0, low - 1)},${high === Infinity ? '' : high - 1}}`
    const list = high === 1 ? rest : `${rest} ("," ws ${rest})${times}`
    return this.#rule(`"[" ws ${low === 0 ? `(${list} ws)?` : `${list} ws`} "]"`, path)
  }

  /** A list of listed values, none twice. */
  #set(schemas: readonly unknown[], least: number, most: number, path: string): string | undefined {
    const joined = { allOf: [...schemas] }
    const facts = factsOf(this.#source, joined, `${path}/items`)
    const finite = facts.every(
      ({ values, types }) => values !== undefined || [...types].every((type) => type === 'boolean' || type === 'null'),
    )
    if (!finite) throw this.#refuse(path, 'uniqueItems is only supported where the items are listed values')
    const values = facts.flatMap(
      ({ values, types }) =>
        values ?? [...(types.has('boolean') ? [true, false] : []), ...(types.has('null') ? [null] : [])],
    )
    const items = this.#values(values, joined, `${path}/items`)
    if (items.length < least) return undefined
    const memo: Memo = new Map()
    const shuffled = items.length <= mostShuffled
    // `left`: bits of the items that may still come.
    const from = (left: number, written: number): string | undefined => {
      const key = `${left}/${written}`
      if (memo.has(key)) return memo.get(key)
      const ways: string[] = written >= least ? [written > 0 ? 'ws "]"' : '"]"'] : []
      if (written < most)
        for (const [i, item] of items.entries()) {
          if (shuffled ? (left & (1 << i)) === 0 : i < left) continue
          const after = from(shuffled ? left & ~(1 << i) : i + 1, written + 1)
          if (after !== undefined) ways.push(`${written > 0 ? '"," ws ' : ''}${item} ${after}`)
        }
      const body = ways.length === 0 ? undefined : this.#rule(ways.join(' | '), path)
      memo.set(key, body)
      return body
    }
    const body = from(shuffled ? 2 ** items.length - 1 : 0, 0)
    return body === undefined ? undefined : this.#rule(`"[" ws ${body}`, path)
  }

  #string(parts: readonly Part[], path: string): string | undefined {
    const least = Math.max(0, ...this.#lengths(parts, 'minLength'))
    const most = Math.min(...this.#lengths(parts, 'maxLength'))
    const patterns = parts
      .flatMap(({ node, path: place }) => this.#words(node, place, 'pattern'))
      .map((pattern) => (Object.hasOwn(equivalents, pattern) ? whole(formats[equivalents[pattern]]) : pattern))
    const named = parts.flatMap(({ node, path: place }) => this.#words(node, place, 'format'))
    // A format that is not known restricts nothing; the standard says so.
    const wanted = named.flatMap((name) => (Object.hasOwn(formats, name) ? [whole(formats[name])] : []))
    if (most < least) return undefined
    if (patterns.length === 0 && wanted.length === 0) {
      if (least === 0 && most === Infinity) return 'string'
      return this.#rule(`"\\"" char{${least},${most === Infinity ? '' : most}} "\\""`, path)
    }
    const key = JSON.stringify([least, most, patterns, wanted])
    if (this.#texts.has(key)) return this.#texts.get(key)
    let places = knownTexts.get(key)
    if (!knownTexts.has(key)) {
      const bounds = { least, most, alphabet: writable }
      const read = (list: readonly string[]) => list.flatMap((pattern) => this.#pattern(pattern, path))
      places = textLanguage({ ...bounds, demands: read([...patterns, ...wanted]) })
      // Times without an offset are none by the standard; where a pattern asks for them, the format is a remark.
      const areTimes = named.every((name) => name === 'time' || name === 'date-time')
      if (places === undefined && patterns.length > 0 && areTimes)
        places = textLanguage({ ...bounds, demands: read(patterns) })
      if (knownTexts.size >= keptTexts) knownTexts.clear()
      knownTexts.set(key, places)
    }
    if (places === 'too large') throw this.#refuse(path, 'the pattern is too large')
    const rule = places && `"\\"" ${this.#language(places, writeCharacters, '"\\""', path)}`
    const expression = rule && this.#rule(rule, path)
    this.#texts.set(key, expression)
    return expression
  }

  #number(parts: readonly Part[], type: 'number' | 'integer', path: string): string | undefined {
    const all = (keyword: string) => parts.flatMap(({ node, path: place }) => this.#bounds(node, keyword, place))
    const minimum = (values: number[]) => (values.length === 0 ? undefined : Math.max(...values))
    const maximum = (values: number[]) => (values.length === 0 ? undefined : Math.min(...values))
    const steps = all('multipleOf')
    for (const step of steps)
      if (!(step > 0)) throw this.#refuse(path, `multipleOf must be a number above 0, got ${step}`)
    const strictly = (keyword: string, plain: string) =>
      parts.flatMap(({ node, path: place }) =>
        node[keyword] === true ? this.#bounds(node, plain, place) : this.#bounds(node, keyword, place),
      )
    const bounds: NumberBounds = {
      isWhole: type === 'integer',
      least: minimum(all('minimum')),
      above: minimum(strictly('exclusiveMinimum', 'minimum')),
      most: maximum(all('maximum')),
      below: maximum(strictly('exclusiveMaximum', 'maximum')),
      divisors: steps,
    }
    const { least, above, most, below, divisors } = bounds
    const binding = [
      ...[least, above].filter((bound) => bound !== undefined && bound >= -mostWhole),
      ...[most, below].filter((bound) => bound !== undefined && bound <= mostWhole),
    ]
    if (binding.length === 0 && divisors.length === 0) return type
    const demands = numberDemands(bounds)
    if (typeof demands === 'string') throw this.#refuse(path, demands)
    const places = textLanguage({ demands, least: 0, most: Infinity, alphabet: numerals })
    if (places === 'too large') throw this.#refuse(path, `bounds and multipleOf together are too large`)
    return places && this.#language(places, writeNumerals, '""', path)
  }

  /** Rules for the places of a text; returns the name of the first. */
  #language(places: readonly Place[], write: (set: CharSet) => string, close: string, path: string): string {
    const names = places.map(() => this.#rule('', path))
    for (const [id, { ends, next }] of places.entries()) {
      const ways = [...next].map(([to, set]) => {
        const isLast = places[to].ends && places[to].next.size === 0
        return `${write(set)} ${isLast ? close : names[to]}`
      })
      this.#rules.set(names[id], [...(ends ? [close] : []), ...ways].join(' | '))
    }
    return names[0]
  }

  #pattern(pattern: string, path: string): Demand[] {
    try {
      return readPattern(pattern)
    } catch (error) {
      throw this.#refuse(path, (error as GrammarError).message)
    }
  }

  /** What is valid under all of some schemas. */
  #all(schemas: readonly unknown[], path: string, depth: number): string | undefined {
    const telling = schemas.filter((schema) => schema !== true)
    if (telling.length === 0) return 'value'
    return this.#visit(telling.length === 1 ? telling[0] : { allOf: telling }, path, depth)
  }

  #either(ways: readonly (string | undefined)[], path: string): string | undefined {
    const possible = [...new Set(ways.filter((way) => way !== undefined))]
    return possible.length <= 1 ? possible[0] : this.#rule(possible.join(' | '), path)
  }

  #rule(body: string, path: string): string {
    if (this.#rules.size >= mostRules)
      throw this.#refuse(path, `has more than ${mostRules} parts, the most that are read`)
    const name = `r${this.#count++}`
    this.#rules.set(name, body)
    return name
  }

  #lengths(parts: readonly Part[], keyword: string): number[] {
    return parts.flatMap(({ node, path }) => {
      const value = node[keyword]
      if (value === undefined) return []
      if (typeof value === 'number' && Number.isInteger(value) && value >= 0) {
        if (value <= mostRepetitions) return [value]
        // More than is ever written bounds nothing.
        if (keyword.startsWith('max')) return []
      }
      throw this.#refuse(
        path,
        `${keyword} must be an integer from 0 to ${mostRepetitions}, got ${JSON.stringify(value)}`,
      )
    })
  }

  #bounds(node: SchemaNode, keyword: string, path: string): number[] {
    const value = node[keyword]
    if (value === undefined || (typeof value === 'boolean' && keyword.startsWith('exclusive'))) return []
    if (typeof value === 'number' && Number.isFinite(value)) return [value]
    throw this.#refuse(path, `${keyword} must be a number, got ${JSON.stringify(value)}`)
  }

  #words(node: SchemaNode, path: string, keyword: string): string[] {
    const value = node[keyword]
    if (value === undefined) return []
    if (typeof value === 'string') return [value]
    throw this.#refuse(path, `${keyword} must be a text, got ${JSON.stringify(value)}`)
  }

  #checkObject(value: unknown, path: string, keyword: string): void {
    if (value !== undefined && (typeof value !== 'object' || value === null || Array.isArray(value)))
      throw this.#refuse(path, `${keyword} must be an object`)
  }

  #refuse(path: string, why: string): GrammarError {
    return this.#source.refuse(path, why)
  }
}

/**
 * A JSON schema as a grammar, for the option `grammar`: whatever the model then writes is valid under the schema.
 *
 * @returns GBNF
 * @throws GrammarError `schema-invalid` for what a grammar cannot hold; never is a keyword ignored
 * @example
 * const grammar = compileSchema({ type: 'array', items: { enum: ['red', 'green'] }, maxItems: 3 })
 * const answer = engine.chat({ messages, grammar })
 */
export function compileSchema(schema: JsonSchema): string {
  return jsonSchemaToGrammar(schema, 'schema')
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

/** Whether keywords say what follows the first items of a list. */
function saysRest({ items, additionalItems }: SchemaNode): boolean {
  return Array.isArray(items)
    ? additionalItems !== undefined && additionalItems !== false
    : items !== undefined && items !== false
}

/** A pattern that the whole text is to match. */
function whole(pattern: string): string {
  return `^(?:${pattern})$`
}

/** A set of characters within the quotes of JSON. */
function writeCharacters(set: CharSet): string {
  const plain = without(set, needEscapes)
  const ways = plain.length > 0 ? [`[${rangesOf(plain)}]`] : []
  for (const code of [34, 92, 8, 9, 10, 12, 13])
    if (set.some((low, i) => i % 2 === 0 && low <= code && set[i + 1] >= code))
      ways.push(literal(`\\${shortEscapes[code] ?? String.fromCharCode(code)}`))
  return ways.length === 1 ? ways[0] : `(${ways.join(' | ')})`
}

function writeNumerals(set: CharSet): string {
  return `[${rangesOf(set)}]`
}

function rangesOf(set: CharSet): string {
  const ranges: string[] = []
  for (let i = 0; i < set.length; i += 2)
    ranges.push(set[i] === set[i + 1] ? escaped(set[i]) : `${escaped(set[i])}-${escaped(set[i + 1])}`)
  return ranges.join('')
}

function escaped(code: number): string {
  const character = String.fromCodePoint(code)
  if (/[a-zA-Z0-9]/.test(character)) return character
  const hex = code.toString(16).toUpperCase()
  if (code < 0x100) return `\\x${hex.padStart(2, '0')}`
  return code < 0x10000 ? `\\u${hex.padStart(4, '0')}` : `\\U${hex.padStart(8, '0')}`
}

function withoutLiterals(body: string): string {
  return body.replace(/"(?:[^"\\]|\\.)*"|\[(?:[^\]\\]|\\.)*\]/g, ' ')
}
