/**
 * What each source of drafts brings alone and together, on recorded answers: the table of docs/retrieval.md.
 *
 *     npm run bench -- sources --traces FOLDER --vocab FILE.gguf
 *
 * A source is taken away by taking its tokens away: without a prompt only its last tokens are read, and without a corpus
 * answers of earlier requests stay unknown.
 */
import { existsSync } from 'node:fs'
import path from 'node:path'
import { openVocabulary, readRecordings, tokenizeRecordings } from '../src/cli/recordings.js'
import { Spelling } from '../src/corpus/spelling.js'
import { RetrievalDrafter } from '../src/draft/retrieval.js'
import { type Recording, replay } from '../src/rivals/replay.js'
import { readArguments, refuse } from './kit/arguments.js'

const workloads: [name: string, file: string, ...filters: string[]][] = [
  ['RAG, claude-haiku-4.5', 'rag_mtragun_semeval2026', 'model=haiku'],
  ['RAG, qwen3-235b', 'rag_mtragun_semeval2026', 'model=qwen3-235b'],
  ['Spec-Bench RAG', 'specbench_vicuna7b', 'task=rag'],
  ['Spec-Bench summarisation', 'specbench_vicuna7b', 'task=summarization'],
  ['Spec-Bench chat', 'specbench_vicuna7b', 'task=chat'],
  ['tau-bench agent', 'agent_taubench_gpt4o'],
  ['code, Reflexion', 'code_gpt4_reflexion'],
  ['GSM8k, GPT-3 175B', 'math_gsm8k_gpt3', 'model=175b'],
]

/** Tokens of a prompt's end that are read where the prompt is no source: they are what the answer begins behind. */
const promptEnd = 8

const { values } = readArguments('sources', {
  traces: { type: 'string', value: 'FOLDER', help: 'gzipped JSONL of prompts and answers' },
  vocab: { type: 'string', value: 'FILE', help: 'GGUF whose tokenizer reads them, gzipped or not' },
  budgets: { type: 'string', default: '8,64', value: 'A,B', help: 'nodes per draft' },
  only: { type: 'string', default: '', value: 'WORD', help: 'only workloads with it in their name' },
  limit: { type: 'string', default: '60', value: 'N', help: 'requests of a workload, at most' },
})
if (!values.traces || !values.vocab) refuse('sources', 'expected --traces FOLDER and --vocab FILE.gguf')
const budgets = values.budgets.split(',').map(Number)

using vocabulary = await openVocabulary(values.vocab)
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
for (const [workload, file, ...filters] of workloads) {
  const trace = path.join(values.traces, `${file}.jsonl.gz`)
  if (!workload.includes(values.only) || !existsSync(trace)) continue
  const whole = tokenizeRecordings(await readRecordings(trace, filters, Number(values.limit)), vocabulary)
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
  console.log(`| ${workload} | ${cells.join(' | ')} |`)
}
