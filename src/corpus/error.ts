// Why a corpus refused.

/** Why a corpus refused. Users may switch on it. */
export type CorpusErrorCode =
  /** An option or parameter is missing, of the wrong type, or out of range. */
  | 'invalid-parameter'
  /** The folder or file does not exist. */
  | 'not-found'
  /** The file is no corpus file at all. */
  | 'not-a-corpus'
  /** The file was written by a version whose format this one does not know. */
  | 'unknown-version'
  /** The tokens of the file are those of another tokenizer. */
  | 'other-tokenizer'
  /** Something other than an interrupted write has changed the file. */
  | 'damaged'
  /** Another process uses the folder. */
  | 'locked'
  /** The folder cannot be written to. */
  | 'read-only'
  /** The disk is full. */
  | 'disk-full'
  /** Reading or writing failed for another reason. */
  | 'io-failed'
  /** The store was used after it was closed. */
  | 'closed'

/** What a corpus cannot do, in one sentence: what was got and what was expected. */
export class CorpusError extends Error {
  override readonly name = 'CorpusError'
  readonly code: CorpusErrorCode

  constructor(code: CorpusErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}
