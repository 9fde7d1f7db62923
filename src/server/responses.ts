import { randomUUID } from 'node:crypto'
import { z } from 'zod'
import type { GenerationResult, GenerationStep } from '../decode/generation.js'
import type { Engine } from '../engine/engine.js'
import { samplerDefaults } from '../llama/sampler-options.js'
import { readBody } from './body.js'
import { isCut } from './chat.js'
import { requestOptions, samplingFields, tokenCount, tokenLimit } from './fields.js'
import { bodyOf, partOf } from './harmless.js'
import { jsonObject } from './lists.js'
import { documents, requestDocuments, templateMessages } from './messages.js'
import type { Frame, Reply } from './reply.js'
import { grammarOf } from './response-format.js'
import { conversationOf, flatToolChoice, flatTools, input } from './responses-input.js'
import type { Served } from './served.js'
import type { Service } from './service.js'
import { respond } from './stream.js'
import { type ToolCall, ToolCallParser } from './tool-parser.js'
import { planTools, type ToolUse } from './tools.js'
import { timingsOf, usageOf } from './usage.js'

const { n: _n, stop: _stop, grammar: _grammar, ...shared } = samplingFields

const format = z.discriminatedUnion(
  'type',
  [
    z.strictObject({ type: z.literal('text') }),
    z.strictObject({ type: z.literal('json_object') }),
    z.strictObject({
      type: z.literal('json_schema'),
      name: z.string(),
      description: z.string().nullish(),
      schema: jsonObject,
      strict: z.boolean().nullish(),
    }),
  ],
  { error: "expected a format of type 'text', 'json_object' or 'json_schema'" },
)

/** The body of `POST /v1/responses`. */
export const responsesBody = bodyOf({
  ...shared,
  input,
  instructions: z.string().nullish(),
  max_output_tokens: tokenCount,
  text: partOf({ format: format.nullish(), verbosity: z.string().nullish() }).nullish(),
  tools: flatTools.nullish(),
  tool_choice: flatToolChoice.nullish(),
  parallel_tool_calls: z.boolean().nullish(),
  documents: documents.nullish(),
})

type ResponsesBody = z.infer<typeof responsesBody>

/** `POST /v1/responses`, without any memory of earlier ones. */
export async function responses(service: Service, request: Request): Promise<Response> {
  const body = await readBody(request, responsesBody, service)
  const served = service.find(body.model)
  const { engine } = served
  const namespace = service.namespaceOf(request, body.namespace)
  const use = planTools(engine, body)
  const wanted = body.text?.format
  const demanded = grammarOf({
    response_format: wanted?.type === 'json_schema' ? { type: 'json_schema', json_schema: wanted } : wanted,
  })
  const { signal } = request
  const id = `resp_${compactId()}`
  const begin = () =>
    engine.chat({
      ...requestOptions(engine, { ...body, namespace, grammar: use.grammar ?? demanded }, 0, id, signal),
      ...conversationFor(engine, body, use),
      maxTokens: tokenLimit(['max_output_tokens', body.max_output_tokens]),
    })
  const answers = service.start(served, [begin], signal, namespace)
  return respond(service, answers, new ResponsesReply(served, id, body, use), body.stream ?? false)
}

/** `POST /v1/responses/input_tokens`: how many tokens the prompt has. */
export async function countResponses(service: Service, request: Request): Promise<Response> {
  const body = await readBody(request, responsesBody, service)
  const { engine } = service.find(body.model)
  const prompt = engine.tokenizeChat(conversationFor(engine, body, planTools(engine, body)))
  return Response.json({ object: 'response.input_tokens', input_tokens: prompt.length })
}

/** What the chat template is given. */
function conversationFor(engine: Engine, body: ResponsesBody, use: ToolUse) {
  return {
    messages: templateMessages(engine, conversationOf(body.instructions, body.input)),
    documents: requestDocuments(body.documents),
    tools: use.shown,
  }
}

interface OutputItem {
  id: string
  type: 'message' | 'function_call'
  status: 'in_progress' | 'completed' | 'incomplete'
  [field: string]: unknown
}

/**
 * One response. Streamed, each output item passes through the same events:
 *
 *     output_item.added → content_part.added → output_text.delta … → output_text.done → content_part.done → output_item.done
 */
class ResponsesReply implements Reply {
  readonly #model: string
  readonly #body: ResponsesBody
  readonly #parser: ToolCallParser
  readonly #usesTools: boolean
  readonly #id: string
  readonly #created = Math.floor(Date.now() / 1000)
  readonly #output: OutputItem[] = []
  #message: OutputItem | undefined
  #text = ''
  #sequence = 0

  constructor(served: Served, id: string, body: ResponsesBody, use: ToolUse) {
    this.#model = served.name
    this.#id = id
    this.#body = body
    this.#usesTools = use.names.size > 0
    this.#parser = new ToolCallParser(use.names, use.parallel)
  }

  begin(): Frame[] {
    return [
      this.#event('response.created', { response: this.#response() }),
      this.#event('response.in_progress', { response: this.#response() }),
    ]
  }

  step(_index: number, { text }: GenerationStep): Frame[] {
    return text === '' ? [] : this.#take(text)
  }

  end(_index: number, result: GenerationResult): Frame[] {
    const frames = this.#finish(result)
    const response = this.#response(result)
    const kind = response.status === 'incomplete' ? 'response.incomplete' : 'response.completed'
    return [...frames, this.#event(kind, { response })]
  }

  close(): Frame[] {
    return []
  }

  whole([result]: readonly GenerationResult[]) {
    return this.#response(result)
  }

  #take(text: string): Frame[] {
    const { content, calls } = this.#usesTools ? this.#parser.push(text) : { content: text, calls: [] }
    return [...this.#write(content), ...this.#call(calls)]
  }

  #finish(result: GenerationResult): Frame[] {
    const { content, calls } = this.#usesTools ? this.#parser.end() : { content: '', calls: [] }
    const frames = this.#write(content)
    // An answer without a word is a message too, unless it made calls.
    if (!this.#message && calls.length === 0 && this.#output.length === 0) frames.push(...this.#open())
    const status = isCut(result.reason) ? 'incomplete' : 'completed'
    return [...frames, ...this.#shut(status), ...this.#call(calls)]
  }

  #write(text: string): Frame[] {
    if (text === '') return []
    const frames = this.#message ? [] : this.#open()
    this.#text += text
    const place = { item_id: this.#message?.id, output_index: this.#output.length - 1, content_index: 0 }
    return [...frames, this.#event('response.output_text.delta', { ...place, delta: text, logprobs: [] })]
  }

  #open(): Frame[] {
    const item: OutputItem = {
      id: `msg_${compactId()}`,
      type: 'message',
      status: 'in_progress',
      role: 'assistant',
      content: [],
    }
    this.#message = item
    this.#text = ''
    this.#output.push(item)
    const output_index = this.#output.length - 1
    return [
      this.#event('response.output_item.added', { output_index, item }),
      this.#event('response.content_part.added', {
        item_id: item.id,
        output_index,
        content_index: 0,
        part: textPart(''),
      }),
    ]
  }

  #shut(status: 'completed' | 'incomplete'): Frame[] {
    const item = this.#message
    if (!item) return []
    this.#message = undefined
    const part = textPart(this.#text)
    item.status = status
    item.content = [part]
    const output_index = this.#output.indexOf(item)
    const place = { item_id: item.id, output_index, content_index: 0 }
    return [
      this.#event('response.output_text.done', { ...place, text: this.#text, logprobs: [] }),
      this.#event('response.content_part.done', { ...place, part }),
      this.#event('response.output_item.done', { output_index, item }),
    ]
  }

  #call(calls: readonly ToolCall[]): Frame[] {
    if (calls.length === 0) return []
    const frames = this.#shut('completed')
    for (const { id, function: called } of calls) {
      const item: OutputItem = {
        id: `fc_${compactId()}`,
        type: 'function_call',
        status: 'completed',
        call_id: id,
        ...called,
      }
      this.#output.push(item)
      const output_index = this.#output.length - 1
      const place = { item_id: item.id, output_index }
      frames.push(
        this.#event('response.output_item.added', {
          output_index,
          item: { ...item, status: 'in_progress', arguments: '' },
        }),
        this.#event('response.function_call_arguments.delta', { ...place, delta: called.arguments }),
        this.#event('response.function_call_arguments.done', {
          ...place,
          name: called.name,
          arguments: called.arguments,
        }),
        this.#event('response.output_item.done', { output_index, item }),
      )
    }
    return frames
  }

  #response(result?: GenerationResult) {
    const { instructions, temperature, top_p, tools, tool_choice, parallel_tool_calls, text, max_output_tokens } =
      this.#body
    const cut = result !== undefined && isCut(result.reason)
    return {
      id: this.#id,
      object: 'response',
      created_at: this.#created,
      status: result === undefined ? 'in_progress' : cut ? 'incomplete' : 'completed',
      error: null,
      incomplete_details: cut ? { reason: 'max_output_tokens' } : null,
      instructions: instructions ?? null,
      max_output_tokens: max_output_tokens ?? null,
      model: this.#model,
      output: result === undefined ? [] : this.#output,
      parallel_tool_calls: parallel_tool_calls ?? true,
      previous_response_id: null,
      store: false,
      temperature: temperature ?? 0,
      text: { format: text?.format ?? { type: 'text' } },
      tool_choice: flatChoice(tool_choice),
      tools: (tools ?? []).map(({ type, function: rest }) => ({ type, ...rest })),
      top_p: top_p ?? samplerDefaults.topP,
      truncation: 'disabled',
      metadata: {},
      usage: result === undefined ? null : responsesUsage(result),
      ...(result !== undefined && { timings: timingsOf(result) }),
    }
  }

  #event(type: string, fields: object): Frame {
    return { event: type, data: { type, sequence_number: this.#sequence++, ...fields } }
  }
}

function responsesUsage(result: GenerationResult) {
  const usage = usageOf([result], 1)
  return {
    input_tokens: usage.prompt_tokens,
    input_tokens_details: usage.prompt_tokens_details,
    output_tokens: usage.completion_tokens,
    output_tokens_details: { reasoning_tokens: 0, ...usage.completion_tokens_details },
    total_tokens: usage.total_tokens,
  }
}

function flatChoice(choice: ResponsesBody['tool_choice']) {
  if (!choice) return 'auto'
  return typeof choice === 'string' ? choice : { type: 'function', name: choice.function.name }
}

function textPart(text: string) {
  return { type: 'output_text', text, annotations: [], logprobs: [] }
}

function compactId(): string {
  return randomUUID().replaceAll('-', '')
}
