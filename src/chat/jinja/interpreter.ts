// Templates carried out.

import type { Budget } from './budget.js'
import { JinjaError } from './error.js'
import { filterAsCallable, filterNamed, filters, percentFormatted } from './filters.js'
import { methodOf } from './methods.js'
import { Scope } from './scope.js'
import type { Arguments, Expression, Parameter, Statement, Target } from './syntax.js'
import { contains, testNamed } from './tests.js'
import { concat, isStr, plain, type Str, slice, TextBuilder } from './text.js'
import {
  Callable,
  compare,
  Dict,
  equals,
  fromNumber,
  type Given,
  isFloat,
  isNumber,
  isTrue,
  itemsOf,
  Namespace,
  Numeral,
  nameOfType,
  type Slices,
  toNumber,
  toStr,
  type Value,
  whole,
} from './value.js'

/** How a body ended: at its end, or at a loop control. */
type Ending = 'end' | 'break' | 'continue'

/** Carries out a template, tree walking, and pays for each step. What takes long is done in slices. */
export class Interpreter {
  readonly #budget: Budget

  constructor(budget: Budget) {
    this.#budget = budget
  }

  /** The text a template makes. */
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

  *#execute(statement: Statement, scope: Scope, out: TextBuilder): Slices<Ending> {
    switch (statement.kind) {
      case 'text':
        this.#write(statement.text, out)
        return 'end'
      case 'write':
        this.#write(toStr(yield* this.#value(statement.value, scope)), out)
        return 'end'
      case 'if':
        for (const { condition, body } of statement.branches)
          if (isTrue(this.#evaluate(condition, scope))) return yield* this.#run(body, scope, out)
        return yield* this.#run(statement.otherwise, scope, out)
      case 'for':
        yield* this.#loop(statement, this.#evaluate(statement.over, scope), scope, out, 0)
        return 'end'
      case 'set':
        this.#assign(statement.target, yield* this.#value(statement.value, scope), scope)
        return 'end'
      case 'set-block': {
        const text = yield* this.#caught(statement.body, new Scope(scope))
        this.#assign(statement.target, this.#filtered(text, statement.filters, scope), scope)
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
        this.#write(toStr(this.#filtered(text, statement.filters, scope)), out)
        return 'end'
      }
      case 'with': {
        const inner = new Scope(scope)
        for (const [target, value] of statement.values) this.#assign(target, this.#evaluate(value, scope), inner)
        return yield* this.#run(statement.body, inner, out)
      }
      case 'block':
        return yield* this.#run(statement.body, scope, out)
      case 'do':
        this.#evaluate(statement.value, scope)
        return 'end'
      default:
        return statement.kind
    }
  }

  /** The value of an expression; macros that it consists of are run in slices. */
  *#value(expression: Expression, scope: Scope): Slices<Value> {
    if (expression.kind !== 'call') return this.#evaluate(expression, scope)
    const { target, given } = this.#called(expression, scope)
    const made = target.slices ? yield* target.slices(given) : target.call(given)
    this.#pay(made)
    return made
  }

  #write(text: Str, out: TextBuilder): void {
    this.#budget.spend(text.length / 8)
    out.add(text)
  }

  #filtered(value: Value, list: readonly { name: string; args: Arguments }[], scope: Scope): Value {
    return list.reduce((text, { name, args }) => this.#filter(name, text, this.#given(args, scope)), value)
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
    if (condition)
      items = items.filter((item) => {
        const inner = new Scope(scope)
        this.#assign(target, item, inner)
        return isTrue(this.#evaluate(condition, inner))
      })
    if (items.length === 0) {
      yield* this.#run(statement.otherwise, scope, out)
      return
    }
    let i = 0
    let changedFrom: Value[] | undefined
    const again = ({ positional }: Given): Value => {
      const text = new TextBuilder()
      this.#budget.enter()
      whole(this.#loop(statement, positional[0], scope, text, depth + 1))
      this.#budget.leave()
      return text.done()
    }
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
    const loop = new Callable('loop', again, { attribute })
    for (; i < items.length; i++) {
      const inner = new Scope(scope)
      inner.set('loop', loop)
      this.#assign(target, items[i], inner)
      if ((yield* this.#run(body, inner, out)) === 'break') return
    }
  }

  #macro(name: string, parameters: readonly Parameter[], body: readonly Statement[], scope: Scope): Callable {
    const names = new Set(parameters.map((parameter) => parameter.name))
    const slices = ({ positional, named }: Given): Slices<Value> => {
      const inner = new Scope(scope)
      for (const [i, parameter] of parameters.entries()) {
        let value = i < positional.length ? positional[i] : named.get(parameter.name)
        if (value === undefined && parameter.default) value = this.#evaluate(parameter.default, inner)
        inner.set(parameter.name, value)
      }
      inner.set('varargs', positional.slice(parameters.length))
      const rest = new Dict()
      for (const [key, value] of named) if (!names.has(key)) rest.set(key, value)
      inner.set('kwargs', rest)
      if (named.has('caller')) inner.set('caller', named.get('caller'))
      return this.#caught(body, inner)
    }
    return new Callable(name, (given) => whole(slices(given)), { slices })
  }

  #assign(target: Target, value: Value, scope: Scope): void {
    if (target.kind === 'name') scope.set(target.name, value)
    else if (target.kind === 'several') {
      const values = itemsOf(value)
      if (values.length !== target.targets.length)
        throw new JinjaError('render', `expected ${target.targets.length} values to unpack, got ${values.length}`)
      for (const [i, inner] of target.targets.entries()) this.#assign(inner, values[i], scope)
    } else {
      const of = this.#evaluate(target.of, scope)
      const key = target.kind === 'attribute' ? target.name : this.#evaluate(target.key, scope)
      if (of instanceof Namespace) of.attributes.set(plain(toStr(key)), value)
      else if (of instanceof Dict) of.set(key, value)
      else throw new JinjaError('render', `an attribute of ${nameOfType(of)} cannot be set`)
    }
  }

  #evaluate(expression: Expression, scope: Scope): Value {
    this.#budget.spend(1)
    switch (expression.kind) {
      case 'literal':
        return expression.value
      case 'float':
        return new Numeral(expression.value)
      case 'name':
        return scope.get(expression.name)
      case 'list':
        return expression.items.map((item) => this.#evaluate(item, scope))
      case 'dict': {
        const dict = new Dict()
        for (const [key, value] of expression.entries)
          dict.set(this.#evaluate(key, scope), this.#evaluate(value, scope))
        return dict
      }
      case 'attribute':
        return this.#attribute(this.#evaluate(expression.of, scope), expression.name)
      case 'item':
        return this.#item(this.#evaluate(expression.of, scope), this.#evaluate(expression.key, scope))
      case 'slice':
        return this.#slice(expression, scope)
      case 'call':
        return this.#call(expression, scope)
      case 'filter':
        return this.#filter(
          expression.name,
          this.#evaluate(expression.value, scope),
          this.#given(expression.args, scope),
        )
      case 'test': {
        const value = this.#evaluate(expression.value, scope)
        return (
          testNamed(expression.name)(value, ...this.#given(expression.args, scope).positional) !== expression.negated
        )
      }
      case 'unary': {
        const value = this.#evaluate(expression.value, scope)
        if (expression.operator === 'not') return !isTrue(value)
        return fromNumber(expression.operator === '-' ? -toNumber(value) : toNumber(value), isFloat(value))
      }
      case 'binary':
        return this.#binary(expression, scope)
      case 'choice':
        if (isTrue(this.#evaluate(expression.condition, scope))) return this.#evaluate(expression.yes, scope)
        return expression.no && this.#evaluate(expression.no, scope)
    }
  }

  #filter(name: string, value: Value, given: Given): Value {
    this.#budget.spend(isStr(value) ? value.length / 8 : Array.isArray(value) ? value.length : 1)
    const made = filterNamed(name)(value, given.positional, given)
    this.#pay(made)
    return made
  }

  /** Pays for what was made: values may grow with every step, and steps are not all that costs. */
  #pay(value: Value): void {
    if (isStr(value)) this.#budget.spend(value.length / 8)
    else if (Array.isArray(value)) this.#budget.spend(value.length)
  }

  /** A key of a dictionary, or a method; `items` is the method even of a dictionary with such a key, as a call says. */
  #attribute(of: Value, name: string): Value {
    if (of instanceof Dict) return of.has(name) ? of.get(name) : methodOf(of, name)
    if (of instanceof Namespace) return of.attributes.get(name)
    if (of instanceof Callable) {
      return of.attribute?.(name)
    }
    // As in llama.cpp; Python's Jinja would refuse what many schemas leave out.
    if (of === undefined) return undefined
    return methodOf(of, name)
  }

  #item(of: Value, key: Value): Value {
    if (key === undefined) return undefined
    if (of instanceof Dict) return of.has(key) ? of.get(key) : undefined
    if (Array.isArray(of) || isStr(of)) {
      if (isNumber(key)) {
        const list = itemsOf(of)
        const at = toNumber(key)
        return list[at < 0 ? list.length + at : at]
      }
      return methodOf(of, plain(toStr(key)))
    }
    return this.#attribute(of, plain(toStr(key)))
  }

  #slice({ of, start, stop, step }: Expression & { kind: 'slice' }, scope: Scope): Value {
    const value = this.#evaluate(of, scope)
    const bound = (part: Expression | undefined) => {
      const given = part && this.#evaluate(part, scope)
      return given === undefined || given === null ? undefined : toNumber(given)
    }
    const from = bound(start)
    const to = bound(stop)
    const by = bound(step) ?? 1
    if (by === 0) throw new JinjaError('render', 'a slice with step zero')
    if (isStr(value) && by === 1 && !/[\ud800-\udfff]/.test(plain(value))) {
      const { length } = plain(value)
      const at = (n: number) => Math.min(length, n < 0 ? Math.max(0, length + n) : n)
      return slice(value, at(from ?? 0), at(to ?? length))
    }
    const list = itemsOf(value)
    const { length } = list
    const at = (n: number, low: number, high: number) => Math.max(low, Math.min(high, n < 0 ? length + n : n))
    const out: Value[] = []
    if (by > 0) for (let i = at(from ?? 0, 0, length); i < at(to ?? length, 0, length); i += by) out.push(list[i])
    else {
      const end = to === undefined ? -1 : at(to, -1, length - 1)
      for (let i = at(from ?? length - 1, -1, length - 1); i > end; i += by) out.push(list[i])
    }
    return isStr(value) ? concat(...(out as Str[])) : out
  }

  #given(args: Arguments, scope: Scope): Given {
    const positional = args.positional.map((value) => this.#evaluate(value, scope))
    const named = new Map(args.named.map(([name, value]) => [name, this.#evaluate(value, scope)]))
    if (args.spread) positional.push(...itemsOf(this.#evaluate(args.spread, scope)))
    const more = args.spreadNamed && this.#evaluate(args.spreadNamed, scope)
    if (more instanceof Dict) for (const { key, value } of more.entries.values()) named.set(plain(toStr(key)), value)
    return { positional, named }
  }

  #call(expression: Expression & { kind: 'call' }, scope: Scope): Value {
    const { target, given } = this.#called(expression, scope)
    const made = target.call(given)
    this.#pay(made)
    return made
  }

  /** The function of a call, and what it is given. */
  #called({ callee, args }: Expression & { kind: 'call' }, scope: Scope): { target: Callable; given: Given } {
    let target: Value
    if (callee.kind === 'attribute') {
      // `message.items()` is the method even where the dictionary has a key of that name.
      const of = this.#evaluate(callee.of, scope)
      const read = this.#attribute(of, callee.name)
      target = of instanceof Dict && !(read instanceof Callable) ? (methodOf(of, callee.name) ?? read) : read
      if (target === undefined) throw new JinjaError('render', `${nameOfType(of)} has no method '${callee.name}'`)
      if (isStr(of)) this.#budget.spend(of.length / 8)
    } else {
      target = this.#evaluate(callee, scope)
      if (target === undefined && callee.kind === 'name' && Object.hasOwn(filters, callee.name))
        target = filterAsCallable(callee.name)
    }
    if (!(target instanceof Callable))
      throw new JinjaError('render', `${spelled(callee)} is ${nameOfType(target)}, not a function`)
    const given = this.#given(args, scope)
    const caller = scope.get('caller')
    if (caller !== undefined && !given.named.has('caller') && callee.kind === 'name' && callee.name !== 'caller')
      given.named.set('caller', caller)
    return { target, given }
  }

  #binary({ operator, left, right }: Expression & { kind: 'binary' }, scope: Scope): Value {
    const a = this.#evaluate(left, scope)
    if (operator === 'and') return isTrue(a) ? this.#evaluate(right, scope) : a
    if (operator === 'or') return isTrue(a) ? a : this.#evaluate(right, scope)
    const b = this.#evaluate(right, scope)
    switch (operator) {
      case '==':
        return equals(a, b)
      case '!=':
        return !equals(a, b)
      case '<':
        return compare(a, b) < 0
      case '<=':
        return compare(a, b) <= 0
      case '>':
        return compare(a, b) > 0
      case '>=':
        return compare(a, b) >= 0
      case 'in':
        return contains(b, a)
      case 'not in':
        return !contains(b, a)
      case '~':
        return this.#joined(toStr(a), toStr(b))
    }
    if (operator === '+') {
      if (isStr(a) && isStr(b)) return this.#joined(a, b)
      if (Array.isArray(a) && Array.isArray(b)) {
        this.#budget.spend(a.length + b.length)
        return [...a, ...b]
      }
      // Templates add what may not be there to a text; jinja2 refuses that for None, and so do we.
      if (isStr(a) && b === undefined) return a
      if (a === undefined && isStr(b)) return b
    }
    if (operator === '%' && isStr(a)) return percentFormatted(a, Array.isArray(b) ? b : [b])
    if (operator === '*' && (isStr(a) || Array.isArray(a)) && isNumber(b)) return this.#repeated(a, toNumber(b))
    if (operator === '*' && (isStr(b) || Array.isArray(b)) && isNumber(a)) return this.#repeated(b, toNumber(a))
    if (!isNumber(a) || !isNumber(b))
      throw new JinjaError('render', `${nameOfType(a)} ${operator} ${nameOfType(b)} cannot be computed`)
    return arithmetic(operator, a, b)
  }

  #joined(a: Str, b: Str): Str {
    this.#budget.spend((a.length + b.length) / 8)
    return concat(a, b)
  }

  #repeated(value: Str | Value[], times: number): Value {
    const n = Math.max(0, times)
    this.#budget.spend(value.length * n)
    return Array.isArray(value)
      ? Array.from({ length: n }, () => value).flat()
      : concat(...Array.from({ length: n }, () => value))
  }
}

function arithmetic(operator: string, left: Value, right: Value): Value {
  const a = toNumber(left)
  const b = toNumber(right)
  const float = isFloat(left) || isFloat(right)
  if (b === 0 && ['/', '//', '%'].includes(operator)) throw new JinjaError('render', 'division by zero')
  switch (operator) {
    case '+':
      return fromNumber(a + b, float)
    case '-':
      return fromNumber(a - b, float)
    case '*':
      return fromNumber(a * b, float)
    case '/':
      return new Numeral(a / b)
    case '//':
      return fromNumber(Math.floor(a / b), float)
    case '%':
      return fromNumber(a - b * Math.floor(a / b), float)
    default:
      return fromNumber(a ** b, float || b < 0)
  }
}

/** An expression as the template's author wrote it, roughly. */
function spelled(expression: Expression): string {
  if (expression.kind === 'name') return `'${expression.name}'`
  if (expression.kind === 'attribute') return `'${spelled(expression.of).replaceAll("'", '')}.${expression.name}'`
  if (expression.kind === 'item') return `'${spelled(expression.of).replaceAll("'", '')}[…]'`
  return 'a value'
}
