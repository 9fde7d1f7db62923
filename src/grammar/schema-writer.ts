// The values of a schema as rules: its references, alternatives and types.

import { valueLiteral } from './json-rules.js'
import type { RuleBook, Writing } from './rule-book.js'
import { areApart } from './schema-apart.js'
import { arrayOf } from './schema-arrays.js'
import { validOf } from './schema-check.js'
import { type Facts, factsOf, listOf, type Part, writtenTypes } from './schema-facts.js'
import { objectOf } from './schema-objects.js'
import { isAnnotation, type SchemaNode, type SchemaSource } from './schema-source.js'
import { numberOf, stringOf } from './schema-texts.js'
import { checkKeywords, type SchemaType } from './schema-vocabulary.js'

const mostDepth = 64

/** Schemas of a `oneOf` that are told from each other by what each is not. */
const mostExclusive = 8

/** A rule that no text follows. */
const nothing = '[b-a]'

/** A part of the schema: whether it is being written, and its expression, or its name if it holds itself. */
interface Visit {
  isOpen: boolean
  expression: string | undefined
}

/**
 * Writes the values of one schema, part by part. Every part is written once, and one that holds itself becomes a rule:
 *
 *     { anyOf: [null, { properties: { next: # } }] }     r0 ::= null | r1     r1 ::= … "next" … r0
 */
export class SchemaWriter {
  readonly #source: SchemaSource
  readonly #rules: RuleBook
  readonly #visits = new Map<object, Visit>()

  constructor(source: SchemaSource, rules: RuleBook) {
    this.#source = source
    this.#rules = rules
  }

  /** The expression for the values of a part; undefined: there are none. @throws GrammarError for what is not supported */
  write(schema: unknown, path: string, depth = 0): string | undefined {
    if (depth > mostDepth) throw this.#refuse(path, `is nested deeper than ${mostDepth} levels`)
    if (schema === true) return 'value'
    if (schema === false) return undefined
    if (typeof schema !== 'object' || schema === null || Array.isArray(schema))
      throw this.#refuse(path, 'must be an object or a boolean')
    const known = this.#visits.get(schema)
    if (known) {
      // It holds itself: then it has to be a rule with a name.
      if (known.isOpen) known.expression ??= this.#rules.add('', path)
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
    else this.#rules.define(name, body ?? nothing)
    return visit.expression
  }

  #node(node: SchemaNode, path: string, depth: number): string | undefined {
    checkKeywords(this.#source, node, path)
    const said = Object.keys(node).filter((keyword) => !isAnnotation(keyword))
    if (said.length === 0) return 'value'
    const [only] = said
    // What stands alone is not written out with the rest: it may be used elsewhere too, and may hold itself.
    if (said.length === 1 && only === '$ref')
      return this.write(this.#source.resolve(node.$ref, path), String(node.$ref), depth + 1)
    if (said.length === 1 && (only === 'anyOf' || only === 'oneOf')) {
      if (only === 'oneOf') {
        const shared = this.#sharedBy(factsOf(this.#source, node, path))
        if (shared) return this.#exclusive(node, shared, path, depth)
      }
      const branches = listOf(this.#source, node, only, path)
      return this.#rules.either(
        branches.map((branch, i) => this.write(branch, `${path}/${only}/${i}`, depth + 1)),
        path,
      )
    }
    if (said.length === 1 && only === 'allOf') {
      const [first, ...more] = listOf(this.#source, node, 'allOf', path)
      if (more.length === 0) return this.write(first, `${path}/allOf/0`, depth + 1)
    }
    const alternatives = factsOf(this.#source, node, path)
    const shared = this.#sharedBy(alternatives)
    if (shared) return this.#exclusive(node, shared, path, depth)
    const listed = alternatives.flatMap((facts) => facts.values ?? [])
    const values = validOf(this.#source, listed, node, path).map(valueLiteral)
    const others = alternatives.filter((facts) => facts.values === undefined)
    return this.#rules.either([...values, ...others.map((facts) => this.#facts(facts, path, depth))], path)
  }

  /** Two branches of one `oneOf` of which it is not certain that no text written for one fits the other, if there are such. */
  #sharedBy(alternatives: readonly Facts[]): { of: SchemaNode; branches: number[] } | undefined {
    for (const [i, a] of alternatives.entries())
      for (const b of alternatives.slice(0, i))
        for (const { of, branch } of a.choices) {
          const other = b.choices.find((choice) => choice.of === of && choice.branch !== branch)
          if (other && !areApart(this.#source, a, b)) return { of, branches: [other.branch, branch] }
        }
    return undefined
  }

  /** What fits one schema of a `oneOf` and is said not to fit the others. */
  #exclusive(node: SchemaNode, shared: { of: SchemaNode; branches: number[] }, path: string, depth: number) {
    const { oneOf, ...rest } = node
    const branches = oneOf as unknown[]
    const [a, b] = shared.branches
    const refusal = () => this.#refuse(path, `oneOf: a value may fit both schema ${a} and schema ${b}; use anyOf`)
    if (shared.of !== node || branches.length > mostExclusive) throw refusal()
    const apart = branches.map((branch, i) => ({
      allOf: [branch, ...branches.flatMap((other, j) => (i === j ? [] : [{ not: other }]))],
    }))
    try {
      return this.write({ allOf: [rest, { anyOf: apart }] }, path, depth + 1)
    } catch {
      throw refusal()
    }
  }

  #facts(facts: Facts, path: string, depth: number): string | undefined {
    if (facts.parts.length === 0 && facts.types.size === 6) return 'value'
    const writing: Writing = {
      source: this.#source,
      rules: this.#rules,
      all: (schemas, place) => this.#all(schemas, place, depth + 1),
    }
    return this.#rules.either(
      writtenTypes(facts).map((type) => typed(writing, type, facts.parts, path)),
      path,
    )
  }

  /** What is valid under all of some schemas. */
  #all(schemas: readonly unknown[], path: string, depth: number): string | undefined {
    const telling = schemas.filter((schema) => schema !== true)
    if (telling.length === 0) return 'value'
    return this.write(telling.length === 1 ? telling[0] : { allOf: telling }, path, depth)
  }

  #refuse(path: string, why: string) {
    return this.#source.refuse(path, why)
  }
}

function typed(writing: Writing, type: SchemaType, parts: readonly Part[], path: string): string | undefined {
  switch (type) {
    case 'object':
      return objectOf(writing, parts, path)
    case 'array':
      return arrayOf(writing, parts, path)
    case 'string':
      return stringOf(writing, parts, path)
    case 'number':
    case 'integer':
      return numberOf(writing, parts, type, path)
    default:
      return type
  }
}
