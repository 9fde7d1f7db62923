/**
 * What exactness costs: every configuration of a context, repacked weights or not, how exact it is, and what forwards
 * take after 512 and 2,048 tokens of context. The table of docs/exactness.md.
 *
 *     npm run bench -- configurations models/lookahead-qa.gguf 0.5b.gguf
 */
import path from 'node:path'
import { formatTable } from '../src/cli/terminal.js'
import { Context } from '../src/llama/context.js'
import { type CacheType, defaultThreads } from '../src/llama/context-options.js'
import { Model } from '../src/llama/model.js'
import { ThreadPool } from '../src/llama/thread-pool.js'
import { type ProbeResult, probeExactness } from '../src/measure/probe.js'
import { readArguments, refuse } from './kit/arguments.js'
import { fillCache, timeSizes } from './kit/forwards.js'
import { describeMachine } from './kit/machine.js'

interface Candidate {
  repack: boolean
  keyType: CacheType
  valueType: CacheType
  flashAttention: boolean
}

const caches: Omit<Candidate, 'repack'>[] = [
  { keyType: 'f16', valueType: 'f16', flashAttention: true },
  { keyType: 'f16', valueType: 'f16', flashAttention: false },
  { keyType: 'bf16', valueType: 'f16', flashAttention: true },
  { keyType: 'f16', valueType: 'bf16', flashAttention: true },
  { keyType: 'q8_0', valueType: 'f16', flashAttention: true },
  { keyType: 'q8_0', valueType: 'q8_0', flashAttention: true },
]

const sizes = [1, 4, 8, 16]
const probeMs = 2000

const { values, positionals } = readArguments(
  'configurations',
  {
    contexts: {
      type: 'string',
      default: '512,2048',
      value: 'A,B',
      help: 'tokens of context; more than a model was trained with is left out',
    },
    rounds: {
      type: 'string',
      default: '5',
      value: 'N',
      help: 'forwards of each size in each configuration, in turns; medians count',
    },
    repacked: { type: 'boolean', default: false, help: 'only repacked weights: half of the time and of the memory' },
    threads: { type: 'string', short: 't', value: 'N', help: 'default: cores' },
  },
  { name: 'FILE…', help: 'GGUFs to measure', required: true },
)
const depths = values.contexts.split(',').map(Number)
const rounds = Number(values.rounds)
const threads = values.threads ? Number(values.threads) : defaultThreads()
if (![...depths, rounds, threads].every((n) => Number.isInteger(n) && n > 0)) {
  refuse('configurations', '--contexts, --rounds and --threads must be numbers above 0')
}
const repackings = values.repacked ? [true] : [true, false]
const candidates: Candidate[] = repackings.flatMap((repack) => caches.map((cache) => ({ ...cache, repack })))
const machine = describeMachine()
console.log(`${machine.cpu}, ${threads} of ${machine.cores} cores`)
const lines: Record<string, unknown>[] = []
for (const file of positionals) await measure(file)
console.log(JSON.stringify({ machine, threads, lines }))

/** All configurations of one model, in turns. */
async function measure(file: string): Promise<void> {
  const models = new Map<boolean, Model>()
  for (const repack of repackings) models.set(repack, await Model.load(file, { repack }))
  // One pool for all: the idle threads of another would spin and take the cores.
  const pool = ThreadPool.create(models.get(true)!.library, threads, models.get(true)!.kernels)
  const contexts: Context[] = []
  const most = models.get(true)!.describe().trainedContextTokens
  const used = depths.filter((depth) => depth + 64 <= most)
  if (used.length === 0) used.push(most - 64)
  for (const { repack, ...cache } of candidates) {
    const size = { contextTokens: Math.max(...used, 512) + 64, batchTokens: 512, maxSequences: 4, threads, pool }
    contexts.push(await Context.create(models.get(repack)!, { ...cache, ...size }))
  }
  const exactness: ProbeResult[] = []
  for (const context of contexts) exactness.push(await probeExactness(context, { budgetMs: probeMs }))
  for (const depth of used) {
    for (const context of contexts) await fillCache(context, depth)
    const times = await timeSizes(contexts, sizes, depth, rounds)
    for (const context of contexts) context.removePositions(0, 0, -1)
    const fastest = sizes.map((_, s) => Math.min(...times.map((row) => row[s])))
    const rows = candidates.map((candidate, c) => {
      const { rows: compared, equalRows, largestDifference } = exactness[c]
      lines.push({ model: path.basename(file), depth, ...candidate, ...exactness[c], ms: times[c] })
      const { keyType, valueType, flashAttention, repack } = candidate
      const exact = equalRows === compared ? 'all' : `${equalRows} of ${compared} (${largestDifference.toPrecision(2)})`
      const name = `${keyType} / ${valueType}, ${flashAttention ? 'fused' : 'plain'}${repack ? ', repacked' : ''}`
      return [name, exact, ...times[c].map((ms, s) => `${ms.toFixed(2)} (${(ms / fastest[s]).toFixed(2)})`)]
    })
    console.log(`\n${path.basename(file)} after ${depth} tokens: ms of n rows (× the fastest configuration)`)
    console.log(formatTable([['keys / values', 'rows equal', ...sizes.map((n) => `n = ${n}`)], ...rows]).join('\n'))
  }
  for (const context of contexts) await context[Symbol.asyncDispose]()
  pool.free()
  for (const model of models.values()) await model[Symbol.asyncDispose]()
}
