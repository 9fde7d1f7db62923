// The snippets of README.md and docs/serving.md, run as printed against a server on a port of its own.
import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { after, before, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { startServer } from './server.mjs'

const run = promisify(execFile)
const path = (file) => fileURLToPath(new URL(`../../${file}`, import.meta.url))
const snippetsOf = (file) =>
  [...readFileSync(path(file), 'utf8').matchAll(/```(sh|js)\n([\s\S]*?)```/g)].map(([, language, code]) => ({
    language,
    code,
  }))
const isServer = ({ code }) => code.includes('createApp')

const printedIn = { 'README.md': ['sh', 'js', 'js', 'js'], 'docs/serving.md': ['sh', 'js', 'js', 'js', 'js'] }

for (const [file, languages] of Object.entries(printedIn))
  describe(file, () => {
    const printed = snippetsOf(file)
    const snippets = printed.filter((snippet) => snippet.code.includes('127.0.0.1:8080') && !isServer(snippet))
    let server
    before(async () => {
      server = await startServer()
    })
    after(() => server.stop())

    it('has one snippet for curl and one for each client', () => {
      assert.deepEqual(
        snippets.map(({ language }) => language),
        languages,
      )
    })

    for (const [i, { language, code }] of snippets.entries())
      it(`prints snippet ${i + 1} (${language}) that works`, async () => {
        const here = code.replaceAll('http://127.0.0.1:8080', server.url)
        if (language === 'sh') {
          const { stdout } = await run('sh', ['-c', `${here.trimEnd()} --silent --show-error`])
          assert.ok(JSON.parse(stdout).choices[0].message.content.length > 0)
          return
        }
        const script = fileURLToPath(new URL(`./snippet-${process.pid}-${i}.mjs`, import.meta.url))
        writeFileSync(script, here)
        try {
          const { stdout } = await run(process.execPath, [script])
          assert.ok(stdout.trim().length > 0)
        } finally {
          rmSync(script)
        }
      })
  })

describe('README.md', () => {
  it('prints a sample of the library that runs on this Node as written', { timeout: 120_000 }, async () => {
    const { code } = snippetsOf('README.md').find(({ code }) => code.includes("from 'lookahead-llm'"))
    // Beside package.json the package may be called by its own name.
    const script = path(`readme-${process.pid}.mjs`)
    writeFileSync(script, code)
    try {
      const { stdout } = await run(process.execPath, [script])
      assert.match(stdout, /5 working days[\s\S]*\nstop, \d+\.\d\d tokens per forward/)
    } finally {
      rmSync(script)
    }
  })
})

describe('docs/serving.md', () => {
  it('prints the server of examples/server.mjs, which answers', { timeout: 120_000 }, async () => {
    const { code } = snippetsOf('docs/serving.md').find(isServer)
    assert.ok(readFileSync(path('examples/server.mjs'), 'utf8').endsWith(`\n${code}`))
    const holder = createServer().listen(0, '127.0.0.1')
    await once(holder, 'listening')
    const { port } = holder.address()
    holder.close()
    await once(holder, 'close')
    // Beside the original, so that it finds the package by its name.
    const file = path(`examples/server-${process.pid}.mjs`)
    writeFileSync(file, code.replaceAll('8080', String(port)))
    const child = spawn(process.execPath, [file, path('models/lookahead-qa.gguf')], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    try {
      const [line] = await once(child.stdout, 'data')
      assert.equal(String(line), `ready: http://127.0.0.1:${port}/v1\n`)
      const { status } = await fetch(`http://127.0.0.1:${port}/v1/models/my-model`)
      assert.equal(status, 200)
      child.kill('SIGTERM')
      const [code] = await once(child, 'exit')
      assert.equal(code, 0)
    } finally {
      child.kill('SIGKILL')
      rmSync(file)
    }
  })
})
