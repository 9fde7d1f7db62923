// Which versions of the format can be read, and by what.

import { CorpusError } from '../error.js'
import {
  type Entry,
  entryLength,
  type FileHeader,
  FORMAT_VERSION,
  isWhole,
  MAGIC,
  readEntry,
  readHeader,
} from './format.js'

/** Reads the files of one version; the functions of the present one stand in `format.ts`. */
export interface FormatReader {
  readHeader(bytes: Uint8Array, file: string): FileHeader & { length: number }
  entryLength(view: DataView, at: number): number
  isWhole(bytes: Uint8Array, view: DataView, at: number, length: number): boolean
  readEntry(bytes: Uint8Array, view: DataView, at: number): Entry
}

/** Readers by the version they read. */
export type FormatReaders = ReadonlyMap<number, FormatReader>

/**
 * Every version that can be read. When the format changes, the functions that read it until then move here under the
 * old number: a folder of an older version is read with them and written anew when it is opened to be changed.
 */
export const formatReaders: FormatReaders = new Map([[FORMAT_VERSION, { readHeader, entryLength, isWhole, readEntry }]])

/**
 * The version of a file, by its first bytes, and the reader that goes with it.
 *
 * @throws CorpusError `not-a-corpus`, `unknown-version`
 */
export function chooseReader(
  bytes: Uint8Array,
  file: string,
  readers: FormatReaders = formatReaders,
): { version: number; reader: FormatReader } {
  const begin = new TextDecoder().decode(bytes.subarray(0, MAGIC.length))
  if (bytes.length < MAGIC.length + 4 || begin !== MAGIC)
    throw new CorpusError('not-a-corpus', `${file} is not a corpus file: it does not begin with ${MAGIC}`)
  const version = new DataView(bytes.buffer, bytes.byteOffset).getUint32(MAGIC.length, true)
  const reader = readers.get(version)
  if (reader) return { version, reader }
  const known = [...readers.keys()].sort((a, b) => a - b)
  throw new CorpusError(
    'unknown-version',
    `${file} has format version ${version}; this program reads version ${known.join(' and ')}`,
  )
}
