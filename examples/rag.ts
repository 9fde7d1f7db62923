// RAG: passages in Postgres with pgvector (here PGlite, which runs inside Node), found by an embedding model, answered from
// by a second model, both in this process. The answer's drafts come from the very passages it quotes.
// npm install lookahead-llm @electric-sql/pglite @electric-sql/pglite-pgvector
// EMBEDDING_MODEL=hf:user/model node examples/rag.ts "What does it cost?" docs/*.md (before Node 22.18: npx tsx …)
import { readFile } from 'node:fs/promises'
import { PGlite } from '@electric-sql/pglite'
import { vector } from '@electric-sql/pglite-pgvector'
import { Embedder, Engine, fetchModel } from 'lookahead-llm'

const [question, ...files] = process.argv.slice(2)
if (question === undefined || files.length === 0) {
  console.error('usage: rag.ts QUESTION FILE …')
  process.exit(2)
}
// Any model gives vectors; one that was made for it, good ones.
const embedder = await Embedder.load({ model: await fetchModel(process.env.EMBEDDING_MODEL ?? 'embedded') })
const engine = await Engine.load({ model: process.env.MODEL ?? 'embedded' })
const db = await PGlite.create({ extensions: { vector } }) // or PGlite.create('./passages', …), to keep them

await db.exec(`
  create extension vector;
  create table passages (id serial primary key, title text, text text, place vector(${embedder.dimensions}));
`)
for (const file of files) {
  const paragraphs = (await readFile(file, 'utf8')).split(/\n\s*\n/).filter((text) => text.trim() !== '')
  const { vectors } = await embedder.embed(paragraphs)
  for (const [i, text] of paragraphs.entries())
    await db.query('insert into passages (title, text, place) values ($1, $2, $3)', [file, text, written(vectors[i])])
}

const { vectors } = await embedder.embed([question])
const { rows: documents } = await db.query<{ title: string; text: string }>(
  'select title, text from passages order by place <=> $1 limit 3',
  [written(vectors[0])],
)
for (const { title, text } of documents)
  console.error(`found in ${title}: ${text.slice(0, 60).replaceAll('\n', ' ')} …`)

const answer = engine.chat({ messages: [{ role: 'user', content: question }], documents, maxTokens: 300 })
for await (const { text } of answer) process.stdout.write(text)
const { stats } = await answer.result
console.log(`\n${stats.acceptedTokens} of ${stats.completionTokens} tokens were found, not computed one by one`)

await Promise.all([engine.close(), embedder.close(), db.close()])

/** A vector as pgvector reads it. */
function written(vector: Float32Array): string {
  return JSON.stringify([...vector])
}
