// A corpus filled from its file.

import type { FileHandle } from 'node:fs/promises'
import type { Corpus } from '../corpus.js'
import { CorpusError } from '../error.js'
import type { Entry, FileHeader } from './format.js'
import { readEntries } from './reader.js'
import type { FormatReaders } from './versions.js'

/** What {@link loadCorpus} found besides the records. */
export interface LoadReport {
  header: FileHeader
  /** Version of the format. */
  version: number
  /** Numbers of the namespaces in the file, by name. */
  numbers: Map<string, number>
  /** The largest number of a namespace in the file, whether or not it is named. */
  lastNumber: number
  /** Where the next entry goes. */
  end: number
  /** Bytes after that, left by an interrupted write. */
  tornBytes: number
}

/** Whose tokens are expected. */
export interface Expectation {
  fingerprint?: string
  vocabularySize: number
  /** Default: those of all known versions. */
  readers?: FormatReaders
}

/**
 * Fills a corpus from a file, in two passes:
 *
 *   1. check every entry, and note what was deleted or renamed later on
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
  const { readers, vocabularySize } = expected
  // 1.
  const history = new History()
  const { version, header, end, fileBytes, damagedAt } = await readEntries(handle, file, {
    readers,
    begin: (header) => checkHeader(header, file, expected),
    take: (entry) => history.note(entry),
  })
  if (damagedAt !== undefined)
    throw new CorpusError(
      'damaged',
      `${file} is damaged at byte ${damagedAt}; lookahead cache verify --repair keeps what comes before it`,
    )
  // 2.
  for (const [name, count] of history.tokens) corpus.reserve(name, count)
  const most = vocabularySize > 0 ? vocabularySize : 2 ** 31
  let number = 0
  history.begin()
  await readEntries(handle, file, {
    readers,
    check: false,
    end,
    take: (entry) => {
      const namespace = history.namespaceOf(entry, number++)
      if (namespace === undefined) return
      const { id, kind, time, hash, tokens } = entry
      checkTokens(tokens, most, file)
      const names = [...history.namesOf(entry)]
      corpus.restore(namespace, { id, kind, time, hash, names, start: -1, length: tokens.length }, tokens)
    },
  })
  corpus.skipIds(history.lastId)
  corpus.dropEmpty()
  const { numbers, lastNumber } = history
  return { version, header, numbers, lastNumber, end, tornBytes: fileBytes - end }
}

/** What the entries of a file say about records that come before them. */
class History {
  /** Numbers of the namespaces, by name. */
  readonly numbers = new Map<string, number>()
  /** Tokens added to each namespace since it was last cleared. */
  readonly tokens = new Map<string, number>()
  /** The highest id of all records. */
  lastId = 0
  /** The highest number of a namespace, whether or not it has a name. */
  lastNumber = 0
  readonly #nameOf = new Map<number, string>()
  readonly #renamed = new Map<number, readonly string[]>()
  readonly #removed = new Set<number>()
  /** How many entries come before the last one that cleared a namespace. */
  readonly #cleared = new Map<string, number>()
  #entries = 0

  note({ type, namespace, name, id, names, tokens }: Entry): void {
    const known = this.#nameOf.get(namespace)
    this.lastId = Math.max(this.lastId, id)
    this.lastNumber = Math.max(this.lastNumber, namespace)
    if (type === 'namespace') {
      if (known !== undefined) this.numbers.delete(known)
      this.#nameOf.set(namespace, name)
      this.numbers.set(name, namespace)
    } else if (type === 'names') this.#renamed.set(id, names)
    else if (type === 'removal') this.#removed.add(id)
    else if (known !== undefined && type === 'record')
      this.tokens.set(known, (this.tokens.get(known) ?? 0) + tokens.length)
    else if (known !== undefined && type === 'clear') {
      this.#cleared.set(known, this.#entries)
      this.tokens.delete(known)
    }
    this.#entries++
  }

  /** Before the entries are gone through once more, by {@link namespaceOf}. */
  begin(): void {
    this.#nameOf.clear()
  }

  /** Where a record belongs; `undefined` if it was deleted later on, or the entry is no record. */
  namespaceOf({ type, namespace, name: begun, id }: Entry, number: number): string | undefined {
    if (type === 'namespace') this.#nameOf.set(namespace, begun)
    if (type !== 'record' || this.#removed.has(id)) return undefined
    const name = this.#nameOf.get(namespace)
    return name !== undefined && number >= (this.#cleared.get(name) ?? 0) ? name : undefined
  }

  /** The names a record has in the end. */
  namesOf({ id, names }: Entry): readonly string[] {
    return this.#renamed.get(id) ?? names
  }
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
