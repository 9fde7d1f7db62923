// A corpus filled from its file.

import type { FileHandle } from 'node:fs/promises'
import type { Corpus } from '../corpus.js'
import { CorpusError } from '../error.js'
import type { FileHeader } from './format.js'
import { readEntries } from './reader.js'
import type { FormatReaders } from './versions.js'

/** What {@link loadCorpus} found besides the records. */
export interface LoadReport {
  header: FileHeader
  /** Version of the format. */
  version: number
  /** Numbers of the namespaces in the file, by name. */
  numbers: Map<string, number>
  /** Where the next entry goes. */
  end: number
  /** Bytes after that, left by an interrupted write. */
  tornBytes: number
}

/** Whose tokens are expected. */
export interface Expectation {
  fingerprint?: string
  vocabularySize: number
  /** Default: all that there are. */
  readers?: FormatReaders
}

/**
 * Fills a corpus from a file, in two readings:
 *
 *   1. check every entry, and gather what was deleted or renamed later on
 *   2. insert the records that are left
 *
 * So nothing that was deleted ever enters the corpus.
 *
 * @throws CorpusError `other-tokenizer`, `damaged` and as {@link readEntries}
 */
export async function loadCorpus(
  handle: FileHandle,
  file: string,
  corpus: Corpus,
  expected: Expectation,
): Promise<LoadReport> {
  // 1.
  const nameOf = new Map<number, string>()
  const numbers = new Map<string, number>()
  const removed = new Set<number>()
  const names = new Map<number, readonly string[]>()
  /** Of each namespace: how many entries stand before its last deletion, and the tokens after it. */
  const cleared = new Map<string, number>()
  const tokens = new Map<string, number>()
  let lastId = 0
  let entries = 0
  const { readers } = expected
  const report = await readEntries(handle, file, {
    readers,
    begin: (header) => checkHeader(header, file, expected),
    take: (entry) => {
      const name = nameOf.get(entry.namespace) ?? ''
      lastId = Math.max(lastId, entry.id)
      if (entry.type === 'namespace') {
        nameOf.set(entry.namespace, entry.name)
        numbers.set(entry.name, entry.namespace)
      } else if (entry.type === 'record') tokens.set(name, (tokens.get(name) ?? 0) + entry.tokens.length)
      else if (entry.type === 'names') names.set(entry.id, entry.names)
      else if (entry.type === 'removal') removed.add(entry.id)
      else if (entry.type === 'clear') {
        cleared.set(name, entries)
        tokens.delete(name)
      }
      entries++
    },
  })
  if (report.damagedAt !== undefined)
    throw new CorpusError(
      'damaged',
      `${file} is damaged at byte ${report.damagedAt}; lookahead cache verify --repair keeps what comes before it`,
    )
  // 2.
  const most = expected.vocabularySize > 0 ? expected.vocabularySize : 2 ** 31
  for (const [name, count] of tokens) corpus.reserve(name, count)
  let number = 0
  await readEntries(handle, file, {
    readers,
    check: false,
    end: report.end,
    take: ({ type, namespace, id, kind, time, hash, tokens, ...entry }) => {
      const name = nameOf.get(namespace)
      if (type === 'record' && name !== undefined && !removed.has(id) && number >= (cleared.get(name) ?? 0)) {
        checkTokens(tokens, most, file)
        const record = { id, kind, time, hash, names: [...(names.get(id) ?? entry.names)], start: -1 }
        corpus.restore(name, { ...record, length: tokens.length }, tokens)
      }
      number++
    },
  })
  corpus.skipIds(lastId)
  const { version, header, end, fileBytes } = report
  return { version, header, numbers, end, tornBytes: fileBytes - end }
}

function checkHeader(header: FileHeader, file: string, { fingerprint, vocabularySize }: Expectation): void {
  if (fingerprint === undefined) return
  if (header.fingerprint === fingerprint && header.vocabularySize === vocabularySize) return
  throw new CorpusError(
    'other-tokenizer',
    `${file} holds tokens of another tokenizer${header.modelName === '' ? '' : ` (it was begun with ${header.modelName})`}; use a folder of its own for each`,
  )
}

function checkTokens(tokens: ArrayLike<number>, most: number, file: string): void {
  for (let k = 0; k < tokens.length; k++)
    if (tokens[k] < 0 || tokens[k] >= most)
      throw new CorpusError('damaged', `${file} holds the token ${tokens[k]}; expected 0 to ${most - 1}`)
}
