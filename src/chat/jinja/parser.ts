// Words as statements and expressions.

import { JinjaError } from './error.js'
import { type Token, tokenize } from './lexer.js'
import type { Arguments, Expression, Parameter, Statement, Target } from './syntax.js'

/** Reads a template. @throws JinjaError `syntax` */
export function parseTemplate(source: string): Statement[] {
  return new Parser(tokenize(source)).template()
}

/** Deepest nesting of expressions and statements. */
const mostDepth = 200

class Parser {
  readonly #tokens: Token[]
  #at = 0
  #depth = 0

  constructor(tokens: Token[]) {
    this.#tokens = tokens
  }

  template(): Statement[] {
    const body = this.#body([])
    if (this.#peek().kind !== 'end') throw this.#unexpected('the end of the template')
    return body
  }

  #peek(ahead = 0): Token {
    return this.#tokens[Math.min(this.#at + ahead, this.#tokens.length - 1)]
  }

  #next(): Token {
    return this.#tokens[Math.min(this.#at++, this.#tokens.length - 1)]
  }

  #is(kind: Token['kind'], value?: string, ahead = 0): boolean {
    const token = this.#peek(ahead)
    return token.kind === kind && (value === undefined || token.value === value)
  }

  #take(kind: Token['kind'], value?: string): boolean {
    if (!this.#is(kind, value)) return false
    this.#at++
    return true
  }

  #expect(kind: Token['kind'], value?: string): Token {
    if (!this.#is(kind, value)) throw this.#unexpected(value ?? kind.replace('-', ' '))
    return this.#next()
  }

  #unexpected(wanted: string): JinjaError {
    const { kind, value, at } = this.#peek()
    return new JinjaError(
      'syntax',
      `expected ${wanted}, got ${value === '' ? kind : JSON.stringify(value.slice(0, 40))} at character ${at}`,
    )
  }

  #nested<T>(read: () => T): T {
    if (++this.#depth > mostDepth) throw new JinjaError('syntax', 'the template is nested too deeply')
    const value = read()
    this.#depth--
    return value
  }

  /** Statements up to one of `endings`, which is left standing. */
  #body(endings: string[]): Statement[] {
    return this.#nested(() => {
      const body: Statement[] = []
      while (!this.#is('end')) {
        const token = this.#peek()
        if (token.kind === 'text') {
          this.#next()
          body.push({ kind: 'text', text: token.value })
        } else if (this.#take('open-expression')) {
          body.push({ kind: 'write', value: this.#tuple() })
          this.#expect('close-expression')
        } else {
          if (this.#is('name', undefined, 1) && endings.includes(this.#peek(1).value)) return body
          this.#expect('open-statement')
          const statement = this.#statement()
          if (statement) body.push(statement)
        }
      }
      if (endings.length > 0) throw this.#unexpected(endings.join(' or '))
      return body
    })
  }

  #close(): void {
    this.#expect('close-statement')
  }

  /** Takes `{% name %}`. */
  #ending(name: string): void {
    this.#expect('open-statement')
    this.#expect('name', name)
    this.#close()
  }

  #statement(): Statement | undefined {
    const { value: word } = this.#expect('name')
    switch (word) {
      case 'if':
        return this.#if()
      case 'for':
        return this.#for()
      case 'set':
        return this.#set()
      case 'macro': {
        const name = this.#expect('name').value
        const parameters = this.#parameters()
        return { kind: 'macro', name, parameters, body: this.#block('endmacro', name) }
      }
      case 'call': {
        const parameters = this.#is('operator', '(') ? this.#parameters() : []
        const call = this.#expression()
        return { kind: 'call-block', parameters, call, body: this.#block('endcall') }
      }
      case 'filter': {
        const filters = [this.#filter()]
        while (this.#take('operator', '|')) filters.push(this.#filter())
        return { kind: 'filter-block', filters, body: this.#block('endfilter') }
      }
      case 'with': {
        const values: [Target, Expression][] = []
        while (!this.#is('close-statement')) {
          const target = this.#target()
          this.#expect('operator', '=')
          values.push([target, this.#expression()])
          this.#take('operator', ',')
        }
        return { kind: 'with', values, body: this.#block('endwith') }
      }
      case 'generation':
        return { kind: 'block', body: this.#block('endgeneration') }
      case 'block': {
        const name = this.#expect('name').value
        return { kind: 'block', body: this.#block('endblock', name) }
      }
      case 'autoescape':
        this.#expression()
        return { kind: 'block', body: this.#block('endautoescape') }
      case 'do': {
        const value = this.#tuple()
        this.#close()
        return { kind: 'do', value }
      }
      case 'break':
      case 'continue':
        this.#close()
        return { kind: word }
      default:
        throw new JinjaError('syntax', `unknown statement '${word}'`)
    }
  }

  /** The rest of an opening tag, a body, and its ending. */
  #block(ending: string, name?: string): Statement[] {
    this.#close()
    const body = this.#body([ending])
    this.#expect('open-statement')
    this.#expect('name', ending)
    if (name !== undefined) this.#take('name', name)
    this.#close()
    return body
  }

  #if(): Statement {
    const branches: { condition: Expression; body: Statement[] }[] = []
    let otherwise: Statement[] = []
    const condition = this.#expression()
    this.#close()
    branches.push({ condition, body: this.#body(['elif', 'else', 'endif']) })
    while (this.#is('name', 'elif', 1)) {
      this.#at += 2
      const next = this.#expression()
      this.#close()
      branches.push({ condition: next, body: this.#body(['elif', 'else', 'endif']) })
    }
    if (this.#is('name', 'else', 1)) {
      this.#ending('else')
      otherwise = this.#body(['endif'])
    }
    this.#ending('endif')
    return { kind: 'if', branches, otherwise }
  }

  #for(): Statement {
    const target = this.#targets()
    this.#expect('name', 'in')
    const over = this.#tuple(false)
    const condition = this.#take('name', 'if') ? this.#expression() : undefined
    const recursive = this.#take('name', 'recursive')
    this.#close()
    const body = this.#body(['else', 'endfor'])
    let otherwise: Statement[] = []
    if (this.#is('name', 'else', 1)) {
      this.#ending('else')
      otherwise = this.#body(['endfor'])
    }
    this.#ending('endfor')
    return { kind: 'for', target, over, ...(condition && { condition }), body, otherwise, recursive }
  }

  #set(): Statement {
    const target = this.#targets()
    if (this.#take('operator', '=')) {
      const value = this.#tuple()
      this.#close()
      return { kind: 'set', target, value }
    }
    const filters: { name: string; args: Arguments }[] = []
    while (this.#take('operator', '|')) filters.push(this.#filter())
    return { kind: 'set-block', target, filters, body: this.#block('endset') }
  }

  /** One target, or several with commas between them. */
  #targets(): Target {
    const targets = [this.#target()]
    let several = false
    while (this.#take('operator', ',')) {
      several = true
      if (this.#is('operator', '=') || this.#is('name', 'in')) break
      targets.push(this.#target())
    }
    return several ? { kind: 'several', targets } : targets[0]
  }

  #target(): Target {
    if (this.#take('operator', '(')) {
      const inner = this.#targets()
      this.#expect('operator', ')')
      return inner
    }
    let value: Expression = { kind: 'name', name: this.#expect('name').value }
    while (true) {
      if (this.#take('operator', '.')) value = { kind: 'attribute', of: value, name: this.#expect('name').value }
      else if (this.#take('operator', '[')) {
        value = { kind: 'item', of: value, key: this.#expression() }
        this.#expect('operator', ']')
      } else return value as Target
    }
  }

  #parameters(): Parameter[] {
    const parameters: Parameter[] = []
    this.#expect('operator', '(')
    while (!this.#take('operator', ')')) {
      const name = this.#expect('name').value
      parameters.push(this.#take('operator', '=') ? { name, default: this.#expression() } : { name })
      if (!this.#is('operator', ')')) this.#expect('operator', ',')
    }
    return parameters
  }

  /** An expression, or several with commas between them. */
  #tuple(withChoice = true): Expression {
    const read = () => (withChoice ? this.#expression() : this.#or())
    const first = read()
    if (!this.#is('operator', ',')) return first
    const items = [first]
    while (this.#take('operator', ',')) {
      if (this.#is('close-expression') || this.#is('close-statement') || this.#is('operator', ')')) break
      items.push(read())
    }
    return { kind: 'list', items }
  }

  #expression(): Expression {
    return this.#nested(() => {
      let value = this.#or()
      while (this.#take('name', 'if')) {
        const condition = this.#or()
        const no = this.#take('name', 'else') ? this.#expression() : undefined
        value = { kind: 'choice', condition, yes: value, ...(no && { no }) }
      }
      return value
    })
  }

  #or(): Expression {
    let left = this.#and()
    while (this.#take('name', 'or')) left = { kind: 'binary', operator: 'or', left, right: this.#and() }
    return left
  }

  #and(): Expression {
    let left = this.#not()
    while (this.#take('name', 'and')) left = { kind: 'binary', operator: 'and', left, right: this.#not() }
    return left
  }

  #not(): Expression {
    if (!this.#is('name', 'not')) return this.#comparison()
    return this.#nested(() => {
      this.#next()
      return { kind: 'unary', operator: 'not', value: this.#not() }
    })
  }

  /** Comparisons chain: `a < b < c` means both. */
  #comparison(): Expression {
    let left = this.#sum()
    let chain: Expression | undefined
    while (true) {
      let operator: string
      if (this.#is('operator') && ['==', '!=', '<', '>', '<=', '>='].includes(this.#peek().value))
        operator = this.#next().value
      else if (this.#is('name', 'in')) operator = this.#next().value
      else if (this.#is('name', 'not') && this.#is('name', 'in', 1)) {
        this.#at += 2
        operator = 'not in'
      } else return chain ?? left
      const right = this.#sum()
      const link: Expression = { kind: 'binary', operator, left, right }
      chain = chain ? { kind: 'binary', operator: 'and', left: chain, right: link } : link
      left = right
    }
  }

  #sum(): Expression {
    let left = this.#joined()
    while (this.#is('operator', '+') || this.#is('operator', '-'))
      left = { kind: 'binary', operator: this.#next().value, left, right: this.#joined() }
    return left
  }

  #joined(): Expression {
    let left = this.#product()
    while (this.#take('operator', '~')) left = { kind: 'binary', operator: '~', left, right: this.#product() }
    return left
  }

  #product(): Expression {
    let left = this.#unary()
    while (this.#is('operator') && ['*', '/', '//', '%'].includes(this.#peek().value))
      left = { kind: 'binary', operator: this.#next().value, left, right: this.#unary() }
    return left
  }

  #unary(withFilters = true): Expression {
    return this.#nested(() => {
      let value: Expression
      if (this.#is('operator', '-') || this.#is('operator', '+')) {
        const operator = this.#next().value as '-' | '+'
        value = { kind: 'unary', operator, value: this.#unary(false) }
      } else value = this.#power()
      return withFilters ? this.#filtersAndTests(value) : value
    })
  }

  #power(): Expression {
    const left = this.#postfix(this.#primary())
    return this.#take('operator', '**') ? { kind: 'binary', operator: '**', left, right: this.#unary(false) } : left
  }

  #filtersAndTests(value: Expression): Expression {
    let out = value
    while (true) {
      if (this.#take('operator', '|')) {
        const { name, args } = this.#filter()
        out = this.#postfix({ kind: 'filter', value: out, name, args })
      } else if (this.#take('name', 'is')) {
        const negated = this.#take('name', 'not')
        out = { kind: 'test', value: out, ...this.#test(), negated }
      } else return out
    }
  }

  #filter(): { name: string; args: Arguments } {
    let name = this.#expect('name').value
    while (this.#take('operator', '.')) name += `.${this.#expect('name').value}`
    return { name, args: this.#is('operator', '(') ? this.#arguments() : { positional: [], named: [] } }
  }

  /** A test takes its argument in brackets or, if it is one simple value, without. */
  #test(): { name: string; args: Arguments } {
    const name = this.#is('name') ? this.#next().value : this.#expect('name').value
    if (this.#is('operator', '(')) return { name, args: this.#arguments() }
    const word = this.#peek()
    const isValue =
      word.kind === 'string' ||
      word.kind === 'integer' ||
      word.kind === 'float' ||
      (word.kind === 'operator' && (word.value === '[' || word.value === '{')) ||
      (word.kind === 'name' && !['else', 'and', 'or', 'if', 'is', 'not', 'in', 'recursive'].includes(word.value))
    return { name, args: { positional: isValue ? [this.#postfix(this.#primary())] : [], named: [] } }
  }

  #postfix(value: Expression): Expression {
    let out = value
    while (true) {
      if (this.#take('operator', '.')) {
        const name = this.#is('integer') ? this.#next() : this.#expect('name')
        out =
          name.kind === 'integer'
            ? { kind: 'item', of: out, key: { kind: 'literal', value: Number(name.value) } }
            : { kind: 'attribute', of: out, name: name.value }
      } else if (this.#take('operator', '[')) out = this.#subscript(out)
      else if (this.#is('operator', '(')) out = { kind: 'call', callee: out, args: this.#arguments() }
      else return out
    }
  }

  #subscript(of: Expression): Expression {
    const part = () => (this.#is('operator', ':') || this.#is('operator', ']') ? undefined : this.#tuple())
    const start = part()
    if (!this.#is('operator', ':')) {
      this.#expect('operator', ']')
      if (start === undefined) throw this.#unexpected('a key')
      return { kind: 'item', of, key: start }
    }
    this.#next()
    const stop = part()
    const step = this.#take('operator', ':') ? part() : undefined
    this.#expect('operator', ']')
    return { kind: 'slice', of, ...(start && { start }), ...(stop && { stop }), ...(step && { step }) }
  }

  #arguments(): Arguments {
    const args: Arguments = { positional: [], named: [] }
    this.#expect('operator', '(')
    while (!this.#take('operator', ')')) {
      if (this.#take('operator', '*')) args.spread = this.#expression()
      else if (this.#take('operator', '**')) args.spreadNamed = this.#expression()
      else if (this.#is('name') && this.#is('operator', '=', 1)) {
        const { value: name } = this.#next()
        this.#next()
        args.named.push([name, this.#expression()])
      } else args.positional.push(this.#expression())
      if (!this.#is('operator', ')')) this.#expect('operator', ',')
    }
    return args
  }

  #primary(): Expression {
    const token = this.#next()
    if (token.kind === 'integer') return { kind: 'literal', value: Number(token.value) }
    if (token.kind === 'float') return { kind: 'float', value: Number(token.value) }
    if (token.kind === 'string') {
      let { value } = token
      while (this.#is('string')) value += this.#next().value
      return { kind: 'literal', value }
    }
    if (token.kind === 'name') {
      if (token.value === 'true' || token.value === 'True') return { kind: 'literal', value: true }
      if (token.value === 'false' || token.value === 'False') return { kind: 'literal', value: false }
      if (token.value === 'none' || token.value === 'None') return { kind: 'literal', value: null }
      return { kind: 'name', name: token.value }
    }
    if (token.kind === 'operator' && token.value === '(') {
      if (this.#take('operator', ')')) return { kind: 'list', items: [] }
      const inner = this.#tuple()
      this.#expect('operator', ')')
      return inner
    }
    if (token.kind === 'operator' && token.value === '[') {
      const items: Expression[] = []
      while (!this.#take('operator', ']')) {
        items.push(this.#expression())
        if (!this.#is('operator', ']')) this.#expect('operator', ',')
      }
      return { kind: 'list', items }
    }
    if (token.kind === 'operator' && token.value === '{') {
      const entries: [Expression, Expression][] = []
      while (!this.#take('operator', '}')) {
        const key = this.#expression()
        this.#expect('operator', ':')
        entries.push([key, this.#expression()])
        if (!this.#is('operator', '}')) this.#expect('operator', ',')
      }
      return { kind: 'dict', entries }
    }
    this.#at--
    throw this.#unexpected('a value')
  }
}
