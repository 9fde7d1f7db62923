/**
 * What a device is good for, in at most eight minutes: made to be run once on a machine with a card that is lent for a while.
 *
 *     npm run bench -- device --traces FOLDER --vocabulary qwen2.gguf
 *     npm run bench -- device --models embedded --minutes 3 --tokens 100        a trial, on a software device too
 *
 * Every part is a process of its own with a share of the time, so that one that hangs or dies costs the others nothing. All
 * parts are told as they end, and written to `--out` then; the last line is one JSON object with all of it, also where it is
 * interrupted. It ends with code 1 if a part failed or had no time left.
 *
 *     1  devices   what there is, or why there is none
 *     2  probe     T(n), exactness, what lies where; CUDA once more without its graphs
 *     3  verify    whole texts with drafts and without, compared token by token
 *     4  replay    recorded answers: RAG, summaries, chat, code; forwards of the model, tokens of the record
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { formatTable } from '../src/cli/terminal.js'
import { availableDevices, LlamaLibrary } from '../src/llama/library.js'
import type { Placement } from '../src/llama/placement.js'
import { readArguments } from './kit/arguments.js'
import { embeddedModel } from './kit/embedded.js'
import { root } from './kit/machine.js'
import { benchmarkModel } from './models.js'

const { values } = readArguments('device', {
  models: {
    type: 'string',
    default: 'embedded,0.5b,7b',
    value: 'A,B',
    help: 'embedded; 0.5b, 7b: shapes with random weights, written first; or GGUF files',
  },
  minutes: { type: 'string', default: '8', value: 'N', help: 'all of it together, the writing of models left out' },
  tokens: { type: 'string', default: '10000', value: 'N', help: 'tokens that verify compares, of all models together' },
  traces: { type: 'string', value: 'FOLDER', help: 'recorded answers; without it nothing is replayed' },
  vocabulary: { type: 'string', value: 'FILE', help: 'GGUF whose tokeniser splits them' },
  workloads: { type: 'string', default: 'rag,summarisation,chat,code', value: 'A,B', help: 'those that are replayed' },
  out: { type: 'string', value: 'FILE', help: 'JSON file that is written anew after each part' },
  device: { type: 'string', value: 'NAME', help: 'as --device of the commands (default: all)' },
})

// 1. Devices.
const library = LlamaLibrary.load()
const devices = availableDevices()
console.log(`llama.cpp ${library.version} of ${path.basename(library.folder)}`)
for (const { name, description, totalBytes } of devices)
  console.log(`${name}: ${description}, ${(totalBytes / 2 ** 30).toFixed(0)} GiB`)
if (devices.length === 0) console.log(`no device: ${library.deviceTrouble}`)
const models = values.models.split(',').map(modelOf)

const command = path.join(root, 'dist', 'cli', 'main.js')
const began = performance.now()
const totalMs = Number(values.minutes) * 60_000
const leftMs = () => totalMs - (performance.now() - began)

/** How a part ended: its last line of JSON, if there is one, and what it said else. */
interface Part {
  part: string
  model: string
  seconds: number
  ended: string
  report?: Record<string, unknown>
  said?: string
}

const found: Part[] = []
let running: ChildProcess | undefined
let isInterrupted = false
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.on(signal, () => {
    isInterrupted = true
    running?.kill('SIGKILL')
  })

/** What has been found so far. */
function summary(): string {
  return JSON.stringify({ date: new Date().toISOString().slice(0, 10), devices, ended: ending(), parts: found })
}

/** How all of it went, as far as it went. */
function ending(): string {
  if (isInterrupted) return 'interrupted'
  return found.every(({ ended }) => ended === 'code 0') ? 'well' : 'not every part ended well'
}

function keep(part: Part): Part {
  found.push(part)
  if (values.out !== undefined) writeFileSync(values.out, `${summary()}\n`)
  return part
}

/** Less than this is no time to begin in. */
const leastMs = 5000

/** Runs one part with a share of the time that is left. */
async function run(part: string, model: string, args: string[], share: number, env = {}): Promise<Part> {
  const start = performance.now()
  const limitMs = Math.round(leftMs() * share)
  if (isInterrupted || limitMs < leastMs) {
    console.log(`\n## ${part}, ${path.basename(model)}: not begun`)
    return keep({
      part,
      model: path.basename(model),
      seconds: 0,
      ended: isInterrupted ? 'interrupted' : 'no time left',
    })
  }
  const child = spawn(process.execPath, args, {
    env: { ...process.env, LOOKAHEAD_PROFILES: 'off', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    // A process that is lost in a driver does not heed SIGTERM.
    killSignal: 'SIGKILL',
    timeout: limitMs,
  })
  running = child
  let out = ''
  let error = ''
  child.stdout.on('data', (data) => {
    out += data
  })
  child.stderr.on('data', (data) => {
    error = (error + data).slice(-2000)
  })
  const ended = await new Promise<string>((resolve) => {
    child.on('error', (cause) => resolve(cause.message))
    child.on('close', (code, signal) =>
      resolve(
        isInterrupted
          ? 'interrupted'
          : child.killed
            ? `cut off after ${Math.round(limitMs / 1000)} s`
            : signal
              ? `died of ${signal}`
              : `code ${code}`,
      ),
    )
  })
  running = undefined
  const seconds = (performance.now() - start) / 1000
  const result: Part = { part, model: path.basename(model), seconds, ended }
  result.report = reportIn(out)
  if (!result.report) result.said = (ended === 'code 0' ? out : `${out}${error}`).trim()
  console.log(`\n## ${part}, ${path.basename(model)}: ${seconds.toFixed(0)} s, ${ended}\n`)
  return keep(result)
}

/** The JSON object in the last line, if that is one and whole. */
function reportIn(out: string): Part['report'] {
  const last = out.trim().split('\n').at(-1) ?? ''
  try {
    return last.startsWith('{') ? JSON.parse(last) : undefined
  } catch {
    return undefined
  }
}

function modelOf(name: string): string {
  if (name === 'embedded') return embeddedModel
  if (name === '0.5b') return benchmarkModel({ shape: 'qwen2.5-0.5b', type: 'Q4_0' })
  if (name === '7b') return benchmarkModel({ shape: 'qwen2.5-7b', type: 'Q4_0', head: 'Q6_K' })
  return name
}

function showProbe({ report, said }: Part): void {
  if (!report) {
    if (said) console.log(said)
    return
  }
  const { exactness, placement, cost } = report as {
    exactness: Record<string, unknown>
    placement: Placement
    cost: { points: { rows: number; ms: number }[] }
  }
  console.log(
    `${exactness.level}: ${exactness.equalRows} of ${exactness.rows} rows equal, largest difference ${exactness.largestDifference}; ${placement.offloadedLayers} of ${placement.layers} layers on ${placement.devices.map(({ description }) => description).join(', ') || 'the processor'}`,
  )
  const [single] = cost.points
  console.log(
    formatTable([
      ['rows', ...cost.points.map(({ rows }) => String(rows))],
      ['ms', ...cost.points.map(({ ms }) => ms.toFixed(2))],
      ['T(n)/T(1)', ...cost.points.map(({ ms }) => (ms / single.ms).toFixed(2))],
    ]).join('\n'),
  )
}

const chosen = values.device === undefined ? [] : ['--device', values.device]
const graphs = library.devices.some(({ name }) => name.startsWith('CUDA'))

for (const [i, model] of models.entries()) {
  const share = 1 / (models.length - i)
  // 2. Probe.
  const probe = [command, 'probe', '-m', model, '--json', ...chosen]
  showProbe(await run('probe', model, probe, share * 0.3))
  if (graphs)
    showProbe(await run('probe without CUDA graphs', model, probe, share * 0.3, { GGML_CUDA_DISABLE_GRAPHS: '1' }))
  // 3. Whole texts.
  const tokens = Math.ceil(Number(values.tokens) / models.length)
  const seconds = Math.max(10, Math.floor((leftMs() * share * 0.4) / 1000))
  const limits = ['--tokens', String(tokens), '--seconds', String(seconds)]
  const verified = await run(
    'verify',
    model,
    [command, 'verify', '-m', model, '--json', ...limits, ...chosen],
    share * 0.6,
  )
  const { report } = verified
  if (report || verified.said)
    console.log(
      report
        ? `${report.tokens} tokens, ${report.accepted} from drafts, ${report.mismatches} mismatches, ${report.equalRows} of ${report.rows} rows equal`
        : verified.said,
    )
  // 4. Recorded answers, on shapes that are not the embedded model's.
  if (values.traces === undefined || path.basename(model) === path.basename(embeddedModel)) continue
  const main = path.join(root, 'dist-bench', 'bench', 'main.js')
  const files = ['--traces', values.traces, ...(values.vocabulary ? ['--vocabulary', values.vocabulary] : [])]
  const size = [
    '--records',
    '2',
    '--rounds',
    '1',
    '--warm',
    '20',
    '--sizes',
    '8,64',
    '--nodes',
    '64',
    '--patience',
    '0',
  ]
  const what = ['--model', model, '--workloads', values.workloads]
  const replayed = await run('replay', model, [main, 'cost', ...what, ...files, ...size], share * 0.9)
  if (replayed.said) console.log(replayed.said)
}
console.log(`\n${summary()}`)
process.exitCode = ending() === 'well' ? 0 : 1
