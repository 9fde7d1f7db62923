/**
 * Learns what confidence believes before it has learnt anything, and writes it to `src/draft/prior.ts`: replays recorded
 * requests of many kinds, each kind from the same start, and averages the weights they end with.
 *
 *     npm run bench -- prior --vocab FILE.gguf FILE.jsonl.gz…
 *     npm run bench -- prior --vocab FILE.gguf --leave-out FILE.jsonl.gz…    what it is worth on texts it has not seen
 *
 * Kinds are told apart by file, model and task; of each, the first 80 requests are replayed. Weights that belong to
 * single tokens are left out, so nothing of the texts themselves is kept.
 *
 * With `--leave-out` nothing is written. Kinds whose tasks begin with the same word are a family (all of `rag_…`, all of
 * `agent_…`); each family is replayed with what was learnt without any of it, beside what was learnt from all and the
 * start made by hand: tokens per forward at 8 / 64 nodes, mean of its kinds.
 */
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { openVocabulary, type RecordedRequest, readRecordings, tokenizeRecordings } from '../src/cli/recordings.js'
import { Spelling } from '../src/corpus/spelling.js'
import { FIRST_TOKEN_TABLE, GUESS, OWN_LENGTH, SHARED_LENGTH } from '../src/draft/features.js'
import { prior } from '../src/draft/prior.js'
import { RetrievalDrafter } from '../src/draft/retrieval.js'
import { type Recording, replay } from '../src/rivals/replay.js'
import { readArguments, refuse } from './kit/arguments.js'
import { mean } from './kit/statistics.js'

const REQUESTS = 80
const ROUNDS = 2
const BUDGET = 64
const COMPARED_BUDGETS = [8, 64]
/** Updates after which a weight counts in full. */
const SETTLED = 50

/** Requests of one file, model and task. */
interface Kind {
  name: string
  family: string
  recordings: Recording[]
}

/** The weights a kind ended with, and how much each of them counts. */
interface Learnt {
  weights: Float32Array
  shares: Float64Array
}

const { values, positionals: files } = readArguments(
  'prior',
  {
    vocab: { type: 'string', value: 'FILE', help: 'GGUF whose tokenizer reads them' },
    out: { type: 'string', default: 'src/draft/prior.ts', value: 'FILE', help: 'file to write' },
    'leave-out': {
      type: 'boolean',
      default: false,
      help: 'write nothing: what is learnt, tried on kinds of text it has not seen',
    },
  },
  { name: 'FILE…', help: 'recorded requests, JSONL, gzipped or not', required: true },
)
if (!values.vocab) refuse('prior', 'expected --vocab FILE.gguf')

using vocabulary = await openVocabulary(values.vocab)
const spelling = new Spelling(vocabulary)
const kinds = await readKinds()
if (values['leave-out']) leaveOut()
else {
  let weights = start()
  for (let round = 1; round <= ROUNDS; round++)
    weights = average(
      kinds.map((kind) => {
        const { learnt, edl } = learn(kind, weights)
        console.log(`round ${round}: ${kind.name}: ${kind.recordings.length} requests, EDL ${edl.toFixed(2)}`)
        return learnt
      }),
    )
  writePrior(weights)
}

async function readKinds(): Promise<Kind[]> {
  const requests = new Map<string, RecordedRequest[]>()
  for (const file of files)
    for (const request of await readRecordings(file, [], Number.POSITIVE_INFINITY)) {
      const name = `${path.basename(file)} ${request.model} ${request.task}`
      const kind = requests.get(name) ?? []
      requests.set(name, kind)
      if (kind.length < REQUESTS) kind.push(request)
    }
  return [...requests].map(([name, kind]) => ({
    name,
    family: String(kind[0].task).split('_')[0],
    recordings: tokenizeRecordings(kind, vocabulary),
  }))
}

/** Replays a kind from a start. */
function learn({ recordings }: Kind, weights: readonly number[]): { learnt: Learnt; edl: number } {
  const { confidence, edl } = play(recordings, weights, BUDGET)
  const shares = new Float64Array(FIRST_TOKEN_TABLE)
  for (let k = 0; k < FIRST_TOKEN_TABLE; k++) shares[k] = Math.min(SETTLED, confidence.evidenceFor(k)) + 0.01
  return { learnt: { weights: confidence.weights, shares }, edl }
}

function play(recordings: Recording[], weights: readonly number[], budget: number) {
  const drafter = new RetrievalDrafter({ confidence: { weights }, spelling })
  const { edl } = replay(recordings, drafter, { budget })
  return { confidence: drafter.confidence, edl }
}

function average(learnt: readonly Learnt[]): number[] {
  const sums = new Float64Array(FIRST_TOKEN_TABLE)
  const shares = new Float64Array(FIRST_TOKEN_TABLE)
  for (const one of learnt)
    for (let k = 0; k < FIRST_TOKEN_TABLE; k++) {
      sums[k] += one.weights[k] * one.shares[k]
      shares[k] += one.shares[k]
    }
  return Array.from(sums, (sum, k) => Number((sum / shares[k]).toFixed(2)))
}

/** Prints what each family reaches with weights learnt without it. */
function leaveOut(): void {
  const byHand = start()
  // What a kind learns first does not depend on the others.
  const first = new Map(kinds.map((kind) => [kind, learn(kind, byHand).learnt]))
  console.log('| family left out | kinds | start by hand | learnt without it | learnt from all | loss |')
  console.log('|---|---|---|---|---|---|')
  const losses: number[][] = []
  for (const family of new Set(kinds.map((kind) => kind.family))) {
    const others = kinds.filter((kind) => kind.family !== family)
    let weights = average(others.map((kind) => first.get(kind)!))
    for (let round = 2; round <= ROUNDS; round++) weights = average(others.map((kind) => learn(kind, weights).learnt))
    const held = kinds.filter((kind) => kind.family === family)
    const reached = (start: readonly number[]) =>
      COMPARED_BUDGETS.map((budget) => mean(held.map(({ recordings }) => play(recordings, start, budget).edl)))
    const [without, all] = [reached(weights), reached(prior)]
    const loss = all.map((edl, k) => 1 - without[k] / edl)
    losses.push(loss)
    const cells = [reached(byHand), without, all].map((edls) => edls.map((edl) => edl.toFixed(2)).join(' / '))
    console.log(`| ${family} | ${held.length} | ${cells.join(' | ')} | ${percent(loss)} |`)
  }
  console.log(`\nmean loss ${percent(COMPARED_BUDGETS.map((_, k) => mean(losses.map((loss) => loss[k]))))}`)
}

function percent(shares: readonly number[]): string {
  return `${shares.map((share) => (100 * share).toFixed(1)).join(' / ')} %`
}

/** Longer matches are better, guesses are seldom right: enough to begin with. */
function start(): number[] {
  const weights = new Array<number>(FIRST_TOKEN_TABLE).fill(0)
  for (let length = 1; length < SHARED_LENGTH - OWN_LENGTH; length++) {
    weights[OWN_LENGTH + length] = -2.2 + Math.min(length - 1, 14) * 0.45
    weights[SHARED_LENGTH + length] = -2.5 + Math.min(length - 1, 14) * 0.42
  }
  weights[GUESS] = -3
  weights[GUESS + 1] = -3
  return weights
}

function writePrior(weights: readonly number[]): void {
  writeFileSync(
    values.out,
    `/**
 * What confidence believes before it has learnt anything: the weights of all features but those of single tokens.
 *
 * Made by \`npm run bench -- prior\` from answers of many models to many kinds of requests; not to be edited.
 */
// biome-ignore format: numbers only
export const prior: readonly number[] = [
${rows(weights)}
]
`,
  )
}

/** Twenty to a line. */
function rows(numbers: readonly number[]): string {
  const lines: string[] = []
  for (let k = 0; k < numbers.length; k += 20) lines.push(`  ${numbers.slice(k, k + 20).join(', ')},`)
  return lines.join('\n')
}
