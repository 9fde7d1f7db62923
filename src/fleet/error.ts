/** Why sharing was refused at the start. What fails later is not an error: it is counted, and the replica works alone. */
export type FleetErrorCode =
  /** An option is missing, of the wrong type, or out of range. */
  | 'invalid-parameter'
  /** A package that a transport needs is not installed. */
  | 'not-installed'

/** What a replica cannot do, in one sentence: what was got and what was expected. */
export class FleetError extends Error {
  override readonly name = 'FleetError'
  readonly code: FleetErrorCode

  constructor(code: FleetErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}
