// Express: answers from documents as a stream of text, ended when the reader leaves. Beside it OpenAI's API under /llm.
// npm install lookahead-llm @hono/node-server express; node examples/express.ts (before Node 22.18: npx tsx …)
import { getRequestListener } from '@hono/node-server'
import express, { type ErrorRequestHandler } from 'express'
import { Engine, EngineError } from 'lookahead-llm'
import { createApp } from 'lookahead-llm/server'

const engine = await Engine.load({ model: process.env.MODEL ?? 'embedded', slots: 4 })
const llm = createApp(engine)
const app = express()

app.post('/ask', express.json(), async (request, response) => {
  const { question, documents } = request.body ?? {}
  if (typeof question !== 'string') {
    response.status(400).send('question must be a text')
    return
  }
  const gone = new AbortController()
  response.once('close', () => gone.abort())
  const answer = engine.chat({ messages: [{ role: 'user', content: question }], documents, signal: gone.signal })
  response.type('text/plain')
  for await (const { text } of answer) response.write(text)
  response.end()
})

// Express takes the prefix off the path, so `baseURL: 'http://127.0.0.1:3000/llm/v1'` is what clients are given.
app.use('/llm', getRequestListener(llm.fetch))

// What is asked for and cannot be had is for the asker to mend: a sentence.
const refuse: ErrorRequestHandler = (error, _request, response, next) => {
  if (error instanceof EngineError && !response.headersSent) response.status(400).send(error.message)
  else next(error)
}
app.use(refuse)

const server = app.listen(Number(process.env.PORT ?? 3000), '127.0.0.1', () => {
  const address = server.address()
  console.log(`ready: http://127.0.0.1:${typeof address === 'object' ? address?.port : address}`)
})

process.once('SIGTERM', async () => {
  server.close()
  await llm.stop(5000)
  await engine.close()
})
