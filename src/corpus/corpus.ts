import { contentHash } from './content-hash.js'
import { CorpusError } from './error.js'
import { Namespace } from './namespace.js'
import type { CorpusRecord, RecordKind } from './record.js'
import type { Spelling } from './spelling.js'
import { CorpusView } from './view.js'

/** Namespace of requests that name none. */
export const DEFAULT_NAMESPACE = 'default'

/** Smallest budget of a namespace that is not 0. */
const LEAST_BYTES = 64 * 1024
/** Most ids of one document; a further one makes it a document of its own. */
const MOST_NAMES = 32

/** Options of a {@link Corpus}. */
export interface CorpusOptions {
  /**
   * Most bytes of one namespace; a token costs about 15. Beyond it the oldest records are forgotten. Default 64 MiB.
   * 0: nothing is remembered. Less than 64 KiB counts as 64 KiB.
   */
  namespaceBytes?: number
  /** Most bytes of all namespaces together; beyond it the oldest records of all are forgotten. Default 256 MiB. */
  totalBytes?: number
  /** Milliseconds after which a record is forgotten. Default: never. */
  ttlMs?: number
  /** A namespace that every request may read besides its own. Default: none. */
  common?: string
  /**
   * How tokens are written: what differs in capitals or spaces is then found too, and drafts are weighed by the kinds of
   * words. Default: a token is a number like any other. An engine brings its own.
   */
  spelling?: Spelling
  /** The time in milliseconds since 1970. Default: the system's clock. */
  now?: () => number
}

/** A document whose tokens may be drafted. */
export interface CorpusDocument {
  /** Name under which it can be replaced and deleted. */
  id?: string
  text: string
}

/** What to delete; see {@link Corpus.delete}. */
export interface DeleteOptions {
  /** Default {@link DEFAULT_NAMESPACE}. */
  namespace?: string
  /** Id of a document. */
  document?: string
  /** Id of a request. */
  request?: string
}

/** One namespace in numbers. */
export interface NamespaceReport {
  name: string
  documents: number
  requests: number
  tokens: number
  /** Bytes in memory. */
  bytes: number
  /** When the oldest record was added, in milliseconds since 1970; `undefined` if there is none. */
  oldest: number | undefined
}

/** Keeps what happens to a corpus, e.g. in a file. Called after the fact. */
export interface CorpusJournal {
  /** A record was added. */
  added(namespace: string, record: CorpusRecord, tokens: ArrayLike<number>): void
  /** A document got a further name, or lost one of several. */
  renamed(namespace: string, record: CorpusRecord): void
  /** A record is gone: `deleted` because someone wished so, else by budget or age. */
  removed(namespace: string, record: CorpusRecord, deleted: boolean): void
  /** A whole namespace was deleted. */
  cleared(namespace: string): void
}

/**
 * Everything the model has read and written that later requests may draft from, kept apart by namespace.
 *
 *     request of "acme"  reads   own log ── namespace "acme" ── namespace "manuals" (common, if configured)
 *     request of "bolt"  reads   own log ── namespace "bolt" ── namespace "manuals"
 *
 * No request ever reads the log of another namespace. Each namespace and all together have a budget in bytes; the
 * oldest records go first. Deleting is exact: what was deleted is never drafted again.
 *
 * @example
 * const corpus = new Corpus({ namespaceBytes: 16 * 2 ** 20, ttlMs: 86_400_000 })
 * corpus.addDocument({ id: 'terms', text }, tokenize, 'acme')
 * corpus.delete({ namespace: 'acme', document: 'terms' })   // 1
 */
export class Corpus {
  readonly namespaceBytes: number
  readonly totalBytes: number
  readonly ttlMs: number
  readonly common: string | undefined
  readonly spelling: Spelling | undefined
  /** Told of every change; set by the store that keeps the corpus. */
  journal: CorpusJournal | undefined
  /** Bytes of all namespaces. */
  byteLength = 0
  readonly #now: () => number
  readonly #namespaces = new Map<string, Namespace>()
  readonly #views = new Set<CorpusView>()
  #nextId = 1

  /** @throws CorpusError `invalid-parameter` */
  constructor(options: CorpusOptions = {}) {
    const { namespaceBytes = 64 * 2 ** 20, totalBytes = 256 * 2 ** 20, ttlMs = Number.POSITIVE_INFINITY } = options
    const budget = (name: string, bytes: number) => {
      if (!(bytes >= 0))
        throw new CorpusError('invalid-parameter', `${name} must be a number of bytes ≥ 0, got ${bytes}`)
      return bytes === 0 ? 0 : Math.max(bytes, LEAST_BYTES)
    }
    this.namespaceBytes = budget('namespaceBytes', namespaceBytes)
    this.totalBytes = budget('totalBytes', totalBytes)
    if (!(ttlMs > 0))
      throw new CorpusError('invalid-parameter', `ttlMs must be a number of milliseconds > 0, got ${ttlMs}`)
    this.ttlMs = ttlMs
    this.common = options.common === undefined ? undefined : checkName('common', options.common)
    this.spelling = options.spelling
    this.#now = options.now ?? Date.now
  }

  /** Whether anything is remembered at all. */
  get remembers(): boolean {
    return this.namespaceBytes > 0 && this.totalBytes > 0
  }

  /** Opens what one request may read and where it writes. @throws CorpusError `invalid-parameter` */
  open(namespace: string = DEFAULT_NAMESPACE, request?: string): CorpusView {
    checkName('namespace', namespace)
    if (request !== undefined) checkName('request', request)
    const view = new CorpusView(this, namespace, request, () => this.#views.delete(view))
    this.#views.add(view)
    return view
  }

  /** A namespace that holds something, its expired records removed. */
  find(name: string): Namespace | undefined {
    const namespace = this.#namespaces.get(name)
    if (namespace && this.ttlMs !== Number.POSITIVE_INFINITY) this.#expire(namespace)
    return namespace
  }

  /**
   * Remembers what a request wrote; returns `undefined` if there is nothing to remember or it is larger than the budget.
   *
   * @param request the request's id, if it has one
   * @throws CorpusError `invalid-parameter`; RangeError for impossible token ids
   */
  addRequest(tokens: ArrayLike<number>, namespace = DEFAULT_NAMESPACE, request?: string): CorpusRecord | undefined {
    checkName('namespace', namespace)
    return this.#add('request', tokens, namespace, '', request)
  }

  /**
   * Remembers a document unless the namespace holds the same text already. A document that comes with the id of another
   * text replaces it.
   *
   * @param tokenize called only for texts that are new
   * @returns the record, new or known; `undefined` if it has no tokens or is larger than the budget
   * @throws CorpusError `invalid-parameter`
   */
  addDocument(
    { id, text }: CorpusDocument,
    tokenize: (text: string) => ArrayLike<number>,
    namespace = DEFAULT_NAMESPACE,
  ): CorpusRecord | undefined {
    checkName('namespace', namespace)
    if (id !== undefined) checkName('document id', id)
    if (!this.remembers) return undefined
    const hash = contentHash(text)
    let known = this.find(namespace)?.records.findDocument(hash)
    if (id !== undefined && !known?.names.includes(id)) {
      this.delete({ namespace, document: id })
      if (known && known.names.length >= MOST_NAMES) known = undefined
    }
    if (!known) return this.#add('document', tokenize(text), namespace, hash, id)
    if (id !== undefined && !known.names.includes(id)) {
      this.#namespaces.get(namespace)!.records.addName(known, id)
      this.journal?.renamed(namespace, known)
    }
    return known
  }

  /**
   * Deletes a document, all that is remembered of a request, or, with neither, a whole namespace. Requests under way in
   * a deleted namespace, or by a deleted id, leave nothing behind when they end.
   *
   * @returns how many records were deleted
   * @throws CorpusError `invalid-parameter`
   */
  delete({ namespace = DEFAULT_NAMESPACE, document, request }: DeleteOptions): number {
    checkName('namespace', namespace)
    if (document !== undefined && request !== undefined)
      throw new CorpusError('invalid-parameter', 'expected a document or a request to delete, got both')
    const whole = document === undefined && request === undefined
    for (const view of this.#views)
      if (view.namespace === namespace && (whole || (request !== undefined && view.request === request))) view.revoke()
    const found = this.#namespaces.get(namespace)
    if (!found) return 0
    if (whole) {
      const count = found.records.size
      this.byteLength -= found.byteLength
      found.clear()
      this.#namespaces.delete(namespace)
      this.journal?.cleared(namespace)
      return count
    }
    const kind: RecordKind = document !== undefined ? 'document' : 'request'
    const name = document ?? request!
    let count = 0
    for (const record of [...found.records.named(kind, name)]) {
      if (record.names.length > 1) {
        found.records.removeName(record, name)
        this.journal?.renamed(namespace, record)
      } else {
        this.#measured(found, () => found.remove(record))
        this.journal?.removed(namespace, record, true)
        count++
      }
    }
    this.#dropEmpty(found)
    return count
  }

  /** Removes one record, by the id it got when it was added; says whether it was there. */
  remove(namespace: string, id: number): boolean {
    const found = this.#namespaces.get(namespace)
    const record = found?.records.find(id)
    if (!found || !record) return false
    this.#measured(found, () => found.remove(record))
    this.journal?.removed(namespace, record, true)
    this.#dropEmpty(found)
    return true
  }

  /** Removes all expired records. Reading does the same for what it reads. */
  sweep(): void {
    for (const namespace of this.#namespaces.values()) this.#expire(namespace)
  }

  /** The namespaces, by name. */
  namespaces(): IterableIterator<Namespace> {
    return this.#namespaces.values()
  }

  /** All namespaces in numbers. */
  describe(): NamespaceReport[] {
    this.sweep()
    return Array.from(this.#namespaces.values(), (namespace) => {
      const { name, records, tokens, byteLength } = namespace
      let documents = 0
      for (const { kind } of records) if (kind === 'document') documents++
      const requests = records.size - documents
      return { name, documents, requests, tokens, bytes: byteLength, oldest: records.oldest?.time }
    })
  }

  /**
   * Takes over a record from elsewhere, as new; `undefined` if the namespace holds it already, or as {@link addRequest}.
   */
  adopt(
    namespace: string,
    { kind, hash, names }: Pick<CorpusRecord, 'kind' | 'hash' | 'names'>,
    tokens: ArrayLike<number>,
  ): CorpusRecord | undefined {
    if (!this.remembers || (hash !== '' && this.find(namespace)?.records.findDocument(hash))) return undefined
    for (const name of names) if (kind === 'document') this.delete({ namespace, document: name })
    return this.#add(kind, tokens, namespace, hash, ...names)
  }

  /** No new record gets an id up to this one. @internal */
  skipIds(last: number): void {
    this.#nextId = Math.max(this.#nextId, last + 1)
  }

  /** Puts a record back as a journal noted it; nobody is told. It is found after {@link indexSome}. @internal */
  restore(namespace: string, record: CorpusRecord, tokens: ArrayLike<number>): void {
    if (!this.remembers || record.time + this.ttlMs <= this.#now()) return
    this.#insert(namespace, record, tokens, true)
  }

  /** Indexes at most so many tokens of those that were restored; says whether that was all. @internal */
  indexSome(most: number): boolean {
    for (const namespace of this.#namespaces.values()) {
      if (!namespace.isBehind) continue
      this.#measured(namespace, () => namespace.indexSome(most))
      return false
    }
    return true
  }

  /** Prepares a namespace for so many tokens. @internal */
  reserve(namespace: string, tokens: number): void {
    if (!this.remembers) return
    const found = this.#namespace(namespace)
    this.#measured(found, () => found.reserve(Math.min(tokens, this.namespaceBytes / 16)))
  }

  #add(
    kind: RecordKind,
    tokens: ArrayLike<number>,
    namespace: string,
    hash: string,
    ...given: (string | undefined)[]
  ): CorpusRecord | undefined {
    const most = Math.min(this.namespaceBytes, this.totalBytes) / 16
    if (tokens.length === 0 || tokens.length > most) return undefined
    const names = given.filter((name) => name !== undefined)
    const record = { id: this.#nextId, kind, start: -1, length: tokens.length, time: this.#now(), hash, names }
    this.#insert(namespace, record, tokens)
    this.#nextId++
    this.journal?.added(namespace, record, tokens)
    return record
  }

  #insert(name: string, record: CorpusRecord, tokens: ArrayLike<number>, later = false): void {
    const namespace = this.#namespace(name)
    this.#measured(namespace, () => namespace.add(record, tokens, later))
    while (namespace.byteLength > this.namespaceBytes && namespace.records.size > 1) this.#evict(namespace)
    while (this.byteLength > this.totalBytes) {
      const oldest = this.#oldest()
      if (!oldest || oldest.records.oldest === record) break
      this.#evict(oldest)
    }
  }

  #namespace(name: string): Namespace {
    let namespace = this.#namespaces.get(name)
    if (!namespace) {
      namespace = new Namespace(name, this.namespaceBytes, this.spelling)
      this.#namespaces.set(name, namespace)
      this.byteLength += namespace.byteLength
    }
    return namespace
  }

  /** The namespace that holds the oldest record of all. */
  #oldest(): Namespace | undefined {
    let oldest: Namespace | undefined
    for (const namespace of this.#namespaces.values())
      if ((namespace.records.oldest?.id ?? Infinity) < (oldest?.records.oldest?.id ?? Infinity)) oldest = namespace
    return oldest
  }

  #expire(namespace: Namespace): void {
    const before = this.#now() - this.ttlMs
    for (let oldest = namespace.records.oldest; oldest && oldest.time <= before; oldest = namespace.records.oldest)
      this.#evict(namespace)
  }

  #evict(namespace: Namespace): void {
    let record: CorpusRecord | undefined
    this.#measured(namespace, () => {
      record = namespace.removeOldest()
    })
    if (record) this.journal?.removed(namespace.name, record, false)
    this.#dropEmpty(namespace)
  }

  #dropEmpty(namespace: Namespace): void {
    if (namespace.records.size > 0 || this.#namespaces.get(namespace.name) !== namespace) return
    this.byteLength -= namespace.byteLength
    this.#namespaces.delete(namespace.name)
  }

  #measured(namespace: Namespace, change: () => void): void {
    const before = namespace.byteLength
    change()
    this.byteLength += namespace.byteLength - before
  }
}

function checkName(what: string, name: unknown): string {
  if (typeof name === 'string' && name !== '' && name.length <= 256) return name
  const got = typeof name === 'string' ? `${name.length}` : typeof name
  throw new CorpusError('invalid-parameter', `${what} must be a string of 1 to 256 characters, got ${got}`)
}
