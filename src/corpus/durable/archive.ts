// A folder of a corpus for those who look at it or mend it, without an engine.

import { open, rename, rm, stat } from 'node:fs/promises'
import { contentHash } from '../content-hash.js'
import { CorpusError } from '../error.js'
import { Appender } from './appender.js'
import { fileMode, fileOf, newestGeneration } from './folder.js'
import { emptyEntry, encodeEntry, encodeHeader, type FileHeader } from './format.js'
import { FolderLock } from './lock.js'
import { readEntries } from './reader.js'
import { CorpusStore, recordEntry } from './store.js'
import { asCorpusError, describeKind } from './system-error.js'

/** No budgets: what is looked at, carried away or brought in is not thinned out on the way. */
const unlimited = { namespaceBytes: Number.POSITIVE_INFINITY, totalBytes: Number.POSITIVE_INFINITY }

/** What {@link verifyStore} found. */
export interface VerifyReport {
  file: string
  header: FileHeader
  entries: number
  fileBytes: number
  /** Bytes that are whole. */
  wholeBytes: number
  /** Where the file is damaged; `undefined`: what is not whole is the rest of an interrupted write, or nothing. */
  damagedAt: number | undefined
}

/** Opens a folder to look at it; other processes may use it meanwhile. @throws CorpusError */
export function inspectStore(folder: string): Promise<CorpusStore> {
  return CorpusStore.open(folder, { readOnly: true, corpus: unlimited })
}

/** Opens a folder to change it, without budgets and whatever its tokenizer. @throws CorpusError */
export function editStore(folder: string): Promise<CorpusStore> {
  return CorpusStore.open(folder, { corpus: unlimited })
}

/**
 * Checks every byte of a folder's file.
 *
 * @param repair cut off what is not whole, and with it all that comes after
 * @throws CorpusError `not-found`, `not-a-corpus`, `unknown-version`, with `repair` also `locked` and `read-only`
 */
export async function verifyStore(folder: string, repair = false): Promise<VerifyReport> {
  const generation = await newestGeneration(folder).catch(() => 0)
  if (generation === 0) throw new CorpusError('not-found', `there is no cache in ${folder}`)
  const file = fileOf(folder, generation)
  const lock = repair ? takeLock(folder) : undefined
  const handle = await open(file, repair ? 'r+' : 'r').catch((error) => {
    lock?.release()
    throw asCorpusError(error, `read ${file}`)
  })
  try {
    const { header, entries, fileBytes, end, damagedAt } = await readEntries(handle, file, { take: () => {} })
    if (repair && end < fileBytes) {
      await handle.truncate(end)
      await handle.sync()
    }
    return { file, header, entries, fileBytes, wholeBytes: end, damagedAt }
  } finally {
    await handle.close()
    lock?.release()
  }
}

/** Writes everything a store holds, or one namespace of it, into one file that any machine can import. */
export async function exportStore(store: CorpusStore, file: string, namespace?: string): Promise<number> {
  const temporary = `${file}.tmp`
  const handle = await open(temporary, 'w', fileMode).catch((error) => {
    throw asCorpusError(error, `write ${file}`)
  })
  let records = 0
  try {
    const out = new Appender(handle, file, 0)
    out.append(encodeHeader(store.header))
    let number = 0
    for (const found of store.corpus.namespaces()) {
      if (namespace !== undefined && found.name !== namespace) continue
      out.append(encodeEntry({ ...emptyEntry, type: 'namespace', namespace: ++number, name: found.name }))
      for (const record of found.records) {
        out.append(encodeEntry(recordEntry(number, found, record)))
        if (++records % 1000 === 0) await out.drain()
      }
    }
    out.append(encodeEntry({ ...emptyEntry, type: 'end', namespace: 0 }))
    await out.flush()
    await handle.close()
    await rename(temporary, file)
    return records
  } catch (error) {
    await handle.close().catch(() => {})
    await rm(temporary, { force: true })
    throw asCorpusError(error, `write ${file}`)
  }
}

/**
 * Takes the records of an exported file into a folder, which is made if it does not exist. What it holds already is not
 * taken twice. Their age counts from now.
 *
 * @returns how many records were taken and how many were there already
 * @throws CorpusError `other-tokenizer`, `damaged` (then nothing was taken), `read-only`, and as
 *   {@link CorpusStore.open}
 */
export async function importStore(folder: string, file: string): Promise<{ added: number; known: number }> {
  const found = await stat(file).catch((error) => {
    throw asCorpusError(error, `read ${file}`)
  })
  const kind = describeKind(found)
  if (kind !== undefined) throw new CorpusError('invalid-parameter', `cannot read ${file}: ${kind}; expected a file`)
  const handle = await open(file, 'r').catch((error) => {
    throw asCorpusError(error, `read ${file}`)
  })
  try {
    let isWhole = false
    const { header, end, fileBytes } = await readEntries(handle, file, {
      take: ({ type }) => {
        isWhole = type === 'end'
      },
    })
    if (end < fileBytes || !isWhole)
      throw new CorpusError('damaged', `${file} is damaged at byte ${end}; export it again`)
    await using store = await CorpusStore.open(folder, { ...header, corpus: unlimited })
    if (store.readOnly) throw new CorpusError('read-only', `cannot write to the cache ${folder}: it is read-only`)
    const known = new Set<string>()
    for (const { name, log, records } of store.corpus.namespaces())
      for (const { kind, start, length } of records)
        if (kind === 'request') known.add(requestKey(name, log.slice(start, start + length)))
    const names = new Map<number, string>()
    const report = { added: 0, known: 0 }
    await readEntries(handle, file, {
      check: false,
      take: (entry) => {
        if (entry.type === 'namespace') names.set(entry.namespace, entry.name)
        if (entry.type !== 'record') return
        const namespace = names.get(entry.namespace) ?? ''
        const isKnown = entry.kind === 'request' && known.has(requestKey(namespace, entry.tokens))
        const { kind, hash, tokens } = entry
        if (!isKnown && store.corpus.adopt(namespace, { kind, hash, names: [...entry.names] }, tokens)) report.added++
        else report.known++
      },
    })
    await store.flush()
    return report
  } finally {
    await handle.close()
  }
}

function takeLock(folder: string): FolderLock {
  try {
    return FolderLock.take(folder)
  } catch (error) {
    throw asCorpusError(error, `repair the cache ${folder}`)
  }
}

function requestKey(namespace: string, tokens: ArrayLike<number>): string {
  return contentHash(`${namespace} ${Array.prototype.join.call(tokens)}`)
}
