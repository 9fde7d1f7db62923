/**
 * Whether an answer depends on what else is in its forwards: sample questions of the embedded model, each conventionally
 * and alone, then all of them together in eight slots with drafts, greedy and seeded; tokens and logits rows compared.
 * With the cells of every request kept in order and without, in turns.
 *
 *     npm run bench -- crowd
 *
 * The last line of the output is JSON.
 */
import { ChatTemplate } from '../src/chat/template.js'
import { Spelling } from '../src/corpus/spelling.js'
import { RetrievalDrafter } from '../src/draft/retrieval.js'
import type { SamplerOptions } from '../src/llama/sampler-options.js'
import { RealLoop, type RealRun, type Trace } from '../test/helpers/real-loop.js'
import { readArguments } from './kit/arguments.js'
import { embeddedModel, samplePrompts } from './kit/embedded.js'

const slots = 8
const samplings: SamplerOptions[] = [{}, {}, { temperature: 0.8, seed: 5 }, { repeatPenalty: 1.1 }]
const drafts = ['auto', 0, 6, 16] as const

const { values } = readArguments('crowd', {
  answers: { type: 'string', default: '240', value: 'N', help: 'answers compared' },
})
const answers = Number(values.answers)
const rounds = 2

await using alone = await RealLoop.load(embeddedModel)
const template = new ChatTemplate(alone.model.chatTemplate ?? '', { bos: '', eos: '' })
const prompts = samplePrompts()
const runs: Omit<RealRun, 'session'>[] = Array.from({ length: answers }, (_, i) => {
  const { question, documents } = prompts[i % prompts.length]
  const titled = documents.map(({ title = '', text }) => ({ title, text }))
  const messages = [{ role: 'user', content: question }]
  const text = template.render({ messages, documents: titled }).text
  const prompt = alone.model.vocabulary.tokenize(text, { special: true, addSpecial: true })
  const sampling = samplings[(i >> 2) % samplings.length]
  return { prompt, draft: drafts[i % drafts.length], maxTokens: 96, reusePrefix: i % 2 === 0, ...sampling }
})
const spelling = new Spelling(alone.model.vocabulary)
const idle = new RetrievalDrafter({ spelling })
const conventional: Trace[] = []
for (const run of runs)
  conventional.push(await alone.decode({ ...run, draft: 'off', reusePrefix: false, session: idle.open() }))

const summary = []
for (let round = 0; round < rounds; round++)
  for (const ordered of [true, false]) {
    await using crowd = await RealLoop.load(embeddedModel, { slots, ordered })
    const drafter = new RetrievalDrafter({ spelling })
    const began = performance.now()
    const together = await Promise.all(runs.map((run) => crowd.decode({ ...run, session: drafter.open() })))
    const seconds = (performance.now() - began) / 1000
    const total = { ordered, answers, seconds, different: 0, tokens: 0, accepted: 0, rows: 0, equalRows: 0 }
    for (const [i, one] of conventional.entries()) {
      const other = together[i]
      total.tokens += one.tokens.length
      total.accepted += other.accepted
      total.rows += one.rows.length
      total.equalRows += one.rows.filter((row, k) => row === other.rows[k]).length
      if (one.tokens.join() !== other.tokens.join()) total.different++
    }
    console.log(
      `cells ${ordered ? 'in order' : 'not in order'}: ${total.different} of ${answers} answers differ, ${total.equalRows} of ${total.rows} rows equal bit for bit; ${total.tokens} tokens, ${total.accepted} from drafts, ${seconds.toFixed(1)} s`,
    )
    summary.push(total)
  }
console.log(JSON.stringify(summary))
