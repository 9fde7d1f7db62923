// Values of JSON: whether two are the same, and sets of them.

/** Whether two values of JSON are the same; objects in any order, 1 as 1.0. */
export function isSame(a: unknown, b: unknown): boolean {
  if (a === b) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  if (Array.isArray(a) !== Array.isArray(b)) return false
  const keys = Object.keys(a)
  if (keys.length !== Object.keys(b).length) return false
  return keys.every((key) => Object.hasOwn(b, key) && isSame(a[key as keyof typeof a], b[key as keyof typeof b]))
}

/** Values of JSON, each once; objects in any order, 1 as 1.0. */
export class ValueSet {
  readonly #texts = new Set<string>()

  constructor(values: Iterable<unknown> = []) {
    for (const value of values) this.add(value)
  }

  /** @returns whether it is new */
  add(value: unknown): boolean {
    const before = this.#texts.size
    this.#texts.add(sorted(value))
    return this.#texts.size > before
  }

  has(value: unknown): boolean {
    return this.#texts.has(sorted(value))
  }
}

/** A value as JSON, names in order. */
function sorted(value: unknown): string {
  return JSON.stringify(value, (_, held: unknown) =>
    typeof held !== 'object' || held === null || Array.isArray(held)
      ? held
      : Object.fromEntries(Object.entries(held).sort(([a], [b]) => (a < b ? -1 : 1))),
  )
}
