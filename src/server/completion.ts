import { randomUUID } from 'node:crypto'
import { z } from 'zod'
import type { GenerationResult, GenerationStep } from '../decode/generation.js'
import { readBody } from './body.js'
import { finishReason } from './chat.js'
import { badRequest } from './errors.js'
import { type Explanation, explanationOf } from './explanation.js'
import { checkTogether, prediction, predictionText, requestOptions, samplingFields } from './fields.js'
import { type CompletionLogprobs, completionLogprobs } from './logprobs.js'
import { grammarOf, responseFormat } from './response-format.js'
import type { Service } from './service.js'
import { type Frames, frame, streamAnswers } from './stream.js'
import { timingsOf, usageOf } from './usage.js'

const tokenIds = z.array(z.number().int().min(0)).min(1)

/** The body of `POST /v1/completions`. */
export const completionBody = z.strictObject({
  ...samplingFields,
  prompt: z.union([z.string(), z.array(z.string()).min(1).max(64), tokenIds, z.array(tokenIds).min(1).max(64)], {
    error: 'expected a string, token ids, or a list of either',
  }),
  max_tokens: z.number().int().min(1).nullish(),
  logprobs: z.number().int().min(0).max(20).nullish(),
  prediction,
  response_format: responseFormat.nullish(),
  echo: z.literal(false, { error: 'expected false; this server does not repeat the prompt' }).nullish(),
  best_of: z.literal(1, { error: 'expected 1; use n' }).nullish(),
})

type CompletionBody = z.infer<typeof completionBody>

/** `POST /v1/completions` */
export async function completion(service: Service, request: Request): Promise<Response> {
  const { engine } = service
  const body = await readBody(request, completionBody, service.maxBodyBytes)
  service.checkModel(body.model)
  const namespace = service.namespaceOf(request, body.namespace)
  checkTogether(body)
  const { signal } = request
  const n = body.n ?? 1
  const prompts = listPrompts(body.prompt)
  if (prompts.length * n > 64) throw badRequest('n: prompts times n may be at most 64', 'n')
  const grammar = grammarOf(body.response_format, body.grammar)
  const id = `cmpl-${randomUUID()}`
  const begin = prompts.flatMap((prompt) => {
    const together = n > 1 ? {} : undefined
    return Array.from({ length: n }, (_, index) => () => {
      return engine.complete({
        ...requestOptions({ ...body, namespace, grammar }, index, id, signal),
        prompt,
        together,
        maxTokens: body.max_tokens ?? undefined,
        prediction: predictionText(body.prediction),
        logprobs: body.logprobs ?? undefined,
      })
    })
  })
  const answers = service.start(begin, signal, namespace)
  const answer = new CompletionAnswer(service, id, body, answers.count)
  if (body.stream) return streamAnswers(service, answers, answer)
  for (let event = await answers.next(60_000); event !== undefined; event = await answers.next(60_000))
    if (event !== 'quiet' && 'step' in event) answer.take(event.index, event.step)
  return Response.json(answer.complete(await answers.results(), n))
}

/** One response: gathered as a whole, or in frames. */
class CompletionAnswer implements Frames {
  readonly #service: Service
  readonly #body: CompletionBody
  readonly #id: string
  readonly #created = Math.floor(Date.now() / 1000)
  readonly #logprobs: CompletionLogprobs[]
  readonly #offsets: number[]
  readonly #steps: Explanation[][]

  constructor(service: Service, id: string, body: CompletionBody, count: number) {
    this.#service = service
    this.#id = id
    this.#body = body
    this.#offsets = new Array<number>(count).fill(0)
    this.#steps = Array.from({ length: count }, () => [])
    this.#logprobs = Array.from({ length: count }, () => ({
      tokens: [],
      token_logprobs: [],
      top_logprobs: [],
      text_offset: [],
    }))
  }

  begin(): string[] {
    return []
  }

  take(index: number, step: GenerationStep): void {
    if (this.#body.explain) this.#steps[index].push(explanationOf(step))
    const part = this.#stepLogprobs(index, step)
    if (!part) return
    const whole = this.#logprobs[index]
    whole.tokens.push(...part.tokens)
    whole.token_logprobs.push(...part.token_logprobs)
    whole.top_logprobs.push(...part.top_logprobs)
    whole.text_offset.push(...part.text_offset)
  }

  complete(results: readonly GenerationResult[], n: number) {
    const { explain, logprobs } = this.#body
    return {
      ...this.#head(),
      choices: results.map((result, index) => ({
        ...this.#choice(index, result.text, typeof logprobs === 'number' ? this.#logprobs[index] : null),
        finish_reason: finishReason(result.reason),
        ...(explain && { lookahead: { steps: this.#steps[index] } }),
      })),
      usage: usageOf(results, n),
      timings: timingsOf(results[0]),
    }
  }

  step(index: number, step: GenerationStep): string[] {
    const logprobs = this.#stepLogprobs(index, step)
    if (step.text === '' && !logprobs && !this.#body.explain) return []
    const extra = this.#body.explain ? { lookahead: explanationOf(step) } : {}
    return [this.#chunk(this.#choice(index, step.text, logprobs ?? null), extra)]
  }

  end(index: number, result: GenerationResult): string[] {
    const last = { ...this.#choice(index, '', null), finish_reason: finishReason(result.reason) }
    return [this.#chunk(last, { timings: timingsOf(result) })]
  }

  close(results: readonly GenerationResult[]): string[] {
    const usage = this.#body.stream_options?.include_usage
      ? [frame({ ...this.#head(), choices: [], usage: usageOf(results, this.#body.n ?? 1) })]
      : []
    return [...usage, frame('[DONE]')]
  }

  #head() {
    return { id: this.#id, object: 'text_completion', created: this.#created, model: this.#service.model }
  }

  #choice(index: number, text: string, logprobs: CompletionLogprobs | null) {
    return { index, text, logprobs, finish_reason: null as string | null }
  }

  #chunk(choice: object, extra: object): string {
    const usage = this.#body.stream_options?.include_usage ? { usage: null } : {}
    return frame({ ...this.#head(), choices: [choice], ...usage, ...extra })
  }

  #stepLogprobs(index: number, step: GenerationStep): CompletionLogprobs | undefined {
    if (typeof this.#body.logprobs !== 'number') return undefined
    const part = completionLogprobs(this.#service.engine, step.pieces, this.#offsets[index])
    this.#offsets[index] += part.tokens.reduce((sum, token) => sum + token.length, 0)
    return part
  }
}

function listPrompts(prompt: CompletionBody['prompt']): (string | number[])[] {
  if (typeof prompt === 'string') return [prompt]
  return typeof prompt[0] === 'number' ? [prompt as number[]] : (prompt as (string | number[])[])
}
