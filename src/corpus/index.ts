/**
 * What was read and written, and where in it the current context occurred before.
 *
 * @example
 * const log = new TokenLog()
 * const index = new MatchIndex(log)
 * log.append([1, 2, 3, 1, 2])
 * index.extend()
 * const list = new MatchList(16)
 * index.find(Int32Array.of(2, 1), 2, { matches: [8, 8], reach: 64 }, list)
 * log.at(list.positions[0])   // 3: what followed "1 2" the last time
 *
 * @module
 */

export { contentHash } from './content-hash.js'
export type {
  CorpusDocument,
  CorpusOptions,
  NamespaceReport,
} from './corpus.js'
export { Corpus, DEFAULT_NAMESPACE } from './corpus.js'
export { CorpusError, type CorpusErrorCode } from './error.js'
export type { CorpusJournal, DeleteOptions } from './journal.js'
export type { TokenLogOptions } from './log.js'
export { SEPARATOR, TokenLog } from './log.js'
export type { MatchIndexOptions, MatchLimits } from './match-index.js'
export { MatchIndex } from './match-index.js'
export { MatchList, Wording } from './match-list.js'
export { Namespace } from './namespace.js'
export { type CorpusRecord, type RecordKind, RecordList } from './record.js'
export { SHAPES, Spelling, type Spelt } from './spelling.js'
export { CorpusView } from './view.js'
