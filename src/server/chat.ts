import { randomUUID } from 'node:crypto'
import { z } from 'zod'
import type { EndReason, GenerationResult, GenerationStep } from '../decode/generation.js'
import type { Engine } from '../engine/engine.js'
import { readBody } from './body.js'
import { badRequest } from './errors.js'
import { type Explanation, explanationOf } from './explanation.js'
import { prediction, predictionText, requestOptions, samplingFields, tokenCount, tokenLimit } from './fields.js'
import { bodyOf } from './harmless.js'
import { type ChatLogprob, chatLogprobs } from './logprobs.js'
import { documents, messages, requestDocuments, templateMessages } from './messages.js'
import { done, type Frame, fingerprint, type Reply } from './reply.js'
import { grammarOf, responseFormat, schema } from './response-format.js'
import type { Served } from './served.js'
import type { Service } from './service.js'
import { respond } from './stream.js'
import { type ParsedText, type ToolCall, ToolCallParser } from './tool-parser.js'
import { planTools, type ToolUse, toolChoice, tools } from './tools.js'
import { timingsOf, usageOf } from './usage.js'

/** The body of `POST /v1/chat/completions`. */
export const chatBody = bodyOf({
  ...samplingFields,
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

type ChatBody = z.infer<typeof chatBody>

/** `POST /v1/chat/completions` */
export async function chat(service: Service, request: Request): Promise<Response> {
  const body = await readBody(request, chatBody, service)
  const served = service.find(body.model)
  const { engine } = served
  const namespace = service.namespaceOf(request, body.namespace)
  if (body.top_logprobs && !body.logprobs)
    throw badRequest('top_logprobs: expected only together with logprobs: true', 'top_logprobs')
  const use = planTools(engine, body)
  const demanded = grammarOf(body)
  if (use.shown.length > 0 && demanded !== undefined)
    throw badRequest('tools: a grammar or JSON format cannot be kept together with tools; give one of the two', 'tools')
  const { signal } = request
  const shared = {
    ...conversationOf(engine, body, use),
    maxTokens: tokenLimit(
      ['max_tokens', body.max_tokens],
      ['max_completion_tokens', body.max_completion_tokens],
      ['n_predict', body.n_predict],
    ),
    prediction: predictionText(body.prediction),
    logprobs: body.logprobs ? (body.top_logprobs ?? 0) : undefined,
  }
  const id = `chatcmpl-${randomUUID()}`
  const together = (body.n ?? 1) > 1 ? {} : undefined
  const begin = Array.from({ length: body.n ?? 1 }, (_, index) => () => {
    const fields = { ...body, namespace, grammar: use.grammar ?? demanded }
    return engine.chat({ ...requestOptions(engine, fields, index, id, signal), ...shared, together })
  })
  const answers = service.start(served, begin, signal, namespace)
  return respond(service, answers, new ChatReply(served, id, body, use), body.stream ?? false)
}

/** `POST /v1/chat/completions/input_tokens`: how many tokens the prompt of a conversation has. */
export async function countChat(service: Service, request: Request): Promise<Response> {
  const body = await readBody(request, chatBody, service)
  const { engine } = service.find(body.model)
  const prompt = engine.tokenizeChat(conversationOf(engine, body, planTools(engine, body)))
  return Response.json({ object: 'chat.completion.input_tokens', input_tokens: prompt.length })
}

/** What the chat template is given. */
function conversationOf(engine: Engine, body: ChatBody, use: ToolUse) {
  return {
    messages: templateMessages(engine, body.messages),
    documents: requestDocuments(body.documents),
    tools: use.shown,
  }
}

/** One response: its choices, and the frames they come in when it is streamed. */
class ChatReply implements Reply {
  readonly #body: ChatBody
  readonly #id: string
  readonly #created = Math.floor(Date.now() / 1000)
  readonly #model: string
  readonly #choices: Choice[]

  constructor(served: Served, id: string, body: ChatBody, use: ToolUse) {
    this.#id = id
    this.#body = body
    this.#model = served.name
    this.#choices = Array.from({ length: body.n ?? 1 }, (_, index) => new Choice(index, served.engine, body, use))
  }

  begin(): Frame[] {
    return this.#choices.map(({ index }) => this.#chunk(delta(index, { role: 'assistant', content: null })))
  }

  step(index: number, step: GenerationStep): Frame[] {
    const told = this.#choices[index].take(step)
    return told ? [this.#chunk(told, this.#body.explain ? { lookahead: explanationOf(step) } : {})] : []
  }

  end(index: number, result: GenerationResult): Frame[] {
    const choice = this.#choices[index]
    const rest = choice.finish(result)
    const last = { ...delta(index, {}), finish_reason: choice.finishReason }
    return [...(rest ? [this.#chunk(rest)] : []), this.#chunk(last, { timings: timingsOf(result) })]
  }

  close(results: readonly GenerationResult[]): Frame[] {
    const usage = this.#body.stream_options?.include_usage
      ? [
          {
            data: {
              ...this.#head('chat.completion.chunk'),
              choices: [],
              usage: usageOf(results, results.length),
              timings: timingsOf(results[0]),
            },
          },
        ]
      : []
    return [...usage, done]
  }

  whole(results: readonly GenerationResult[]) {
    return {
      ...this.#head('chat.completion'),
      choices: this.#choices.map((choice) => choice.whole()),
      usage: usageOf(results, results.length),
      timings: timingsOf(results[0]),
    }
  }

  #head(object: string) {
    return { id: this.#id, object, created: this.#created, model: this.#model, system_fingerprint: fingerprint }
  }

  #chunk(choice: object, extra: object = {}): Frame {
    const usage = this.#body.stream_options?.include_usage ? { usage: null } : {}
    return { data: { ...this.#head('chat.completion.chunk'), choices: [choice], ...usage, ...extra } }
  }
}

/** One of the answers to a conversation: what has been written of it so far. */
class Choice {
  readonly index: number
  finishReason: 'stop' | 'length' | 'tool_calls' = 'stop'
  readonly #engine: Engine
  readonly #body: ChatBody
  readonly #parser: ToolCallParser | undefined
  readonly #calls: ToolCall[] = []
  readonly #logprobs: ChatLogprob[] = []
  readonly #steps: Explanation[] = []
  #content = ''

  constructor(index: number, engine: Engine, body: ChatBody, use: ToolUse) {
    this.index = index
    this.#engine = engine
    this.#body = body
    this.#parser = use.names.size > 0 ? new ToolCallParser(use.names, use.parallel) : undefined
  }

  /** Takes a step, and returns what it adds, if anything. */
  take(step: GenerationStep): object | undefined {
    const logprobs = this.#body.logprobs ? chatLogprobs(this.#engine, step.pieces) : undefined
    if (logprobs) for (const entry of logprobs) this.#logprobs.push(entry)
    if (this.#body.explain) this.#steps.push(explanationOf(step))
    const added = this.#add(this.#parser?.push(step.text) ?? { content: step.text, calls: [] })
    if (!added && !logprobs?.length && !this.#body.explain) return undefined
    return delta(this.index, added ?? { content: '' }, logprobs)
  }

  /** The text is over. Returns what was held back, if anything. */
  finish({ reason }: GenerationResult): object | undefined {
    const added = this.#parser && this.#add(this.#parser.end())
    this.finishReason = this.#calls.length > 0 ? 'tool_calls' : finishReason(reason)
    return added && delta(this.index, added)
  }

  whole() {
    const content = this.#content
    const calls = this.#calls
    return {
      index: this.index,
      message: {
        role: 'assistant',
        content: calls.length > 0 && content === '' ? null : content,
        refusal: null,
        annotations: [],
        ...(calls.length > 0 && { tool_calls: calls }),
      },
      logprobs: this.#body.logprobs ? { content: this.#logprobs, refusal: null } : null,
      finish_reason: this.finishReason,
      ...(this.#body.explain && { lookahead: { steps: this.#steps } }),
    }
  }

  #add({ content, calls }: ParsedText): object | undefined {
    if (content === '' && calls.length === 0) return undefined
    this.#content += content
    const first = this.#calls.length
    this.#calls.push(...calls)
    return {
      ...(content !== '' && { content }),
      ...(calls.length > 0 && { tool_calls: calls.map((call, i) => ({ index: first + i, ...call })) }),
    }
  }
}

/** Whether an answer ended before it was whole. */
export function isCut(reason: EndReason): boolean {
  return reason === 'length' || reason === 'context-full' || reason === 'dead-end'
}

/** Why an answer ended, in OpenAI's words. */
export function finishReason(reason: EndReason): 'stop' | 'length' {
  return isCut(reason) ? 'length' : 'stop'
}

function delta(index: number, delta: object, logprobs?: ChatLogprob[]) {
  return { index, delta, logprobs: logprobs ? { content: logprobs, refusal: null } : null, finish_reason: null }
}
