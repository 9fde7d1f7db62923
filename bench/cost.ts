/**
 * Does drafting pay, in time? A real model does every forward; the tokens it "chooses" come from recorded answers, so
 * wall-clock is real on real text. Conventional decoding, lookahead and fixed draft sizes take turns on every record.
 *
 *     npm run bench:cost -- --traces FOLDER --vocabulary qwen2.gguf --model 0.5b.gguf
 *
 *   --model FILE         real shape; random weights do (npm run bench:models)
 *   --traces FOLDER      gzipped JSONL of prompts and answers; without it only the adversarial stream is run
 *   --vocabulary FILE    GGUF whose tokeniser splits the traces (.gz works too). Default: the model's
 *   --workloads A,B      Default: all
 *   --records N          timed records per workload. Default 4
 *   --warm N             records the drafters have seen before. Default 40
 *   --tokens N           tokens per answer. Default 64
 *   --context N          tokens of the prompt the model reads; drafters read all of it. Default 256
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { gunzipSync } from 'node:zlib'
import { formatTable } from '../src/cli/terminal.js'
import type { DraftSession } from '../src/draft/drafter.js'
import { type Recording, replay } from '../src/draft/replay.js'
import { RetrievalDrafter } from '../src/draft/retrieval.js'
import { Generation, type GenerationStats } from '../src/engine/generation.js'
import { DecodeLoop } from '../src/engine/loop.js'
import type { DraftMode } from '../src/engine/options.js'
import { tune } from '../src/engine/tuning.js'
import { AnswerWriter } from '../src/engine/writer.js'
import { Model } from '../src/llama/model.js'
import { LyingSession } from './liar.js'
import { readWorkload, WORKLOADS } from './traces.js'

const modes: DraftMode[] = ['off', 'auto', 3, 7, 15, 31]

const { values } = parseArgs({
  options: {
    model: { type: 'string' },
    traces: { type: 'string' },
    vocabulary: { type: 'string' },
    workloads: { type: 'string' },
    records: { type: 'string', default: '4' },
    warm: { type: 'string', default: '40' },
    tokens: { type: 'string', default: '64' },
    context: { type: 'string', default: '256' },
  },
})
if (values.model === undefined) {
  console.error('usage: npm run bench:cost -- --model FILE [--traces FOLDER] [--vocabulary FILE]')
  process.exit(2)
}
const [records, warm, tokens, contextLength] = [values.records, values.warm, values.tokens, values.context].map(Number)

/** What one answer took. */
interface Timing {
  stats: GenerationStats
  /** Milliseconds of choosing tokens, and of learning from them. */
  verifyMs: number
  learnMs: number
}

const maxNodes = 32
const model = await Model.load(values.model)
const tuned = await tune(model, {
  exactness: 'bitwise',
  context: { contextTokens: contextLength + tokens + 2 * maxNodes, maxSequences: 8, batchTokens: 512 },
  modelOptions: {},
})
const { context, cost } = tuned
const loop = new DecodeLoop(context, {
  slots: 1,
  branches: 8,
  contextTokens: contextLength + tokens + maxNodes,
  maxNodes,
  cost,
})
const { keyType, valueType, level } = tuned.exactness
console.log(
  `${path.basename(values.model)}, ${context.threads} threads, keys ${keyType}, values ${valueType}: ${level}`,
)
console.log(`T(1) ${cost.ms(1).toFixed(2)} ms, rebuild ${cost.rebuildMs.toFixed(2)} ms, T(n)/T(1) after 256 tokens`)
console.log(
  `  ${[2, 4, 8, 16, 32].map((n) => `${n}: ${(cost.ms(n, 256) / cost.ms(1, 256)).toFixed(2)}`).join('   ')}\n`,
)

const rows = [['workload', 'EDL', 'DL', ...modes.map((mode) => (typeof mode === 'number' ? `${mode + 1} rows` : mode))]]
rows[0].push('of best', 'µs/step', 'retrieve', 'verify', 'learn', 'rest')
const lines: Record<string, unknown>[] = []
const names =
  values.workloads?.split(',') ?? (values.traces ? [...Object.keys(WORKLOADS), 'adversarial'] : ['adversarial'])
const tokenize = await openTokenizer(values.vocabulary)
for (const name of names) {
  const recordings = name === 'adversarial' ? randomRecordings() : readRecordings(name)
  const timings = await measure(recordings, name === 'adversarial')
  report(name, timings)
}
console.log(formatTable(rows).join('\n'))
console.log(JSON.stringify({ model: path.basename(values.model), workloads: lines }))
await loop.close()
await model[Symbol.asyncDispose]()

/** Runs the timed records in all modes, in turns. */
async function measure(recordings: Recording[], lies: boolean): Promise<Timing[][]> {
  const timed = recordings.slice(0, records)
  const before = recordings.slice(records, records + warm)
  const drafters = modes.map(() => {
    const drafter = new RetrievalDrafter()
    if (!lies) replay(before, drafter, { budget: 16 })
    return drafter
  })
  const timings: Timing[][] = modes.map(() => [])
  for (const [r, recording] of timed.entries())
    for (let turn = 0; turn < modes.length; turn++) {
      const m = (turn + r) % modes.length
      const session = lies ? new LyingSession(recording.response) : drafters[m].open()
      timings[m].push(await decode(recording, modes[m], session))
    }
  return timings
}

/** Decodes one record; the drafter reads the whole prompt, the model its end. */
async function decode({ prompt, response }: Recording, mode: DraftMode, session: DraftSession): Promise<Timing> {
  const timing = { verifyMs: 0, learnMs: 0 }
  const whole = Int32Array.from(prompt)
  const clocked: DraftSession = {
    read: () => session.read(whole),
    draft: (tree, budget) => session.draft(tree, budget),
    accept(accepted, count) {
      const began = performance.now()
      session.accept(accepted, count)
      timing.learnMs += performance.now() - began
    },
    close: () => session.close(),
  }
  let at = 0
  const sampler = {
    seed: 0,
    sample(row: number) {
      const began = performance.now()
      context.argmax(row)
      timing.verifyMs += performance.now() - began
      return response[at++]
    },
    [Symbol.dispose]() {},
  }
  const generation = new Generation(() => {})
  const text = { bytesOf: () => new Uint8Array(0), isEndOfGeneration: () => false }
  const read = whole.slice(-contextLength)
  const writer = new AnswerWriter(generation, text, { maxTokens: response.length, stops: [] }, read.length, 0)
  loop.submit({ prompt: read, draft: mode, session: clocked, sampler, writer, reusePrefix: true })
  const { stats } = await generation.result
  return { stats, ...timing }
}

function report(name: string, timings: Timing[][]): void {
  // Records during which the machine was held up say nothing: those whose conventional decoding was slowest are left out.
  const perToken = timings[0].map(({ stats }) => stats.decodeMs / stats.completionTokens)
  const limit = 1.3 * [...perToken].sort((a, b) => a - b)[perToken.length >> 1]
  const kept = (list: Timing[]) => list.filter((_, i) => perToken[i] <= limit)
  const total = (list: Timing[], of: (timing: Timing) => number) => kept(list).reduce((sum, t) => sum + of(t), 0)
  const decodeMs = timings.map((list) => total(list, ({ stats }) => stats.decodeMs))
  const speed = decodeMs.map((ms) => decodeMs[0] / ms)
  const auto = timings[modes.indexOf('auto')]
  const forwards = total(auto, ({ stats }) => stats.forwards)
  const edl = total(auto, ({ stats }) => stats.edl * stats.forwards) / forwards
  const dl = total(auto, ({ stats }) => stats.dl * stats.forwards) / forwards
  const perStep = (of: (timing: Timing) => number) => (total(auto, of) / forwards) * 1000
  const overhead = perStep(({ stats }) => stats.decodeMs - stats.forwardMs)
  const parts = [perStep(({ stats }) => stats.retrievalMs), perStep((t) => t.verifyMs), perStep((t) => t.learnMs)]
  parts.push(overhead - parts[0] - parts[1] - parts[2])
  const ofBest = speed[1] / Math.max(...speed.filter((_, i) => modes[i] !== 'auto'))
  rows.push([
    name,
    edl.toFixed(2),
    dl.toFixed(2),
    ...speed.map((x) => `${x.toFixed(2)} ×`),
    ofBest.toFixed(2),
    ...[overhead, ...parts].map((micros) => micros.toFixed(0)),
  ])
  const bySize = Object.fromEntries(modes.map((mode, i) => [mode, speed[i]]))
  lines.push({ name, edl, dl, speed: bySize, ofBest, overheadMicros: overhead })
}

function readRecordings(name: string): Recording[] {
  return readWorkload(values.traces!, name)
    .slice(0, 3 * (records + warm))
    .map(({ prompt, response, group }) => ({
      prompt: tokenize(prompt),
      response: tokenize(response).slice(0, tokens),
      group,
    }))
    .filter(({ prompt, response }) => prompt.length > 0 && response.length === tokens)
    .slice(0, records + warm)
}

/** Text in which nothing comes again. */
function randomRecordings(): Recording[] {
  let state = 1
  const random = () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * context.vocabularySize)
  }
  return Array.from({ length: records }, () => ({
    prompt: Int32Array.from({ length: contextLength }, random),
    response: Int32Array.from({ length: tokens }, random),
  }))
}

async function openTokenizer(file: string | undefined): Promise<(text: string) => Int32Array> {
  if (file === undefined) return (text) => model.vocabulary.tokenize(text)
  if (!file.endsWith('.gz')) {
    const other = await Model.load(file, { vocabularyOnly: true })
    return (text) => other.vocabulary.tokenize(text)
  }
  const folder = mkdtempSync(path.join(tmpdir(), 'vocabulary-'))
  const unpacked = path.join(folder, 'vocabulary.gguf')
  writeFileSync(unpacked, gunzipSync(readFileSync(file)))
  const other = await Model.load(unpacked, { vocabularyOnly: true })
  rmSync(folder, { recursive: true })
  return (text) => other.vocabulary.tokenize(text)
}
