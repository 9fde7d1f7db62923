/** Why a conversation cannot be had. Users may switch on it. */
export type ChatErrorCode =
  /** The chat template does not parse, refused the conversation or took too long, or the model has none. */
  'template-failed'

/** A conversation that cannot become a prompt: one sentence that says why. */
export class ChatError extends Error {
  override readonly name = 'ChatError'
  readonly code: ChatErrorCode

  constructor(code: ChatErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}
