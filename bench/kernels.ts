/**
 * Kernels of our own beside llama.cpp's: what n rows cost, how fast a prompt is read, whether rows are exact, and how far
 * the two disagree. The table of docs/kernels.md.
 *
 *     npm run bench -- kernels Q4_0 Q8_0
 */
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { formatTable } from '../src/cli/terminal.js'
import { Context } from '../src/llama/context.js'
import { defaultThreads } from '../src/llama/context-options.js'
import { Model } from '../src/llama/model.js'
import { TENSOR_TYPES, type TensorType } from '../test/helpers/gguf.js'
import { readArguments, refuse } from './kit/arguments.js'
import { fillCache, timeForward } from './kit/forwards.js'
import { describeMachine, measureBandwidth } from './kit/machine.js'
import { benchmarkModel, SHAPES, type Shape } from './models.js'

const sizes = [1, 2, 4, 8, 16]
const compared = 24
/** Logits of a text that are compared. */
const mostLogits = 3e6

const { values, positionals } = readArguments(
  'kernels',
  {
    shape: {
      type: 'string',
      default: 'qwen2.5-0.5b',
      value: 'SHAPE',
      help: `one of ${Object.keys(SHAPES).join(', ')}`,
    },
    model: { type: 'string', value: 'FILE', help: 'a model of your own instead' },
    folder: {
      type: 'string',
      value: 'FOLDER',
      help: 'where models are kept (default: in the system’s temporary folder)',
    },
    text: { type: 'string', default: 'models/samples.md', value: 'FILE', help: 'what perplexity is measured on' },
    context: { type: 'string', default: '256', value: 'N', help: 'tokens of context, and of the prompt' },
    rounds: {
      type: 'string',
      default: '7',
      value: 'N',
      help: 'times each size is measured; the lower quartile counts',
    },
    threads: { type: 'string', short: 't', value: 'N', help: 'threads (default: the processor’s cores)' },
  },
  { name: 'TYPE…', help: 'weight types, TYPE or TYPE+HEAD where the output head has another (default: Q4_0)' },
)
const types = (positionals.length > 0 ? positionals : ['Q4_0']).map(
  (text) => text.split('+') as [TensorType, TensorType?],
)
const [depth, rounds, threads] = [values.context, values.rounds, values.threads ?? defaultThreads()].map(Number)
if (!(values.shape in SHAPES) || !types.flat().every((type) => type! in TENSOR_TYPES) || !(depth > 0 && rounds > 0))
  refuse('kernels', `expected types of ${Object.keys(TENSOR_TYPES).join(', ')}, and a context and rounds above 0`)

/** One of the two sides, in the middle of being measured. */
interface Side {
  name: string
  context: Context
  promptMs: number[]
  sizeMs: number[][]
}

/** What else the machine does only ever makes a forward slower. */
const quartile = (list: number[]) => list.toSorted((a, b) => a - b)[list.length >> 2]

async function round({ context, promptMs, sizeMs }: Side): Promise<void> {
  // Threads of the other side spin for a while after their last forward.
  await sleep(300)
  context.clear()
  const began = performance.now()
  await fillCache(context, depth)
  promptMs.push(performance.now() - began)
  for (const [i, rows] of sizes.entries()) sizeMs[i].push(await timeForward(context, rows, depth))
}

/** Logits of some rows behind the context, of forwards of so many rows. */
async function logitsOf(context: Context, rows: number): Promise<Float32Array[]> {
  const { batch, vocabularySize } = context
  const found: Float32Array[] = []
  for (let from = 0; from < compared; from += rows) {
    batch.clear()
    for (let row = from; row < from + rows; row++)
      batch.addSequence(batch.add((row * 77 + 5) % vocabularySize, depth + row, true), 0)
    await context.decode()
    for (let row = 0; row < rows; row++)
      found.push(context.logits.slice(row * vocabularySize, (row + 1) * vocabularySize))
  }
  context.removePositions(0, depth, -1)
  return found
}

function logarithms(logits: Float32Array): Float64Array {
  const most = logits.reduce((a, b) => Math.max(a, b))
  const log = Math.log(logits.reduce((sum, value) => sum + Math.exp(value - most), 0)) + most
  return Float64Array.from(logits, (value) => value - log)
}

/** Log-probabilities after every token of a text, read at once into an empty context. */
async function readText(context: Context, tokens: Int32Array): Promise<Float64Array[]> {
  const { batch, vocabularySize } = context
  context.clear()
  batch.clear()
  for (const [i, token] of tokens.entries()) batch.addSequence(batch.add(token, i, true), 0)
  await context.decode()
  return Array.from(tokens, (_, i) => logarithms(context.logits.subarray(i * vocabularySize, (i + 1) * vocabularySize)))
}

function perplexity(rows: Float64Array[], tokens: Int32Array): number {
  const sum = rows.slice(0, -1).reduce((sum, row, i) => sum + row[tokens[i + 1]], 0)
  return Math.exp(-sum / (tokens.length - 1))
}

/** Mean Kullback-Leibler divergence of two sets of rows, in nats. */
function divergence(rows: Float64Array[], others: Float64Array[]): number {
  const each = rows.map((p, i) => p.reduce((sum, value, v) => sum + Math.exp(value) * (value - others[i][v]), 0))
  return each.reduce((a, b) => a + b) / each.length
}

const equalRows = (rows: Float32Array[], others: Float32Array[]) =>
  rows.filter((row, i) => Buffer.from(row.buffer).equals(Buffer.from(others[i].buffer))).length

/** How near the two are to each other, and llama.cpp to itself with keys of bf16. */
async function agree(type: string, theirs: Context, ours: Context): Promise<string[]> {
  const { model } = theirs
  const text = model.vocabulary.tokenize(readFileSync(values.text, 'utf8').slice(0, 4000))
  const tokens = text.subarray(0, Math.min(depth, text.length, Math.round(mostLogits / model.vocabulary.size)))
  const [stock, mine] = [await readText(theirs, tokens), await readText(ours, tokens)]
  await using other = await Context.create(model, {
    ...{ contextTokens: depth + 64, batchTokens: 512, threads, keyType: 'bf16', valueType: 'f16' },
  })
  const bf16 = await readText(other, tokens)
  return [
    type,
    `${tokens.length}`,
    perplexity(stock, tokens).toPrecision(5),
    perplexity(mine, tokens).toPrecision(5),
    divergence(stock, mine).toExponential(1),
    divergence(stock, bf16).toExponential(1),
  ]
}

const machine = describeMachine()
const gigabytes = await measureBandwidth(threads)
console.log(
  `${machine.cpu}, ${threads} of ${machine.cores} cores, ${gigabytes.toFixed(0)} GB/s; ${depth} tokens of context`,
)
const table = [
  ['weights', 'kernels', 'prompt/s', 'T(1) ms', ...sizes.slice(1).map((n) => `T(${n})/T(1)`), 'exact rows'],
]
const agreement = [['weights', 'tokens', 'perplexity llama.cpp', 'ours', 'KL to ours', 'to its own with bf16 keys']]
for (const [type, head] of types) {
  const file = values.model ?? benchmarkModel({ shape: values.shape as Shape, type, head, folder: values.folder })
  const sides: Side[] = []
  for (const kernels of ['off', 'auto'] as const) {
    const model = await Model.load(file, { kernels, repack: true })
    if (kernels === 'auto' && !model.kernels) refuse('kernels', String(model.library.kernels))
    const context = await Context.create(model, {
      ...{ contextTokens: depth + 64, batchTokens: 512, threads, keyType: 'f16', valueType: 'f16' },
    })
    const name = model.kernels ? `ours, ${model.kernels.name}` : 'llama.cpp'
    sides.push({ name, context, promptMs: [], sizeMs: sizes.map(() => []) })
  }
  for (let i = 0; i < rounds; i++) for (const side of sides) await round(side)
  const exact: number[] = []
  for (const { context } of sides) exact.push(equalRows(await logitsOf(context, compared), await logitsOf(context, 1)))
  for (const [i, { name, promptMs, sizeMs }] of sides.entries()) {
    const [one, ...more] = sizeMs.map(quartile)
    const speed = ((1000 * depth) / quartile(promptMs)).toFixed(0)
    const ratios = more.map((ms) => (ms / one).toFixed(2))
    const weights = head ? `${type}, head ${head}` : type
    table.push([i ? '' : weights, name, speed, one.toFixed(1), ...ratios, `${exact[i]} of ${compared}`])
  }
  const { weightBytes } = sides[0].context.model.describe()
  table.push([
    '',
    'memory',
    '',
    (weightBytes / gigabytes / 1e6).toFixed(1),
    ...sizes.slice(1).map(() => '1.00'),
    '',
    '',
  ])
  agreement.push(await agree(type, sides[0].context, sides[1].context))
  for (const { context } of sides) await context.model[Symbol.asyncDispose]()
}
console.log(`${formatTable(table).join('\n')}\n\n${formatTable(agreement).join('\n')}`)
