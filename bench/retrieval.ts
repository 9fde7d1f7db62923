/**
 * How many tokens a forward yields with every drafter, on recorded answers: the tables of `docs/retrieval.md`.
 *
 *     npm run bench:retrieval -- --traces FOLDER --vocab FILE.gguf                       answers of earlier requests known
 *     npm run bench:retrieval -- --traces FOLDER --vocab FILE.gguf --cold                not known
 *     npm run bench:retrieval -- --traces FOLDER --vocab FILE.gguf --drafters lookahead  only that one
 *
 * Each row is one workload, replayed as `lookahead simulate` does, at most 250 requests. The last line is JSON.
 */
import { existsSync } from 'node:fs'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { loadVocabulary, readRecordings, tokenizeRecordings } from '../src/cli/recordings.js'
import { type DrafterName, drafterNames, drafters } from '../src/draft/drafters.js'
import { type ReplayReport, replay } from '../src/draft/replay.js'

/** Workloads: a name, a file of the folder, and what its requests are filtered by. */
const WORKLOADS: [name: string, file: string, ...filters: string[]][] = [
  ['RAG, claude-haiku-4.5', 'rag_mtragun_semeval2026', 'model=haiku'],
  ['RAG, qwen3-235b', 'rag_mtragun_semeval2026', 'model=qwen3-235b'],
  ['RAG, llama-3.3-70b', 'rag_mtragun_semeval2026', 'model=llama'],
  ['RAG, gpt-4o and llama-405b', 'rag_mtrag'],
  ['RAG, qwen3 4b–32b', 'rag_mtrag_qwen3'],
  ['RAG, ExpertQA', 'rag_expertqa'],
  ['RAG, HotpotQA', 'rag_hotpot_context'],
  ['Spec-Bench RAG', 'specbench_vicuna7b', 'task=rag'],
  ['Spec-Bench summarisation', 'specbench_vicuna7b', 'task=summarization'],
  ['Spec-Bench chat', 'specbench_vicuna7b', 'task=chat'],
  ['Spec-Bench QA, closed book', 'specbench_vicuna7b', 'task=qa'],
  ['Spec-Bench maths', 'specbench_vicuna7b', 'task=math'],
  ['tau-bench agent', 'agent_taubench_gpt4o'],
  ['ReAct agent', 'agent_react_hotpot'],
  ['code, Reflexion', 'code_gpt4_reflexion'],
  ['GSM8k, GPT-3 175B', 'math_gsm8k_gpt3', 'model=175b'],
  ['translation', 'translation_gptmt'],
]

const { values } = parseArgs({
  options: {
    traces: { type: 'string' },
    vocab: { type: 'string' },
    drafters: { type: 'string', default: drafterNames.join(',') },
    budgets: { type: 'string', default: '8,64' },
    limit: { type: 'string', default: '250' },
    cold: { type: 'boolean', default: false },
  },
})
if (!values.traces || !values.vocab) throw new Error('expected --traces FOLDER and --vocab FILE.gguf')
const names = values.drafters.split(',') as DrafterName[]
const budgets = values.budgets.split(',').map(Number)

using vocabulary = await loadVocabulary(values.vocab)
const results: ({ workload: string; drafter: string; budget: number } & ReplayReport)[] = []
console.log(`| workload | ${names.map((name) => `${name} ${budgets.join(' / ')}`).join(' | ')} | µs per draft |`)
console.log(`|---|${names.map(() => '---|').join('')}---|`)
for (const [workload, name, ...filters] of WORKLOADS) {
  const file = path.join(values.traces, `${name}.jsonl.gz`)
  if (!existsSync(file)) continue
  const recordings = tokenizeRecordings(await readRecordings(file, filters, Number(values.limit)), vocabulary)
  const cells: string[] = []
  let micros = ''
  for (const drafter of names) {
    const reports = budgets.map((budget) => replay(recordings, drafters[drafter](), { budget, cold: values.cold }))
    for (const [k, report] of reports.entries()) results.push({ workload, drafter, budget: budgets[k], ...report })
    cells.push(reports.map(({ edl }) => edl.toFixed(2)).join(' / '))
    if (drafter === names[0]) micros = reports.map((report) => report.retrievalMicros.toFixed(0)).join(' / ')
  }
  console.log(`| ${workload} | ${cells.join(' | ')} | ${micros} |`)
}
console.log(JSON.stringify({ cold: values.cold, limit: Number(values.limit), results }))
