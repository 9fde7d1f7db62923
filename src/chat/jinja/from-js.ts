// Values of JavaScript as values of templates.

import { JinjaError } from './error.js'
import { parseJson } from './json.js'
import { Text } from './text.js'
import { Callable, Dict, Numeral, type Value } from './value.js'

/** JSON whose numbers stay as they are written, as a value for `fromJs`. */
export class RawJson {
  readonly text: string
  constructor(text: string) {
    this.text = text
  }
}

/**
 * A JavaScript value as templates see it. Each string gets the mark `originOf` gives it: a number of the caller's, 0
 * for none.
 *
 * @param originOf asked with the path to each string, object keys included (they come with `isKey`)
 */
export function fromJs(
  value: unknown,
  originOf: (path: readonly (string | number)[], text: string, isKey: boolean) => number = () => 0,
): Value {
  const path: (string | number)[] = []
  const convert = (entry: unknown): Value => {
    if (path.length > 200) throw new JinjaError('budget', 'a value is nested too deeply')
    if (typeof entry === 'string') {
      const origin = entry === '' ? 0 : originOf(path, entry, false)
      return origin === 0 ? entry : new Text(entry, [0, entry.length, origin])
    }
    if (typeof entry === 'number') return Number.isSafeInteger(entry) ? entry : new Numeral(entry)
    if (typeof entry === 'bigint') return new Numeral(Number(entry), String(entry))
    if (entry === undefined || entry === null || typeof entry === 'boolean') return entry
    if (Array.isArray(entry))
      return entry.map((item, i) => {
        path.push(i)
        const converted = convert(item)
        path.pop()
        return converted
      })
    if (entry instanceof Numeral || entry instanceof Dict || entry instanceof Callable || entry instanceof Text)
      return entry
    if (entry instanceof RawJson) return parseJson(entry.text, (text, isKey) => originOf(path, text, isKey))
    if (typeof entry === 'object') {
      const dict = new Dict()
      for (const [key, item] of Object.entries(entry)) {
        path.push(key)
        const origin = originOf(path, key, true)
        dict.set(origin === 0 || key === '' ? key : new Text(key, [0, key.length, origin]), convert(item))
        path.pop()
      }
      return dict
    }
    throw new JinjaError('render', `${typeof entry} cannot be given to a template`)
  }
  return convert(value)
}
