// Trace files as workloads of tokens.

import path from 'node:path'
import { openVocabulary, readRecordings } from '../../src/cli/recordings.js'
import { Spelling } from '../../src/corpus/spelling.js'
import type { RecordedWorkload } from './replays.js'
import { type TraceRecord, WORKLOADS } from './traces.js'

/** Workloads of the report: the questions of Spec-Bench stand for instructions that come without documents. */
const KINDS: typeof WORKLOADS = {
  ...WORKLOADS,
  instructions: { file: /^specbench/, only: ({ task }) => /qa/.test(task) },
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
    const records = (await readRecordings(file, [], Number.MAX_SAFE_INTEGER)) as unknown as TraceRecord[]
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
