/** A process that answers with our engine, in one of its ways of decoding. Started by {@link engineContestant}. */
import { fileURLToPath } from 'node:url'
import type { Spelling } from '../../src/corpus/spelling.js'
import type { DraftMode } from '../../src/decode/drafting.js'
import type { Drafter } from '../../src/draft/drafter.js'
import { Engine } from '../../src/engine/engine.js'
import { drafters } from '../../src/rivals/drafters.js'
import { ChildContestant, serveChild } from './child.js'
import type { Answer, Task } from './contestant.js'

/** Drafters whose decoding is measured, by the names they have in reports. */
export const DRAFTERS = {
  lookahead: drafters.lookahead,
  'paper-trie': drafters['paper-trie'],
  'prompt-lookup': drafters['prompt-lookup'],
} satisfies Record<string, (spelling?: Spelling) => Drafter>

export type DrafterName = keyof typeof DRAFTERS

/** How the process decodes. */
export interface EngineWay {
  model: string
  threads?: number
  drafter: DrafterName
  draft: DraftMode
  /** Whether every task finds an empty memory. */
  cold?: boolean
}

/** Our engine, in a process of its own. */
export function engineContestant(name: string, about: string, way: EngineWay): ChildContestant<EngineWay> {
  return new ChildContestant(name, about, fileURLToPath(import.meta.url), way)
}

let engine: Engine
let way: EngineWay
let drafter: Drafter

async function answer(task: Task): Promise<Answer> {
  if (way.cold) drafter = DRAFTERS[way.drafter](engine.spelling)
  const rows: number[] = []
  const { draft } = way
  const { prompt, maxTokens } = task
  const generation = engine.complete({ prompt, maxTokens, draft, drafter, cachePrompt: false })
  let isPrefill = true
  for await (const { drafted } of generation) {
    if (!isPrefill) rows[drafted + 1] = (rows[drafted + 1] ?? 0) + 1
    isPrefill = false
  }
  const { text, tokens, stats } = await generation.result
  return {
    text,
    tokens,
    decoded: Math.round(stats.edl * stats.forwards),
    prefillMs: stats.prefillMs,
    decodeMs: stats.decodeMs,
    forwards: stats.forwards,
    drafted: stats.draftedTokens,
    accepted: stats.acceptedTokens,
    forwardMs: stats.forwardMs,
    retrievalMs: stats.retrievalMs,
    rows: Array.from(rows, (count) => count ?? 0),
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  serveChild<EngineWay>({
    async start(options) {
      way = options
      engine = await Engine.load({ model: way.model, threads: way.threads })
      drafter = DRAFTERS[way.drafter](engine.spelling)
      return {
        threads: engine.threads,
        cost: [...engine.cost.points],
        costPerContextToken: [...engine.cost.perContextToken],
      }
    },
    async reset() {
      drafter = DRAFTERS[way.drafter](engine.spelling)
    },
    answer,
  })
