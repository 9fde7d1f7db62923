// The context that reads prompts, where one is worth having.

import { KeptPrompts } from '../decode/kept-prompts.js'
import { blockTokens, Reader } from '../decode/reader.js'
import { CellCodec } from '../llama/cell-codec.js'
import { Context } from '../llama/context.js'

/** Rows of the reading context's forwards; the last one of a prompt takes along what is less than a block. */
const mostRows = 512 + blockTokens

/** How prompts are read and kept. */
export interface ReadingOptions {
  /** Most tokens of a prompt. */
  contextTokens: number
  /** Most bytes of prompts kept aside; 0: none is. */
  keptBytes: number
  /** Milliseconds that a token is said to take before one has been read. */
  rowMs: number
}

/**
 * Makes a reader for a context that writes: keys and values of half precision and fused attention, where ggml has a fast
 * kernel for many rows. `undefined` where cells cannot be handed over (memory that recurs, windows that slide), or where
 * the writing context has that kernel itself.
 */
export async function openReader(writer: Context, options: ReadingOptions): Promise<Reader | undefined> {
  if (!writer.canMove || !writer.canBranch || !writer.isFused) return undefined
  // A device has that kernel for all, and no memory to spare for cells that lie there twice.
  if (writer.model.residence !== 'processor') return undefined
  // With kernels of our own both read alike; it is still worth much that prompts are kept, and read between two rounds.
  if (writer.keyType === writer.valueType && !writer.model.kernels) return undefined
  const decoder = await Context.create(writer.model, {
    // Room for rows that fill up a forward.
    contextTokens: options.contextTokens + blockTokens,
    maxSequences: 2,
    mostOutputs: 2,
    batchTokens: mostRows,
    threads: writer.mostThreads,
    pool: writer.pool,
    keyType: 'f16',
    valueType: 'f16',
    flashAttention: true,
  })
  const codec = CellCodec.between(await decoder.sampleCells(), await writer.sampleCells())
  if (!codec) {
    await decoder[Symbol.asyncDispose]()
    return undefined
  }
  return new Reader(decoder, codec, new KeptPrompts(blockTokens, options.keptBytes), options.rowMs)
}
