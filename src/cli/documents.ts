// Documents from files.

import path from 'node:path'
import { takeHeading } from '../chat/headed-text.js'
import type { RequestDocument } from '../engine/options.js'
import { UsageError } from './failure.js'
import { readTextFile, readTextOf } from './text-file.js'

/**
 * Reads the documents an answer may draw from; `-` is stdin. A document's title is the heading it begins with, otherwise
 * the file's name.
 *
 * @throws UsageError if one cannot be read or is empty
 */
export async function readDocuments(files: readonly string[]): Promise<RequestDocument[]> {
  return Promise.all(
    files.map(async (file) => {
      const what = file === '-' ? 'the document on stdin' : `the document ${file}`
      const text = (file === '-' ? await readTextOf(process.stdin, what) : await readTextFile(file, what)).trim()
      if (text === '') throw new UsageError(`${what} is empty`)
      return takeHeading(text) ?? { title: file === '-' ? 'stdin' : path.basename(file, path.extname(file)), text }
    }),
  )
}
