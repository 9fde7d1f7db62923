import { z } from 'zod'
import type { RequestOptions } from '../engine/options.js'
import { badRequest } from './errors.js'

/** A field that may be absent or null, as clients send those they leave open. */
function maybe<T extends z.ZodType>(type: T) {
  return type.nullish()
}

const integer = z.number().int()

/** A name that is kept with what it names. Halves of characters would be kept as other names. */
export const keptName = z
  .string()
  .min(1)
  .max(256)
  .regex(/^\P{Surrogate}*$/u, 'expected text without halves of characters')

/** Text that ends an answer. */
const stops = z.union([z.string().min(1), z.array(z.string().min(1)).max(16)], {
  error: 'expected a string or an array of at most 16, none of them empty',
})

/** How tokens are chosen, and what is to be told of them: fields of all routes that write. */
export const samplingFields = {
  model: maybe(z.string()),
  temperature: maybe(z.number().min(0)),
  top_p: maybe(z.number().gt(0).max(1)),
  top_k: maybe(integer.min(0)),
  min_p: maybe(z.number().min(0).max(1)),
  seed: maybe(integer.min(0).max(2 ** 32 - 1)),
  repeat_penalty: maybe(z.number().gt(0).max(10)),
  presence_penalty: maybe(z.number().min(-2).max(2)),
  frequency_penalty: maybe(z.number().min(-2).max(2)),
  stop: maybe(stops),
  logit_bias: maybe(z.record(z.string(), z.number().min(-100).max(100))),
  grammar: maybe(z.string()),
  cache_prompt: maybe(z.boolean()),
  draft: maybe(
    z.union([z.enum(['auto', 'off']), integer.min(0).max(256)], {
      error: "expected 'auto', 'off' or a number of nodes",
    }),
  ),
  explain: maybe(z.boolean()),
  namespace: maybe(keptName),
  user: maybe(z.string()),
  n: maybe(integer.min(1).max(64)),
  stream: maybe(z.boolean()),
  stream_options: maybe(z.strictObject({ include_usage: maybe(z.boolean()) })),
}

/** What {@link samplingFields} let through. */
export type SamplingFields = z.infer<z.ZodObject<typeof samplingFields>>

/** How drafts of a predicted output come in. */
export const prediction = maybe(
  z.strictObject({
    type: z.literal('content'),
    content: z.union([z.string(), z.array(z.strictObject({ type: z.literal('text'), text: z.string() }))], {
      error: 'expected a string or an array of text parts',
    }),
  }),
)

/**
 * The engine's options for the `index`-th of `n` answers; every answer has a seed of its own.
 *
 * @param requestId id of the response, under which what it leaves behind can be deleted
 */
export function requestOptions(
  fields: SamplingFields,
  index: number,
  requestId: string,
  signal: AbortSignal,
): RequestOptions {
  return {
    temperature: fields.temperature ?? undefined,
    topP: fields.top_p ?? undefined,
    topK: fields.top_k ?? undefined,
    minP: fields.min_p ?? undefined,
    seed: typeof fields.seed === 'number' ? (fields.seed + index) % 2 ** 32 : undefined,
    repeatPenalty: fields.repeat_penalty ?? undefined,
    presencePenalty: fields.presence_penalty ?? undefined,
    frequencyPenalty: fields.frequency_penalty ?? undefined,
    stop: fields.stop ?? undefined,
    logitBias: fields.logit_bias ?? undefined,
    grammar: fields.grammar ?? undefined,
    draft: fields.draft ?? undefined,
    explain: fields.explain ?? undefined,
    namespace: fields.namespace ?? undefined,
    requestId,
    cachePrompt: fields.cache_prompt ?? undefined,
    signal,
  }
}

/** Checks what one field alone cannot tell. @throws ApiError 400 */
export function checkTogether(fields: SamplingFields): void {
  if (fields.stream_options && !fields.stream)
    throw badRequest('stream_options: expected only together with stream: true', 'stream_options')
}

/** The text of a prediction. */
export function predictionText(field: z.infer<typeof prediction>): string | undefined {
  if (!field) return undefined
  return typeof field.content === 'string' ? field.content : field.content.map(({ text }) => text).join('')
}
