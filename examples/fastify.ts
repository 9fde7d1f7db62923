// Fastify: one route that answers with JSON of a schema, which the engine holds the model to and drafts from.
// npm install lookahead-llm fastify; node examples/fastify.ts (before Node 22.18: npx tsx …)
import fastify from 'fastify'
import { Engine } from 'lookahead-llm'

const engine = await Engine.load({ model: process.env.MODEL ?? 'embedded', slots: 4 })
const app = fastify()

interface Body {
  text: string
}
const body = { type: 'object', required: ['text'], properties: { text: { type: 'string', maxLength: 4000 } } }
const facts = {
  type: 'object',
  properties: {
    product: { type: 'string', maxLength: 60 },
    price: { type: 'integer', minimum: 0, maximum: 10_000 },
    period: { enum: ['once', 'month', 'year'] },
  },
  required: ['product', 'price', 'period'],
  additionalProperties: false,
}

app.post<{ Body: Body }>('/facts', { schema: { body } }, async (request, reply) => {
  const gone = new AbortController()
  reply.raw.once('close', () => gone.abort())
  const answer = engine.chat({
    messages: [{ role: 'user', content: 'What is offered, at which price?' }],
    documents: [request.body.text],
    jsonSchema: facts,
    maxTokens: 200,
    signal: gone.signal,
  })
  const { text, reason } = await answer.result
  if (reason !== 'stop') return reply.code(422).send({ error: `the answer ended early: ${reason}` })
  return JSON.parse(text)
})

app.addHook('onClose', () => engine.close())
process.once('SIGTERM', () => app.close())
console.log(`ready: ${await app.listen({ port: Number(process.env.PORT ?? 3000), host: '127.0.0.1' })}`)
