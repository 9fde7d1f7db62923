/**
 * A corpus that outlives the process. Needs Node's files; everything else of `corpus` runs anywhere.
 *
 * @module
 */

export { editStore, exportStore, importStore, inspectStore, type VerifyReport, verifyStore } from './archive.js'
export type { FileHeader } from './format.js'
export { FORMAT_VERSION } from './format.js'
export { CorpusStore, type StoreOptions } from './store.js'
