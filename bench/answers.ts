/**
 * Several answers to one prompt by the embedded model: how many tokens a forward yields for the first, second, … eighth
 * when each may draft from the others, and when none may; and how many tokens path-consistency writes for the same vote.
 *
 *     npm run bench -- answers
 */

import { formatTable } from '../src/cli/terminal.js'
import { RetrievalDrafter } from '../src/draft/retrieval.js'
import { Engine } from '../src/engine/engine.js'
import { readArguments } from './kit/arguments.js'
import { demoQuestions, embeddedModel } from './kit/embedded.js'

const { values } = readArguments('answers', {
  model: { type: 'string', value: 'FILE', help: 'GGUF that answers (default: the embedded model)' },
  questions: { type: 'string', default: '12', value: 'N', help: 'questions of the demo' },
  answers: { type: 'string', default: '8', value: 'N', help: 'answers to each' },
  temperature: { type: 'string', default: '0.8', value: 'T', help: 'of the draws' },
  threads: { type: 'string', value: 'N', help: 'threads that compute' },
})
const count = Number(values.answers)
const temperature = Number(values.temperature)
const threads = values.threads === undefined ? undefined : Number(values.threads)
await using engine = await Engine.load({ model: values.model ?? embeddedModel, slots: count, threads, profile: false })
const questions = demoQuestions().slice(0, Number(values.questions))

/** Tokens per forward of the first, second, … answer. */
async function edlByAnswer(areTogether: boolean): Promise<number[]> {
  const tokens = new Array<number>(count).fill(0)
  const forwards = new Array<number>(count).fill(0)
  for (const [q, { question, documents }] of questions.entries()) {
    const together = areTogether ? {} : undefined
    // A drafter of its own for each question: no answer drafts from another question's.
    const drafter = new RetrievalDrafter({ spelling: engine.spelling })
    const asked = { messages: [{ role: 'user', content: question }], documents, temperature, maxTokens: 160, together }
    // One begins a little after the other, as answers do that wait for slots.
    const running: Promise<void>[] = []
    for (let k = 0; k < count; k++) {
      const alone = areTogether ? drafter : new RetrievalDrafter({ spelling: engine.spelling })
      const { result } = engine.chat({ ...asked, seed: 100 * q + k, draft: 8, drafter: alone })
      running.push(
        result.then(({ stats }) => {
          tokens[k] += stats.completionTokens
          forwards[k] += stats.forwards
        }),
      )
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    await Promise.all(running)
  }
  return tokens.map((sum, k) => sum / forwards[k])
}

const [apart, together] = [await edlByAnswer(false), await edlByAnswer(true)]
const row = (name: string, list: readonly number[]) => [name, ...list.map((edl) => edl.toFixed(2))]
for (const line of formatTable([
  ['tokens per forward of answer', ...apart.map((_, k) => String(k + 1))],
  row('each for itself', apart),
  row('drafting from each other', together),
]))
  console.log(line)

const levels = [0, 1, 2, 4]
const outcomes: { written: number; answers: (string | undefined)[] }[] = []
for (const level of levels) {
  const outcome = { written: 0, answers: [] as (string | undefined)[] }
  for (const [q, { question, documents }] of questions.entries()) {
    const messages = [{ role: 'user', content: question }]
    const asked = { messages, documents, samples: 16, levels: level, seed: 1000 * q, temperature, maxTokens: 160 }
    const { answer, writtenTokens } = await engine.selfConsistency(asked)
    outcome.written += writtenTokens
    outcome.answers.push(answer)
  }
  outcomes.push(outcome)
}
console.log('')
for (const line of formatTable([
  ['levels', 'tokens written', 'of plain voting', 'same answer'],
  ...outcomes.map(({ written, answers }, i) => [
    String(levels[i]),
    String(written),
    `${Math.round((100 * written) / outcomes[0].written)} %`,
    `${answers.filter((answer, q) => answer === outcomes[0].answers[q]).length} of ${answers.length}`,
  ]),
]))
  console.log(line)
