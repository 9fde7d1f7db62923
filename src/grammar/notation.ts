// GBNF as it is written: literals, sets, repetitions, and the rules a text of it names.

import type { CharSet } from './char-set.js'

/** White space an answer may begin with: so little that a model which is unsure cannot spend its tokens on it. */
export const lead = '("" | " " | "\\n"{1,2})'

/** A GBNF string literal. */
export function literal(text: string): string {
  const escaped = text.replace(/[\\"]/g, '\\$&').replace(/\n/g, '\\n').replace(/\r/g, '\\r').replace(/\t/g, '\\t')
  return `"${escaped}"`
}

/** One character of a set, `[…]`. */
export function charactersOf(set: CharSet): string {
  let ranges = ''
  for (let i = 0; i < set.length; i += 2)
    ranges += set[i] === set[i + 1] ? escaped(set[i]) : `${escaped(set[i])}-${escaped(set[i + 1])}`
  return `[${ranges}]`
}

/** How often what stands before it comes. @param most infinite: without a bound */
export function times(least: number, most: number): string {
  return `{${least},${most === Infinity ? '' : most}}`
}

/** The names in the body of a rule. */
export function namesIn(body: string): string[] {
  return body.replace(/"(?:[^"\\]|\\.)*"|\[(?:[^\]\\]|\\.)*\]/g, ' ').match(/[a-z]+[a-z0-9-]*/g) ?? []
}

function escaped(code: number): string {
  const character = String.fromCodePoint(code)
  if (/[a-zA-Z0-9]/.test(character)) return character
  const hex = code.toString(16).toUpperCase()
  if (code < 0x100) return `\\x${hex.padStart(2, '0')}`
  return code < 0x10000 ? `\\u${hex.padStart(4, '0')}` : `\\U${hex.padStart(8, '0')}`
}
