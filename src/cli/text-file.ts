// Text from files and from stdin.

import { readFile, stat } from 'node:fs/promises'
import { describeSystemError } from '../corpus/durable/system-error.js'
import { UsageError } from './failure.js'

/**
 * The text of a file.
 *
 * @param what how an error names it, e.g. `the document fees.md`
 * @throws UsageError if it cannot be read, or is not text in UTF-8
 */
export async function readTextFile(file: string, what = file): Promise<string> {
  let bytes: Buffer
  try {
    // Opening one that nobody writes to would wait for ever. What a shell makes of <(…) has its writer.
    if (!/^\/(dev|proc\/[^/]+)\/fd\//.test(file) && (await stat(file)).isFIFO())
      throw new UsageError(`cannot read ${what}: it is a named pipe; expected a file, or - for stdin`)
    bytes = await readFile(file)
  } catch (cause) {
    if (cause instanceof UsageError) throw cause
    throw new UsageError(`cannot read ${what}: ${describeSystemError(cause)}`, { cause })
  }
  return decode(bytes, what)
}

/** The text of a stream, e.g. stdin. @throws UsageError if it is not text in UTF-8 */
export async function readTextOf(stream: AsyncIterable<Uint8Array>, what: string): Promise<string> {
  const chunks: Uint8Array[] = []
  for await (const chunk of stream) chunks.push(chunk)
  return decode(Buffer.concat(chunks), what)
}

function decode(bytes: Uint8Array, what: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (cause) {
    throw new UsageError(`cannot read ${what}: it is not text in UTF-8`, { cause })
  }
}
