// Model files in other weight types.

import { existsSync } from 'node:fs'
import { rename, rm } from 'node:fs/promises'
import { LlamaError } from './error.js'
import { LlamaLibrary } from './library.js'
import { callAsync } from './native.js'

/** Weight types of a whole file, as llama.cpp numbers them. */
export const fileTypes = {
  F32: 0,
  F16: 1,
  Q4_0: 2,
  Q4_1: 3,
  Q8_0: 7,
  Q5_0: 8,
  Q5_1: 9,
  Q2_K: 10,
  Q3_K_M: 12,
  Q4_K_S: 14,
  Q4_K_M: 15,
  Q5_K_S: 16,
  Q5_K_M: 17,
  Q6_K: 18,
  IQ4_NL: 25,
  IQ4_XS: 30,
  BF16: 32,
} as const

/** A weight type that {@link quantize} writes. */
export type FileType = keyof typeof fileTypes

/** Options of {@link quantize}. */
export interface QuantizeOptions {
  type: FileType
  /** Every tensor in that type; otherwise llama.cpp keeps embeddings and output head in a larger one. Default `false`. */
  pure?: boolean
  /** Allow a source that is quantised already; quality suffers. Default `false`. */
  allowRequantize?: boolean
  /** Threads that compute. Default: as many as the processor has. */
  threads?: number
  /** As `EngineOptions.libraryFolder`. */
  libraryFolder?: string
  /** Called for every tensor with its number and how many there are. Default: none. */
  onProgress?: (tensor: number, tensors: number) => void
}

/**
 * Writes a GGUF in another weight type with llama.cpp's own quantiser, off the event loop. Never overwrites; a failed
 * run leaves no file behind.
 *
 * @throws LlamaError `file-invalid` if the target exists or the source cannot be quantised
 */
export async function quantize(source: string, target: string, options: QuantizeOptions): Promise<void> {
  if (!existsSync(source)) throw new LlamaError('file-not-found', `there is no model file ${source}`)
  if (existsSync(target)) throw new LlamaError('file-invalid', `${target} exists already; it is not overwritten`)
  const library = LlamaLibrary.load(options.libraryFolder)
  const params = library.llama.llama_model_quantize_default_params()
  params.ftype = fileTypes[options.type]
  params.pure = options.pure ?? false
  params.allow_requantize = options.allowRequantize ?? false
  params.nthread = options.threads ?? 0
  const partial = `${target}.partial`
  const { onProgress } = options
  // llama.cpp logs a line per tensor: "[  12/ 255]   blk.0.ffn_up.weight - …".
  const see = (text: string) => {
    const [, tensor, tensors] = /^\[\s*(\d+)\/\s*(\d+)\]/.exec(text) ?? []
    if (tensor !== undefined) onProgress?.(Number(tensor), Number(tensors))
  }
  const { result: status, errors } = await library.collectErrors(
    () => callAsync(library.llama.llama_model_quantize, source, partial, params),
    onProgress && see,
  )
  if (status !== 0) {
    await rm(partial, { force: true })
    throw new LlamaError(
      'file-invalid',
      `could not quantise ${source} to ${options.type}: ${errors || 'no reason given'}`,
    )
  }
  await rename(partial, target)
}
