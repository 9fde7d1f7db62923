import { z } from 'zod'
import { type JsonSchema, jsonObjectGrammar, jsonSchemaToGrammar } from '../grammar/json-schema.js'
import { badRequest } from './errors.js'

const schema = z.union([z.boolean(), z.record(z.string(), z.unknown())], { error: 'expected a JSON schema' })

/** What form the answer takes, in the chat API's words. */
export const responseFormat = z.discriminatedUnion(
  'type',
  [
    z.strictObject({ type: z.literal('text') }),
    z.strictObject({ type: z.literal('json_object') }),
    z.strictObject({
      type: z.literal('json_schema'),
      json_schema: z.strictObject({
        name: z.string().optional(),
        description: z.string().nullish(),
        schema,
        strict: z.boolean().nullish(),
      }),
    }),
  ],
  { error: "expected { type: 'text' }, { type: 'json_object' } or { type: 'json_schema', json_schema }" },
)

export type ResponseFormat = z.infer<typeof responseFormat>

/** The grammar of a response format, if it demands one. @throws ApiError 400 */
export function grammarOf(
  format: ResponseFormat | null | undefined,
  grammar: string | null | undefined,
): string | undefined {
  if (!format || format.type === 'text') return grammar ?? undefined
  if (typeof grammar === 'string')
    throw badRequest('grammar: expected only without response_format; give one of the two', 'grammar')
  return format.type === 'json_object'
    ? jsonObjectGrammar()
    : jsonSchemaToGrammar(format.json_schema.schema as JsonSchema, 'response_format.json_schema.schema')
}
