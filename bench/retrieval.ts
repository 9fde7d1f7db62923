/**
 * How many tokens a forward yields with every drafter, on recorded answers: the tables of `docs/retrieval.md`.
 *
 *     npm run bench -- retrieval --traces FOLDER --vocab FILE.gguf                       answers of earlier requests known
 *     npm run bench -- retrieval --traces FOLDER --vocab FILE.gguf --cold                not known
 *     npm run bench -- retrieval --traces FOLDER --vocab FILE.gguf --ungrouped           of the same group too
 *     npm run bench -- retrieval --traces FOLDER --vocab FILE.gguf --drafters lookahead  only that one
 *     … --only agent                                                                     only workloads of that name
 *     … --without leap,place                                                             ours without these tables of features
 *     … --json FILE                                                                      all figures, as JSON
 *
 * Each row is one workload, replayed as `lookahead simulate` does, at most 250 requests: tokens per forward at 8 and 64
 * nodes, beside what a first prototype reached and what was aimed at. A second table says what drafters cost, over all
 * workloads: waste, time of a draft, memory.
 */
import { writeFileSync } from 'node:fs'
import { openVocabulary } from '../src/cli/recordings.js'
import { Spelling } from '../src/corpus/spelling.js'
import { tables } from '../src/draft/features.js'
import type { RetrievalDrafter } from '../src/draft/retrieval.js'
import { type DrafterName, drafterNames, drafters } from '../src/rivals/drafters.js'
import { type ReplayReport, replay } from '../src/rivals/replay.js'
import { readArguments, refuse } from './kit/arguments.js'
import { describeMachine } from './kit/machine.js'
import { needRecordings, readTexts, recordingOptions, textNames } from './kit/recordings.js'
import { mean, median, sum } from './kit/statistics.js'

/**
 * What was aimed at, at 8 / 64 nodes, and what a first prototype had reached. For code the aim is a tenth more than the
 * prototype's, which knew answers of the same group: it is compared with `--ungrouped`, and so are its agents and GSM8k.
 */
const AIMS: Record<string, { prototype: string; aim: string }> = {
  'RAG, claude-haiku-4.5': { prototype: '2.92 / 3.59', aim: '3.1 / 3.8' },
  'RAG, qwen3-235b': { prototype: '1.68 / 1.77', aim: '1.75 / 1.9' },
  'Spec-Bench RAG': { prototype: '1.87 / 2.03', aim: '1.95 / 2.15' },
  'Spec-Bench summarisation': { prototype: '2.51 / 2.90', aim: '2.65 / 3.1' },
  'Spec-Bench chat': { prototype: '1.81 / 1.94', aim: '1.9 / 2.05' },
  'tau-bench agent': { prototype: '2.75 / 3.39', aim: '2.95 / 3.7' },
  'ReAct agent': { prototype: '2.98 / 3.68', aim: '3.2 / 3.9' },
  'code, Reflexion': { prototype: '3.66 / 4.87', aim: '4.02 / 5.36' },
  'GSM8k, GPT-3 175B': { prototype: '2.27 / 2.70', aim: '2.3 / 2.75' },
}

interface Result extends ReplayReport {
  workload: string
  drafter: DrafterName
  budget: number
}

const { values } = readArguments('retrieval', {
  ...recordingOptions,
  drafters: { type: 'string', default: drafterNames.join(','), value: 'A,B', help: 'only these' },
  budgets: { type: 'string', default: '8,64', value: 'A,B', help: 'nodes per draft' },
  limit: { type: 'string', default: '250', value: 'N', help: 'requests of a workload, at most' },
  only: { type: 'string', default: '', value: 'WORD', help: 'only workloads with it in their name' },
  cold: { type: 'boolean', default: false, help: 'answers of earlier requests are not known' },
  ungrouped: { type: 'boolean', default: false, help: 'answers of the same group are known too' },
  without: { type: 'string', default: '', value: 'A,B', help: 'lookahead without these tables of features' },
  json: { type: 'string', value: 'FILE', help: 'all figures, as JSON' },
})
const { traces, vocab } = needRecordings('retrieval', values)
const names = values.drafters.split(',') as DrafterName[]
for (const name of names)
  if (!drafterNames.includes(name))
    refuse('retrieval', `--drafters: expected some of ${drafterNames.join(', ')}, got ${name}`)
const budgets = values.budgets.split(',').map(Number)
const { cold, ungrouped } = values
const without = values.without.split(',').filter(Boolean)
for (const name of without)
  if (!tables.has(name))
    refuse('retrieval', `--without: expected some of ${[...tables.keys()].join(', ')}, got ${name}`)

using vocabulary = await openVocabulary(vocab)
const spelling = new Spelling(vocabulary)
const results: Result[] = []
const sizes = budgets.join(' / ')
console.log(`Tokens per forward at ${sizes} nodes${cold ? ', cold' : ''}${ungrouped ? ', ungrouped' : ''}:\n`)
console.log(`| workload | ${names.join(' | ')} | prototype | aim |`)
console.log(`|---|${names.map(() => '---|').join('')}---|---|`)
const wanted = textNames.filter((name) => name.includes(values.only))
for await (const { name: workload, recordings: read } of readTexts(traces, vocabulary, wanted, Number(values.limit))) {
  const recordings = ungrouped ? read.map(({ prompt, response }) => ({ prompt, response })) : read
  const cells = names.map((drafter) =>
    budgets
      .map((budget) => {
        const report = replay(recordings, make(drafter), { budget, cold })
        results.push({ workload, drafter, budget, ...report })
        return report.edl.toFixed(2)
      })
      .join(' / '),
  )
  const { prototype = '', aim = '' } = cold ? {} : (AIMS[workload] ?? {})
  console.log(`| ${workload} | ${cells.join(' | ')} | ${prototype} | ${aim} |`)
}
const means = names.map((drafter) =>
  budgets
    .map((budget) => {
      const rows = results.filter((row) => row.drafter === drafter && row.budget === budget)
      return mean(rows.map((row) => row.edl)).toFixed(3)
    })
    .join(' / '),
)
console.log(`| **mean** | ${means.join(' | ')} | | |`)

const { cpu, cores, node } = describeMachine()
console.log(`\nWhat that costs (${cpu}, ${cores} cores, Node ${node}); medians over the workloads, most for bytes:\n`)
console.log('| drafter | waste | µs per draft, p50 | p99 | MiB |')
console.log('|---|---|---|---|---|')
for (const drafter of names) {
  const cell = (of: (reports: Result[]) => string) =>
    budgets.map((budget) => of(results.filter((row) => row.drafter === drafter && row.budget === budget))).join(' / ')
  const waste = cell((rows) => {
    const drafted = sum(rows, (row) => row.drafted)
    return `${Math.round(100 * (1 - sum(rows, (row) => row.accepted) / Math.max(1, drafted)))} %`
  })
  const typical = cell((rows) => median(rows.map((row) => row.retrievalMicros)).toFixed(0))
  const slow = cell((rows) => median(rows.map((row) => row.retrievalMicros99)).toFixed(0))
  const bytes = cell((rows) => (Math.max(...rows.map((row) => row.bytes)) / 2 ** 20).toFixed(1))
  console.log(`| ${drafter} | ${waste} | ${typical} | ${slow} | ${bytes} |`)
}
if (values.json !== undefined)
  writeFileSync(
    values.json,
    `${JSON.stringify({ cpu, cores, node, cold, ungrouped, limit: Number(values.limit), results })}\n`,
  )

/** A drafter that knows nothing yet; ours without the tables named by `--without`, whose weights stay 0. */
function make(name: DrafterName) {
  const drafter = drafters[name](spelling)
  if (name !== 'lookahead' || without.length === 0) return drafter
  const { confidence } = drafter as RetrievalDrafter
  const forget = () => {
    for (const table of without) {
      const { begin, end } = tables.get(table)!
      confidence.weights.fill(0, begin, end)
    }
  }
  forget()
  const learn = confidence.learn.bind(confidence)
  confidence.learn = (evidence, node, token) => {
    const hit = learn(evidence, node, token)
    forget()
    return hit
  }
  return drafter
}
