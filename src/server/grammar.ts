import { badRequest } from './errors.js'

/** A grammar is read and run by native code; these bounds keep one request from stalling all. */
const mostBytes = 65_536
const mostNesting = 64
const mostRepetitions = 2000

/**
 * Refuses grammars that llama.cpp's reader could choke on: very long ones, deeply nested ones, huge repetitions.
 *
 * @throws ApiError 400
 */
export function checkGrammar(grammar: string, param = 'grammar'): string {
  const bytes = Buffer.byteLength(grammar)
  if (bytes > mostBytes)
    throw badRequest(`${param}: ${bytes} bytes are more than ${mostBytes}, the most this server reads`, param)
  if (grammar.includes('\0')) throw badRequest(`${param}: a NUL character is not allowed`, param)
  const bare = grammar.replace(/"(?:[^"\\\n]|\\.)*"|\[(?:[^\]\\\n]|\\.)*\]|#[^\n]*/g, ' ')
  let depth = 0
  for (const character of bare) {
    if (character === '(') depth++
    else if (character === ')') depth--
    if (depth > mostNesting)
      throw badRequest(`${param}: parentheses are nested deeper than ${mostNesting} levels`, param)
  }
  for (const [text, a, b] of bare.matchAll(/\{\s*(\d*)\s*,?\s*(\d*)\s*\}/g))
    if (Number(a) > mostRepetitions || Number(b) > mostRepetitions)
      throw badRequest(`${param}: ${text} repeats more than ${mostRepetitions} times`, param)
  return grammar
}
