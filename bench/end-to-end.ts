/**
 * Whole requests over HTTP, from the first prompt token to the last of the answer: `lookahead serve` beside llama-server
 * of the same release, each of its ways to speculate in a process of its own; all servers are asked in turns.
 *
 *     npm run bench -- end-to-end --llama-server PATH                          the embedded model, grounded questions
 *     npm run bench -- end-to-end --llama-server PATH --shape qwen2.5-0.5b     random weights of a real shape, Q4_0
 *     … --prompts 400,1600 --answers 24 --at-once 1,4 --modes none,ngram-simple
 *
 * A cell is one length of prompts, one of answers, and one number of requests at a time. No prompt is cached between
 * rounds, but for what a server keeps of its answers to draft from. `--ours` gives further options to our server.
 *
 * The last line of the output is JSON.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import http from 'node:http'
import { availableParallelism, cpus } from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Chat } from '../src/engine/chat.js'
import { Model } from '../src/llama/model.js'
import { freePort } from '../test/helpers/free-port.js'
import { readArguments } from './kit/arguments.js'
import { embeddedModel } from './kit/embedded.js'
import { median, spread } from './kit/statistics.js'
import { groundedQuestions } from './kit/workloads.js'
import { benchmarkModel, type Shape } from './models.js'

const root = new URL('../../', import.meta.url)

/** What llama-server can be told to draft with, without a second model; `none` is its default. */
const modes: Record<string, string[]> = {
  none: [],
  'ngram-simple': ['--spec-type', 'ngram-simple'],
  'ngram-simple 3/8': [
    '--spec-type',
    'ngram-simple',
    '--spec-ngram-simple-size-n',
    '3',
    '--spec-ngram-simple-size-m',
    '8',
  ],
  'ngram-mod': ['--spec-type', 'ngram-mod'],
  'ngram-mod 3/8': [
    ...['--spec-type', 'ngram-mod', '--spec-ngram-mod-n-match', '3'],
    ...['--spec-ngram-mod-n-min', '1', '--spec-ngram-mod-n-max', '8'],
  ],
  'ngram-map-k': ['--spec-type', 'ngram-map-k'],
  'ngram-map-k4v': ['--spec-type', 'ngram-map-k4v'],
  'ngram-cache': ['--spec-type', 'ngram-cache'],
}

const { values } = readArguments('end-to-end', {
  'llama-server': { type: 'string', value: 'PATH', help: 'llama-server of the same release, to compare with' },
  model: { type: 'string', short: 'm', value: 'FILE', help: 'default: the embedded model' },
  shape: { type: 'string', value: 'NAME', help: 'random weights of a published shape, every tensor Q4_0' },
  prompts: { type: 'string', value: 'LIST', default: '400', help: 'tokens of prompts' },
  answers: { type: 'string', value: 'LIST', default: '24,256', help: 'tokens of answers' },
  'at-once': { type: 'string', value: 'LIST', default: '1,4', help: 'requests at a time' },
  modes: {
    type: 'string',
    value: 'LIST',
    default: Object.keys(modes).join(','),
    help: 'ways of llama-server to speculate',
  },
  requests: { type: 'string', value: 'N', default: '8', help: 'requests of one round' },
  rounds: { type: 'string', value: 'N', default: '3', help: 'rounds; the median counts' },
  threads: {
    type: 'string',
    short: 't',
    value: 'N',
    default: String(availableParallelism()),
    help: 'threads of each server',
  },
  ours: { type: 'string', value: 'OPTIONS', default: '', help: 'further options of our server' },
})

const numbers = (list: string) => list.split(',').map(Number)

/** A server that is asked. */
interface Server {
  name: string
  url: string
  child: ChildProcess
}

/** What was seen of one answer. */
interface Answer {
  firstMs: number
  totalMs: number
  tokens: number
  promptTokens: number
  text: string
}

/** One server in one cell. */
interface Figures {
  name: string
  wallMs: number
  /** Wall time of llama-server without speculation in the same round over that of this one. */
  ratio: number
  least: number
  most: number
  firstMs: number
  tokensPerSecond: number
  /** Processor time of the server per request; `undefined` where the system does not tell. With one thread, what wall time is where nothing disturbs. */
  processorMs: number | undefined
  same: number
}

async function startServer(name: string, command: string, options: string[], env: NodeJS.ProcessEnv, port?: number) {
  const child = spawn(command, options, { stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, ...env } })
  // Whoever ends this ends the servers too.
  process.once('exit', () => child.kill('SIGTERM'))
  let text = ''
  child.stderr?.on('data', (part) => {
    text = (text + part).slice(-20_000)
  })
  const ended = once(child, 'exit').then(() => {
    throw new Error(`${name} did not start: ${text.slice(-800)}`)
  })
  const ready = async (): Promise<string> => {
    for (;;) {
      const url = port === undefined ? /http:\/\/[\d.:]+/.exec(text)?.[0] : `http://127.0.0.1:${port}`
      if (url && (await fetch(`${url}/health`).catch(() => undefined))?.ok) return url
      await sleep(100)
    }
  }
  ended.catch(() => {})
  const url = await Promise.race([ready(), ended])
  return { name, url, child } satisfies Server
}

// A connection each: a server may close one that rests, while its next request is on the way.
const agent = new http.Agent({ keepAlive: false, maxSockets: 64 })

/** Asks a server for one answer, streamed. */
function ask({ name, url }: Server, prompt: readonly number[], maxTokens: number): Promise<Answer> {
  const body = JSON.stringify({
    ...{ prompt, max_tokens: maxTokens, temperature: 0, stream: true, cache_prompt: false, ignore_eos: true },
    stream_options: { include_usage: true },
  })
  const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }
  const began = performance.now()
  return new Promise((resolve, reject) => {
    const request = http.request(`${url}/v1/completions`, { method: 'POST', agent, headers }, (response) => {
      const answer: Answer = { firstMs: 0, totalMs: 0, tokens: 0, promptTokens: 0, text: '' }
      let held = ''
      response.setEncoding('utf8')
      response.on('data', (part: string) => {
        const lines = (held + part).split('\n')
        held = lines.pop() ?? ''
        for (const line of lines) {
          if (!line.startsWith('data: {')) continue
          const data = JSON.parse(line.slice(6))
          if (data.error) reject(new Error(`${name}: ${JSON.stringify(data.error).slice(0, 300)}`))
          const text: string = data.choices?.[0]?.text ?? ''
          if (text !== '' && answer.text === '') answer.firstMs = performance.now() - began
          answer.text += text
          if (data.usage) {
            answer.tokens = data.usage.completion_tokens
            answer.promptTokens = data.usage.prompt_tokens
          }
        }
      })
      response.on('end', () => {
        answer.totalMs = performance.now() - began
        if (answer.text === '') answer.firstMs = answer.totalMs
        if (response.statusCode === 200) resolve(answer)
        else reject(new Error(`${name} answered ${response.statusCode}: ${held.slice(0, 300)}`))
      })
    })
    request.on('error', reject)
    request.end(body)
  })
}

/** Asks all prompts, so many at a time. */
async function askAll(server: Server, prompts: readonly number[][], maxTokens: number, atOnce: number) {
  const answers: Answer[] = []
  let next = 0
  const worker = async () => {
    for (let i = next++; i < prompts.length; i = next++) answers[i] = await ask(server, prompts[i], maxTokens)
  }
  const began = performance.now()
  const before = processorMs(server)
  await Promise.all(Array.from({ length: atOnce }, worker))
  const wallMs = performance.now() - began
  const after = processorMs(server)
  const own = before === undefined || after === undefined ? undefined : (after - before) / prompts.length
  return { wallMs, processorMs: own, answers }
}

/** Processor time of a server since its start; Linux counts it in hundredths of a second. */
function processorMs({ child }: Server): number | undefined {
  try {
    const fields = readFileSync(`/proc/${child.pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ')
    return 10 * (Number(fields[11]) + Number(fields[12]))
  } catch {
    return undefined
  }
}

/** Grounded questions with so many documents that prompts have about `length` tokens; none begins like another. */
function makePrompts(model: Model, length: number, count: number): number[][] {
  const chat = new Chat(model)
  const questions = groundedQuestions(count + Math.ceil((count * length) / 60), length)
  let other = count
  return questions.slice(0, count).map(({ question, documents }, i) => {
    const shown = [...documents]
    const render = () => {
      const numbered = [{ title: `Case ${i + 1}`, text: `This is case ${i + 1} of ${count}.` }, ...shown]
      if (chat.template)
        return Array.from(
          chat.tokenize(chat.render({ messages: [{ role: 'user', content: question }], documents: numbered })),
        )
      const text = [...numbered.map(({ title, text }) => `${title}\n${text}\n`), question].join('\n')
      return Array.from(model.vocabulary.tokenize(text, { addSpecial: true }))
    }
    let prompt = render()
    while (prompt.length < length) {
      shown.push(...questions[other++ % questions.length].documents)
      prompt = render()
    }
    return prompt
  })
}

async function main(): Promise<void> {
  const file = values.shape
    ? benchmarkModel({ shape: values.shape as Shape, type: 'Q4_0' })
    : (values.model ?? embeddedModel)
  const cells = numbers(values.prompts).flatMap((prompt) =>
    numbers(values.answers).flatMap((answer) =>
      numbers(values['at-once']).map((atOnce) => ({ prompt, answer, atOnce })),
    ),
  )
  const slots = Math.max(...cells.map(({ atOnce }) => atOnce))
  // Prompts end with a whole document.
  const context = Math.ceil(Math.max(...cells.map(({ prompt, answer }) => 1.1 * prompt + answer))) + 512
  const { threads } = values
  const servers: Server[] = []
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1))
  try {
    const binary = values['llama-server']
    for (const mode of binary ? values.modes.split(',') : []) {
      const options = modes[mode]
      if (!options) throw new Error(`--modes: expected some of ${Object.keys(modes).join(', ')}; got ${mode}`)
      const port = await freePort()
      const server = await startServer(
        `llama-server ${mode}`,
        binary as string,
        [
          ...['-m', file, '--port', String(port), '-t', threads, '-np', String(slots), '-kvu'],
          ...['-c', String(slots * context), '--no-webui', ...options],
        ],
        { LD_LIBRARY_PATH: path.dirname(binary as string) },
        port,
      )
      servers.push(server)
    }
    const main = fileURLToPath(new URL('dist/cli/main.js', root))
    const options = ['-m', file, '--port', '0', '--parallel', String(slots), '-c', String(context), '-t', threads]
    const ours = ['serve', ...options, '--queue', '1000', ...values.ours.split(' ').filter(Boolean)]
    servers.push(await startServer('lookahead', process.execPath, [main, ...ours], {}))

    console.log(`${path.basename(file)}, ${cpus()[0].model}, ${threads} threads, ${slots} slots of ${context} tokens`)
    const vocabulary = await Model.load(file, { vocabularyOnly: true })
    const report: object[] = []
    for (const { prompt, answer, atOnce } of cells) {
      const prompts = makePrompts(vocabulary, prompt, Math.max(Number(values.requests), atOnce))
      const figures = await measureCell(servers, prompts, answer, atOnce)
      const tokens = Math.round(prompts.reduce((sum, { length }) => sum + length, 0) / prompts.length)
      console.log(`\nprompts of ${tokens} tokens, answers of ${answer}, ${atOnce} at a time`)
      for (const one of figures)
        console.log(
          `  ${one.name.padEnd(30)} ${one.ratio.toFixed(2)} × (${one.least.toFixed(2)}–${one.most.toFixed(2)})  ${one.wallMs.toFixed(0).padStart(7)} ms  ` +
            `first text ${one.firstMs.toFixed(0).padStart(5)} ms  ${one.tokensPerSecond.toFixed(0).padStart(5)} tokens/s  ${(one.processorMs ?? 0).toFixed(0).padStart(5)} ms of processor  same ${one.same}/${prompts.length}`,
        )
      report.push({ prompt: tokens, answer, atOnce, figures })
    }
    await vocabulary[Symbol.asyncDispose]()
    console.log(
      `\n${JSON.stringify({ model: path.basename(file), processor: cpus()[0].model, threads, slots, cells: report })}`,
    )
  } finally {
    agent.destroy()
    for (const { child } of servers) child.kill('SIGTERM')
  }
}

/** All servers in turns, each round begun by another one. */
async function measureCell(
  servers: readonly Server[],
  prompts: readonly number[][],
  maxTokens: number,
  atOnce: number,
): Promise<Figures[]> {
  const rounds = servers.map((): Awaited<ReturnType<typeof askAll>>[] => [])
  for (const server of servers) await askAll(server, prompts.slice(0, 1), Math.min(maxTokens, 8), 1)
  for (let round = 0; round < Number(values.rounds); round++)
    for (let k = 0; k < servers.length; k++) {
      const i = (k + round) % servers.length
      // Threads that spin for work after the last answer would take the next server's cores.
      await sleep(400)
      rounds[i].push(await askAll(servers[i], prompts, maxTokens, atOnce))
    }
  return servers.map(({ name }, i) => {
    const {
      median: ratio,
      least,
      most,
    } = spread(rounds[i].map(({ wallMs }, round) => rounds[0][round].wallMs / wallMs))
    const answers = rounds[i].flatMap(({ answers }) => answers)
    const wallMs = median(rounds[i].map((one) => one.wallMs))
    const tokens = rounds[i][0].answers.reduce((sum, one) => sum + one.tokens, 0)
    return {
      name,
      wallMs,
      ratio,
      least,
      most,
      firstMs: median(answers.map(({ firstMs }) => firstMs)),
      tokensPerSecond: (1000 * tokens) / wallMs,
      processorMs: leastKnown(rounds[i].map((one) => one.processorMs)),
      same: rounds[i][0].answers.filter(({ text }, k) => text === rounds[0][0].answers[k].text).length,
    }
  })
}

function leastKnown(values: readonly (number | undefined)[]): number | undefined {
  const known = values.filter((value) => value !== undefined)
  return known.length > 0 ? Math.min(...known) : undefined
}

await main()
