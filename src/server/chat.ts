import { randomUUID } from 'node:crypto'
import { z } from 'zod'
import type { EndReason, GenerationResult, GenerationStep } from '../decode/generation.js'
import { readBody } from './body.js'
import { badRequest } from './errors.js'
import { type Explanation, explanationOf } from './explanation.js'
import { checkTogether, prediction, predictionText, requestOptions, samplingFields } from './fields.js'
import { type ChatLogprob, chatLogprobs } from './logprobs.js'
import { documents, messages, requestDocuments, templateMessages } from './messages.js'
import { grammarOf, responseFormat } from './response-format.js'
import type { Service } from './service.js'
import { type Frames, frame, streamAnswers } from './stream.js'
import { type ToolCall, ToolCallParser } from './tool-parser.js'
import { planTools, type ToolUse, toolChoice, tools } from './tools.js'
import { timingsOf, usageOf } from './usage.js'

const positive = z.number().int().min(1)

/** The body of `POST /v1/chat/completions`. */
export const chatBody = z.strictObject({
  ...samplingFields,
  messages,
  max_tokens: positive.nullish(),
  max_completion_tokens: positive.nullish(),
  logprobs: z.boolean().nullish(),
  top_logprobs: z.number().int().min(0).max(20).nullish(),
  prediction,
  response_format: responseFormat.nullish(),
  tools: tools.nullish(),
  tool_choice: toolChoice.nullish(),
  parallel_tool_calls: z.boolean().nullish(),
  documents: documents.nullish(),
  // What the API's clients may send by default and what is true of this server anyway.
  modalities: z.array(z.literal('text')).nullish(),
  store: z.literal(false, { error: 'expected false; this server stores no answers' }).nullish(),
  service_tier: z.enum(['auto', 'default']).nullish(),
})

type ChatBody = z.infer<typeof chatBody>

/** `POST /v1/chat/completions` */
export async function chat(service: Service, request: Request): Promise<Response> {
  const { engine } = service
  const body = await readBody(request, chatBody, service.maxBodyBytes)
  service.checkModel(body.model)
  const namespace = service.namespaceOf(request, body.namespace)
  checkTogether(body)
  if (typeof body.max_tokens === 'number' && typeof body.max_completion_tokens === 'number')
    throw badRequest('max_tokens: expected only without max_completion_tokens; give one of the two', 'max_tokens')
  if (typeof body.top_logprobs === 'number' && !body.logprobs)
    throw badRequest('top_logprobs: expected only together with logprobs: true', 'top_logprobs')
  const use = planTools(engine, body)
  const demanded = grammarOf(body.response_format, body.grammar)
  if (use.shown.length > 0 && demanded !== undefined)
    throw badRequest('tools: a grammar or JSON format cannot be kept together with tools; give one of the two', 'tools')
  const { signal } = request
  const shared = {
    messages: templateMessages(engine, body.messages),
    documents: requestDocuments(body.documents),
    tools: use.shown,
    maxTokens: body.max_completion_tokens ?? body.max_tokens ?? undefined,
    prediction: predictionText(body.prediction),
    logprobs: body.logprobs ? (body.top_logprobs ?? 0) : undefined,
  }
  const id = `chatcmpl-${randomUUID()}`
  const together = (body.n ?? 1) > 1 ? {} : undefined
  const begin = Array.from({ length: body.n ?? 1 }, (_, index) => () => {
    const options = requestOptions({ ...body, namespace, grammar: use.grammar ?? demanded }, index, id, signal)
    return engine.chat({ ...options, ...shared, together })
  })
  const answers = service.start(begin, signal, namespace)
  const answer = new ChatAnswer(service, id, body, use)
  if (body.stream) return streamAnswers(service, answers, answer)
  const choices = Array.from({ length: answers.count }, () => new WholeChoice(answer))
  for (let event = await answers.next(60_000); event !== undefined; event = await answers.next(60_000))
    if (event !== 'quiet' && 'step' in event) choices[event.index].take(event.step)
  const results = await answers.results()
  return Response.json({
    ...answer.head('chat.completion'),
    choices: results.map((result, index) => choices[index].complete(index, result)),
    usage: usageOf(results, results.length),
    timings: timingsOf(results[0]),
  })
}

/** What all parts of one response share, and its frames when it is streamed. */
class ChatAnswer implements Frames {
  readonly service: Service
  readonly body: ChatBody
  readonly use: ToolUse
  readonly #id: string
  readonly #created = Math.floor(Date.now() / 1000)
  readonly #parsers: ToolCallParser[]

  constructor(service: Service, id: string, body: ChatBody, use: ToolUse) {
    this.service = service
    this.#id = id
    this.body = body
    this.use = use
    this.#parsers = Array.from({ length: body.n ?? 1 }, () => this.parser())
  }

  head(object: string) {
    return { id: this.#id, object, created: this.#created, model: this.service.model }
  }

  parser(): ToolCallParser {
    return new ToolCallParser(this.use.names, this.use.parallel)
  }

  begin(): string[] {
    return this.#parsers.map((_, index) => this.#chunk([choice(index, { role: 'assistant', content: '' })]))
  }

  step(index: number, step: GenerationStep): string[] {
    const parser = this.#parsers[index]
    const before = parser.found
    const { content, calls } = this.use.names.size === 0 ? { content: step.text, calls: [] } : parser.push(step.text)
    const logprobs = this.body.logprobs ? chatLogprobs(this.service.engine, step.pieces) : undefined
    if (content === '' && calls.length === 0 && !logprobs?.length && !this.body.explain) return []
    const delta = { ...((content !== '' || calls.length === 0) && { content }), ...callDeltas(calls, before) }
    const extra = this.body.explain ? { lookahead: explanationOf(step) } : {}
    return [this.#chunk([choice(index, delta, logprobs)], extra)]
  }

  end(index: number, result: GenerationResult): string[] {
    const parser = this.#parsers[index]
    const before = parser.found
    const { content, calls } = parser.end()
    const rest =
      content === '' && calls.length === 0
        ? []
        : [this.#chunk([choice(index, { ...(content !== '' && { content }), ...callDeltas(calls, before) })])]
    const finish_reason = parser.found > 0 ? 'tool_calls' : finishReason(result.reason)
    return [...rest, this.#chunk([{ ...choice(index, {}), finish_reason }], { timings: timingsOf(result) })]
  }

  close(results: readonly GenerationResult[]): string[] {
    const usage = this.body.stream_options?.include_usage
      ? [frame({ ...this.head('chat.completion.chunk'), choices: [], usage: usageOf(results, results.length) })]
      : []
    return [...usage, frame('[DONE]')]
  }

  #chunk(choices: unknown[], extra: object = {}): string {
    const usage = this.body.stream_options?.include_usage ? { usage: null } : {}
    return frame({ ...this.head('chat.completion.chunk'), choices, ...usage, ...extra })
  }
}

/** One choice that is returned as a whole. */
class WholeChoice {
  readonly #answer: ChatAnswer
  readonly #logprobs: ChatLogprob[] = []
  readonly #steps: Explanation[] = []

  constructor(answer: ChatAnswer) {
    this.#answer = answer
  }

  take(step: GenerationStep): void {
    const { body, service } = this.#answer
    if (body.logprobs) this.#logprobs.push(...chatLogprobs(service.engine, step.pieces))
    if (body.explain) this.#steps.push(explanationOf(step))
  }

  complete(index: number, result: GenerationResult) {
    const { body, use } = this.#answer
    const { content, calls } = use.names.size === 0 ? { content: result.text, calls: [] } : this.#parse(result.text)
    return {
      index,
      message: {
        role: 'assistant',
        content: calls.length > 0 && content === '' ? null : content,
        refusal: null,
        ...(calls.length > 0 && { tool_calls: calls }),
      },
      logprobs: body.logprobs ? { content: this.#logprobs, refusal: null } : null,
      finish_reason: calls.length > 0 ? 'tool_calls' : finishReason(result.reason),
      ...(body.explain && { lookahead: { steps: this.#steps } }),
    }
  }

  #parse(text: string) {
    const parser = this.#answer.parser()
    const first = parser.push(text)
    const rest = parser.end()
    return { content: first.content + rest.content, calls: [...first.calls, ...rest.calls] }
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

function choice(index: number, delta: object, logprobs?: ChatLogprob[]) {
  return { index, delta, logprobs: logprobs ? { content: logprobs, refusal: null } : null, finish_reason: null }
}

function callDeltas(calls: readonly ToolCall[], before: number) {
  return calls.length === 0 ? {} : { tool_calls: calls.map((call, i) => ({ index: before + i, ...call })) }
}
