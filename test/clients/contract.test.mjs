// Contract tests: what the clients that people use make of our answers. Run with `npm test` in this folder, after
// `npm run build` in the repository.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { HumanMessage, SystemMessage } from '@langchain/core/messages'
import { ChatOpenAI } from '@langchain/openai'
import { generateObject, generateText, streamText } from 'ai'
import OpenAI from 'openai'
import { z } from 'zod'
import { startServer, untilIdle } from './server.mjs'

const model = 'lookahead-qa'
const apiKey = 'key'
const messages = [{ role: 'user', content: 'Tell me about the Selford Gold travel insurance.' }]
const documents = [
  {
    title: 'Selford Gold travel insurance',
    text: 'The Selford Gold travel insurance is offered by Selford. The annual fee for the Selford Gold travel insurance is 89 euros.',
  },
]
const facts = z.object({ company: z.enum(['Selford', 'Marwick']), fee: z.number().int(), online: z.boolean() })

let server
let baseURL
before(async () => {
  server = await startServer('--api-key', apiKey)
  baseURL = `${server.url}/v1`
})
after(() => server.stop())

describe('openai', () => {
  const client = () => new OpenAI({ baseURL, apiKey, maxRetries: 0 })

  it('chats, whole and streamed', async () => {
    const request = { model, messages, documents, max_completion_tokens: 300, seed: 1, temperature: 0 }
    const whole = await client().chat.completions.create(request)
    assert.equal(whole.choices[0].finish_reason, 'stop')
    assert.ok(whole.choices[0].message.content.length > 0)
    const stream = client().chat.completions.stream({ ...request, stream_options: { include_usage: true } })
    let text = ''
    for await (const chunk of stream) text += chunk.choices[0]?.delta?.content ?? ''
    assert.equal(text, whole.choices[0].message.content)
    const final = await stream.finalChatCompletion()
    assert.equal(final.choices[0].message.content, text)
    assert.equal(final.usage.total_tokens, whole.usage.total_tokens)
  })

  it('takes predictions, log-probabilities and our own fields', async () => {
    const { choices, usage } = await client().chat.completions.create({
      model,
      messages,
      max_tokens: 20,
      logprobs: true,
      top_logprobs: 2,
      prediction: { type: 'content', content: 'The Selford Gold travel insurance is offered by Selford.' },
      documents: [{ title: 'Selford', text: 'The Selford Gold travel insurance costs 89 euros.' }],
      draft: 'auto',
    })
    assert.equal(choices[0].logprobs.content.length, usage.completion_tokens)
    assert.ok(usage.completion_tokens_details.accepted_prediction_tokens >= 0)
  })

  it('parses structured output', async () => {
    const { zodResponseFormat } = await import('openai/helpers/zod')
    const completion = await client().chat.completions.parse({
      model,
      messages,
      response_format: zodResponseFormat(facts, 'facts'),
    })
    assert.deepEqual(facts.parse(completion.choices[0].message.parsed), completion.choices[0].message.parsed)
  })

  it('completes texts', async () => {
    const request = { model, prompt: 'The annual fee', max_tokens: 8 }
    const whole = await client().completions.create(request)
    let text = ''
    for await (const chunk of await client().completions.create({ ...request, stream: true }))
      text += chunk.choices[0]?.text ?? ''
    assert.equal(text, whole.choices[0].text)
  })

  it('gets responses, whole and streamed', async () => {
    const request = { model, input: messages[0].content, documents, max_output_tokens: 300 }
    const whole = await client().responses.create(request)
    assert.equal(whole.status, 'completed')
    assert.ok(whole.output_text.length > 0)
    const stream = client().responses.stream(request)
    let text = ''
    for await (const event of stream) if (event.type === 'response.output_text.delta') text += event.delta
    assert.equal(text, whole.output_text)
    assert.equal((await stream.finalResponse()).output_text, text)
  })

  it('lists models', async () => {
    const ids = []
    for await (const entry of client().models.list()) ids.push(entry.id)
    assert.deepEqual(ids, [model])
    assert.equal((await client().models.retrieve(model)).id, model)
  })

  it('throws its own errors for ours', async () => {
    const bad = client().chat.completions.create({ model, messages, temperature: 'hot' })
    await assert.rejects(bad, (error) => error instanceof OpenAI.BadRequestError && error.param === 'temperature')
    const stranger = new OpenAI({ baseURL, apiKey: 'wrong', maxRetries: 0 })
    await assert.rejects(stranger.models.list(), OpenAI.AuthenticationError)
    await assert.rejects(client().models.retrieve('gpt-4'), OpenAI.NotFoundError)
  })

  it('frees the slot when it breaks off a stream', async () => {
    const request = { model, messages, grammar: 'root ::= [a-z ]+', stream: true }
    for await (const _ of await client().chat.completions.create(request)) break
    await untilIdle(server.url)
  })
})

describe('ai with @ai-sdk/openai-compatible', () => {
  const provider = () =>
    createOpenAICompatible({ name: 'lookahead', baseURL, apiKey, includeUsage: true, supportsStructuredOutputs: true })

  it('generates and streams the same text', async () => {
    const request = { model: provider()(model), prompt: messages[0].content, maxOutputTokens: 16, temperature: 0 }
    const whole = await generateText(request)
    assert.match(whole.finishReason, /^(stop|length)$/)
    const stream = streamText(request)
    let text = ''
    for await (const part of stream.textStream) text += part
    assert.equal(text, whole.text)
    assert.equal((await stream.usage).outputTokens, whole.usage.outputTokens)
    assert.ok(whole.usage.inputTokens > 0)
  })

  it('generates objects', async () => {
    const { object } = await generateObject({ model: provider()(model), prompt: 'The fee?', schema: facts })
    assert.deepEqual(facts.parse(object), object)
  })
})

describe('@langchain/openai', () => {
  const chat = (fields = {}) =>
    new ChatOpenAI({
      model,
      apiKey,
      temperature: 0,
      maxTokens: 300,
      maxRetries: 0,
      configuration: { baseURL },
      ...fields,
    })
  const conversation = [new SystemMessage('Be brief.'), new HumanMessage(messages[0].content)]

  it('invokes and streams the same text', async () => {
    const whole = await chat().invoke(conversation)
    let text = ''
    for await (const chunk of await chat().stream(conversation)) text += chunk.content
    assert.equal(text, whole.content)
    assert.ok(whole.usage_metadata.output_tokens > 0)
  })

  it('gives structured output', async () => {
    const value = await chat({ maxTokens: 200 })
      .withStructuredOutput(facts, { method: 'jsonSchema' })
      .invoke(conversation)
    assert.deepEqual(facts.parse(value), value)
  })
})
