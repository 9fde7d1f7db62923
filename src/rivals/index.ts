/**
 * Other ways to find drafts, to compare with: the paper's trie, suffix decoding, prompt lookup, llama.cpp's n-grams; an
 * oracle that knows the answer; and the replay of recorded answers.
 *
 * @example
 * import { drafters, replay } from 'lookahead-llm/rivals'
 *
 * @module
 */
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
export type { SuffixDecodingOptions } from './suffix-decoding.js'
export { SuffixDecodingDrafter } from './suffix-decoding.js'
