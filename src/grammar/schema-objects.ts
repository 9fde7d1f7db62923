// Objects of a schema as rules.

import { valueLiteral } from './json-rules.js'
import { times } from './notation.js'
import type { Writing } from './rule-book.js'
import { isValid, propertySchemas } from './schema-check.js'
import { factsOf, type Part } from './schema-facts.js'
import { type Lengths, lengthsOf, mostRepetitions } from './schema-keywords.js'
import type { SchemaNode, SchemaSource } from './schema-source.js'

/** A property as it is written: its name and its value. */
interface Property {
  pair: string
  isRequired: boolean
}

/** The expression for the objects that are valid under all parts; undefined: none is. */
export function objectOf(writing: Writing, written: readonly Part[], path: string): string | undefined {
  const { source, rules } = writing
  const lengths = lengthsOf(source, written, 'minProperties', 'maxProperties')
  const { named, required } = namesOf(source, written)
  const parts = withUnevaluated(source, written, path)
  const nameSchemas = parts.flatMap(({ node }) => (node.propertyNames === undefined ? [] : [node.propertyNames]))
  const listed = nameSchemas.flatMap((schema) => listedNames(source, schema, `${path}/propertyNames`))
  const names = new Set([...named, ...required, ...(named.length === 0 ? listed : [])])
  if (names.size > mostRepetitions)
    throw source.refuse(path, `names more than ${mostRepetitions} properties, the most that are read`)
  if (names.size === 0) return openObject(writing, parts, nameSchemas, lengths, path)
  const properties: Property[] = []
  let isPossible = true
  for (const name of names) {
    const isRequired = required.has(name)
    const value = nameSchemas.every((schema) => isValid(source, name, schema, `${path}/propertyNames`))
      ? writing.all(
          parts.flatMap(({ node }) => propertySchemas(node, name)),
          `${path}/properties/${name}`,
        )
      : undefined
    if (value !== undefined) properties.push({ pair: `${valueLiteral(name)} ":" ws ${value}`, isRequired })
    else if (isRequired) isPossible = false
  }
  const body = isPossible ? inOrder(writing, properties, lengths, path) : undefined
  return body && rules.add(`"{" ws ${body}`, path)
}

/** The names that properties have, and those that must be there. */
function namesOf(source: SchemaSource, parts: readonly Part[]): { named: string[]; required: ReadonlySet<string> } {
  const required = new Set<string>()
  const named: string[] = []
  for (const { node, path } of parts) {
    for (const keyword of ['properties', 'patternProperties']) {
      const value = node[keyword]
      if (value !== undefined && (typeof value !== 'object' || value === null || Array.isArray(value)))
        throw source.refuse(path, `${keyword} must be an object`)
    }
    for (const name of (node.required ?? []) as string[]) required.add(name)
    named.push(...Object.keys((node.properties as object | undefined) ?? {}))
  }
  return { named, required }
}

/**
 * The parts, with what they say of properties that none of them speaks of as additional ones of one more, which knows
 * all their names.
 */
function withUnevaluated(source: SchemaSource, parts: readonly Part[], path: string): readonly Part[] {
  const closing = parts.filter(({ node: { unevaluatedProperties: rest } }) => rest !== undefined && rest !== true)
  for (const { path: place } of closing)
    if (place !== path) throw source.refuse(place, 'unevaluatedProperties within another schema is not supported')
  // Additional properties are spoken of.
  if (parts.some(({ node }) => node.additionalProperties !== undefined)) return parts
  const spoken = (keyword: string) =>
    Object.fromEntries(
      parts
        .filter(({ isTurned }) => !isTurned)
        .flatMap(({ node }) => Object.keys(node[keyword] ?? {}))
        .map((name) => [name, true]),
    )
  const known = { properties: spoken('properties'), patternProperties: spoken('patternProperties') }
  return [
    ...parts,
    ...closing.map(({ node }) => ({ path, node: { ...known, additionalProperties: node.unevaluatedProperties } })),
  ]
}

/** The names that a schema of names lists, if it does. */
function listedNames(source: SchemaSource, schema: unknown, path: string): string[] {
  const facts = factsOf(source, schema, path)
  if (facts.some(({ values }) => values === undefined)) return []
  return facts.flatMap(({ values }) => values ?? []).filter((value) => typeof value === 'string')
}

/**
 * What follows the brace: properties in order, optional ones left out at will. A rule for each place in the list and
 * for what counts there of what is written: whether anything is, and how much, where there are bounds.
 */
function inOrder({ rules }: Writing, properties: readonly Property[], { least, most }: Lengths, path: string) {
  const memo = new Map<string, string | undefined>()
  const counts = least > 0 || most < properties.length
  const from = (i: number, written: number): string | undefined => {
    if (written > most) return undefined
    if (i === properties.length) return written < least ? undefined : written > 0 ? 'ws "}"' : '"}"'
    const key = `${i}/${counts ? written : Math.min(written, 1)}`
    if (memo.has(key)) return memo.get(key)
    const { pair, isRequired } = properties[i]
    const after = from(i + 1, written + 1)
    const ways = [
      ...(after === undefined ? [] : [`${written > 0 ? '"," ws ' : ''}${pair} ${after}`]),
      ...(isRequired ? [] : [from(i + 1, written)].filter((way) => way !== undefined)),
    ]
    const body = ways.length === 0 ? undefined : rules.add(ways.join(' | '), path)
    memo.set(key, body)
    return body
  }
  return from(0, 0)
}

/** An object that names no properties: any, as far as other keywords let them be. */
function openObject(
  { source, rules, all }: Writing,
  parts: readonly Part[],
  nameSchemas: readonly unknown[],
  { least, most }: Lengths,
  path: string,
): string | undefined {
  const isSaid = parts.some(
    ({ node }) => node.additionalProperties !== undefined || node.patternProperties !== undefined,
  )
  if (!isSaid && nameSchemas.length === 0 && least === 0 && most === Infinity) return 'object'
  const patterns = parts.flatMap(({ node }) => Object.entries((node.patternProperties as SchemaNode | undefined) ?? {}))
  // Names that a pattern asks for if that is the only way; what else they match is asked of the value too.
  const [pattern] = patterns
  const closing = parts.filter(({ node }) => node.additionalProperties === false)
  const key = all(
    [{ type: 'string', ...(pattern && closing.length > 0 && { pattern: pattern[0] }) }, ...nameSchemas],
    `${path}/propertyNames`,
  )
  const isForbidden = closing.some(({ node }) => !pattern || !Object.hasOwn(node.patternProperties ?? {}, pattern[0]))
  const others = parts.flatMap(({ node: { additionalProperties: schema } }) =>
    schema === undefined || schema === false ? [] : [schema],
  )
  const value = isForbidden
    ? undefined
    : all([...patterns.map(([, schema]) => schema), ...others], `${path}/additionalProperties`)
  if (key === undefined || value === undefined || most === 0) return least === 0 ? '"{" ws "}"' : undefined
  // The same name may come twice, and then counts once.
  if (least > 1) throw source.refuse(path, 'minProperties above 1 is only supported where properties are named')
  const pair = `${key} ":" ws ${value}`
  const list = `${pair} ("," ws ${pair})${times(0, most - 1)} ws`
  return rules.add(`"{" ws ${least === 0 ? `(${list})?` : list} "}"`, path)
}
