// Trace files as tokens: recorded texts by name, and the workloads of the report.

import { existsSync } from 'node:fs'
import path from 'node:path'
import { openVocabulary, readRecordings, tokenizeRecordings } from '../../src/cli/recordings.js'
import { Spelling } from '../../src/corpus/spelling.js'
import type { Vocabulary } from '../../src/llama/vocabulary.js'
import type { Recording } from '../../src/rivals/replay.js'
import { refuse } from './arguments.js'
import { type TraceRecord, WORKLOADS } from './traces.js'

/** Recorded requests of one kind. */
export interface RecordedWorkload {
  name: string
  recordings: Recording[]
  /** GGUF whose tokenizer split them. */
  vocabulary: string
}

/** Workloads of the report: the questions of Spec-Bench stand for instructions that come without documents. */
const KINDS: typeof WORKLOADS = {
  ...WORKLOADS,
  instructions: { file: /^specbench/, only: ({ task }) => /qa/.test(task) },
}

/** Options of benchmarks that replay a folder of recorded answers. */
export const recordingOptions = {
  traces: { type: 'string', value: 'FOLDER', help: 'gzipped JSONL of prompts and answers' },
  vocab: { type: 'string', value: 'FILE', help: 'GGUF whose tokenizer reads them, gzipped or not' },
} as const

/** What was given for {@link recordingOptions}; ends the benchmark where one is missing. */
export function needRecordings(
  name: string,
  { traces, vocab }: { traces?: string; vocab?: string },
): { traces: string; vocab: string } {
  if (!traces || !vocab) refuse(name, 'expected --traces FOLDER and --vocab FILE.gguf')
  return { traces, vocab }
}

/** Recorded texts, by the names they have in the docs: a file of the folder, and what its requests are filtered by. */
const TEXTS = {
  'RAG, claude-haiku-4.5': ['rag_mtragun_semeval2026', 'model=haiku'],
  'RAG, qwen3-235b': ['rag_mtragun_semeval2026', 'model=qwen3-235b'],
  'RAG, llama-3.3-70b': ['rag_mtragun_semeval2026', 'model=llama'],
  'RAG, gpt-4o and llama-405b': ['rag_mtrag'],
  'RAG, qwen3 4b–32b': ['rag_mtrag_qwen3'],
  'RAG, ExpertQA': ['rag_expertqa'],
  'RAG, HotpotQA': ['rag_hotpot_context'],
  'Spec-Bench RAG': ['specbench_vicuna7b', 'task=rag'],
  'Spec-Bench summarisation': ['specbench_vicuna7b', 'task=summarization'],
  'Spec-Bench chat': ['specbench_vicuna7b', 'task=chat'],
  'Spec-Bench QA, closed book': ['specbench_vicuna7b', 'task=qa'],
  'Spec-Bench maths': ['specbench_vicuna7b', 'task=math'],
  'tau-bench agent': ['agent_taubench_gpt4o'],
  'ReAct agent': ['agent_react_hotpot'],
  'code, Reflexion': ['code_gpt4_reflexion'],
  'GSM8k, GPT-3 175B': ['math_gsm8k_gpt3', 'model=175b'],
  translation: ['translation_gptmt'],
} satisfies Record<string, [file: string, ...filters: string[]]>

export type TextName = keyof typeof TEXTS

export const textNames = Object.keys(TEXTS) as TextName[]

/** Reads recorded texts one after the other, at most `limit` requests of each; those the folder lacks are left out. */
export async function* readTexts(
  folder: string,
  vocabulary: Vocabulary,
  names: readonly TextName[],
  limit: number,
): AsyncGenerator<{ name: TextName; recordings: Recording[] }> {
  for (const name of names) {
    const [base, ...filters] = TEXTS[name]
    const file = path.join(folder, `${base}.jsonl.gz`)
    if (!existsSync(file)) continue
    yield { name, recordings: tokenizeRecordings(await readRecordings(file, filters, limit), vocabulary) }
  }
}

/** Reads trace files as workloads: those that are known by name, and one per file for all others. */
export async function readWorkloads(
  files: readonly string[],
  vocabularyFile: string,
  limits: { requests: number; promptTokens: number; answerTokens: number },
): Promise<RecordedWorkload[]> {
  using vocabulary = await openVocabulary(vocabularyFile)
  const workloads = new Map<string, RecordedWorkload>()
  for (const file of files) {
    const base = path.basename(file)
    const known = Object.entries(KINDS).filter(([, workload]) => workload.file.test(base))
    const kinds = known.length > 0 ? known.map(([name, { only }]) => ({ name, only })) : [{ name: base.split('.')[0] }]
    const records = (await readRecordings(file, [], Number.MAX_SAFE_INTEGER)) as TraceRecord[]
    for (const { name, only = () => true } of kinds as { name: string; only?: (record: TraceRecord) => boolean }[]) {
      const workload = workloads.get(name) ?? { name, recordings: [], vocabulary: vocabularyFile }
      for (const record of records) {
        if (workload.recordings.length === limits.requests) break
        if (!only(record)) continue
        const prompt = vocabulary.tokenize(record.prompt, { special: true })
        const response = vocabulary.tokenize(record.response, { special: true }).slice(0, limits.answerTokens)
        if (response.length < 2 || prompt.length > limits.promptTokens) continue
        workload.recordings.push({ prompt, response, group: record.group })
      }
      if (workload.recordings.length > 0) workloads.set(name, workload)
    }
  }
  const order = Object.keys(KINDS)
  const rank = ({ name }: RecordedWorkload) => (order.includes(name) ? order.indexOf(name) : order.length)
  return [...workloads.values()].sort((a, b) => rank(a) - rank(b))
}

const spellings = new Map<string, Promise<Spelling>>()

/** How the tokens of a GGUF are written; loaded once, and kept. */
export function openSpelling(file: string): Promise<Spelling> {
  let known = spellings.get(file)
  if (!known) {
    known = openVocabulary(file).then((vocabulary) => new Spelling(vocabulary))
    spellings.set(file, known)
  }
  return known
}
