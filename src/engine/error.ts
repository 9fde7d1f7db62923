/** Why the engine refused. Users may switch on it. */
export type EngineErrorCode =
  /** An option or parameter is missing, of the wrong type, or out of range. */
  | 'invalid-parameter'
  /** The prompt has no tokens. */
  | 'empty-prompt'
  /** The prompt leaves no room for an answer in the context. */
  | 'prompt-too-long'
  /** The engine was used after it was disposed. */
  | 'disposed'

/**
 * A request the engine cannot run: one sentence with what was got and what was expected. Failures of the model file or
 * the native library are a `LlamaError`.
 */
export class EngineError extends Error {
  override readonly name = 'EngineError'
  readonly code: EngineErrorCode

  constructor(code: EngineErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}
