/**
 * What each source of drafts brings alone and together, on recorded answers: the table of docs/retrieval.md.
 *
 *     npm run bench -- sources --traces FOLDER --vocab FILE.gguf
 *
 * A source is taken away by taking its tokens away: without a prompt only its last tokens are read, and without a corpus
 * answers of earlier requests stay unknown.
 */
import { openVocabulary } from '../src/cli/recordings.js'
import { Spelling } from '../src/corpus/spelling.js'
import { RetrievalDrafter } from '../src/draft/retrieval.js'
import { type Recording, replay } from '../src/rivals/replay.js'
import { readArguments } from './kit/arguments.js'
import { needRecordings, readTexts, recordingOptions, type TextName } from './kit/recordings.js'

const texts: TextName[] = [
  'RAG, claude-haiku-4.5',
  'RAG, qwen3-235b',
  'Spec-Bench RAG',
  'Spec-Bench summarisation',
  'Spec-Bench chat',
  'tau-bench agent',
  'code, Reflexion',
  'GSM8k, GPT-3 175B',
]

/** Tokens of a prompt's end that are read where the prompt is no source: they are what the answer begins behind. */
const promptEnd = 8

const { values } = readArguments('sources', {
  ...recordingOptions,
  budgets: { type: 'string', default: '8,64', value: 'A,B', help: 'nodes per draft' },
  only: { type: 'string', default: '', value: 'WORD', help: 'only workloads with it in their name' },
  limit: { type: 'string', default: '60', value: 'N', help: 'requests of a workload, at most' },
})
const { traces, vocab } = needRecordings('sources', values)
const budgets = values.budgets.split(',').map(Number)

using vocabulary = await openVocabulary(vocab)
const spelling = new Spelling(vocabulary)

/** The answer alone is a source in all of them. */
const sources: { name: string; hasPrompt: boolean; hasCorpus: boolean }[] = [
  { name: 'the answer itself', hasPrompt: false, hasCorpus: false },
  { name: '+ prompt and documents', hasPrompt: true, hasCorpus: false },
  { name: '+ earlier answers', hasPrompt: false, hasCorpus: true },
  { name: 'all', hasPrompt: true, hasCorpus: true },
]
console.log(`Tokens per forward at ${budgets.join(' / ')} nodes\n`)
console.log(`| workload | ${sources.map(({ name }) => name).join(' | ')} |`)
console.log(`|---|${sources.map(() => '---|').join('')}`)
const wanted = texts.filter((name) => name.includes(values.only))
for await (const { name, recordings: whole } of readTexts(traces, vocabulary, wanted, Number(values.limit))) {
  const answers = whole.map(
    (one): Recording => ({ ...one, prompt: Array.prototype.slice.call(one.prompt, -promptEnd) }),
  )
  const cells = sources.map(({ hasPrompt, hasCorpus }) =>
    budgets
      .map((budget) => {
        const drafter = new RetrievalDrafter({ spelling })
        return replay(hasPrompt ? whole : answers, drafter, { budget, cold: !hasCorpus }).edl.toFixed(2)
      })
      .join(' / '),
  )
  console.log(`| ${name} | ${cells.join(' | ')} |`)
}
