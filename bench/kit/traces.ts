// The workloads, by name: which files and records belong to each.

import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { gunzipSync } from 'node:zlib'

/** One recorded answer. */
export interface TraceRecord {
  task: string
  prompt: string
  response: string
  model: string
  /** Same question or conversation; such records never warm each other. */
  group: string
}

/** A kind of text, and how its records are told: by the beginning of a file name and of a task or model. */
interface Workload {
  file: RegExp
  only?: (record: TraceRecord) => boolean
}

/** Workloads by name, for folders of gzipped JSONL files with the fields of {@link TraceRecord}. */
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
export function readWorkload(folder: string, name: string): TraceRecord[] {
  const { file, only = () => true } = WORKLOADS[name]
  return readdirSync(folder)
    .filter((entry) => file.test(entry))
    .flatMap((entry) =>
      gunzipSync(readFileSync(path.join(folder, entry)))
        .toString('utf8')
        .trim()
        .split('\n'),
    )
    .map((line) => JSON.parse(line) as TraceRecord)
    .filter((record) => record.response.length > 0 && only(record))
}
