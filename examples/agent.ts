// An agent: the model calls functions until it has what it needs. The engine holds calls to the functions' schemas, and what
// they return is where the drafts of the answer come from.
// npm install lookahead-llm; MODEL=hf:user/model node examples/agent.ts "How long …?" (before Node 22.18: npx tsx …)
import { readdir, readFile } from 'node:fs/promises'
import { type ChatMessage, Engine, type ToolCall, type ToolDefinition } from 'lookahead-llm'

const tools: ToolDefinition[] = [
  define('list_files', 'The names of the files in a folder.', { folder: { type: 'string' } }),
  define('read_file', 'The beginning of a text file.', { path: { type: 'string' } }),
]
const functions: Record<string, (given: Record<string, string>) => Promise<string>> = {
  list_files: async ({ folder }) => (await readdir(folder)).join('\n'),
  read_file: async ({ path }) => (await readFile(path, 'utf8')).slice(0, 2000),
}

const engine = await Engine.load({ model: process.env.MODEL ?? 'embedded' })
const messages: ChatMessage[] = [{ role: 'user', content: process.argv[2] ?? 'Which files are here?' }]

for (let round = 0; round < 8; round++) {
  const answer = engine.chat({ messages, tools, maxTokens: 1000 })
  for await (const { text } of answer) process.stdout.write(text)
  const { message } = await answer.result
  const { content = '', toolCalls = [] } = message ?? {}
  messages.push({ role: 'assistant', content, ...(toolCalls.length > 0 && { tool_calls: toolCalls }) })
  if (toolCalls.length === 0) break
  for (const call of toolCalls) messages.push({ role: 'tool', tool_call_id: call.id, content: await make(call) })
}
console.log()
await engine.close()

/** Makes a call. What goes wrong is told to the model, which may try otherwise. */
async function make({ function: { name, arguments: json } }: ToolCall): Promise<string> {
  console.error(`${name} ${json}`)
  try {
    return await functions[name](JSON.parse(json))
  } catch (error) {
    return `error: ${error instanceof Error ? error.message : error}`
  }
}

function define(name: string, description: string, properties: Record<string, object>): ToolDefinition {
  const required = Object.keys(properties)
  return { type: 'function', function: { name, description, parameters: { type: 'object', properties, required } } }
}
