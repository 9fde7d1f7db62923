// Templates carried out.

import { finish, type Slices } from '../../grammar/slices.js'
import type { Budget } from './budget.js'
import { JinjaError } from './error.js'
import { Evaluator } from './evaluator.js'
import { Scope } from './scope.js'
import { Settling } from './settling.js'
import type { Expression, Parameter, Statement, Target } from './syntax.js'
import { plain, type Str, TextBuilder } from './text.js'
import {
  Callable,
  Dict,
  equals,
  type Given,
  isTrue,
  itemsOf,
  Namespace,
  nameOfType,
  toStr,
  type Value,
} from './value.js'

/** How a body ended: at its end, or at a loop control. */
type Ending = 'end' | 'break' | 'continue'

/** Runs a template by walking the tree, and pays for each step. What takes long is done in slices. */
export class Interpreter {
  readonly #budget: Budget
  readonly #evaluator: Evaluator
  readonly #settling: Settling

  constructor(budget: Budget) {
    this.#budget = budget
    this.#evaluator = new Evaluator(budget)
    this.#settling = new Settling(this.#evaluator)
  }

  /** The text that a template makes. */
  *render(body: readonly Statement[], scope: Scope): Slices<Str> {
    const out = new TextBuilder()
    yield* this.#run(body, scope, out)
    return out.done()
  }

  *#run(body: readonly Statement[], scope: Scope, out: TextBuilder): Slices<Ending> {
    for (const statement of body) {
      this.#budget.spend(1)
      if (this.#budget.isSliced) yield
      if (statement.kind === 'text') this.#write(statement.text, out)
      else {
        const ending = yield* this.#execute(statement, scope, out)
        if (ending !== 'end') return ending
      }
    }
    return 'end'
  }

  /** What a body writes, caught instead of written. */
  *#caught(body: readonly Statement[], scope: Scope): Slices<Str> {
    this.#budget.enter()
    try {
      return yield* this.render(body, scope)
    } finally {
      this.#budget.leave()
    }
  }

  *#execute(statement: Exclude<Statement, { kind: 'text' }>, scope: Scope, out: TextBuilder): Slices<Ending> {
    switch (statement.kind) {
      case 'write':
        this.#write(toStr(yield* this.#value(statement.value, scope)), out)
        return 'end'
      case 'if':
        for (const { condition, body } of statement.branches)
          if (isTrue(yield* this.#value(condition, scope))) return yield* this.#run(body, scope, out)
        return yield* this.#run(statement.otherwise, scope, out)
      case 'for':
        yield* this.#loop(statement, yield* this.#value(statement.over, scope), scope, out, 0)
        return 'end'
      case 'set':
        this.#assign(statement.target, yield* this.#value(statement.value, scope), scope)
        return 'end'
      case 'set-block': {
        const text = yield* this.#caught(statement.body, new Scope(scope))
        this.#assign(statement.target, this.#evaluator.filtered(text, statement.filters, scope), scope)
        return 'end'
      }
      case 'macro':
        scope.set(statement.name, this.#macro(statement.name, statement.parameters, statement.body, scope))
        return 'end'
      case 'call-block': {
        const caller = this.#macro('caller', statement.parameters, statement.body, scope)
        const inner = new Scope(scope)
        inner.set('caller', caller)
        this.#write(toStr(yield* this.#value(statement.call, inner)), out)
        return 'end'
      }
      case 'filter-block': {
        const text = yield* this.#caught(statement.body, new Scope(scope))
        this.#write(toStr(this.#evaluator.filtered(text, statement.filters, scope)), out)
        return 'end'
      }
      case 'with': {
        const inner = new Scope(scope)
        for (const [target, value] of statement.values) this.#assign(target, yield* this.#value(value, scope), inner)
        return yield* this.#run(statement.body, inner, out)
      }
      case 'block':
        return yield* this.#run(statement.body, scope, out)
      case 'do':
        yield* this.#value(statement.value, scope)
        return 'end'
      default:
        return statement.kind
    }
  }

  /** The value of an expression; macros in it are run in slices. */
  #value(expression: Expression, scope: Scope): Slices<Value> {
    return this.#settling.value(expression, scope)
  }

  #write(text: Str, out: TextBuilder): void {
    this.#budget.spend(text.length / 8)
    out.add(text)
  }

  *#loop(
    statement: Statement & { kind: 'for' },
    over: Value,
    scope: Scope,
    out: TextBuilder,
    depth: number,
  ): Slices<void> {
    let items = itemsOf(over)
    this.#budget.spend(items.length)
    const { condition, target, body } = statement
    if (condition) {
      const kept: Value[] = []
      for (const item of items) {
        const inner = new Scope(scope)
        this.#assign(target, item, inner)
        if (isTrue(yield* this.#value(condition, inner))) kept.push(item)
        if (this.#budget.isSliced) yield
      }
      items = kept
    }
    if (items.length === 0) {
      yield* this.#run(statement.otherwise, scope, out)
      return
    }
    let i = 0
    let changedFrom: Value[] | undefined
    const again = ({ positional }: Given): Slices<Value> => this.#again(statement, positional[0], scope, depth + 1)
    const attribute = (name: string): Value => {
      switch (name) {
        case 'index':
          return i + 1
        case 'index0':
          return i
        case 'revindex':
          return items.length - i
        case 'revindex0':
          return items.length - i - 1
        case 'first':
          return i === 0
        case 'last':
          return i === items.length - 1
        case 'length':
          return items.length
        case 'depth':
          return depth + 1
        case 'depth0':
          return depth
        case 'previtem':
          return items[i - 1]
        case 'nextitem':
          return items[i + 1]
        case 'cycle':
          return new Callable('cycle', ({ positional }) => positional[i % positional.length])
        case 'changed':
          return new Callable('changed', ({ positional }) => {
            const isNew = changedFrom === undefined || !equals(changedFrom, positional)
            changedFrom = positional
            return isNew
          })
        default:
          return undefined
      }
    }
    const loop = new Callable('loop', (given) => finish(again(given)), { attribute, slices: again })
    for (; i < items.length; i++) {
      const inner = new Scope(scope)
      inner.set('loop', loop)
      this.#assign(target, items[i], inner)
      if ((yield* this.#run(body, inner, out)) === 'break') return
    }
  }

  /** A loop that calls itself with something else to loop over: `{{ loop(item.children) }}`. */
  *#again(statement: Statement & { kind: 'for' }, over: Value, scope: Scope, depth: number): Slices<Value> {
    const text = new TextBuilder()
    this.#budget.enter()
    yield* this.#loop(statement, over, scope, text, depth)
    this.#budget.leave()
    return text.done()
  }

  #macro(name: string, parameters: readonly Parameter[], body: readonly Statement[], scope: Scope): Callable {
    const names = new Set(parameters.map((parameter) => parameter.name))
    const slices = (given: Given): Slices<Value> => this.#carriedOut(parameters, names, body, scope, given)
    return new Callable(name, (given) => finish(slices(given)), { slices })
  }

  *#carriedOut(
    parameters: readonly Parameter[],
    names: ReadonlySet<string>,
    body: readonly Statement[],
    scope: Scope,
    { positional, named }: Given,
  ): Slices<Value> {
    const inner = new Scope(scope)
    for (const [i, parameter] of parameters.entries()) {
      let value = i < positional.length ? positional[i] : named.get(parameter.name)
      if (value === undefined && parameter.default) value = yield* this.#value(parameter.default, inner)
      inner.set(parameter.name, value)
    }
    inner.set('varargs', positional.slice(parameters.length))
    const rest = new Dict()
    for (const [key, value] of named) if (!names.has(key)) rest.set(key, value)
    inner.set('kwargs', rest)
    if (named.has('caller')) inner.set('caller', named.get('caller'))
    return yield* this.#caught(body, inner)
  }

  #assign(target: Target, value: Value, scope: Scope): void {
    if (target.kind === 'name') scope.set(target.name, value)
    else if (target.kind === 'several') {
      const values = itemsOf(value)
      if (values.length !== target.targets.length)
        throw new JinjaError('render', `expected ${target.targets.length} values to unpack, got ${values.length}`)
      for (const [i, inner] of target.targets.entries()) this.#assign(inner, values[i], scope)
    } else {
      const of = this.#evaluator.evaluate(target.of, scope)
      const key = target.kind === 'attribute' ? target.name : this.#evaluator.evaluate(target.key, scope)
      if (of instanceof Namespace) of.attributes.set(plain(toStr(key)), value)
      else if (of instanceof Dict) of.set(key, value)
      else throw new JinjaError('render', `an attribute of ${nameOfType(of)} cannot be set`)
    }
  }
}
