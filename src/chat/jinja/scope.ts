// Names and what they mean.

import type { Value } from './value.js'

/** Names and what they mean, within a loop, a macro or the whole template. */
export class Scope {
  readonly #names = new Map<string, Value>()
  readonly #outer: Scope | undefined

  constructor(outer?: Scope) {
    this.#outer = outer
  }

  get(name: string): Value {
    for (let scope: Scope | undefined = this; scope; scope = scope.#outer)
      if (scope.#names.has(name)) return scope.#names.get(name)
    return undefined
  }

  set(name: string, value: Value): void {
    this.#names.set(name, value)
  }
}
