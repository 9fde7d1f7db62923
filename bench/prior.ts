/**
 * Learns what confidence believes before it has learnt anything, and writes it to `src/draft/prior.ts`: replays recorded
 * requests of many kinds, each kind from the same start, and averages the weights they end with.
 *
 *     npm run bench:prior -- --vocab FILE.gguf FILE.jsonl.gz…
 *
 * Kinds are told apart by file, model and task; of each, the first 80 requests are replayed. Weights that belong to
 * single tokens are left out, so nothing of the texts themselves is kept.
 */
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { loadVocabulary, type RecordedRequest, readRecordings, tokenizeRecordings } from '../src/cli/recordings.js'
import { FIRST_TOKEN_TABLE, tables } from '../src/draft/features.js'
import { replay } from '../src/draft/replay.js'
import { RetrievalDrafter } from '../src/draft/retrieval.js'

const REQUESTS = 80
const ROUNDS = 2
const BUDGET = 64
/** Updates after which a weight counts in full. */
const SETTLED = 50

const { values, positionals: files } = parseArgs({
  allowPositionals: true,
  options: { vocab: { type: 'string' }, out: { type: 'string', default: 'src/draft/prior.ts' } },
})
if (!values.vocab || files.length === 0) throw new Error('expected --vocab FILE.gguf and trace files')

using vocabulary = await loadVocabulary(values.vocab)
const requests = new Map<string, RecordedRequest[]>()
for (const file of files)
  for (const request of await readRecordings(file, [], Number.POSITIVE_INFINITY)) {
    const name = `${path.basename(file)} ${request.model} ${request.task}`
    const kind = requests.get(name) ?? []
    requests.set(name, kind)
    if (kind.length < REQUESTS) kind.push(request)
  }
const kinds = [...requests].map(([name, kind]) => ({ name, recordings: tokenizeRecordings(kind, vocabulary) }))

let weights = start()
for (let round = 1; round <= ROUNDS; round++) {
  const sums = new Float64Array(FIRST_TOKEN_TABLE)
  const shares = new Float64Array(FIRST_TOKEN_TABLE)
  for (const { name, recordings } of kinds) {
    const drafter = new RetrievalDrafter({ confidence: { weights } })
    const { edl } = replay(recordings, drafter, { budget: BUDGET })
    console.log(`round ${round}: ${name}: ${recordings.length} requests, EDL ${edl.toFixed(2)}`)
    const { confidence } = drafter
    for (let k = 0; k < FIRST_TOKEN_TABLE; k++) {
      const share = Math.min(SETTLED, confidence.evidenceFor(k)) + 0.01
      sums[k] += confidence.weights[k] * share
      shares[k] += share
    }
  }
  weights = Array.from(sums, (sum, k) => Number((sum / shares[k]).toFixed(2)))
}

writeFileSync(
  values.out,
  `/**
 * What confidence believes before it has learnt anything: the weights of all features but those of single tokens.
 *
 * Made by \`npm run bench:prior\` from answers of many models to many kinds of requests; not to be edited.
 */
// biome-ignore format: numbers only
export const prior: readonly number[] = [
${rows(weights)}
]
`,
)

/** Longer matches are better, guesses are seldom right: enough to begin with. */
function start(): number[] {
  const weights = new Array<number>(FIRST_TOKEN_TABLE).fill(0)
  for (let length = 1; length < tables.sharedLength - tables.ownLength; length++) {
    weights[tables.ownLength + length] = -2.2 + Math.min(length - 1, 14) * 0.45
    weights[tables.sharedLength + length] = -2.5 + Math.min(length - 1, 14) * 0.42
  }
  weights[tables.guess] = -3
  weights[tables.guess + 1] = -3
  return weights
}

/** Twenty to a line. */
function rows(numbers: number[]): string {
  const lines: string[] = []
  for (let k = 0; k < numbers.length; k += 20) lines.push(`  ${numbers.slice(k, k + 20).join(', ')},`)
  return lines.join('\n')
}
