import type { Answer, Contestant, ContestantReport, Task } from '../contest/contestant.js'

interface Chunk {
  choices?: { text?: string }[]
  usage?: { completion_tokens?: number } | null
}

/**
 * Any server that speaks OpenAI's completions (llama-server, vLLM, our own `serve`, …), running already, by its URL.
 * It gets the prompt as text and streams; what it keeps between rounds is its own affair.
 */
export class OpenAiContestant implements Contestant {
  readonly name: string
  readonly about: string
  readonly #base: string
  #model = ''

  /** @param url with or without `/v1` */
  constructor(name: string, url: string) {
    this.name = name
    this.#base = url.replace(/\/+$/, '').replace(/\/v1$/, '')
    this.about = 'A server given by --peer; its clock is read at this end of the connection.'
  }

  async start(): Promise<ContestantReport> {
    const response = await fetch(`${this.#base}/v1/models`, { signal: AbortSignal.timeout(5000) }).catch(
      () => undefined,
    )
    if (!response?.ok) throw new Error('no OpenAI-compatible server answered at its address')
    const { data } = (await response.json()) as { data?: { id: string }[] }
    this.#model = data?.[0]?.id ?? 'default'
    return { version: this.#model }
  }

  async reset(): Promise<void> {}

  async answer({ text: prompt, maxTokens }: Task): Promise<Answer> {
    const body = {
      model: this.#model,
      prompt,
      max_tokens: maxTokens,
      temperature: 0,
      stream: true,
      stream_options: { include_usage: true },
    }
    const began = performance.now()
    const response = await fetch(`${this.#base}/v1/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
    if (!response.ok || !response.body) throw new Error(`${this.name} answered ${response.status}`)
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

  async close(): Promise<void> {}
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
