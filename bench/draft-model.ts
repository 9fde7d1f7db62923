/**
 * A draft model beside retrieval: how often its tokens come true, and how fast whole requests are, from the first prompt
 * token to the last of the answer, with the draft model alone, with retrieval alone, and with both.
 *
 *     npm run bench -- draft-model --draft FILE.gguf [--model FILE.gguf] [--questions 24] [--rounds 3]
 *
 * Grounded questions, of which earlier answers are known. In "4 nodes" drafts are of that size whether they pay or not.
 */
import path from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { formatTable } from '../src/cli/terminal.js'
import type { EngineOptions } from '../src/engine/options.js'
import { nothing } from '../test/helpers/fake-drafters.js'
import { readArguments, refuse } from './kit/arguments.js'
import { embeddedModel } from './kit/embedded.js'
import { loadAlike } from './kit/engines.js'
import { describeMachine } from './kit/machine.js'
import { median, spread } from './kit/statistics.js'
import { groundedQuestions } from './kit/workloads.js'

const { values } = readArguments('draft-model', {
  draft: { type: 'string', value: 'FILE', help: 'the draft model: a GGUF of the same vocabulary' },
  model: { type: 'string', value: 'FILE', help: 'GGUF that answers (default: the embedded model)' },
  questions: { type: 'string', default: '24', value: 'N', help: 'of the sample' },
  rounds: { type: 'string', default: '3', value: 'N', help: 'in turns; medians count' },
  threads: { type: 'string', value: 'N', help: 'default: what the engine finds best' },
})
const model = values.model ?? embeddedModel
const draftModel = values.draft ?? refuse('draft-model', '--draft FILE is needed')
const threads = values.threads ? Number(values.threads) : undefined
const rounds = Number(values.rounds)
const maxTokens = 160
/** Milliseconds after which an engine's idle threads no longer spin. */
const restMs = 600

/** The ways to write; the first is what the others are compared with. */
const ways: Record<string, { options: Partial<EngineOptions>; draft: 'off' | 'auto' | number }> = {
  conventional: { options: { drafter: nothing }, draft: 'off' },
  'draft model, 4 nodes': { options: { drafter: nothing, draftModel }, draft: 4 },
  'draft model': { options: { drafter: nothing, draftModel }, draft: 'auto' },
  retrieval: { options: {}, draft: 'auto' },
  both: { options: { draftModel }, draft: 'auto' },
}
const names = Object.keys(ways)

const options = Object.fromEntries(names.map((name) => [name, ways[name].options]))
const engines = await loadAlike(options, { model, threads })
const tasks = groundedQuestions(Number(values.questions)).map(({ question, documents }) => ({
  messages: [{ role: 'user' as const, content: question }],
  documents,
}))
const { cpu } = describeMachine()
const first = engines.conventional
console.log(`${path.basename(model)} with ${path.basename(draftModel)}, ${cpu}, ${first.threads} threads`)
console.log(`keys ${first.exactness.keyType}, values ${first.exactness.valueType}: ${first.exactness.level}`)

interface Round {
  wholeMs: number
  decodeMs: number
}
const results = new Map(names.map((name) => [name, [] as Round[]]))
const counts = new Map(names.map((name) => [name, { tokens: 0, forwards: 0, drafted: 0, accepted: 0, same: 0 }]))
for (let round = 0; round <= rounds; round++) {
  const sums = new Map(names.map((name) => [name, { wholeMs: 0, decodeMs: 0 }]))
  const texts: string[][] = names.map(() => [])
  for (let turn = 0; turn < names.length; turn++) {
    const way = (turn + round) % names.length
    const name = names[way]
    const [sum, count] = [sums.get(name)!, counts.get(name)!]
    // The threads of the engine before spin for a while.
    await setTimeout(restMs)
    for (const task of tasks) {
      const began = performance.now()
      const answer = engines[name].chat({
        ...{ ...task, maxTokens, draft: ways[name].draft },
        // Each round begins without a memory, and every prompt is read.
        ...{ namespace: `round ${round}`, cachePrompt: false },
      })
      const { text, stats } = await answer.result
      sum.wholeMs += performance.now() - began
      sum.decodeMs += stats.decodeMs
      texts[way].push(text)
      count.tokens += stats.completionTokens
      count.forwards += stats.forwards
      count.drafted += stats.draftedTokens
      count.accepted += stats.acceptedTokens
    }
  }
  for (const [way, name] of names.entries())
    counts.get(name)!.same += texts[way].filter((text, i) => text === texts[0][i]).length
  // The first round warms up: code that is not yet compiled, caches, T(n), what is believed of the draft model.
  if (round > 0) for (const name of names) results.get(name)!.push(sums.get(name)!)
}

const plain = results.get('conventional')!
const all = (rounds + 1) * tasks.length
const table = [['', 'ms a request', 'of it writing', 'whole request', 'writing', 'EDL', 'drafts true', 'same texts']]
for (const name of names) {
  const runs = results.get(name)!
  const { tokens, forwards, drafted, accepted, same } = counts.get(name)!
  const speed = (part: keyof Round) => spread(runs.map((run, r) => plain[r][part] / run[part]))
  const [whole, writing] = [speed('wholeMs'), speed('decodeMs')]
  table.push([
    name,
    (median(runs.map(({ wholeMs }) => wholeMs)) / tasks.length).toFixed(1),
    (median(runs.map(({ decodeMs }) => decodeMs)) / tasks.length).toFixed(1),
    `${whole.median.toFixed(2)} × (${whole.least.toFixed(2)}–${whole.most.toFixed(2)})`,
    `${writing.median.toFixed(2)} × (${writing.least.toFixed(2)}–${writing.most.toFixed(2)})`,
    (tokens / forwards).toFixed(2),
    drafted === 0 ? '' : `${((100 * accepted) / drafted).toFixed(0)} % of ${drafted}`,
    `${same} of ${all}`,
  ])
}
console.log(formatTable(table).join('\n'))
for (const name of names) {
  const report = engines[name].describeDraftModel()
  if (report)
    console.log(
      `${name}: a token of the draft model takes ${report.rowMs.toFixed(2)} ms of ${engines[name].cost.ms(1).toFixed(2)}, ${(100 * report.rate).toFixed(0)} % come true`,
    )
}
for (const name of names) await engines[name][Symbol.asyncDispose]()
