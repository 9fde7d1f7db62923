// The timing of forwards of given sizes at given positions.

import type { Decoder } from '../decode/decoder.js'

/** Most tokens of a forward that fills a cache. */
const mostFilled = 256

/**
 * Milliseconds of a forward of `rows` tokens behind `position` others; leaves no cells behind.
 *
 * @param outputs rows whose logits are asked for, counted from the last. Default: all, as verification needs them
 */
export async function timeForward(decoder: Decoder, rows: number, position: number, outputs = rows): Promise<number> {
  const { batch } = decoder
  batch.clear()
  for (let row = 0; row < rows; row++)
    batch.addSequence(batch.add(tokenAt(decoder, position + row), position + row, row >= rows - outputs), 0)
  const began = performance.now()
  await decoder.decode()
  const ms = performance.now() - began
  decoder.removePositions(0, position, -1)
  return ms
}

/** Fills an empty KV cache with this many tokens. */
export async function fillCache(decoder: Decoder, length: number): Promise<void> {
  const { batch } = decoder
  for (let position = 0; position < length; ) {
    batch.clear()
    const end = Math.min(length, position + Math.min(mostFilled, batch.capacity))
    for (; position < end; position++)
      batch.addSequence(batch.add(tokenAt(decoder, position), position, position === length - 1), 0)
    await decoder.decode()
  }
}

/** Tokens that differ; which ones does not matter. */
function tokenAt(decoder: Decoder, position: number): number {
  return (position * 31) % decoder.vocabularySize
}

/** The lower quartile of several timings: what else the machine does only ever makes a forward slower. */
export function undisturbed(timesMs: readonly number[]): number {
  return timesMs.toSorted((a, b) => a - b)[timesMs.length >> 2]
}

/** The median of several timings; 0 of none. */
export function median(timesMs: readonly number[]): number {
  return timesMs.length === 0 ? 0 : timesMs.toSorted((a, b) => a - b)[timesMs.length >> 1]
}
