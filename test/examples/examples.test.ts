// The examples as printed, each a process of its own with the embedded model; the agent's model follows a script.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { ModuleKind, ScriptTarget, transpileModule } from 'typescript'
import { afterAll, describe, expect, it } from 'vitest'
import { ChatTemplate } from '../../src/chat/template.js'
import { writeScriptModel } from '../helpers/script-model.js'

const folder = mkdtempSync(path.join(tmpdir(), 'lookahead-examples-'))
const written: string[] = []
// What is measured of the embedded model the first time serves the other examples too.
process.env.LOOKAHEAD_PROFILES = path.join(folder, 'profiles')
afterAll(() => {
  for (const file of [folder, ...written]) rmSync(file, { recursive: true, force: true })
})

/** An example as JavaScript, which Node 20 runs, beside the original: there the package is found by its name. */
function compiled(name: string): string {
  const source = fileURLToPath(new URL(`../../examples/${name}.ts`, import.meta.url))
  const { outputText } = transpileModule(readFileSync(source, 'utf8'), {
    compilerOptions: { module: ModuleKind.ESNext, target: ScriptTarget.ES2022 },
  })
  const file = source.replace(/\.ts$/, `-${process.pid}.mjs`)
  writeFileSync(file, outputText)
  written.push(file)
  return file
}

function start(name: string, args: string[] = [], env: Record<string, string> = {}) {
  const child = spawn(process.execPath, [compiled(name), ...args], {
    env: { ...process.env, PORT: '0', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const said = { out: '', err: '' }
  child.stdout.on('data', (part) => {
    said.out += part
  })
  child.stderr.on('data', (part) => {
    said.err += part
  })
  return { child, said }
}

async function codeOf(child: ChildProcess): Promise<number> {
  return child.exitCode ?? (await once(child, 'exit'))[0]
}

/** Runs a server of an example while `use` is given its address, and sees that it ends when told to. */
async function whileServing(name: string, use: (url: string) => Promise<void>): Promise<void> {
  const { child, said } = start(name)
  try {
    while (!/ready: \S+\n/.test(said.out)) {
      expect(child.exitCode, said.err).toBeNull()
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    await use(/ready: (\S+)/.exec(said.out)![1])
    child.kill('SIGTERM')
    expect(await codeOf(child), said.err).toBe(0)
  } finally {
    child.kill('SIGKILL')
  }
}

const post = (url: string, body: unknown) =>
  fetch(url, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) })
const permit = 'The Marwick parking permit costs 12 euros per month.'
const question = 'How much does the Marwick parking permit cost?'

describe('examples', () => {
  it('express.ts streams answers, refuses, and serves the API beside them', async () => {
    await whileServing('express', async (url) => {
      const answer = await post(`${url}/ask`, { question, documents: [permit] })
      expect(answer.headers.get('content-type')).toContain('text/plain')
      expect(await answer.text()).toContain('12 euros')
      expect((await post(`${url}/ask`, { documents: [permit] })).status).toBe(400)
      const refused = await post(`${url}/ask`, { question, documents: 5 })
      expect([refused.status, await refused.text()]).toEqual([400, expect.stringContaining('documents')])
      const { data } = (await (await fetch(`${url}/llm/v1/models`)).json()) as { data: { id: string }[] }
      expect(data[0].id).toBe('lookahead')
      const messages = [{ role: 'user', content: question }]
      const chat = await post(`${url}/llm/v1/chat/completions`, { messages, max_tokens: 4 })
      expect(chat.status).toBe(200)
    })
  })

  it('fastify.ts answers with JSON of its schema', async () => {
    await whileServing('fastify', async (url) => {
      const answer = await post(`${url}/facts`, { text: permit })
      const facts = (await answer.json()) as Record<string, unknown>
      expect(answer.status, JSON.stringify(facts)).toBe(200)
      expect(Object.keys(facts).sort()).toEqual(['period', 'price', 'product'])
      expect(['once', 'month', 'year']).toContain(facts.period)
      expect(Number.isInteger(facts.price)).toBe(true)
      expect((await post(`${url}/facts`, {})).status).toBe(400)
    })
  })

  it('next-route.ts streams an answer, and refuses in a sentence', async () => {
    const { POST } = (await import(compiled('next-route'))) as { POST(request: Request): Promise<Response> }
    const asked = (body: unknown) => POST(new Request('http://local/', { method: 'POST', body: JSON.stringify(body) }))
    try {
      const answer = await asked({ messages: [{ role: 'user', content: question }], documents: [permit] })
      expect(await answer.text()).toContain('12 euros')
      const refused = await asked({ messages: [] })
      expect(refused.status).toBe(400)
      expect(await refused.json()).toEqual({ error: expect.stringContaining('messages') })
    } finally {
      await (await (globalThis as { engine?: Promise<{ close(): Promise<void> }> }).engine)?.close()
    }
  })

  it('rag.ts answers from the passages that are nearest to the question', async () => {
    const file = path.join(folder, 'fees.md')
    writeFileSync(file, `# Fees\n\n${permit}\n\nTulips like sun.\n\nDough rests for half an hour.\n`)
    const { child, said } = start('rag', [question, file])
    expect(await codeOf(child), said.err).toBe(0)
    expect(said.err.match(/^found in /gm)).toHaveLength(3)
    expect(said.err).toContain(`found in ${file}: The Marwick parking permit`)
    expect(said.out).toContain('12 euros')
    expect(said.out).toMatch(/\n\d+ of \d+ tokens were found/)
  })

  it('agent.ts makes the calls its model wants, and ends with the answer', async () => {
    const template = `{%- for m in messages %}{{- '<|' + m.role + '|>' + (m.content or '') }}
      {%- for c in m.tool_calls or [] %}{{- '<tool_call>\\n{"name": "' + c.function.name + '", "arguments": ' + c.function.arguments | tojson + '}\\n</tool_call>' }}{%- endfor %}
      {%- endfor %}{%- if add_generation_prompt %}{{- '<|assistant|>' }}{%- endif %}`
    const file = path.join(folder, 'note.txt')
    writeFileSync(file, `The permit takes five days. ${'It is sent by post. '.repeat(10)}`)
    const call = JSON.stringify({ path: file })
    const user = { role: 'user', content: 'How long does it take?' }
    const made = { id: 'c', type: 'function' as const, function: { name: 'read_file', arguments: call } }
    const called = { role: 'assistant', content: '', tool_calls: [made] }
    const told = { role: 'tool', tool_call_id: 'c', content: readFileSync(file, 'utf8') }
    const rendered = new ChatTemplate(template, { bos: '<eos>', eos: '<eos>' })
    const promptOf = (...messages: object[]) => rendered.render({ messages } as never).text
    const model = path.join(folder, 'agent.gguf')
    writeScriptModel(model, {
      template,
      markers: ['<|user|>', '<|assistant|>', '<|tool|>'],
      scripts: [
        { prompt: promptOf(user), answer: `<tool_call>\n{"name": "read_file", "arguments": ${call}}\n</tool_call>` },
        { prompt: promptOf(user, called, told), answer: 'Five days.' },
      ],
    })
    const { child, said } = start('agent', [user.content], { MODEL: model })
    expect(await codeOf(child), said.err).toBe(0)
    expect(said.err).toContain(`read_file ${call}`)
    expect(said.out).toBe('Five days.\n')
  })
})
