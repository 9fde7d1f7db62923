import type { z } from 'zod'
import { ApiError, badRequest } from './errors.js'
import { checkBytes, checkLengths } from './json-bounds.js'
import type { Service } from './service.js'

/** Fields of OpenAI's API that are refused with a word of advice. */
const advice: Record<string, string> = {
  functions: 'use tools',
  function_call: 'use tool_choice',
  max_output_tokens: 'use max_tokens, or the route /v1/responses',
  suffix: 'use the route /infill',
  previous_response_id: 'this server keeps no responses; send the whole conversation as input',
  conversation: 'this server keeps no conversations; send the whole conversation as input',
  store: 'this server stores nothing',
  background: 'this server stores nothing; keep the connection open, or stream',
  echo: 'this server does not repeat the prompt',
  best_of: 'use n',
  truncation: 'this server cuts nothing off',
  mirostat: 'use temperature with min_p or top_n_sigma',
}

/**
 * Reads the JSON body of a request and checks it: how long it is, how deep and how much it holds, and only then what it
 * says. It is the one way bodies come in, and it keeps the event loop for a few milliseconds at a time, in turns with
 * the other bodies.
 *
 * @throws ApiError 400, 413 or 415 with a sentence
 */
export async function readBody<T>(request: Request, schema: z.ZodType<T>, service: Service): Promise<T> {
  // A page of another site may send plain text without asking; JSON makes its browser ask first, and CORS then refuses.
  const type = request.headers.get('content-type') ?? ''
  if (!/^application\/([\w.-]+\+)?json\b/i.test(type))
    throw new ApiError(
      415,
      'invalid_request_error',
      `the body must be JSON with the header 'Content-Type: application/json', got ${type === '' ? 'no content type' : `'${type.slice(0, 100)}'`}`,
      { code: 'unsupported_media_type' },
    )
  const { maxBodyBytes, turns } = service
  const bytes = await readBytes(request, maxBodyBytes)
  await checkBytes(bytes, turns)
  await turns.take()
  const value = parse(bytes)
  await turns.take()
  return check(service.defaults.fill(checkLengths(value), schema), schema)
}

function parse(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch (error) {
    throw new ApiError(400, 'invalid_request_error', `the body is not valid JSON: ${(error as Error).message}`, {
      code: 'invalid_json',
    })
  }
}

/**
 * Checks a value against a schema.
 *
 * @param within the field it stands in, if it is not the whole body
 * @throws ApiError 400 that names the first field at fault
 */
export function check<T>(value: unknown, schema: z.ZodType<T>, within?: string): T {
  const result = schema.safeParse(value, { reportInput: true })
  if (result.success) return result.data
  const issue = deepest(result.error.issues[0])
  const place = pathOf(within === undefined ? issue.path : [within, ...issue.path])
  if (issue.code === 'unrecognized_keys') {
    const key = issue.keys[0].slice(0, mostShown)
    const param = place === '' ? key : `${place}.${key}`
    const hint = Object.hasOwn(advice, key) ? `; ${advice[key]}` : ''
    throw badRequest(`the field '${param}' is not supported by this server${hint}`, param, 'unsupported_field')
  }
  const what = issue.message.replace(/^Invalid input: /, '').replace(/^Too /, 'too ')
  if (place === '') throw badRequest(`the body is not acceptable: ${what}`, undefined, 'invalid_value')
  throw badRequest(`${place}: ${what}`, place, 'invalid_value')
}

/** Characters of a name that a sentence repeats. */
const mostShown = 100

type Issue = z.core.$ZodIssue

/** Of a failed union: the complaint of the alternative that fitted best, if one went deeper than the union itself. */
function deepest(issue: Issue): Issue {
  if (issue.code !== 'invalid_union') return issue
  const inner = issue.errors
    .map((issues) => issues[0])
    .filter((candidate): candidate is Issue => candidate !== undefined)
    .filter((candidate) => candidate.path.length > 0 || candidate.code === 'unrecognized_keys')
  if (inner.length !== 1) return issue
  return deepest({ ...inner[0], path: [...issue.path, ...inner[0].path] })
}

function pathOf(path: readonly PropertyKey[]): string {
  return path.reduce<string>((text, key) => {
    if (typeof key === 'number') return `${text}[${key}]`
    const name = String(key).slice(0, mostShown)
    return text === '' ? name : `${text}.${name}`
  }, '')
}

async function readBytes(request: Request, maxBytes: number): Promise<Uint8Array> {
  const tooLarge = () =>
    new ApiError(
      413,
      'invalid_request_error',
      `the body is larger than ${maxBytes} bytes, the most this server reads`,
      {
        code: 'body_too_large',
      },
    )
  if (Number(request.headers.get('content-length') ?? 0) > maxBytes) throw tooLarge()
  if (!request.body) return new Uint8Array()
  const parts: Uint8Array[] = []
  let length = 0
  for await (const part of request.body as unknown as AsyncIterable<Uint8Array>) {
    length += part.length
    if (length > maxBytes) throw tooLarge()
    parts.push(part)
  }
  return Buffer.concat(parts, length)
}
