/**
 * Model files with damaged heads: each is loaded and, if it is taken, used; none may end the process.
 *
 *     npm run bench -- damage --mutations 1000 models/lookahead-qa.gguf …
 *
 * Counts what became of them. The exit code is 1 if a process ended.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { Context } from '../src/llama/context.js'
import { LlamaError } from '../src/llama/error.js'
import { readHeader } from '../src/llama/gguf.js'
import { Model } from '../src/llama/model.js'
import { damage } from '../test/helpers/damage.js'
import { Random } from '../test/helpers/random-weights.js'
import { readArguments } from './kit/arguments.js'
import { embeddedModel } from './kit/embedded.js'

const { values, positionals } = readArguments(
  'damage',
  {
    mutations: { type: 'string', default: '1000', value: 'N', help: 'damaged heads to try' },
    seed: { type: 'string', default: '1', value: 'N', help: 'of the damage' },
    /** The child's part of the work: mutations from … to. */
    from: { type: 'string', value: 'N', help: 'do this part of the work, from …' },
    to: { type: 'string', value: 'N', help: '… to, in this process' },
  },
  { name: 'FILE…', help: 'GGUFs to damage copies of (default: the embedded model)' },
)
const files = positionals.length > 0 ? positionals : [embeddedModel]
const mutations = Number(values.mutations)

if (values.from !== undefined) await work(Number(values.from), Number(values.to))
else await lead()

/** Has children do the work, a new one after each that ended. */
async function lead(): Promise<void> {
  const outcomes = new Map<string, number>()
  let ended = 0
  for (let next = 0; next < mutations; ) {
    const args = ['--from', String(next), '--to', String(mutations), '--seed', values.seed, ...files]
    const child = spawn(process.execPath, [fileURLToPath(import.meta.url), ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let output = ''
    let errors = ''
    child.stdout.on('data', (data) => {
      output += data
    })
    child.stderr.on('data', (data) => {
      errors = (errors + data).slice(-2000)
    })
    const [code, signal] = await once(child, 'close')
    const lines = output.trim().split('\n').filter(Boolean)
    for (const line of lines) {
      const { outcome } = JSON.parse(line) as { outcome: string }
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
    }
    next += lines.length
    if (code === 0) break
    ended++
    process.stderr.write(`mutation ${next} ended the process (${signal ?? code}): ${errors}\n`)
    next++
  }
  const counts = Object.fromEntries([...outcomes].sort((a, b) => b[1] - a[1]))
  process.stdout.write(`${JSON.stringify({ mutations, ended, ...counts }, undefined, 2)}\n`)
  process.exitCode = ended > 0 ? 1 : 0
}

async function work(from: number, to: number): Promise<void> {
  const folder = mkdtempSync(path.join(tmpdir(), 'lookahead-damage-'))
  const whole = await Promise.all(
    files.map(async (file) => ({ bytes: readFileSync(file), head: (await readHeader(file)).bytes })),
  )
  for (let i = from; i < to; i++) {
    const { bytes, head } = whole[i % whole.length]
    const file = path.join(folder, `${i}.gguf`)
    writeFileSync(file, damage(bytes, head, new Random(Number(values.seed), `mutation ${i}`)))
    process.stdout.write(`${JSON.stringify({ i, outcome: await tryOut(file) })}\n`)
    rmSync(file)
  }
  rmSync(folder, { recursive: true })
  process.exit(0)
}

/** Loads a file and reads, writes and tokenises a little with it. */
async function tryOut(file: string): Promise<string> {
  try {
    await using model = await Model.load(file)
    await using context = await Context.create(model, { contextTokens: 64, threads: 1, valueType: 'f16' })
    const { batch } = context
    for (let position = 0; position < 3; position++) {
      batch.clear()
      batch.addSequence(batch.add(position, position, true), 0)
      await context.decode()
    }
    model.vocabulary.textOf(model.vocabulary.tokenize('The fee is 89 euros.\n', { addSpecial: true, special: true }))
    model.describe()
    return 'used'
  } catch (error) {
    if (!(error instanceof LlamaError)) return `not a LlamaError: ${String(error).slice(0, 200)}`
    return /which ends/.test(error.message) ? 'refused: rehearsal' : `refused: ${error.code}`
  }
}
