// The body of `/v1/chat/completions`, and what the chat template is given of it.

import { z } from 'zod'
import type { Engine } from '../engine/engine.js'
import { prediction, samplingFields, tellingFields, tokenCount } from './fields.js'
import { bodyOf } from './harmless.js'
import { documents, messages, requestDocuments, templateMessages } from './messages.js'
import { responseFormat, schema } from './response-format.js'
import { continuationFields, continuationOptions, thinkingFields, thinkingOptions } from './thinking.js'
import { type ToolUse, toolChoice, tools } from './tools.js'

/** The body of `POST /v1/chat/completions`. */
export const chatBody = bodyOf({
  ...samplingFields,
  ...tellingFields,
  ...thinkingFields,
  ...continuationFields,
  messages,
  max_tokens: tokenCount,
  max_completion_tokens: tokenCount,
  n_predict: tokenCount,
  logprobs: z.boolean().nullish(),
  top_logprobs: z.number().int().min(0).max(20).nullish(),
  prediction,
  response_format: responseFormat.nullish(),
  json_schema: schema.nullish(),
  tools: tools.nullish(),
  tool_choice: toolChoice.nullish(),
  parallel_tool_calls: z.boolean().nullish(),
  documents: documents.nullish(),
})

export type ChatBody = z.infer<typeof chatBody>

/** What the chat template is given. */
export function conversationOf(engine: Engine, body: ChatBody, use: ToolUse) {
  const conversation = templateMessages(engine, body.messages)
  return {
    messages: conversation,
    documents: requestDocuments(body.documents),
    ...use,
    ...thinkingOptions(body),
    ...continuationOptions(body, conversation),
  }
}
