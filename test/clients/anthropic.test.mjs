// Contract tests of the clients that speak Anthropic's API, and of those that embed, against a running server.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { createAnthropic } from '@ai-sdk/anthropic'
import { createOpenAI } from '@ai-sdk/openai'
import Anthropic from '@anthropic-ai/sdk'
import { embedMany, generateText, streamText } from 'ai'
import OpenAI from 'openai'
import { startServer } from './server.mjs'

const model = 'lookahead-qa'
const apiKey = 'key'
const question = 'Tell me about the Selford Gold travel insurance.'
const messages = [{ role: 'user', content: question }]

let server
let baseURL
before(async () => {
  // The small model reads as well as any, for what is tested here.
  const reader = new URL('../../models/lookahead-qa.gguf', import.meta.url).pathname
  server = await startServer('--api-key', apiKey, '--embedding-model', reader)
  baseURL = `${server.url}/v1`
})
after(() => server.stop())

describe('@anthropic-ai/sdk', () => {
  const client = () => new Anthropic({ baseURL: server.url, apiKey, maxRetries: 0 })

  it('writes messages, whole and streamed', async () => {
    const request = { model, max_tokens: 200, system: 'Be brief.', messages, temperature: 0 }
    const whole = await client().messages.create(request)
    assert.match(whole.stop_reason, /^(end_turn|max_tokens)$/)
    const stream = client().messages.stream(request)
    let text = ''
    stream.on('text', (part) => {
      text += part
    })
    const final = await stream.finalMessage()
    assert.equal(text, whole.content[0].text)
    assert.deepEqual(
      final.content.map(({ text }) => text),
      [text],
    )
    assert.equal(final.usage.output_tokens, whole.usage.output_tokens)
  })

  it('counts tokens, lists models and throws its own errors', async () => {
    const { input_tokens } = await client().messages.countTokens({ model, messages })
    assert.ok(input_tokens > 5)
    const bad = client().messages.create({ model, max_tokens: 5, messages: [{ role: 'user', content: 5 }] })
    await assert.rejects(bad, Anthropic.BadRequestError)
    const stranger = new Anthropic({ baseURL: server.url, apiKey: 'wrong', maxRetries: 0 })
    await assert.rejects(stranger.messages.create({ model, max_tokens: 5, messages }), Anthropic.AuthenticationError)
  })
})

describe('ai with @ai-sdk/anthropic and @ai-sdk/openai', () => {
  const models = {
    anthropic: () => createAnthropic({ baseURL, apiKey })(model),
    'openai (responses)': () => createOpenAI({ baseURL, apiKey })(model),
    'openai (chat)': () => createOpenAI({ baseURL, apiKey }).chat(model),
  }
  for (const [name, make] of Object.entries(models))
    it(`${name} generates and streams the same text`, async () => {
      const request = { model: make(), prompt: question, maxOutputTokens: 24, temperature: 0 }
      const whole = await generateText(request)
      let text = ''
      for await (const part of streamText(request).textStream) text += part
      assert.equal(text, whole.text)
      assert.ok(whole.usage.outputTokens > 0)
    })

  it('embeds texts', async () => {
    const embedding = createOpenAI({ baseURL, apiKey }).embedding(model)
    const { embeddings } = await embedMany({ model: embedding, values: ['a permit', 'an insurance'] })
    assert.equal(embeddings.length, 2)
    assert.ok(embeddings[0].length > 10)
  })
})

describe('openai', () => {
  it('embeds texts, by default in base64', async () => {
    const client = new OpenAI({ baseURL, apiKey })
    const { data, usage } = await client.embeddings.create({ model, input: ['a permit', 'an insurance'] })
    assert.ok(Math.abs(Math.hypot(...data[0].embedding) - 1) < 1e-3)
    assert.ok(usage.total_tokens > 0)
  })
})
