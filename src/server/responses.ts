import { randomUUID } from 'node:crypto'
import { z } from 'zod'
import type { GenerationResult, GenerationStep } from '../decode/generation.js'
import { readBody } from './body.js'
import { isCut } from './chat.js'
import { requestOptions, samplingFields } from './fields.js'
import { documents, requestDocuments, templateMessages } from './messages.js'
import { grammarOf } from './response-format.js'
import { conversationOf, flatToolChoice, flatTools, input } from './responses-input.js'
import type { Service } from './service.js'
import { type Frames, frame, streamAnswers } from './stream.js'
import { type ToolCall, ToolCallParser } from './tool-parser.js'
import { planTools, type ToolUse } from './tools.js'
import { timingsOf, usageOf } from './usage.js'

const { model, temperature, top_p, top_k, min_p, seed, draft, namespace, user, stream } = samplingFields

const format = z.discriminatedUnion(
  'type',
  [
    z.strictObject({ type: z.literal('text') }),
    z.strictObject({ type: z.literal('json_object') }),
    z.strictObject({
      type: z.literal('json_schema'),
      name: z.string(),
      description: z.string().nullish(),
      schema: z.record(z.string(), z.unknown()),
      strict: z.boolean().nullish(),
    }),
  ],
  { error: "expected a format of type 'text', 'json_object' or 'json_schema'" },
)

/** The body of `POST /v1/responses`. */
export const responsesBody = z.strictObject({
  ...{ model, temperature, top_p, top_k, min_p, seed, draft, namespace, user, stream },
  input,
  instructions: z.string().nullish(),
  max_output_tokens: z.number().int().min(1).nullish(),
  text: z.strictObject({ format: format.nullish() }).nullish(),
  tools: flatTools.nullish(),
  tool_choice: flatToolChoice.nullish(),
  parallel_tool_calls: z.boolean().nullish(),
  documents: documents.nullish(),
  store: z.literal(false, { error: 'expected false; this server stores no responses' }).nullish(),
  truncation: z.literal('disabled', { error: "expected 'disabled'; this server cuts nothing off" }).nullish(),
})

type ResponsesBody = z.infer<typeof responsesBody>

/** `POST /v1/responses`, without any memory of earlier ones. */
export async function responses(service: Service, request: Request): Promise<Response> {
  const { engine } = service
  const body = await readBody(request, responsesBody, service.maxBodyBytes)
  service.checkModel(body.model)
  const namespace = service.namespaceOf(request, body.namespace)
  const use = planTools(engine, body)
  const wanted = body.text?.format
  const demanded = grammarOf(
    wanted?.type === 'json_schema' ? { type: 'json_schema', json_schema: { schema: wanted.schema } } : wanted,
    undefined,
  )
  const { signal } = request
  const id = `resp_${compactId()}`
  const begin = () =>
    engine.chat({
      ...requestOptions({ ...body, namespace, grammar: use.grammar ?? demanded }, 0, id, signal),
      messages: templateMessages(engine, conversationOf(body.instructions, body.input)),
      documents: requestDocuments(body.documents),
      tools: use.shown,
      maxTokens: body.max_output_tokens ?? undefined,
    })
  const answers = service.start([begin], signal, namespace)
  const answer = new ResponsesAnswer(service, id, body, use)
  if (body.stream) return streamAnswers(service, answers, answer)
  const [result] = await answers.results()
  return Response.json(answer.whole(result))
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
class ResponsesAnswer implements Frames {
  readonly #service: Service
  readonly #body: ResponsesBody
  readonly #parser: ToolCallParser
  readonly #usesTools: boolean
  readonly #id: string
  readonly #created = Math.floor(Date.now() / 1000)
  readonly #output: OutputItem[] = []
  #message: OutputItem | undefined
  #text = ''
  #sequence = 0

  constructor(service: Service, id: string, body: ResponsesBody, use: ToolUse) {
    this.#service = service
    this.#id = id
    this.#body = body
    this.#usesTools = use.names.size > 0
    this.#parser = new ToolCallParser(use.names, use.parallel)
  }

  /** The response as one object. */
  whole(result: GenerationResult) {
    this.#take(result.text)
    this.#finish(result)
    return this.#response(result)
  }

  begin(): string[] {
    return [
      this.#event('response.created', { response: this.#response() }),
      this.#event('response.in_progress', { response: this.#response() }),
    ]
  }

  step(_index: number, { text }: GenerationStep): string[] {
    return text === '' ? [] : this.#take(text)
  }

  end(_index: number, result: GenerationResult): string[] {
    const frames = this.#finish(result)
    const response = this.#response(result)
    const kind = response.status === 'incomplete' ? 'response.incomplete' : 'response.completed'
    return [...frames, this.#event(kind, { response })]
  }

  close(): string[] {
    return []
  }

  #take(text: string): string[] {
    const { content, calls } = this.#usesTools ? this.#parser.push(text) : { content: text, calls: [] }
    return [...this.#write(content), ...this.#call(calls)]
  }

  #finish(result: GenerationResult): string[] {
    const { content, calls } = this.#usesTools ? this.#parser.end() : { content: '', calls: [] }
    const frames = this.#write(content)
    // An answer without a word is a message too, unless it made calls.
    if (!this.#message && calls.length === 0 && this.#output.length === 0) frames.push(...this.#open())
    const status = isCut(result.reason) ? 'incomplete' : 'completed'
    return [...frames, ...this.#shut(status), ...this.#call(calls)]
  }

  #write(text: string): string[] {
    if (text === '') return []
    const frames = this.#message ? [] : this.#open()
    this.#text += text
    const place = { item_id: this.#message?.id, output_index: this.#output.length - 1, content_index: 0 }
    return [...frames, this.#event('response.output_text.delta', { ...place, delta: text, logprobs: [] })]
  }

  #open(): string[] {
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

  #shut(status: 'completed' | 'incomplete'): string[] {
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

  #call(calls: readonly ToolCall[]): string[] {
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
      model: this.#service.model,
      output: result === undefined ? [] : this.#output,
      parallel_tool_calls: parallel_tool_calls ?? true,
      previous_response_id: null,
      store: false,
      temperature: temperature ?? 0,
      text: { format: text?.format ?? { type: 'text' } },
      tool_choice: flatChoice(tool_choice),
      tools: (tools ?? []).map(({ type, function: rest }) => ({ type, ...rest })),
      top_p: top_p ?? 0.95,
      truncation: 'disabled',
      metadata: {},
      usage: result === undefined ? null : responsesUsage(result),
      ...(result !== undefined && { timings: timingsOf(result) }),
    }
  }

  #event(type: string, fields: object): string {
    return frame({ type, sequence_number: this.#sequence++, ...fields }, type)
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
