// Forwards of given sizes over a filled cache, timed in turns.

import type { Context } from '../../src/llama/context.js'
import { median } from './statistics.js'

/** Puts `depth` tokens into an empty cache. */
export async function fillCache(context: Context, depth: number): Promise<void> {
  const { batch, vocabularySize } = context
  for (let position = 0; position < depth; ) {
    batch.clear()
    const end = Math.min(depth, position + batch.capacity)
    for (; position < end; position++)
      batch.addSequence(batch.add((position * 31) % vocabularySize, position, position === depth - 1), 0)
    await context.decode()
  }
}

/**
 * Milliseconds of one forward of `rows` tokens after `depth` others, of the same shape as the one before.
 *
 * @param outputs rows whose logits are asked for, counted from the last. Default: all
 */
export async function timeForward(context: Context, rows: number, depth: number, outputs = rows): Promise<number> {
  const { batch, vocabularySize } = context
  let ms = 0
  for (let turn = 0; turn < 2; turn++) {
    batch.clear()
    for (let row = 0; row < rows; row++)
      batch.addSequence(batch.add((row * 77 + 5) % vocabularySize, depth + row, row >= rows - outputs), 0)
    const began = performance.now()
    await context.decode()
    ms = performance.now() - began
    context.removePositions(0, depth, -1)
  }
  return ms
}

/** Medians of several forwards of each size, in turns, on each of several contexts filled to `depth`. */
export async function timeSizes(
  contexts: readonly Context[],
  sizes: readonly number[],
  depth: number,
  rounds: number,
): Promise<number[][]> {
  const times = contexts.map(() => sizes.map((): number[] => []))
  for (let round = 0; round < rounds; round++)
    for (const [c, context] of contexts.entries())
      for (const [s, rows] of sizes.entries()) times[c][s].push(await timeForward(context, rows, depth))
  return times.map((bySize) => bySize.map((list) => median(list)))
}

/** A vocabulary for recorded answers, of which only the tokens count. */
export const noText = { bytesOf: () => new Uint8Array(0), isEndOfGeneration: () => false }
