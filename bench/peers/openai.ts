// A server that speaks the OpenAI API, as a contestant.

import type { Answer, Contestant, ContestantReport, Task } from '../contest/contestant.js'

interface Chunk {
  choices?: { text?: string }[]
  usage?: { completion_tokens?: number } | null
  /** llama-server's own clock and counts; ours sends them too. */
  timings?: {
    predicted_n: number
    predicted_ms: number
    prompt_ms: number
    draft_n?: number
    draft_n_accepted?: number
  }
}

/**
 * Any server that speaks OpenAI's completions (llama-server, vLLM, our own `serve`, …), running already, by its URL. It
 * gets the prompt as tokens, or as text if it does not take tokens; what it keeps between rounds is its own affair.
 *
 * A server that times itself, as llama-server does, is asked for the whole answer at once and taken at its word: then
 * neither HTTP nor our reading of a stream on the same cores is counted against it. The others stream, and the clock is
 * read at this end.
 */
export class OpenAiContestant implements Contestant {
  readonly name: string
  readonly about: string
  readonly #base: string
  #model = ''
  #takesTokens = true
  #timesItself = false

  /** @param url with or without `/v1` */
  constructor(name: string, url: string) {
    this.name = name
    this.#base = url.replace(/\/+$/, '').replace(/\/v1$/, '')
    this.about = 'A server given by --peer; timed by its own clock if it has one, else at this end of the connection.'
  }

  async start(): Promise<ContestantReport> {
    const response = await fetch(`${this.#base}/v1/models`, { signal: AbortSignal.timeout(5000) }).catch(
      () => undefined,
    )
    if (!response?.ok) throw new Error('no OpenAI-compatible server answered at its address')
    const { data } = (await response.json()) as { data?: { id: string }[] }
    this.#model = data?.[0]?.id ?? 'default'
    this.#takesTokens = (await this.#ask({ prompt: [1, 2, 3], max_tokens: 1 })).ok
    const whole = await this.#ask({ prompt: 'a', max_tokens: 2 })
    if (!whole.ok) throw new Error(`it answered ${whole.status}`)
    this.#timesItself = ((await whole.json()) as Chunk).timings !== undefined
    return { version: this.#model }
  }

  async reset(): Promise<void> {}

  answer({ prompt, text, maxTokens }: Task): Promise<Answer> {
    const request = { prompt: this.#takesTokens ? prompt : text, max_tokens: maxTokens }
    return this.#timesItself ? this.#askWhole(request) : this.#askStream(request)
  }

  async close(): Promise<void> {}

  #ask(request: object): Promise<Response> {
    return fetch(`${this.#base}/v1/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ model: this.#model, temperature: 0, ...request }),
    })
  }

  async #askWhole(request: object): Promise<Answer> {
    const response = await this.#ask(request)
    if (!response.ok) throw new Error(`it answered ${response.status}`)
    const { choices, timings } = (await response.json()) as Chunk
    if (!timings) throw new Error('it stopped timing itself')
    const { predicted_n, predicted_ms, prompt_ms, draft_n, draft_n_accepted = 0 } = timings
    const decoded = Math.max(0, predicted_n - 1)
    return {
      tokens: [],
      text: choices?.[0]?.text ?? '',
      decoded,
      prefillMs: prompt_ms,
      decodeMs: predicted_ms,
      ...(draft_n !== undefined && {
        forwards: Math.max(1, decoded - draft_n_accepted),
        drafted: draft_n,
        accepted: draft_n_accepted,
      }),
    }
  }

  async #askStream(request: object): Promise<Answer> {
    const began = performance.now()
    const response = await this.#ask({ ...request, stream: true, stream_options: { include_usage: true } })
    if (!response.ok || !response.body) throw new Error(`it answered ${response.status}`)
    let text = ''
    let chunks = 0
    let count: number | undefined
    let first = began
    let last = began
    for await (const chunk of events(response.body)) {
      count = chunk.usage?.completion_tokens ?? count
      const piece = chunk.choices?.[0]?.text
      if (!piece) continue
      text += piece
      last = performance.now()
      if (chunks++ === 0) first = last
    }
    const decoded = Math.max(0, (count ?? chunks) - 1)
    return { tokens: [], text, decoded, prefillMs: first - began, decodeMs: last - first }
  }
}

async function* events(body: ReadableStream<Uint8Array>): AsyncGenerator<Chunk> {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const bytes of body as unknown as AsyncIterable<Uint8Array>) {
    rest += decoder.decode(bytes, { stream: true })
    const lines = rest.split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) {
      if (!line.startsWith('data:')) continue
      const data = line.slice(5).trim()
      if (data !== '[DONE]') yield JSON.parse(data) as Chunk
    }
  }
}
