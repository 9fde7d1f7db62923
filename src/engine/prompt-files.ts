// Prompts in files named by users: written, and read again by the same model on the same machine.

import { describeSystemError } from '../corpus/durable/system-error.js'
import { readPrompt, writePrompt } from '../decode/prompt-file.js'
import { blockTokens, type Reader } from '../decode/reader.js'
import { EngineError } from './error.js'

/** A prompt saved in a file. */
export interface PromptFileReport {
  /** The tokens whose cells are in it: the beginning of the prompt, in blocks of 64. */
  prompt: Int32Array
  /** Bytes of the file. */
  bytes: number
}

/** Writes the beginning of a prompt to a file, as far as it is kept. @throws EngineError `invalid-parameter` */
export async function savePrompt(
  { kept, form }: Reader,
  file: string,
  prompt: ArrayLike<number>,
  owner: string,
): Promise<PromptFileReport | undefined> {
  if (!form) return undefined
  const blocks = kept.find(prompt, Math.floor(prompt.length / blockTokens), owner)
  const tokens = Int32Array.from({ length: blocks.length * blockTokens }, (_, i) => prompt[i])
  try {
    return { prompt: tokens, bytes: await writePrompt(file, form.identity, { tokens, blocks }) }
  } catch (error) {
    throw refusal(`${file} cannot be written: ${describeSystemError(error)}`, error)
  }
}

/** Keeps the prompt that a file holds. @throws EngineError `invalid-parameter` if it holds none, or another model's */
export async function restorePrompt(
  { kept, form }: Reader,
  file: string,
  owner: string,
  mostTokens: number,
): Promise<PromptFileReport | undefined> {
  if (!form) return undefined
  try {
    const found = await readPrompt(file, form.identity, blockTokens, form.bytes, mostTokens)
    if (found === 'damaged') throw refusal(`${file} is damaged: its length or its checksum is not what it should be`)
    if (found === 'foreign')
      throw refusal(`${file} holds no prompt that this model can continue on this machine, with these options`)
    kept.keep(found.tokens, found.blocks, owner)
    return { prompt: found.tokens, bytes: found.bytes }
  } catch (error) {
    if (error instanceof EngineError) throw error
    throw refusal(`${file} cannot be read: ${describeSystemError(error)}`, error)
  }
}

function refusal(sentence: string, cause?: unknown): EngineError {
  return new EngineError('invalid-parameter', sentence, { cause })
}
