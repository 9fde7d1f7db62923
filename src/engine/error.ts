// Why the engine refused.

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

/** Numbers that an {@link EngineError} may carry. */
export interface EngineErrorDetails extends ErrorOptions {
  /** Tokens of a prompt that is too long; a lower bound if it was too long to be counted. */
  promptTokens?: number
  /** Most tokens of a request, prompt and answer together. */
  contextTokens?: number
}

/**
 * A request the engine cannot run: one sentence that says what was got and what was expected. Failures of the model file
 * or the native library are a `LlamaError`.
 */
export class EngineError extends Error {
  override readonly name = 'EngineError'
  readonly code: EngineErrorCode
  /** Of `prompt-too-long`: tokens of the prompt, or a lower bound. */
  readonly promptTokens: number | undefined
  /** Of `prompt-too-long`: most tokens of a request. */
  readonly contextTokens: number | undefined

  constructor(code: EngineErrorCode, message: string, details: EngineErrorDetails = {}) {
    super(message, details)
    this.code = code
    this.promptTokens = details.promptTokens
    this.contextTokens = details.contextTokens
  }
}
