// Where each token of an answer came from, for people.

import type { TokenOrigin } from '../decode/explain.js'
import type { GenerationStep } from '../decode/generation.js'
import type { Palette } from './terminal.js'

/** Most characters of a token's text. */
const shownText = 24
const shownOrigin = 32

/** Where a token came from, in words. */
function inWords({ kind, id }: TokenOrigin): string {
  switch (kind) {
    case 'model':
      return 'the model'
    case 'prompt':
      return 'own prompt'
    case 'answer':
      return 'own answer'
    case 'document':
      return id === undefined ? 'a document' : `document ${id}`
    case 'prediction':
      return 'the prediction'
    case 'request':
      return id === undefined ? 'an earlier request' : `earlier request ${id}`
    case 'sibling':
      return 'another answer'
    case 'grammar':
      return 'the grammar'
    case 'other':
      return 'a draft'
    default:
      return kind satisfies never
  }
}

/**
 * A line per token: the forward that yielded it and how many nodes that verified, where the token came from, how many
 * tokens matched before it, and how probable the draft considered it.
 *
 *     forward  nodes  token       from             match     p
 *           1      0  "The"       the model
 *           2      3  " premium"  document terms       5  0.83
 *                     " is"       document terms       6  0.91
 *                     " paid"     the model
 */
export function explainSteps(steps: readonly GenerationStep[], paint: Palette): string[] {
  const rows: { lead: string; token: string; from: string; match: string; p: string; drafted: boolean }[] = []
  let forward = 0
  for (const { pieces, drafted } of steps) {
    if (pieces.length === 0) continue
    forward++
    for (const [k, { text, source, origin, matchLength, probability }] of pieces.entries())
      rows.push({
        lead: k === 0 ? `${String(forward).padStart(7)}  ${String(drafted).padStart(5)}` : ' '.repeat(14),
        token: cut(JSON.stringify(text), shownText),
        from: cut(inWords(origin ?? { kind: 'other' }), shownOrigin),
        match: matchLength === undefined ? '' : String(matchLength),
        p: probability === undefined ? '' : probability.toFixed(2),
        drafted: source !== 'model',
      })
  }
  const tokens = Math.max(5, ...rows.map(({ token }) => token.length))
  const origins = Math.max(4, ...rows.map(({ from }) => from.length))
  const lines = [
    paint.bold(`forward  nodes  ${'token'.padEnd(tokens)}  ${'from'.padEnd(origins)}  match     p`.trimEnd()),
  ]
  for (const { lead, token, from, match, p, drafted } of rows) {
    const shown = drafted ? paint.drafted(token) : token
    const gap = ' '.repeat(tokens - token.length)
    lines.push(`${lead}  ${shown}${gap}  ${from.padEnd(origins)}  ${match.padStart(5)}  ${p.padStart(4)}`.trimEnd())
  }
  return lines
}

function cut(text: string, most: number): string {
  return text.length <= most ? text : `${text.slice(0, most - 1)}…`
}
