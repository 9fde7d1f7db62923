/**
 * Heads that a model brings along (MTP): what a token foretold takes, how often it comes true, and how fast texts are written
 * with the head alone, with retrieval alone, and with both.
 *
 *     npm run bench -- mtp                            random weights of four families, with heads that are mostly right
 *     npm run bench -- mtp --model FILE.gguf          any model with a head
 *
 * The random models say what the last token alone decides, to which the layers add a little: their heads are copies of their
 * last layer, the layers before cost what they cost and do next to nothing. Figures for cost are real, those for acceptance
 * are made up by `--novelty`.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { formatTable } from '../src/cli/terminal.js'
import type { EngineOptions } from '../src/engine/options.js'
import { nothing } from '../test/helpers/fake-drafters.js'
import { type Architecture, writeRandomModel } from '../test/helpers/random-model.js'
import { readArguments, refuse } from './kit/arguments.js'
import { loadAlike } from './kit/engines.js'
import { describeMachine } from './kit/machine.js'
import { median } from './kit/statistics.js'

const { values } = readArguments('mtp', {
  model: { type: 'string', value: 'FILE', help: 'a GGUF with a head (default: random weights of four families)' },
  novelty: { type: 'string', default: '0.1', value: 'A', help: 'what the context adds, of random weights: 0 to 1' },
  embedding: { type: 'string', default: '512', value: 'N', help: 'of random weights' },
  layers: { type: 'string', default: '12', value: 'N', help: 'of random weights' },
  prompts: { type: 'string', default: '4', value: 'N', help: 'prompts' },
  tokens: { type: 'string', default: '160', value: 'N', help: 'tokens of an answer' },
  threads: { type: 'string', value: 'N', help: 'threads that compute (default: cores)' },
})
const threads = values.threads === undefined ? undefined : Number(values.threads)
const maxTokens = Number(values.tokens)

/** The ways to write; the first is what the others are compared with. */
const ways = {
  conventional: { options: { mtp: 'off', drafter: nothing }, draft: 'off' },
  'head alone': { options: { mtp: 'auto', drafter: nothing }, draft: 'auto' },
  'retrieval alone': { options: { mtp: 'off' }, draft: 'auto' },
  both: { options: { mtp: 'auto' }, draft: 'auto' },
} satisfies Record<string, { options: Partial<EngineOptions>; draft: 'auto' | 'off' }>
type Way = keyof typeof ways
const names = Object.keys(ways) as Way[]
const options = Object.fromEntries(names.map((way) => [way, ways[way].options])) as Record<Way, Partial<EngineOptions>>

const folder = mkdtempSync(path.join(tmpdir(), 'lookahead-mtp-'))
process.once('exit', () => rmSync(folder, { recursive: true }))

function writeModel(architecture: Architecture): string {
  const file = path.join(folder, `${architecture}.gguf`)
  writeRandomModel(file, {
    ...{
      architecture,
      head: architecture === 'mimo2' ? ['apt', 'apt', 'apt'] : 'apt',
      type: 'Q8_0',
      seed: 8,
      vocabulary: 32_000,
      heads: 8,
      kvHeads: 4,
    },
    ...{ novelty: Number(values.novelty), embedding: Number(values.embedding), layers: Number(values.layers) },
  })
  return file
}

const families = ['glm4moe', 'deepseek2', 'qwen35', 'mimo2'] as const
const { cpu, cores } = describeMachine()
console.log(`${cpu}, ${threads ?? cores} of ${cores} cores, ${values.prompts} × ${maxTokens} tokens\n`)
const table = [
  [
    '',
    'level',
    'same texts',
    'T(1) ms',
    'head ms',
    'came true',
    ...names.slice(1).map((name) => `${name}: EDL, speed`),
  ],
]
for (const name of values.model === undefined ? families : [values.model]) {
  const model = values.model ?? writeModel(name as Architecture)
  const engines = await loadAlike(options, { model, threads })
  const heads = engines['head alone'].describeHeads()
  if (!heads.used) refuse('mtp', `${name} has no head that can be used${heads.trouble ? `: ${heads.trouble}` : ''}`)
  const speeds = Object.fromEntries(names.map((way) => [way, [] as number[]])) as Record<Way, number[]>
  const counts = Object.fromEntries(names.map((way) => [way, { tokens: 0, forwards: 0 }])) as Record<
    Way,
    { tokens: number; forwards: number }
  >
  const { vocabularySize } = engines.conventional
  let [same, all] = [0, 0]
  for (let p = 0; p < Number(values.prompts); p++) {
    const prompt = Array.from(
      { length: 200 },
      (_, i) => 300 + ((i * 37 + p * 101) % Math.min(4000, vocabularySize - 300)),
    )
    let expected: readonly number[] | undefined
    for (const way of names) {
      const { tokens, stats } = await engines[way].complete({ prompt, maxTokens, draft: ways[way].draft }).result
      expected ??= tokens
      if (tokens.every((token, i) => token === expected?.[i])) same++
      all++
      speeds[way].push(stats.completionTokens / stats.decodeMs)
      counts[way].tokens += stats.completionTokens
      counts[way].forwards += stats.forwards
    }
  }
  const { rate = 0, rowMs = 0 } = engines['head alone'].describeHeads()
  const conventional = median(speeds.conventional)
  table.push([
    path.basename(name),
    engines.conventional.exactness.level,
    `${same} of ${all}`,
    engines.conventional.cost.ms(1).toFixed(2),
    rowMs.toFixed(2),
    `${(100 * rate).toFixed(0)} %`,
    ...names.slice(1).map((way) => {
      const { tokens, forwards } = counts[way]
      return `${(tokens / forwards).toFixed(2)}, ${(median(speeds[way]) / conventional).toFixed(2)} ×`
    }),
  ])
  for (const way of names) await engines[way][Symbol.asyncDispose]()
}
for (const line of formatTable(table)) console.log(line)
