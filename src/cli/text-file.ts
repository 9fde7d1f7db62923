import { readFile } from 'node:fs/promises'
import { describeSystemError } from '../corpus/durable/system-error.js'
import { UsageError } from './failure.js'

/**
 * The text of a file.
 *
 * @param what how an error names it, e.g. `the document fees.md`
 * @throws UsageError if it cannot be read, or is no text in UTF-8
 */
export async function readTextFile(file: string, what = file): Promise<string> {
  let bytes: Buffer
  try {
    bytes = await readFile(file)
  } catch (cause) {
    throw new UsageError(`cannot read ${what}: ${describeSystemError(cause)}`, { cause })
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (cause) {
    throw new UsageError(`cannot read ${what}: it is no text in UTF-8`, { cause })
  }
}
