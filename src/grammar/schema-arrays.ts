// Arrays of a schema as rules.

import { valueLiteral } from './json-rules.js'
import { times } from './notation.js'
import type { Writing } from './rule-book.js'
import { itemSchemas, validOf } from './schema-check.js'
import { type Facts, factsOf, type Part } from './schema-facts.js'
import { type Lengths, lengthsOf } from './schema-keywords.js'
import type { SchemaNode, SchemaSource } from './schema-source.js'

/** Items of a set of values that may come in any order; sets with more come in the order of the schema. */
const mostShuffled = 5

/** The expression for the arrays that are valid under all parts; undefined: none is. */
export function arrayOf(writing: Writing, written: readonly Part[], path: string): string | undefined {
  const { source, rules, all } = writing
  const { least, most: allowed } = lengthsOf(source, written, 'minItems', 'maxItems')
  let most = allowed
  for (const { node, path: place } of written)
    if (node.prefixItems !== undefined && !Array.isArray(node.prefixItems))
      throw source.refuse(place, 'prefixItems must be a list')
  const parts = withUnevaluated(source, written, path)
  const lists = parts.map(({ node }) => itemSchemas(node))
  const schemasAt = (i: number) => lists.map(({ first, rest }) => (i < first.length ? first[i] : rest))
  const length = Math.max(0, ...lists.map(({ first }) => first.length))
  const isUnique = parts.some(({ node }) => node.uniqueItems === true)
  if (isUnique && length === 0 && most > 1) return setOf(writing, schemasAt(0), { least, most }, path)
  const fixed: string[] = []
  for (let i = 0; i < Math.min(length, most); i++) {
    const item = all(schemasAt(i), `${path}/prefixItems/${i}`)
    if (item === undefined) most = i
    else fixed.push(item)
  }
  // A tuple is written as long as it is told; what may follow it is written where the schema says what.
  const wantsRest = length === 0 || least > length || parts.some(({ node }) => saysRest(node))
  const rest = wantsRest && most > length ? all(schemasAt(length), `${path}/items`) : undefined
  if (rest === undefined) most = fixed.length
  if (most < least) return undefined
  if (most === 0) return '"[" ws "]"'
  if (isUnique && most > 1) throw source.refuse(path, 'uniqueItems is only supported where the items are listed values')
  const head = fixed.join(' "," ws ')
  if (rest === undefined || most === fixed.length) return rules.add(`"[" ws ${head} ws "]"`, path)
  if (fixed.length > 0) {
    const tail = `("," ws ${rest})${times(Math.max(0, least - fixed.length), most - fixed.length)}`
    return rules.add(`"[" ws ${head} ${tail} ws "]"`, path)
  }
  const list = most === 1 ? rest : `${rest} ("," ws ${rest})${times(Math.max(0, least - 1), most - 1)}`
  return rules.add(`"[" ws ${least === 0 ? `(${list} ws)?` : `${list} ws`} "]"`, path)
}

/** The parts, with what they say of items that none of them speaks of as the rest of one more, which knows the others. */
function withUnevaluated(source: SchemaSource, parts: readonly Part[], path: string): readonly Part[] {
  const isAll = ({ items, additionalItems }: SchemaNode) =>
    items !== undefined && (!Array.isArray(items) || additionalItems !== undefined)
  const closing = parts.filter(
    ({ node }) => node.unevaluatedItems !== undefined && node.unevaluatedItems !== true && !isAll(node),
  )
  for (const { path: place } of closing)
    if (place !== path) throw source.refuse(place, 'unevaluatedItems within another schema is not supported')
  if (parts.some(({ node }) => isAll(node))) return parts
  const most = Math.max(0, ...parts.map(({ node }) => itemSchemas(node).first.length))
  const known = { prefixItems: Array.from({ length: most }, () => true) }
  return [...parts, ...closing.map(({ node }) => ({ path, node: { ...known, items: node.unevaluatedItems } }))]
}

/** A list of listed values, none twice. */
function setOf(
  { source, rules }: Writing,
  schemas: readonly unknown[],
  { least, most }: Lengths,
  path: string,
): string | undefined {
  const joined = { allOf: schemas }
  const values = factsOf(source, joined, `${path}/items`).map(fewValues)
  if (values.includes(undefined))
    throw source.refuse(path, 'uniqueItems is only supported where the items are listed values')
  const items = validOf(source, values.flat(), joined, `${path}/items`).map(valueLiteral)
  if (items.length < least) return undefined
  const memo = new Map<string, string | undefined>()
  const shuffled = items.length <= mostShuffled
  // `left`: bits of the items that may still come; where they come in order, how many have been passed.
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
    const body = ways.length === 0 ? undefined : rules.add(ways.join(' | '), path)
    memo.set(key, body)
    return body
  }
  const body = from(shuffled ? 2 ** items.length - 1 : 0, 0)
  return body && rules.add(`"[" ws ${body}`, path)
}

/** All values of one alternative, where they are few. */
function fewValues({ values, types }: Facts): readonly unknown[] | undefined {
  if (values) return values
  const found: unknown[] = []
  if (types.has('boolean')) found.push(true, false)
  if (types.has('null')) found.push(null)
  return [...types].every((type) => type === 'boolean' || type === 'null') ? found : undefined
}

/** Whether keywords say what follows the first items of a list. */
function saysRest({ items, additionalItems }: SchemaNode): boolean {
  return Array.isArray(items)
    ? additionalItems !== undefined && additionalItems !== false
    : items !== undefined && items !== false
}
