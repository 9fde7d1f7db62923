/**
 * Load on a running server: grounded questions at several concurrencies, lookahead against drafting off in turns. Every
 * cell gets a fresh server, so that no answer is known from an earlier one.
 *
 *     npm run bench:serve                                       the embedded model, its sample questions
 *     npm run bench:serve -- -m model.gguf --prompts rag.jsonl  one { question, documents } a line
 *
 * The last line of the output is JSON.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { availableParallelism, cpus } from 'node:os'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { type SamplePrompt, samplePrompts } from './samples.js'

interface Answer {
  tokens: number
  drafted: number
  accepted: number
  /** Milliseconds until the first text. */
  firstMs: number
  /** Milliseconds between chunks, each divided by nothing: what a reader waits. */
  gapsMs: number[]
  text: string
}

interface Cell {
  concurrency: number
  draft: 'off' | 'auto'
  tokensPerSecond: number
  first50: number
  first99: number
  gap50: number
  gap99: number
  acceptedShare: number
}

const root = new URL('../../', import.meta.url)

const { values } = parseArgs({
  options: {
    model: { type: 'string', short: 'm' },
    prompts: { type: 'string' },
    concurrency: { type: 'string', default: '1,4,8,16' },
    parallel: { type: 'string', default: '16' },
    requests: { type: 'string', default: '48' },
    'max-tokens': { type: 'string', default: '128' },
    rounds: { type: 'string', default: '2' },
    threads: { type: 'string' },
  },
})

function readPrompts(): SamplePrompt[] {
  if (values.prompts !== undefined)
    return readFileSync(values.prompts, 'utf8')
      .split('\n')
      .filter((line) => line.trim() !== '')
      .map((line) => JSON.parse(line) as SamplePrompt)
  return samplePrompts()
}

async function withServer<T>(use: (url: string) => Promise<T>): Promise<T> {
  const options = ['serve', '--port', '0', '--parallel', values.parallel, '--queue', '1000']
  if (values.model !== undefined) options.push('-m', values.model)
  if (values.threads !== undefined) options.push('-t', values.threads)
  const main = fileURLToPath(new URL('dist/cli/main.js', root))
  const child = spawn(process.execPath, [main, ...options], { stdio: ['ignore', 'ignore', 'pipe'] })
  let text = ''
  const url = await new Promise<string>((resolve, reject) => {
    child.stderr.on('data', (part) => {
      text += part
      const [found] = /http:\/\/\S+/.exec(text) ?? []
      if (found) resolve(found)
    })
    child.once('exit', () => reject(new Error(`the server did not start: ${text}`)))
  })
  try {
    return await use(url)
  } finally {
    child.kill('SIGTERM')
    await once(child, 'exit')
  }
}

async function ask(url: string, { question, documents }: SamplePrompt, draft: Cell['draft']): Promise<Answer> {
  const began = performance.now()
  const response = await fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({
      messages: [{ role: 'user', content: question }],
      documents,
      draft,
      max_tokens: Number(values['max-tokens']),
      stream: true,
    }),
  })
  if (!response.ok || !response.body) throw new Error(await response.text())
  const answer: Answer = { tokens: 0, drafted: 0, accepted: 0, firstMs: 0, gapsMs: [], text: '' }
  let last = 0
  let held = ''
  for await (const part of response.body.pipeThrough(new TextDecoderStream())) {
    const lines = (held + part).split('\n')
    held = lines.pop() ?? ''
    for (const line of lines) {
      if (!line.startsWith('data: {')) continue
      const data = JSON.parse(line.slice(6))
      if (data.error) throw new Error(data.error.message)
      const content: string = data.choices[0]?.delta?.content ?? ''
      if (content !== '') {
        const now = performance.now()
        if (answer.text === '') answer.firstMs = now - began
        else answer.gapsMs.push(now - last)
        last = now
        answer.text += content
      }
      if (data.timings) {
        answer.tokens = data.timings.predicted_n
        answer.drafted = data.timings.draft_n
        answer.accepted = data.timings.draft_n_accepted
      }
    }
  }
  return answer
}

/** Asks all prompts, `concurrency` at a time. */
async function load(url: string, prompts: readonly SamplePrompt[], concurrency: number, draft: Cell['draft']) {
  await ask(url, { question: 'Warm up?', documents: [] }, 'off')
  const answers: Answer[] = []
  let next = 0
  const worker = async () => {
    for (let i = next++; i < prompts.length; i = next++) answers[i] = await ask(url, prompts[i], draft)
  }
  const began = performance.now()
  await Promise.all(Array.from({ length: concurrency }, worker))
  return { answers, seconds: (performance.now() - began) / 1000 }
}

function summarise(concurrency: number, draft: Cell['draft'], answers: readonly Answer[], seconds: number): Cell {
  const total = (of: (answer: Answer) => number) => answers.reduce((sum, answer) => sum + of(answer), 0)
  const first = answers.map(({ firstMs }) => firstMs)
  const gaps = answers.flatMap(({ gapsMs }) => gapsMs)
  const drafted = total((answer) => answer.drafted)
  return {
    concurrency,
    draft,
    tokensPerSecond: total(({ tokens }) => tokens) / seconds,
    first50: quantile(first, 0.5),
    first99: quantile(first, 0.99),
    gap50: quantile(gaps, 0.5),
    gap99: quantile(gaps, 0.99),
    acceptedShare: drafted > 0 ? total(({ accepted }) => accepted) / drafted : 0,
  }
}

function quantile(list: readonly number[], share: number): number {
  const sorted = [...list].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0
}

/** Of the rounds of one cell: the median of each figure. */
function middle(cells: readonly Cell[]): Cell {
  const figure = (of: (cell: Cell) => number) => quantile(cells.map(of), 0.5)
  return {
    ...cells[0],
    tokensPerSecond: figure((cell) => cell.tokensPerSecond),
    first50: figure((cell) => cell.first50),
    first99: figure((cell) => cell.first99),
    gap50: figure((cell) => cell.gap50),
    gap99: figure((cell) => cell.gap99),
    acceptedShare: figure((cell) => cell.acceptedShare),
  }
}

const prompts = readPrompts().slice(0, Number(values.requests))
const concurrencies = values.concurrency.split(',').map(Number)
const rounds = Number(values.rounds)
console.log(
  `${cpus()[0]?.model}, ${availableParallelism()} threads; ${prompts.length} questions, ${rounds} rounds in turns`,
)
console.log('together  drafts   tokens/s   first text p50/p99 ms   wait between chunks p50/p99 ms   accepted')
const summary: Cell[] = []
let different = 0
for (const concurrency of concurrencies) {
  const found: Record<Cell['draft'], Cell[]> = { off: [], auto: [] }
  for (let round = 0; round < rounds; round++) {
    const texts: string[][] = []
    for (const draft of round % 2 === 0 ? (['off', 'auto'] as const) : (['auto', 'off'] as const)) {
      const { answers, seconds } = await withServer((url) => load(url, prompts, concurrency, draft))
      found[draft].push(summarise(concurrency, draft, answers, seconds))
      texts.push(answers.map(({ text }) => text))
    }
    different += texts[0].filter((text, i) => text !== texts[1][i]).length
  }
  for (const draft of ['off', 'auto'] as const) {
    const cell = middle(found[draft])
    summary.push(cell)
    const columns = [
      String(concurrency).padStart(8),
      draft.padStart(7),
      cell.tokensPerSecond.toFixed(0).padStart(10),
      `${cell.first50.toFixed(0)} / ${cell.first99.toFixed(0)}`.padStart(23),
      `${cell.gap50.toFixed(1)} / ${cell.gap99.toFixed(1)}`.padStart(32),
      draft === 'off' ? '' : `${(100 * cell.acceptedShare).toFixed(0)} %`.padStart(10),
    ]
    console.log(columns.join(' '))
  }
}
console.log(`answers that differ between the two: ${different} of ${prompts.length * rounds * concurrencies.length}`)
console.log(JSON.stringify({ prompts: prompts.length, rounds, different, cells: summary }))
