// The border to the model: what decoding needs of one, and of a sampler.

import type { Batch } from '../llama/batch.js'
import type { TellingRows } from '../llama/context.js'

/**
 * What the engine needs of a model: a KV cache and a forward. {@link Context} of the llama room is one; tests bring
 * a model that is a hash function. Calls are synchronous and cheap but for `decode`, `readCells` and `writeCells`;
 * none may run during one of these.
 */
export interface Decoder {
  readonly vocabularySize: number
  /** KV cells. */
  readonly contextTokens: number
  /** Positions that can be computed, if they end before the cells do. */
  readonly mostPositions?: number
  /** Sequence ids: 0 … maxSequences-1. */
  readonly maxSequences: number
  /** Whether cells may belong to several sequences and be taken back at will; without it drafts are chains at most. */
  readonly canBranch: boolean
  /**
   * Where memory is a state: positions that can be taken back, once after each forward of a sequence, but not all rows
   * it had there. Default 0: none, and nothing is drafted.
   */
  readonly rollback?: number
  /** Whether also all rows can. Default `false`. */
  readonly goesBackWhole?: boolean
  /** The state of a sequence, and how it is put back; `length`: tokens the sequence had then. */
  saveState?(sequence: number): Uint8Array
  loadState?(sequence: number, state: Uint8Array, length: number): void
  /** The rows of the next forward, filled by the engine. */
  readonly batch: Batch
  /** Runs the forward of `batch`. */
  decode(): Promise<void>
  /** Which rows of the forward that `batch` holds tell what the layers made of their tokens; missing: none ever does. */
  tellVectors?(rows: TellingRows): void
  /** The vectors of so many rows of the last forward, one after the other; `undefined` where not all told theirs. */
  vectorsOf?(row: number, count: number): Float32Array | undefined
  /** Computes the coming forwards with this many threads, at most those it was made with. */
  useThreads?(count: number): void
  /** Makes the cells of `source` at positions `from` … `to`-1 part of `target` too. */
  copySequence(source: number, target: number, from: number, to: number): void
  /** Takes positions `from` … `to`-1 (-1: the end) out of a sequence. */
  removePositions(sequence: number, from: number, to: number): boolean
  /** Whether rows may come to lie in cells that have left a sliding window. Default `false`. */
  readonly slides?: boolean
  /** Whether {@link readCells} and {@link writeCells} work, and new rows always go into free cells. */
  readonly canMove: boolean
  /** Gives the first sequence of an empty cache cells at positions 0 … length-1, of any content, to measure over. */
  occupy?(length: number): Promise<boolean>
  /** The cells of a sequence as bytes. */
  readCells(sequence: number): Promise<Uint8Array>
  /** Puts cells into the lowest free ones, in their order, in place of all that a sequence has. */
  writeCells(sequence: number, state: Uint8Array): Promise<void>
}

/** Most nodes of a draft: of a tree any number, of a chain what can be taken back; 0: nothing can be drafted. */
export function longestDraft({ canBranch, rollback = 0, saveState }: Decoder): number {
  if (canBranch) return Number.POSITIVE_INFINITY
  return saveState ? rollback : 0
}

/** Chooses tokens from the rows of the last forward; what it has drawn is part of its state. */
export interface TokenSampler extends Disposable {
  /** The seed in use. */
  readonly seed: number
  /** What has to be worked out before the next {@link sample} or {@link isSure}, in pieces, where that takes long. */
  prepare?(): Iterator<void> | undefined
  /** Draws the token that follows a batch row with an output, and remembers it; one of `halts` if none may. */
  sample(row: number): number
  /**
   * Whether {@link sample} would draw the same token from a batch row if any two of its logits lay up to `noise` further
   * apart or closer. Draws nothing and changes nothing. Samplers without it take every row as it is.
   */
  isSure?(row: number, noise: number): boolean
}
