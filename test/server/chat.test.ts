import { describe, expect, it } from 'vitest'
import { question, TestServer, textOf } from './server.js'

const server = TestServer.forFile({ slots: 4 })
const route = '/v1/chat/completions'

describe('POST /v1/chat/completions', () => {
  it('answers in the shape of the OpenAI API', async () => {
    const { status, body } = await server.ask(route, { ...question, max_tokens: 200 })
    expect(status).toBe(200)
    expect(body).toMatchObject({
      object: 'chat.completion',
      model: 'test',
      choices: [{ index: 0, message: { role: 'assistant' }, finish_reason: 'stop', logprobs: null }],
    })
    expect(body.choices[0].message.content).toContain('Selford')
    expect(body.usage.total_tokens).toBe(body.usage.prompt_tokens + body.usage.completion_tokens)
    const { accepted_prediction_tokens, rejected_prediction_tokens } = body.usage.completion_tokens_details
    expect(accepted_prediction_tokens).toBe(body.timings.draft_n_accepted)
    expect(accepted_prediction_tokens + rejected_prediction_tokens).toBe(body.timings.draft_n)
    expect(body.timings.predicted_n).toBe(body.usage.completion_tokens)
    expect(body.timings.cache_n + body.timings.prompt_n).toBe(body.usage.prompt_tokens)
  })

  it('streams the same text in one chunk per step, with usage and [DONE] at the end', async () => {
    const whole = await server.ask(route, { ...question, max_tokens: 200 })
    const events = await server.chatEvents({ ...question, max_tokens: 200, stream_options: { include_usage: true } })
    expect(textOf(events)).toBe(whole.body.choices[0].message.content)
    expect(events[0].data.choices[0].delta).toEqual({ role: 'assistant', content: null })
    expect(events.at(-1)?.data).toBe('[DONE]')
    expect(events.at(-2)?.data).toMatchObject({
      choices: [],
      usage: { completion_tokens: whole.body.usage.completion_tokens },
    })
    expect(events.at(-3)?.data.choices[0]).toMatchObject({ delta: {}, finish_reason: 'stop' })
    expect(events.at(-3)?.data.timings.draft_n).toBeGreaterThanOrEqual(0)
    expect(new Set(events.slice(0, -1).map(({ data }) => data.id)).size).toBe(1)
  })

  it('goes on with the part of the last message it is told to', async () => {
    const messages = [...question.messages, { role: 'assistant', content: 'The fee is', reasoning_content: 'Fees.' }]
    const ask = (continue_final_message: unknown) =>
      server.ask(route, { ...question, messages, continue_final_message, max_tokens: 4 })
    const prompts = []
    for (const part of [true, 'content', 'reasoning_content']) {
      const { status, body } = await ask(part)
      expect([part, status]).toEqual([part, 200])
      prompts.push(body.usage.prompt_tokens)
    }
    expect(prompts[1]).toBe(prompts[0])
    expect(prompts[2]).not.toBe(prompts[0])
    expect((await ask('thoughts')).status).toBe(400)
  })

  it('sends no usage unless asked', async () => {
    const events = await server.chatEvents({ ...question, max_tokens: 5 })
    expect(events.some(({ data }) => data.usage !== undefined)).toBe(false)
  })

  it('writes the same text with drafting on and off, greedy, seeded and under a grammar', async () => {
    const grammar = 'root ::= "{" [a-z ,.]+ "}"'
    const schema = {
      type: 'object',
      properties: { company: { type: 'string', maxLength: 20 }, fee: { type: 'integer' }, online: { type: 'boolean' } },
      required: ['company', 'fee'],
    }
    const response_format = { type: 'json_schema', json_schema: { name: 'x', schema } }
    for (const fields of [
      { temperature: 0 },
      { temperature: 0.9, seed: 7 },
      { temperature: 1.2, seed: 8, repeat_penalty: 1.2, top_k: 20 },
      { grammar },
      { grammar, temperature: 1, seed: 3 },
      { response_format },
      { response_format, temperature: 1, seed: 5 },
      { response_format: { type: 'json_object' }, temperature: 1, seed: 6 },
    ]) {
      const texts = []
      for (const draft of ['off', 'auto', 12])
        texts.push(
          (await server.ask(route, { ...question, ...fields, draft, max_tokens: 50 })).body.choices[0].message.content,
        )
      expect(texts[1], JSON.stringify(fields)).toBe(texts[0])
      expect(texts[2], JSON.stringify(fields)).toBe(texts[0])
    }
  })

  it('writes JSON that fits the schema', async () => {
    const schema = {
      type: 'object',
      properties: { a: { type: 'integer', minimum: 3, maximum: 9 }, b: { enum: ['x', 'y'] } },
      required: ['a', 'b'],
      additionalProperties: false,
    }
    const { body } = await server.ask(route, {
      messages: [{ role: 'user', content: 'Hello' }],
      response_format: { type: 'json_schema', json_schema: { name: 'x', schema, strict: true } },
    })
    const value = JSON.parse(body.choices[0].message.content)
    expect(Object.keys(value)).toEqual(['a', 'b'])
    expect(value.a).toBeGreaterThanOrEqual(3)
    expect(value.a).toBeLessThanOrEqual(9)
    expect(['x', 'y']).toContain(value.b)
  })

  it('gives log-probabilities of every token, the same with drafting on and off', async () => {
    const fields = { ...question, max_tokens: 20, logprobs: true, top_logprobs: 3 }
    const on = (await server.ask(route, fields)).body
    const off = (await server.ask(route, { ...fields, draft: 'off' })).body
    const { content } = on.choices[0].logprobs
    expect(content).toHaveLength(on.usage.completion_tokens)
    for (const entry of content) {
      expect(entry.logprob).toBeLessThanOrEqual(0)
      expect(entry.top_logprobs).toHaveLength(3)
      // Greedy: what was written is what was likeliest.
      expect(entry.top_logprobs[0].token).toBe(entry.token)
      expect(Buffer.from(entry.bytes).toString()).toBe(entry.token)
    }
    expect(content).toEqual(off.choices[0].logprobs.content)
    const events = await server.chatEvents(fields)
    const streamed = events.flatMap(({ data }) => data.choices?.[0]?.logprobs?.content ?? [])
    expect(streamed).toEqual(content)
  })

  it('reuses the beginning of earlier prompts unless told not to, without a difference in the text', async () => {
    const fields = { ...question, max_tokens: 20 }
    await server.ask(route, fields)
    const reused = (await server.ask(route, fields)).body
    const fresh = (await server.ask(route, { ...fields, cache_prompt: false })).body
    expect(reused.usage.prompt_tokens_details.cached_tokens).toBeGreaterThan(0)
    expect(fresh.usage.prompt_tokens_details.cached_tokens).toBe(0)
    expect(reused.choices[0].message).toEqual(fresh.choices[0].message)
  })

  it('takes a namespace, which changes no text', async () => {
    const fields = { ...question, max_tokens: 20 }
    const plain = (await server.ask(route, fields)).body
    for (const namespace of ['a', 'b']) {
      const { status, body } = await server.ask(route, { ...fields, namespace })
      expect(status).toBe(200)
      expect(body.choices[0].message).toEqual(plain.choices[0].message)
    }
  })

  it('takes a prediction as a draft source and writes the same text', async () => {
    const plain = (await server.ask(route, { ...question, max_tokens: 200, draft: 'off' })).body
    const content = plain.choices[0].message.content
    const helped = (
      await server.ask(route, { ...question, max_tokens: 200, draft: 8, prediction: { type: 'content', content } })
    ).body
    expect(helped.choices[0].message.content).toBe(content)
    expect(helped.usage.completion_tokens_details.accepted_prediction_tokens).toBeGreaterThan(0)
    const wrong = { type: 'content', content: [{ type: 'text', text: 'something else entirely' }] }
    const misled = (await server.ask(route, { ...question, max_tokens: 200, prediction: wrong })).body
    expect(misled.choices[0].message.content).toBe(content)
  })

  it('writes n answers, each with a seed of its own, whole and streamed', async () => {
    const fields = { ...question, n: 3, temperature: 4, top_k: 0, top_p: 1, min_p: 0, seed: 11, max_tokens: 12 }
    const { body } = await server.ask(route, fields)
    const texts = body.choices.map((choice: { message: { content: string } }) => choice.message.content)
    expect(body.choices.map((choice: { index: number }) => choice.index)).toEqual([0, 1, 2])
    expect(new Set(texts).size).toBeGreaterThan(1)
    const second = await server.ask(route, { ...fields, n: 1, seed: 12 })
    expect(second.body.choices[0].message.content).toBe(texts[1])
    const events = await server.chatEvents(fields)
    expect([0, 1, 2].map((index) => textOf(events, index))).toEqual(texts)
  })

  it('lets n answers draft from each other while they are being written', async () => {
    const fields = { ...question, grammar: 'root ::= [a-z ]+', max_tokens: 30, draft: 8, explain: true }
    const { body } = await server.ask(route, { ...fields, n: 4, namespace: 'together' })
    const texts = body.choices.map(({ message }: { message: object }) => message)
    expect(texts.slice(1)).toEqual([texts[0], texts[0], texts[0]])
    // Nothing else is in that namespace, and none of the four is through before its last tokens.
    const early = body.choices.flatMap(({ lookahead }: { lookahead: { steps: { pieces: { source: string }[] }[] } }) =>
      lookahead.steps.flatMap(({ pieces }) => pieces).slice(0, 20),
    )
    expect(early.map(({ source }: { source: string }) => source)).toContain('sibling')
  })

  it('explains what each forward did', async () => {
    const { body } = await server.ask(route, { ...question, max_tokens: 40, explain: true })
    const { steps } = body.choices[0].lookahead
    const pieces = steps.flatMap((step: { pieces: { text: string }[] }) => step.pieces)
    expect(pieces.map((piece: { text: string }) => piece.text).join('')).toBe(body.choices[0].message.content)
    for (const step of steps) {
      expect(step.tree).toHaveLength(step.drafted)
      expect(step.tree.filter((node: { accepted: boolean }) => node.accepted)).toHaveLength(step.accepted)
      for (const { source, origin, match_length, probability } of step.pieces) {
        expect(origin === 'model').toBe(source === 'model')
        expect(match_length === undefined).toBe(source === 'model')
        expect(probability === undefined).toBe(source === 'model')
      }
    }
    const events = await server.chatEvents({ ...question, max_tokens: 40, explain: true })
    const streamed = events.flatMap(({ data }) => data.lookahead?.pieces ?? [])
    expect(streamed.map((piece) => piece.text)).toEqual(pieces.map((piece: { text: string }) => piece.text))
  })

  it('ends at stop strings, which are no part of the text', async () => {
    const { body } = await server.ask(route, { ...question, stop: ['passport'] })
    expect(body.choices[0].finish_reason).toBe('stop')
    expect(body.choices[0].message.content).not.toContain('passport')
    const events = await server.chatEvents({ ...question, stop: 'passport' })
    expect(textOf(events)).toBe(body.choices[0].message.content)
  })

  it('takes text parts, developer messages and documents as plain strings', async () => {
    const messages = [
      { role: 'developer', content: 'Be brief.' },
      {
        role: 'user',
        content: [
          { type: 'text', text: 'Hel' },
          { type: 'text', text: 'lo' },
        ],
      },
    ]
    const one = await server.ask('/apply-template', { messages, documents: ['A text.'] })
    expect(one.body.prompt).toContain('Be brief.')
    expect(one.body.prompt).toMatch(/Hel.*\nlo/s)
    expect(one.body.prompt).toContain('A text.')
  })

  it('reports a full context as length', async () => {
    const grammar = 'root ::= [a-z]{40}'
    const { body } = await server.ask(route, { messages: [{ role: 'user', content: 'x' }], grammar, max_tokens: 7 })
    expect(body.choices[0].finish_reason).toBe('length')
    expect(body.usage.completion_tokens).toBe(7)
  })
})
