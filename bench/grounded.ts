/**
 * Lookahead live: a model answers grounded questions, conventionally, with drafts as the cost model says, with fixed
 * sizes, in turns in one process, and after each round in a plain loop over libllama in a process of its own.
 * What T(n) would allow stands beside.
 *
 *     npm run bench -- grounded [--model FILE] [--questions 24] [--rounds 5] [--exactness bitwise]
 *
 * In every round the drafter begins without memory and learns from one answer to the next.
 */
import { execFileSync } from 'node:child_process'
import path from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { formatTable } from '../src/cli/terminal.js'
import { ForwardCost } from '../src/cost/forward-cost.js'
import type { DraftMode } from '../src/decode/drafting.js'
import { RetrievalDrafter } from '../src/draft/retrieval.js'
import { Engine } from '../src/engine/engine.js'
import type { ExactnessWish } from '../src/measure/configuration.js'
import type { PlainAnswer } from './contest/plain-loop.js'
import { readArguments } from './kit/arguments.js'
import { embeddedModel } from './kit/embedded.js'
import { describeMachine } from './kit/machine.js'
import { DISTURBED, OthersWatch } from './kit/others.js'
import { median, spread, sum } from './kit/statistics.js'
import { groundedQuestions } from './kit/workloads.js'

const modes: DraftMode[] = ['off', 'auto', 3, 7, 15, 31]
const ways = [...modes, 'plain loop']
const maxTokens = 160
/** Milliseconds after which the engine's idle threads no longer spin. */
const restMs = 500

const { values } = readArguments('grounded', {
  model: { type: 'string', value: 'FILE', help: 'GGUF that answers (default: the embedded model)' },
  questions: { type: 'string', default: '24', value: 'N', help: 'of the sample' },
  rounds: { type: 'string', default: '5', value: 'N', help: 'in turns; medians count' },
  exactness: { type: 'string', default: 'bitwise', value: 'LEVEL', help: 'bitwise, token or fastest' },
  threads: { type: 'string', value: 'N', help: 'default: what the engine finds best' },
})
const file = values.model ?? embeddedModel
const [questions, rounds] = [values.questions, values.rounds].map(Number)
await using engine = await Engine.load({
  model: file,
  exactness: values.exactness as ExactnessWish,
  threads: values.threads ? Number(values.threads) : undefined,
})
const { exactness } = engine
// The engine refines what was measured; figures by T(n) stay with that.
const atLoad = ForwardCost.from(engine.cost.record())
/** Tokens of context for which T(n) is taken. */
const context = 300
const watch = new OthersWatch(() => [process.pid])
let patience = 2 * Number(values.rounds)
const machine = describeMachine()
console.log(`${path.basename(file)}, ${machine.cpu}, ${engine.threads} threads`)
console.log(`keys ${exactness.keyType}, values ${exactness.valueType}: ${exactness.level}`)
const tasks = groundedQuestions(questions).map(({ question, documents }) => ({
  messages: [{ role: 'user' as const, content: question }],
  documents,
}))
const prompts = tasks.map((task) => engine.tokenize(engine.renderChat(task), { special: true, addSpecial: true }))

interface Round {
  tokens: number
  decodeMs: number
  forwards: number
  idealMs: number
  texts: string[]
}

const results: Round[][] = ways.map(() => [])
for (let round = 0; round <= rounds; round++) {
  const drafters = modes.map(() => new RetrievalDrafter({ spelling: engine.spelling }))
  const sums: Round[] = ways.map(() => ({ tokens: 0, decodeMs: 0, forwards: 0, idealMs: 0, texts: [] }))
  watch.start()
  for (const [t, task] of tasks.entries())
    for (let turn = 0; turn < modes.length; turn++) {
      const w = (turn + t + round) % modes.length
      const answer = engine.chat({ ...task, maxTokens, draft: modes[w], drafter: drafters[w] })
      let isPrefill = true
      for await (const { drafted, pieces } of answer) {
        if (!isPrefill && pieces.length > 0) sums[w].idealMs += atLoad.ms(1 + drafted, context)
        isPrefill = false
      }
      const { text, stats } = await answer.result
      sums[w].tokens += Math.round(stats.edl * stats.forwards)
      sums[w].decodeMs += stats.decodeMs
      sums[w].forwards += stats.forwards
      sums[w].texts.push(text)
    }
  await setTimeout(restMs)
  addPlain(sums[modes.length])
  // Other programs make any round slower, never faster: it is held again.
  if ((watch.share() ?? 0) > DISTURBED && patience-- > 0) {
    round--
    continue
  }
  // The first round warms up: code that is not yet compiled, caches, T(n).
  if (round > 0) for (const [w, one] of sums.entries()) results[w].push(one)
}
const standings = ways.map((way, w) => {
  const speedups = results[w].map(({ decodeMs }, r) => results[0][r].decodeMs / decodeMs)
  const { median: speedup, least, most } = spread(speedups)
  const tokensPerSecond = median(results[w].map(({ tokens, decodeMs }) => (1000 * tokens) / decodeMs))
  const edl = sum(results[w], ({ tokens }) => tokens) / sum(results[w], ({ forwards }) => forwards)
  const identical = sum(results[w], ({ texts }) => texts.filter((text, i) => text === results[0][0].texts[i]).length)
  const byCost = sum(results[0], ({ idealMs }) => idealMs) / sum(results[w], ({ idealMs }) => idealMs)
  return { byCost, way, tokensPerSecond, speedup, least, most, edl, identical, answers: rounds * questions }
})
console.log(
  formatTable([
    ['draft', 'tokens/s', 'speed-up', 'rounds', 'by T(n)', 'EDL', 'identical'],
    ...standings.map(({ byCost, way, tokensPerSecond, speedup, least, most, edl, identical, answers }) => [
      typeof way === 'number' ? `${way} nodes` : way,
      tokensPerSecond.toFixed(0),
      `${speedup.toFixed(2)} ×`,
      `${least.toFixed(2)}–${most.toFixed(2)}`,
      `${byCost.toFixed(2)} ×`,
      edl.toFixed(2),
      `${identical} of ${answers}`,
    ]),
  ]).join('\n'),
)
const ratios = [2, 3, 4, 6, 8, 12, 16, 24, 32].map((rows) => ({
  rows,
  ratio: atLoad.ms(rows, context) / atLoad.ms(1, context),
}))
const best = ratios.reduce((a, b) => (b.rows / b.ratio > a.rows / a.ratio ? b : a))
console.log(`T(1) ${atLoad.ms(1, context).toFixed(3)} ms after ${context} tokens; T(n)/T(1):`)
console.log(`  ${ratios.map(({ rows, ratio }) => `${rows}: ${ratio.toFixed(2)}`).join('   ')}`)
console.log(`if every draft came true: ${(best.rows / best.ratio).toFixed(2)} × with ${best.rows} rows`)
const drafting = engine.describeDrafting()
console.log(JSON.stringify({ machine, model: path.basename(file), exactness, standings, ratios, drafting }))

/** Has a plain loop in a process of its own answer. */
function addPlain(total: Round): void {
  const script = fileURLToPath(new URL('./contest/plain-loop.js', import.meta.url))
  const args = [script, file, String(engine.threads), String(maxTokens)]
  const input = JSON.stringify(prompts.map((prompt) => Array.from(prompt)))
  const answers = JSON.parse(execFileSync(process.execPath, args, { input, encoding: 'utf8' })) as PlainAnswer[]
  for (const { tokens, decodeMs } of answers) {
    const forwards = tokens.length - 1
    total.tokens += forwards
    total.forwards += forwards
    total.decodeMs += decodeMs
    total.idealMs += forwards * atLoad.ms(1, context)
    total.texts.push(engine.detokenize(tokens))
  }
}
