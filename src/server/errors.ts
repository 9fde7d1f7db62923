import { EngineError } from '../engine/error.js'
import { GrammarError } from '../grammar/error.js'
import { LlamaError } from '../llama/error.js'

/** An error as OpenAI's API words it. */
export interface ErrorBody {
  error: { message: string; type: string; param: string | null; code: string | null }
}

/** Error types that clients tell apart. */
export type ErrorType =
  | 'invalid_request_error'
  | 'authentication_error'
  | 'not_found_error'
  | 'rate_limit_error'
  | 'unavailable_error'
  | 'server_error'

/** A refusal that goes to the client: a status and one sentence. */
export class ApiError extends Error {
  override readonly name = 'ApiError'
  readonly status: number
  readonly type: ErrorType
  /** The field that is at fault, e.g. `messages[0].content`. */
  readonly param: string | null
  readonly code: string | null
  /** Seconds after which it is worth trying again. */
  readonly retryAfter: number | undefined
  /** Methods that the path takes, where that was wrong. */
  readonly allow: string | undefined

  constructor(
    status: number,
    type: ErrorType,
    message: string,
    details: { param?: string; code?: string; retryAfter?: number; allow?: string; cause?: unknown } = {},
  ) {
    super(message, { cause: details.cause })
    this.status = status
    this.type = type
    this.param = details.param ?? null
    this.code = details.code ?? null
    this.retryAfter = details.retryAfter
    this.allow = details.allow
  }

  toJSON(): ErrorBody {
    return { error: { message: this.message, type: this.type, param: this.param, code: this.code } }
  }
}

/** A 400 with one sentence. */
export function badRequest(message: string, param?: string, code?: string): ApiError {
  return new ApiError(400, 'invalid_request_error', message, { param, code })
}

/** The request was not finished because the process ends. */
export function stopping(): ApiError {
  return new ApiError(503, 'unavailable_error', 'the server is stopping', { code: 'stopping', retryAfter: 5 })
}

/** Turns whatever was thrown into what the client may see. Details of unexpected failures stay with the server. */
export function toApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error
  if (error instanceof EngineError) {
    if (error.code === 'disposed') return stopping()
    const code = error.code === 'prompt-too-long' ? 'context_length_exceeded' : error.code.replaceAll('-', '_')
    return new ApiError(400, 'invalid_request_error', error.message, { code, cause: error })
  }
  if (error instanceof GrammarError) {
    const code = error.code === 'schema-invalid' ? 'invalid_json_schema' : 'invalid_grammar'
    return badRequest(error.message, error.field ?? 'grammar', code)
  }
  if (error instanceof LlamaError) {
    if (error.code === 'template-failed' || error.code === 'sampler-invalid')
      return new ApiError(400, 'invalid_request_error', error.message, {
        code: error.code.replaceAll('-', '_'),
        cause: error,
      })
    if (error.code === 'disposed') return stopping()
  }
  return new ApiError(500, 'server_error', 'the server failed on this request; its log says more', {
    code: 'internal_error',
    cause: error,
  })
}
