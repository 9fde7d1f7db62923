// Clients that ask a server questions, some at a time.

import type { SamplePrompt } from './embedded.js'

/** What a client saw of one answer. */
export interface Answer {
  tokens: number
  drafted: number
  accepted: number
  /** Milliseconds until the first text. */
  firstMs: number
  /** Milliseconds between chunks: what a reader waits. */
  gapsMs: number[]
  text: string
}

/** Asks one question, streamed. @param fields further fields of the request */
export async function ask(url: string, { question, documents }: SamplePrompt, fields: object): Promise<Answer> {
  const began = performance.now()
  const response = await fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ messages: [{ role: 'user', content: question }], documents, stream: true, ...fields }),
  })
  if (!response.ok || !response.body) throw new Error(await response.text())
  const answer: Answer = { tokens: 0, drafted: 0, accepted: 0, firstMs: 0, gapsMs: [], text: '' }
  let last = 0
  let held = ''
  for await (const part of response.body.pipeThrough(new TextDecoderStream())) {
    const lines = (held + part).split('\n')
    held = lines.pop() ?? ''
    for (const line of lines) {
      if (!line.startsWith('data: {')) continue
      const data = JSON.parse(line.slice(6))
      if (data.error) throw new Error(data.error.message)
      const content: string = data.choices[0]?.delta?.content ?? ''
      if (content !== '') {
        const now = performance.now()
        if (answer.text === '') answer.firstMs = now - began
        else answer.gapsMs.push(now - last)
        last = now
        answer.text += content
      }
      if (data.timings) {
        answer.tokens = data.timings.predicted_n
        answer.drafted = data.timings.draft_n
        answer.accepted = data.timings.draft_n_accepted
      }
    }
  }
  return answer
}

/** Asks all prompts, `concurrency` at a time; the answers stand in the order of the prompts. */
export async function load(url: string, prompts: readonly SamplePrompt[], concurrency: number, fields: object) {
  await ask(url, { question: 'Warm up?', documents: [] }, { ...fields, draft: 'off', max_tokens: 16 })
  const answers: Answer[] = []
  let next = 0
  const worker = async () => {
    for (let i = next++; i < prompts.length; i = next++) answers[i] = await ask(url, prompts[i], fields)
  }
  const began = performance.now()
  await Promise.all(Array.from({ length: concurrency }, worker))
  return { answers, seconds: (performance.now() - began) / 1000 }
}
