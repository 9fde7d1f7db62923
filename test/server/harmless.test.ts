import { describe, expect, it } from 'vitest'
import { TestServer } from './server.js'

const server = TestServer.forFile()
const chat = '/v1/chat/completions'
const hello = { messages: [{ role: 'user', content: 'Hello' }], max_tokens: 3 }

describe('fields that change no text', () => {
  it.each([
    ['null', { temperature: null, tools: null, functions: null, audio: null, suffix: null, unheard_of: null }],
    [
      'empty lists and objects',
      { tools: [], stop: [], logit_bias: {}, metadata: {}, functions: [], stream_options: {} },
    ],
    ['empty stop strings', { stop: '' }],
    ['hints', { user: 'u', metadata: { a: 'b' }, prompt_cache_key: 'k', prompt_cache_retention: '24h' }],
    ['more hints', { safety_identifier: 's', service_tier: 'priority', verbosity: 'low', id_slot: 0 }],
    ['what is off anyway', { store: false, background: false, mirostat: 0, mirostat_tau: 5, mirostat_eta: 0.1 }],
    ['llama-server’s names for none', { seed: -1, top_k: -1, repeat_last_n: -1, temperature: -1 }],
    ['other names', { repetition_penalty: 1 }],
    ['parts without a meaning here', { stream_options: { include_usage: true, include_obfuscation: false } }],
  ])('%s', async (_, fields) => {
    const { status, body } = await server.ask(chat, { ...hello, ...fields })
    expect(status, JSON.stringify(body)).toBe(200)
    const plain = await server.ask(chat, hello)
    expect(body.choices[0].message.content).toBe(plain.body.choices[0].message.content)
  })

  it('are taken in messages and tools too', async () => {
    const messages = [
      {
        role: 'system',
        content: [{ type: 'text', text: 'Be brief.', cache_control: { type: 'ephemeral' } }],
        name: null,
      },
      { role: 'user', content: 'Hello', name: null },
      {
        role: 'assistant',
        content: 'Hi',
        refusal: null,
        annotations: [],
        audio: null,
        tool_calls: [],
        function_call: null,
      },
      { role: 'user', content: [{ type: 'input_text', text: 'And now?' }] },
    ]
    expect((await server.ask(chat, { messages, max_tokens: 1 })).status).toBe(200)
    const input = messages.map(({ role, content }) => ({ type: 'message', role, content, id: null, status: null }))
    const fields = { store: false, include: [], metadata: {}, reasoning: null, text: {}, background: false }
    expect((await server.ask('/v1/responses', { input, max_output_tokens: 1, ...fields })).status).toBe(200)
  })
})

describe('limits and biases as llama-server takes them', () => {
  it('writes nothing for max_tokens 0, and reads the prompt', async () => {
    const { body } = await server.ask(chat, { ...hello, max_tokens: 0 })
    expect(body.choices[0]).toMatchObject({ message: { content: '' }, finish_reason: 'length' })
    expect(body.usage).toMatchObject({ completion_tokens: 0 })
    expect(body.usage.prompt_tokens).toBeGreaterThan(0)
  })

  it('writes on for -1, as far as there is room', async () => {
    const { body } = await server.ask('/v1/completions', { prompt: 'A', max_tokens: -1, grammar: 'root ::= "ab"' })
    expect(body.choices[0]).toMatchObject({ text: 'ab', finish_reason: 'stop' })
  })

  it('forbids and wishes tokens by id, text or pair', async () => {
    const grammar = 'root ::= "a" | "b"'
    const ask = async (logit_bias: unknown) =>
      (await server.ask('/v1/completions', { prompt: 'Letter: ', grammar, logit_bias })).body.choices[0].text
    const [a] = server.engine.tokenize('a').slice(-1)
    for (const bias of [{ [a]: -100 }, [[a, false]], [[a, -100.5]], { a: -200, ' a': -200 }, [['a', false]]])
      expect(await ask(bias), JSON.stringify(bias)).toBe('b')
    const [b] = server.engine.tokenize('b').slice(-1)
    expect(await ask({ [b]: -100 })).toBe('a')
  })
})

describe('routes as llama-server has them', () => {
  it('answer without /v1', async () => {
    expect((await server.ask('/chat/completions', hello)).body.object).toBe('chat.completion')
    expect((await server.ask('/responses', { input: 'Hi', max_output_tokens: 1 })).body.object).toBe('response')
    expect((await server.app.request('/models')).status).toBe(200)
    expect((await server.app.request('/v1/health')).status).toBe(200)
  })

  it('count the tokens of a prompt', async () => {
    const { body } = await server.ask('/v1/chat/completions/input_tokens', { messages: hello.messages })
    const answer = await server.ask(chat, hello)
    expect(body.input_tokens).toBe(answer.body.usage.prompt_tokens)
    const counted = await server.ask('/v1/responses/input_tokens', { input: 'Hello' })
    expect(counted.body.input_tokens).toBe(body.input_tokens)
  })

  it('say by how much a prompt is too long', async () => {
    const { status, body } = await server.ask(chat, { messages: [{ role: 'user', content: 'word '.repeat(3000) }] })
    expect(status).toBe(400)
    expect(body.error).toMatchObject({
      type: 'exceed_context_size_error',
      code: 'context_length_exceeded',
      n_ctx: 2048,
    })
    expect(body.error.n_prompt_tokens).toBeGreaterThan(2048)
  })
})

describe('samplers by llama.cpp’s names', () => {
  it('draw as their options say, the same with drafts and without', async () => {
    const samplers = {
      ...{ temperature: 1, seed: 3, typical_p: 0.9, top_n_sigma: 2, xtc_probability: 0.3, dynatemp_range: 0.2 },
      ...{ dry_multiplier: 0.5, dry_base: 1.5, dry_allowed_length: 3, dry_penalty_last_n: -1, min_tokens: 20 },
      ...{ dry_sequence_breakers: ['\n'], ignore_eos: false, repeat_last_n: -1, repeat_penalty: 1.05 },
    }
    const ask = (draft: unknown) => server.ask(chat, { ...hello, ...samplers, max_tokens: 40, draft })
    const [off, on] = [await ask('off'), await ask(8)]
    expect(off.status, JSON.stringify(off.body)).toBe(200)
    expect(on.body.choices[0].message.content).toBe(off.body.choices[0].message.content)
    expect(off.body.usage.completion_tokens).toBeGreaterThanOrEqual(20)
    const endless = await server.ask(chat, { ...hello, ignore_eos: true, max_tokens: 60 })
    expect(endless.body.usage.completion_tokens).toBe(60)
  })

  it('are off at llama-server’s values for off', async () => {
    const off = { typical_p: 1, top_n_sigma: -1, xtc_probability: 0, dynatemp_range: 0, dry_multiplier: 0, dry_base: 0 }
    expect((await server.ask(chat, { ...hello, ...off })).status).toBe(200)
  })
})

describe('seeds', () => {
  const text = async (fields: object) => {
    const body = { prompt: 'The annual fee', temperature: 2, top_k: 0, top_p: 1, min_p: 0, max_tokens: 12, ...fields }
    const { body: answer } = await server.ask('/v1/completions', body)
    return answer.choices.map((choice: { text: string }) => choice.text)
  }

  it.each([0, 1, 4294967295, 4294967296, 2 ** 53, -2, 1e300])('give the same text every time: %d', async (seed) => {
    expect(await text({ seed })).toEqual(await text({ seed }))
  })

  it('of several answers follow each other, over the largest one too', async () => {
    const [, second] = await text({ seed: 4294967294, n: 2 })
    expect([second]).toEqual(await text({ seed: 4294967295 }))
    const [, behind] = await text({ seed: 4294967295, n: 2 })
    expect([behind]).toEqual(await text({ seed: 0 }))
  })

  it('are drawn anew for -1, and refused where they are none', async () => {
    const texts = new Set((await Promise.all(Array.from({ length: 4 }, () => text({ seed: -1 })))).flat())
    expect(texts.size).toBeGreaterThan(1)
    for (const seed of ['5', 1.5, true])
      expect((await server.ask('/v1/completions', { prompt: 'a', seed })).status).toBe(400)
  })
})
