// A template, ready to be rendered within a budget.

import { finish, type Slices } from '../../grammar/slices.js'
import { Budget } from './budget.js'
import { JinjaError } from './error.js'
import { globals } from './globals.js'
import { Interpreter } from './interpreter.js'
import { parseTemplate } from './parser.js'
import { Scope } from './scope.js'
import type { Statement } from './syntax.js'
import type { Str } from './text.js'
import type { Value } from './value.js'

/** What one rendering may cost, and the time it takes for the present. */
export interface RenderOptions {
  budget?: Budget
  now?: Date
}

/** Longest template, in characters. */
const mostCharacters = 1 << 20

/**
 * A Jinja template as chat templates are written: jinja2 with the settings and functions of Hugging Face's
 * `apply_chat_template`, ended by a budget where it would take too long.
 *
 *     const template = new JinjaTemplate('Hello {{ name }}!')
 *     template.render({ name: marked('<b>', 1) })   // Hello <b>!  with marks [6, 9, 1]
 */
export class JinjaTemplate {
  readonly #body: Statement[]

  /** @throws JinjaError `syntax` */
  constructor(source: string) {
    if (source.length > mostCharacters)
      throw new JinjaError('syntax', `expected at most ${mostCharacters} characters, got ${source.length}`)
    try {
      this.#body = parseTemplate(source)
    } catch (error) {
      throw outOfRoom(error)
    }
  }

  /** All texts in the template itself: those it writes, and those it compares with. */
  get literals(): string[] {
    const found: string[] = []
    walk(this.#body, ({ kind, text, value }) => {
      if (kind === 'text' && typeof text === 'string') found.push(text)
      if (kind === 'literal' && typeof value === 'string') found.push(value)
    })
    return found
  }

  /** All names it refers to: variables, attributes and keys. */
  get names(): Set<string> {
    const found = new Set<string>()
    walk(this.#body, ({ kind, name, value }) => {
      if ((kind === 'name' || kind === 'attribute') && typeof name === 'string') found.add(name)
      if (kind === 'literal' && typeof value === 'string') found.add(value)
    })
    return found
  }

  /** The text that it makes of its input, with the input's marks. @throws JinjaError */
  render(input: Record<string, Value>, options: RenderOptions = {}): Str {
    return finish(this.slices(input, options))
  }

  /** The same in slices of some milliseconds. */
  *slices(input: Record<string, Value>, { budget = new Budget(), now = new Date() }: RenderOptions = {}): Slices<Str> {
    const scope = new Scope()
    for (const [name, value] of Object.entries(globals(budget, now))) scope.set(name, value)
    for (const [name, value] of Object.entries(input)) scope.set(name, value)
    try {
      return yield* new Interpreter(budget).render(this.#body, scope)
    } catch (error) {
      throw outOfRoom(error)
    }
  }
}

/** Running out of stack counts as running out of budget. */
function outOfRoom(error: unknown): unknown {
  return error instanceof RangeError ? new JinjaError('budget', 'the template needs too much room') : error
}

interface Node {
  kind?: unknown
  name?: unknown
  text?: unknown
  value?: unknown
}

function walk(node: unknown, visit: (node: Node) => void): void {
  if (typeof node !== 'object' || node === null) return
  visit(node)
  for (const child of Object.values(node)) walk(child, visit)
}
