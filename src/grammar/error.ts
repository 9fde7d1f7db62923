/** Why a grammar was refused. Users may switch on it. */
export type GrammarErrorCode =
  /** The GBNF text does not parse, is too large, or can be read in too many ways. */
  | 'grammar-invalid'
  /** The JSON schema is malformed, or asks for what a grammar cannot hold. */
  | 'schema-invalid'

/**
 * A grammar or JSON schema that cannot be followed: one sentence that says where, what was got and what was expected.
 *
 * @example
 * try { engine.complete({ prompt, grammar }) }
 * catch (error) { if (error instanceof GrammarError) console.error(error.message) }
 */
export class GrammarError extends Error {
  override readonly name = 'GrammarError'
  readonly code: GrammarErrorCode
  /** The option or field that the schema came in; `undefined` for GBNF. */
  readonly field: string | undefined

  constructor(code: GrammarErrorCode, message: string, field?: string) {
    super(message)
    this.code = code
    this.field = field
  }
}
