/**
 * A server under abuse: chats, streams broken off, streams nobody reads, fuzzed bodies, all at once, for a while. At the
 * end no slot may be taken, and memory should have stopped growing after the first third.
 *
 *     npm run bench -- soak --minutes 20
 *
 * The last line of the output is JSON; the exit code is 1 if the server died, a slot leaked, an answer was wrong or,
 * where the server is bitwise exact, a greedy answer changed with the company it was in.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import fc from 'fast-check'
import { hostile } from '../test/helpers/hostile.js'
import { isFitAnswer, malformed } from '../test/helpers/malformed.js'
import { readArguments } from './arguments.js'

const { values } = readArguments('soak', {
  minutes: { type: 'string', default: '20', value: 'N', help: 'how long' },
  workers: { type: 'string', default: '8', value: 'N', help: 'clients that chat' },
  fuzzers: { type: 'string', default: '6', value: 'N', help: 'clients that send rubbish' },
  threads: { type: 'string', default: '1', value: 'N', help: 'of the server' },
  seed: { type: 'string', default: '1', value: 'N', help: 'of what they do' },
})

const main = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url))
const options = ['--port', '0', '--parallel', '4', '--queue', '8', '-t', values.threads]
const child = spawn(process.execPath, [main, 'serve', ...options], { stdio: ['ignore', 'ignore', 'pipe'] })
let log = ''
const url = await new Promise<string>((resolve, reject) => {
  child.stderr.on('data', (part) => {
    log = (log + part).slice(-10_000)
    const [found] = /http:\/\/\S+/.exec(log) ?? []
    if (found) resolve(found)
  })
  child.once('exit', () => reject(new Error(log)))
})

let state = Number(values.seed)
function random(below: number): number {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0
  return Math.floor((state / 2 ** 32) * below)
}

const questions = ['Tell me about the Marwick parking permit.', 'What does it cost?', 'Who may apply?', 'Hello']
const text =
  'The Marwick parking permit is a service of Marwick for residents. You can apply online or by post. The Marwick parking permit costs 12 euros per month.'
const counts: Record<string, number> = {}
const wrong: string[] = []
/** The first answer to each question; greedy answers must not change. */
const known = new Map<string, string>()
let changed = 0

async function post(body: string, signal?: AbortSignal, route = '/v1/chat/completions'): Promise<Response> {
  const headers = { 'Content-Type': 'application/json' }
  const response = await fetch(url + route, { method: 'POST', headers, body, signal })
  counts[response.status] = (counts[response.status] ?? 0) + 1
  return response
}

function chat(fields: object): string {
  return JSON.stringify({
    messages: [{ role: 'user', content: questions[random(questions.length)] }],
    documents: [{ title: 'Marwick parking permit', text }],
    max_tokens: 40,
    ...fields,
  })
}

const acts: (() => Promise<void>)[] = [
  async function ask() {
    const body = chat({})
    const response = await post(body)
    if (response.status !== 200) return void (await response.text())
    const answer = ((await response.json()) as { choices: { message: { content: string } }[] }).choices[0].message
      .content
    if ((known.get(body) ?? answer) !== answer) changed++
    known.set(body, answer)
  },
  async function stream() {
    const received = await (await post(chat({ stream: true, temperature: 1, seed: random(1000) }))).text()
    if (!received.includes('[DONE]') && !received.includes('queue_full')) wrong.push(received.slice(-200))
  },
  async function breakOff() {
    const gone = new AbortController()
    const response = await post(chat({ stream: true, max_tokens: 400, grammar: 'root ::= [a-z ]+' }), gone.signal)
    const reader = response.body?.getReader()
    for (let i = random(6); i >= 0; i--) await reader?.read()
    gone.abort()
  },
  async function leaveEarly() {
    const gone = AbortSignal.timeout(1 + random(40))
    await post(chat({ max_tokens: 400, grammar: 'root ::= [a-z ]+' }), gone).catch(() => {})
  },
  async function readSlowly() {
    const response = await post(chat({ stream: true, max_tokens: 60, grammar: 'root ::= [a-z ]+' }))
    await new Promise((resolve) => setTimeout(resolve, random(3000)))
    await response.text()
  },
]

/** Fuzzed bodies of all routes, one after the other. */
let fuzzed = 0
async function writeRubbish(): Promise<void> {
  const bodies = fc.sample(malformed, { numRuns: 100, seed: random(2 ** 31) })
  for (const [route, body] of bodies) {
    const response = await post(body, undefined, route)
    const answer = await response.text()
    if (!isFitAnswer(response.status, answer))
      wrong.push(`${route} ${body.slice(0, 300)}: ${response.status} ${answer}`)
    fuzzed++
    if (performance.now() > end) return
  }
}

/** What once held everybody up, one after the other. */
async function sendHostile(): Promise<void> {
  const names = Object.keys(hostile)
  const name = names[random(names.length)]
  const [route, body] = hostile[name]()
  const response = await post(body, undefined, route)
  const answer = await response.text()
  if (response.status !== 413 && !isFitAnswer(response.status, answer))
    wrong.push(`${name}: ${response.status} ${answer.slice(0, 300)}`)
  hostileSent++
}
let hostileSent = 0

/** How long `/health` takes to answer meanwhile, in milliseconds; asked by a thread that does nothing else. */
const healthMs: number[] = []
const asker = new Worker(
  `const { parentPort, workerData } = require('node:worker_threads')
  void (async () => {
    for (;;) {
      const asked = performance.now()
      await (await fetch(workerData)).text().catch(() => {})
      parentPort.postMessage(performance.now() - asked)
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  })().catch(() => {})`,
  { eval: true, workerData: `${url}/health` },
)
asker.on('message', (ms: number) => healthMs.push(ms))

const end = performance.now() + Number(values.minutes) * 60_000
async function worker(act: () => Promise<void>): Promise<void> {
  while (performance.now() < end && child.exitCode === null && child.signalCode === null)
    await act().catch((error: unknown) => {
      const { name, message } = error as Error
      if (name !== 'AbortError' && name !== 'TimeoutError') wrong.push(message)
    })
}

/** Resident megabytes of the server. */
function memory(): number {
  if (child.exitCode !== null || child.signalCode !== null) return 0
  const [, kilobytes] = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8')) ?? []
  return Math.round(Number(kilobytes) / 1024)
}

const samples: number[] = []
const timer = setInterval(() => {
  samples.push(memory())
  console.log(`${samples.at(-1)} MB, ${JSON.stringify(counts)}`)
}, Number(values.minutes) * 5000)
const workers = Array.from({ length: Number(values.workers) }, () => worker(() => acts[random(acts.length)]()))
const fuzzers = Array.from({ length: Number(values.fuzzers) }, () => worker(writeRubbish))
await Promise.all([...workers, ...fuzzers, worker(sendHostile)])
await asker.terminate()
clearInterval(timer)
await new Promise((resolve) => setTimeout(resolve, 1000))
const get = async (path: string) => (await fetch(url + path)).json().catch(() => undefined)
const alive = child.exitCode === null && child.signalCode === null
const slots = alive ? ((await get('/slots')) as { is_processing: boolean }[]) : []
const level = alive ? ((await get('/props')) as { exactness: { level: string } }).exactness.level : 'unknown'
const taken = slots.filter((slot) => slot.is_processing).length
samples.push(memory())
if (alive) child.kill('SIGTERM')
const code = alive ? (await once(child, 'exit'))[0] : (child.exitCode ?? child.signalCode)
for (const line of wrong.slice(0, 10)) console.log(`wrong: ${line}`)
if (!alive) console.log(log)
const summary = {
  minutes: Number(values.minutes),
  level,
  counts,
  fuzzed,
  hostile: hostileSent,
  healthMs: { median: quantile(healthMs, 0.5), p99: quantile(healthMs, 0.99), most: quantile(healthMs, 1) },
  memoryMegabytes: samples,
  taken,
  changed,
  wrong: wrong.length,
  exit: code,
}
console.log(JSON.stringify(summary))
const differs = level === 'bitwise' && changed > 0
process.exitCode = taken > 0 || wrong.length > 0 || differs || code !== 0 ? 1 : 0

function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return Math.round(sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0)
}
