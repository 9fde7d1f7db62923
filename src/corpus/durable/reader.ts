// A corpus file read entry by entry, up to where it is damaged.

import type { FileHandle } from 'node:fs/promises'
import { ENTRY_BYTES, type Entry, type FileHeader } from './format.js'
import { chooseReader, type FormatReader, type FormatReaders } from './versions.js'

/** Bytes read at a time; more where an entry is longer. */
const WINDOW = 8 * 2 ** 20

/** Characters of a name, at most. */
const MOST_NAME = 256
/** Bytes of what looks like entries that are checked for being whole where a file is damaged, at least. */
const MOST_DOUBTFUL = 2 ** 28
/** Numbers of records and namespaces, at most: those that come after them must still be told from each other. */
const MOST_ID = 2 ** 52
const MOST_NAMESPACE = 2 ** 31
/** Milliseconds before and after 1970 that are a date. */
const MOST_TIME = 8.64e15

/** What {@link readEntries} does with a file. */
export interface Reading {
  /** Called with the header, before any entry; may throw. */
  begin?: (header: FileHeader) => void
  /** Called with each entry and its length in bytes; its tokens are valid only during the call. */
  take: (entry: Entry, bytes: number) => void
  /** `false`: don't check what was checked just before. Default `true`. */
  check?: boolean
  /** Where to stop. Default: the end of the file. */
  end?: number
  /** Default: those of all known versions. */
  readers?: FormatReaders
}

/** What {@link readEntries} found. */
export interface FileReport {
  /** Version of the format. */
  version: number
  header: FileHeader
  entries: number
  /** Where the last whole entry ends: the length of the part that counts. */
  end: number
  fileBytes: number
  /**
   * Where the file is damaged; `undefined` if what follows `end` is nothing, or what an interrupted write has left: no
   * whole entry comes after it.
   */
  damagedAt: number | undefined
}

/**
 * Reads the entries of a file in order, up to the first that is not whole:
 *
 *   1. read a window; where an entry does not fit, read on from its beginning
 *   2. stop at an entry that is not whole or says something impossible: usually a write that was interrupted
 *   3. if a whole entry comes after it, the write was not interrupted: the file is damaged
 *
 * @throws CorpusError `not-a-corpus`, `unknown-version`, `damaged`
 */
export async function readEntries(
  handle: FileHandle,
  file: string,
  { begin, take, check = true, end, readers }: Reading,
): Promise<FileReport> {
  const size = end ?? (await handle.stat()).size
  let bytes = new Uint8Array(WINDOW)
  let held = await fill(handle, bytes, 0, 0)
  const { version, reader } = chooseReader(bytes.subarray(0, held), file, readers)
  const { length: headerBytes, ...header } = reader.readHeader(bytes.subarray(0, held), file)
  begin?.(header)
  const report = { version, header, entries: 0, end: headerBytes, fileBytes: size, damagedAt: undefined }
  let at = headerBytes
  for (;;) {
    const view = new DataView(bytes.buffer)
    while (held - at >= ENTRY_BYTES && report.end < size) {
      const length = reader.entryLength(view, at)
      // 2.
      if (length === 0) return finish(handle, report, reader)
      if (length > held - at) break
      if (check && !reader.isWhole(bytes, view, at, length)) return finish(handle, report, reader)
      const entry = check
        ? readSound(reader, bytes, view, at, header.vocabularySize)
        : reader.readEntry(bytes, view, at)
      // 2.
      if (!entry) return finish(handle, report, reader)
      take(entry, length)
      report.entries++
      report.end += length
      at += length
    }
    if (report.end + (held - at) >= size) return finish(handle, report, reader)
    // 1.
    const wanted = held - at >= ENTRY_BYTES ? reader.entryLength(view, at) : 0
    const next = new Uint8Array(Math.max(WINDOW, wanted))
    if (wanted > size - report.end) return finish(handle, report, reader)
    bytes = next
    held = await fill(handle, bytes, 0, report.end)
    at = 0
    if (held < ENTRY_BYTES) return finish(handle, report, reader)
  }
}

/**
 * An entry, or `undefined` if it says something impossible although its checksum is right: no version of this program
 * wrote it, and taken over it would keep the folder from being opened again.
 */
function readSound(
  reader: FormatReader,
  bytes: Uint8Array,
  view: DataView,
  at: number,
  vocabularySize: number,
): Entry | undefined {
  let entry: Entry
  try {
    entry = reader.readEntry(bytes, view, at)
  } catch {
    return undefined
  }
  const { type, namespace, name, names, id, time, tokens } = entry
  const isName = (text: unknown) => typeof text === 'string' && text !== '' && text.length <= MOST_NAME
  if (type === 'namespace' && !isName(name)) return undefined
  if (!Array.isArray(names) || !names.every(isName)) return undefined
  if (!Number.isInteger(id) || id < 0 || id > MOST_ID || namespace > MOST_NAMESPACE) return undefined
  if (!(Math.abs(time) <= MOST_TIME)) return undefined
  const most = vocabularySize > 0 ? vocabularySize : 2 ** 31
  for (let k = 0; k < tokens.length; k++) if (!(tokens[k] >= 0 && tokens[k] < most)) return undefined
  return entry
}

async function finish(handle: FileHandle, report: FileReport, reader: FormatReader): Promise<FileReport> {
  if (report.end < report.fileBytes) report.damagedAt = await findDamage(handle, report.end, report.fileBytes, reader)
  return report
}

/** 3. `from` if a whole entry begins anywhere after it, or too much seems to. */
async function findDamage(
  handle: FileHandle,
  from: number,
  size: number,
  { entryLength, isWhole }: FormatReader,
): Promise<number | undefined> {
  let bytesLeft = Math.max(MOST_DOUBTFUL, 2 * size)
  for (let start = from + 4; start + ENTRY_BYTES <= size; ) {
    const bytes = new Uint8Array(Math.min(WINDOW, size - start))
    const held = await fill(handle, bytes, 0, start)
    const view = new DataView(bytes.buffer)
    for (let at = 0; at + ENTRY_BYTES <= held; at += 4) {
      const length = entryLength(view, at)
      if (length === 0 || start + at + length > size) continue
      bytesLeft -= length
      if (bytesLeft < 0) return from
      const entry = new Uint8Array(length)
      await fill(handle, entry, 0, start + at)
      if (isWhole(entry, new DataView(entry.buffer), 0, length)) return from
    }
    start += Math.max(4, held - ENTRY_BYTES - (held % 4))
    if (held < WINDOW) break
  }
  return undefined
}

/** Reads from `position` until `bytes` is full or the file ends; returns how many bytes are held then. */
async function fill(handle: FileHandle, bytes: Uint8Array, held: number, position: number): Promise<number> {
  let end = held
  while (end < bytes.length) {
    const { bytesRead } = await handle.read(bytes, end, bytes.length - end, position + end - held)
    if (bytesRead === 0) break
    end += bytesRead
  }
  return end
}
