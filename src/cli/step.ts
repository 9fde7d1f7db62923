// What one forward yielded, written to the terminal.

import type { GenerationStep } from '../decode/generation.js'
import type { Palette, Terminal } from './terminal.js'

/**
 * Writes what one forward yielded: content to stdout, drafted words in the palette's colour; thoughts and calls to stderr
 * if a person watches, so that a pipe gets only the answer.
 */
export function writeStep({ text, deltas, pieces }: GenerationStep, terminal: Terminal, paint: Palette): void {
  if (pieces.map((piece) => piece.text).join('') === text) {
    for (const piece of pieces) terminal.out(piece.source === 'model' ? piece.text : paint.drafted(piece.text))
    return
  }
  for (const delta of deltas ?? [{ type: 'content', text } as const])
    if (delta.type === 'content') terminal.out(delta.text)
    else if (terminal.watched) terminal.err(paint.dim(delta.type === 'call' ? `\n${delta.name} ` : delta.text))
}
