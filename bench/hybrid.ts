/**
 * Models whose memory is a state: what a forward of n tokens costs, what a state costs to keep and to put back, and how
 * fast chains would be where states can go back, and where they cannot.
 *
 *     npm run bench -- hybrid lfm2-1.2b               random weights of a published shape
 *     npm run bench -- hybrid --model FILE.gguf       any model
 *
 * A chain of k nodes, each right with probability a, brings 1 + a + … + aᵏ tokens. Where a state can go back that takes
 * T(1 + k). Where it cannot, the state before is kept, and put back where a node fails; a forward then reads the j nodes
 * that came true once more, and brings a token too:
 *
 *     all right     k + 1 tokens     S + T(1 + k)                          S: keeping a state, L: putting it back
 *     j right       j + 2 tokens     S + T(1 + k) + L + T(j + 2)
 */
import { formatTable } from '../src/cli/terminal.js'
import { ForwardCost } from '../src/cost/forward-cost.js'
import { Context } from '../src/llama/context.js'
import { defaultThreads } from '../src/llama/context-options.js'
import { loadModel } from '../src/measure/loading.js'
import { chooseRollback } from '../src/measure/rollback.js'
import { readArguments, refuse } from './kit/arguments.js'
import { describeMachine } from './kit/machine.js'
import { median } from './kit/statistics.js'
import { benchmarkModel, SHAPES, type Shape } from './models.js'

const sizes = [1, 2, 3, 4, 5, 6, 8, 12, 16]
const chances = [0.5, 0.6, 0.7, 0.8, 0.9, 0.95]

const { values, positionals } = readArguments(
  'hybrid',
  {
    model: { type: 'string', value: 'FILE', help: 'a GGUF instead of a shape' },
    type: { type: 'string', default: 'Q4_0', value: 'TYPE', help: 'of the weights of a shape' },
    context: { type: 'string', default: '256', value: 'N', help: 'tokens before the measured forwards' },
    rounds: { type: 'string', default: '9', value: 'N', help: 'forwards of each size' },
    threads: { type: 'string', value: 'N', help: 'threads that compute (default: cores)' },
  },
  { name: 'SHAPE', help: 'a published shape (default: lfm2-1.2b)' },
)
const [shape = 'lfm2-1.2b'] = positionals
if (values.model === undefined && !(shape in SHAPES))
  refuse('hybrid', `expected a shape of ${Object.keys(SHAPES).join(', ')}, got ${shape}`)
const file = values.model ?? benchmarkModel({ shape: shape as Shape, type: values.type as 'Q4_0' })
const depth = Number(values.context)
const rounds = Number(values.rounds)
const threads = values.threads === undefined ? defaultThreads() : Number(values.threads)

await using model = await loadModel(file, { exactness: 'bitwise', threads, profile: false })
if (!model.isRecurrent) refuse('hybrid', `${file} is a transformer: its cells are taken back at will`)
const { positions: rollback, stateBytes } = await chooseRollback(model, 1, 15)
const tokens = depth + (rounds + 1) * sizes.reduce((a, b) => a + b) * 2 + 64
await using context = await Context.create(model, { contextTokens: tokens, batchTokens: 512, threads, rollback })
let position = 0

/** One forward behind the last: memory of this kind cannot go back to measure over the same place. */
async function forward(rows: number): Promise<number> {
  const { batch, vocabularySize } = context
  batch.clear()
  for (let row = 0; row < rows; row++, position++)
    batch.addSequence(batch.add((position * 77 + 5) % vocabularySize, position, true), 0)
  const began = performance.now()
  await context.decode()
  return performance.now() - began
}

for (let read = 0; read < depth; read += 64) await forward(Math.min(64, depth - read))
const times = sizes.map((): number[] => [])
for (let round = 0; round <= rounds; round++)
  for (const [i, rows] of sizes.entries()) {
    // The first of a shape builds its graph.
    await forward(rows)
    const ms = await forward(rows)
    if (round > 0) times[i].push(ms)
  }
const medians = times.map(median)
const keeping: number[] = []
const puttingBack: number[] = []
for (let round = 0; round < rounds; round++) {
  const began = performance.now()
  const state = context.saveState(0)
  keeping.push(performance.now() - began)
  const again = performance.now()
  context.loadState(0, state, position)
  puttingBack.push(performance.now() - again)
}
const [keptMs, putBackMs] = [median(keeping), median(puttingBack)]

const cost = new ForwardCost(sizes.map((rows, i) => ({ rows, ms: medians[i] })))
/** T(n). */
const ms = (rows: number) => cost.ms(rows)

/** The best chain of at most 14 nodes, by how fast it is beside conventional decoding. */
function best(speedOf: (nodes: number) => number): string {
  let [nodes, speed] = [0, 1]
  for (let k = 1; k <= 14; k++) if (speedOf(k) > speed) [nodes, speed] = [k, speedOf(k)]
  return nodes === 0 ? 'none' : `${speed.toFixed(2)} (${nodes})`
}

function goingBack(chance: number, nodes: number): number {
  let brought = 1
  for (let k = 1; k <= nodes; k++) brought += chance ** k
  return (brought * ms(1)) / ms(1 + nodes)
}

function readingAgain(chance: number, nodes: number): number {
  let brought = chance ** nodes * (nodes + 1)
  let spent = keptMs + ms(1 + nodes)
  for (let right = 0; right < nodes; right++) {
    const probability = chance ** right * (1 - chance)
    brought += probability * (right + 2)
    spent += probability * (putBackMs + ms(right + 2))
  }
  return (brought * ms(1)) / spent
}

const { cpu, cores } = describeMachine()
console.log(
  `${values.model ?? `${shape} ${values.type}`}, ${cpu}, ${threads} of ${cores} cores, after ${depth} tokens\n`,
)
for (const line of formatTable([
  ['', 'T(1) ms', ...sizes.slice(1).map((n) => `T(${n})/T(1)`)],
  ['', medians[0].toFixed(2), ...medians.slice(1).map((one) => (one / medians[0]).toFixed(2))],
]))
  console.log(line)
console.log(
  `\na state: ${(stateBytes / 2 ** 20).toFixed(2)} MiB; keeping it ${keptMs.toFixed(2)} ms, putting it back ${putBackMs.toFixed(2)} ms; ` +
    `${rollback === 0 ? 'this model cannot go back' : `goes back by ${rollback}`}\n`,
)
const rows = [['speed with the best chain (its nodes), each right with', ...chances.map(String)]]
if (rollback > 0)
  rows.push(['states go back', ...chances.map((a) => best((k) => (k <= rollback ? goingBack(a, k) : 0)))])
rows.push(['kept, put back, read again', ...chances.map((a) => best((k) => readingAgain(a, k)))])
for (const line of formatTable(rows)) console.log(line)
