// Calls within expressions, carried out in slices: macros may take long.

import type { Slices } from '../../grammar/slices.js'
import type { Evaluator } from './evaluator.js'
import type { Scope } from './scope.js'
import type { Arguments, Expression } from './syntax.js'
import { isTrue, type Value } from './value.js'

/**
 * Computes expressions as {@link Evaluator} does, but can pause and go on inside what they call:
 *
 *     shown(a) ~ (shown(b) if b else '')     →     "…" ~ "…"     →     "……"
 *     └ call      └ call, if b is true             values in place of the calls
 */
export class Settling {
  readonly #evaluator: Evaluator

  constructor(evaluator: Evaluator) {
    this.#evaluator = evaluator
  }

  /** The value of an expression. */
  *value(expression: Expression, scope: Scope): Slices<Value> {
    return this.#evaluator.evaluate(yield* this.#settled(expression, scope), scope)
  }

  /** The expression with values in place of those calls that have to be made. */
  *#settled(expression: Expression, scope: Scope): Slices<Expression> {
    if (!calls(expression)) return expression
    switch (expression.kind) {
      case 'call': {
        const callee = yield* this.#within(expression.callee, scope)
        const args = yield* this.#arguments(expression.args, scope)
        const { target, given } = this.#evaluator.called({ kind: 'call', callee, args }, scope)
        const value = target.slices ? yield* target.slices(given) : target.call(given)
        this.#evaluator.pay(value)
        return { kind: 'value', value }
      }
      case 'choice': {
        const isMet = isTrue(yield* this.value(expression.condition, scope))
        const chosen = isMet ? expression.yes : expression.no
        return chosen ? yield* this.#settled(chosen, scope) : { kind: 'value', value: undefined }
      }
      case 'binary': {
        const { operator, right } = expression
        const left = yield* this.#settled(expression.left, scope)
        if (operator !== 'and' && operator !== 'or')
          return { ...expression, left, right: yield* this.#settled(right, scope) }
        const value = this.#evaluator.evaluate(left, scope)
        return isTrue(value) === (operator === 'or') ? { kind: 'value', value } : yield* this.#settled(right, scope)
      }
      case 'list':
        return { kind: 'list', items: yield* this.#all(expression.items, scope) }
      case 'dict': {
        const settled = yield* this.#all(expression.entries.flat(), scope)
        return { kind: 'dict', entries: expression.entries.map((_, i) => [settled[2 * i], settled[2 * i + 1]]) }
      }
      case 'filter':
      case 'test': {
        const value = yield* this.#settled(expression.value, scope)
        return { ...expression, value, args: yield* this.#arguments(expression.args, scope) }
      }
      case 'unary':
        return { ...expression, value: yield* this.#settled(expression.value, scope) }
      default:
        return yield* this.#within(expression, scope)
    }
  }

  /** The parts of an attribute, item or slice settled; the value itself is not read yet. */
  *#within(expression: Expression, scope: Scope): Slices<Expression> {
    if (expression.kind === 'attribute') return { ...expression, of: yield* this.#settled(expression.of, scope) }
    if (expression.kind === 'item') {
      const of = yield* this.#settled(expression.of, scope)
      return { kind: 'item', of, key: yield* this.#settled(expression.key, scope) }
    }
    if (expression.kind !== 'slice') return yield* this.#settled(expression, scope)
    const { start, stop, step } = expression
    return {
      kind: 'slice',
      of: yield* this.#settled(expression.of, scope),
      ...(start && { start: yield* this.#settled(start, scope) }),
      ...(stop && { stop: yield* this.#settled(stop, scope) }),
      ...(step && { step: yield* this.#settled(step, scope) }),
    }
  }

  *#arguments({ positional, named, spread, spreadNamed }: Arguments, scope: Scope): Slices<Arguments> {
    const given = yield* this.#all([...positional, ...named.map(([, value]) => value)], scope)
    return {
      positional: given.slice(0, positional.length),
      named: named.map(([name], i) => [name, given[positional.length + i]]),
      ...(spread && { spread: yield* this.#settled(spread, scope) }),
      ...(spreadNamed && { spreadNamed: yield* this.#settled(spreadNamed, scope) }),
    }
  }

  *#all(expressions: readonly Expression[], scope: Scope): Slices<Expression[]> {
    const settled: Expression[] = []
    for (const expression of expressions) settled.push(yield* this.#settled(expression, scope))
    return settled
  }
}

/** Whether expressions contain a call, for those that were asked about. */
const known = new WeakMap<object, boolean>()

function calls(node: object): boolean {
  const before = known.get(node)
  if (before !== undefined) return before
  const found =
    (node as { kind?: unknown }).kind === 'call' ||
    Object.values(node).some((child) => typeof child === 'object' && child !== null && calls(child))
  known.set(node, found)
  return found
}
