/**
 * Where drafts come from.
 *
 * @example
 * const drafter = new RetrievalDrafter()
 * const session = drafter.open()
 * const tree = new DraftTree(16)
 * session.read([5, 6, 7, 8, 5, 6])
 * session.draft(tree, 16)
 * console.log(tree.show())
 *
 * @module
 */
export type { ConfidenceOptions } from './confidence.js'
export type { Drafter, DraftOrigin, DraftSession, SessionOptions } from './drafter.js'
export type { DrafterName } from './drafters.js'
export { drafterNames, drafters } from './drafters.js'
export type { NgramSimpleOptions } from './ngram-simple.js'
export { NgramSimpleDrafter } from './ngram-simple.js'
export { OracleDrafter, OracleSession } from './oracle.js'
export type { PaperTrieMode, PaperTrieOptions } from './paper-trie.js'
export { PaperTrieDrafter } from './paper-trie.js'
export type { PromptLookupOptions } from './prompt-lookup.js'
export { PromptLookupDrafter } from './prompt-lookup.js'
export type { CalibrationBin, Recording, ReplayOptions, ReplayReport } from './replay.js'
export { replay } from './replay.js'
export type { RetrievalOptions } from './retrieval.js'
export { RetrievalDrafter } from './retrieval.js'
export type { SuffixDecodingOptions } from './suffix-decoding.js'
export { SuffixDecodingDrafter } from './suffix-decoding.js'
export type { DraftSourceName } from './tree.js'
export { DraftSource, DraftTree, sourceName } from './tree.js'
