// The snippets of docs/serving.md, run as printed against a server on a port of its own.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { after, before, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { startServer } from './server.mjs'

const run = promisify(execFile)
const text = readFileSync(new URL('../../docs/serving.md', import.meta.url), 'utf8')
const snippets = [...text.matchAll(/```(sh|js)\n([\s\S]*?)```/g)]
  .map(([, language, code]) => ({ language, code }))
  .filter(({ code }) => code.includes('127.0.0.1:8080'))

describe('docs/serving.md', () => {
  let server
  before(async () => {
    server = await startServer()
  })
  after(() => server.stop())

  it('has one snippet for curl and one for each client', () => {
    assert.deepEqual(
      snippets.map(({ language }) => language),
      ['sh', 'js', 'js', 'js'],
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
      const file = fileURLToPath(new URL(`./snippet-${i}.mjs`, import.meta.url))
      writeFileSync(file, here)
      try {
        const { stdout } = await run(process.execPath, [file])
        assert.ok(stdout.trim().length > 0)
      } finally {
        rmSync(file)
      }
    })
})
