// The workloads, by name: which files and records belong to each.

import { readdirSync } from 'node:fs'
import path from 'node:path'
import { type RecordedRequest, readRecordings } from '../../src/cli/recordings.js'

/** One recorded answer of a model to a task. */
export interface TraceRecord extends RecordedRequest {
  task: string
  model: string
  group: string
}

/** A kind of text, and how its records are told: by the beginning of a file name and of a task or model. */
interface Workload {
  file: RegExp
  only?: (record: TraceRecord) => boolean
}

/** Workloads by name, for folders of JSONL files, gzipped or not, with the fields of {@link TraceRecord}. */
export const WORKLOADS: Record<string, Workload> = {
  rag: { file: /^rag_mtragun/, only: ({ model }) => /haiku/.test(model) },
  'rag-terse': { file: /^rag_mtrag_qwen3/ },
  summarisation: { file: /^specbench/, only: ({ task }) => /summ/.test(task) },
  chat: { file: /^specbench/, only: ({ task }) => /chat|mt_bench/.test(task) },
  math: { file: /^math_/ },
  agent: { file: /^agent_taubench/ },
  code: { file: /^code_/ },
  translation: { file: /^translation_/ },
}

/** The records of a workload, in their order; empty if the folder has none. */
export async function readWorkload(folder: string, name: string): Promise<TraceRecord[]> {
  const { file, only = () => true } = WORKLOADS[name]
  const records: TraceRecord[] = []
  for (const entry of readdirSync(folder).filter((entry) => file.test(entry))) {
    const read = await readRecordings(path.join(folder, entry), [], Number.MAX_SAFE_INTEGER)
    records.push(...(read as TraceRecord[]).filter((record) => record.response.length > 0 && only(record)))
  }
  return records
}
