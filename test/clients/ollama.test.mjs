// Contract tests of Ollama's own client against a running server.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { Ollama } from 'ollama'
import { z } from 'zod'
import { startServer, untilIdle } from './server.mjs'

const model = 'lookahead-qa'
const messages = [{ role: 'user', content: 'Tell me about the Selford Gold travel insurance.' }]

let server
let client
before(async () => {
  const reader = new URL('../../models/lookahead-qa.gguf', import.meta.url).pathname
  server = await startServer('--embedding-model', reader)
  client = new Ollama({ host: server.url })
})
after(() => server.stop())

describe('ollama', () => {
  it('chats, whole and streamed', async () => {
    const whole = await client.chat({ model, messages })
    assert.equal(whole.done_reason, 'stop')
    assert.ok(whole.message.content.length > 0 && whole.eval_count > 0)
    let text = ''
    let last
    for await (const part of await client.chat({ model, messages, stream: true })) {
      text += part.message.content
      last = part
    }
    assert.equal(text, whole.message.content)
    assert.equal(last.eval_count, whole.eval_count)
  })

  it('generates, with a schema, options and log-probabilities', async () => {
    const facts = z.object({ company: z.enum(['Selford', 'Marwick']), fee: z.number().int() })
    const request = { model, prompt: 'Which company, and which fee?', format: z.toJSONSchema(facts) }
    facts.parse(JSON.parse((await client.generate(request)).response))
    const options = { num_predict: 4, temperature: 0.8, seed: 1, num_ctx: 2048 }
    const cut = await client.generate({ model, prompt: 'Hello', raw: true, options, logprobs: true, top_logprobs: 2 })
    assert.equal(cut.done_reason, 'length')
    assert.equal(cut.logprobs.length, 4)
  })

  it('ends an answer when it is aborted', async () => {
    const stream = await client.chat({ model, messages, stream: true, options: { num_predict: -1 } })
    for await (const part of stream) {
      assert.ok(part.message)
      break
    }
    stream.abort()
    await untilIdle(server.url)
  })

  it('lists and shows what there is, and embeds', async () => {
    const { models } = await client.list()
    assert.ok(models.some(({ name }) => name === model))
    assert.ok((await client.show({ model })).capabilities.includes('completion'))
    assert.equal((await client.ps()).models[0].name, model)
    assert.match((await client.version()).version, /^\d/)
    const { embeddings } = await client.embed({ model, input: ['a', 'b'] })
    assert.equal(embeddings.length, 2)
    assert.ok(embeddings[0].length > 10)
    const old = await client.embeddings({ model, prompt: 'a' })
    assert.deepEqual(old.embedding, embeddings[0])
  })

  it('is told what is wrong in a sentence', async () => {
    await assert.rejects(client.chat({ model: 'llama3', messages }), /'llama3' is not served/)
    await assert.rejects(client.pull({ model: 'llama3' }), /lookahead pull/)
    await assert.rejects(client.chat({ model, messages, options: { mirostat: 2 } }), /mirostat/)
    const seen = [{ role: 'user', content: 'What is this?', images: ['iVBORw0KGgo='] }]
    await assert.rejects(client.chat({ model, messages: seen }), /reads text only/)
  })
})
