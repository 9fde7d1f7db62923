import { ForwardCost } from '../src/cost/forward-cost.js'
import type { DraftSession } from '../src/draft/drafter.js'
import { type Recording, replay } from '../src/draft/replay.js'
import { Generation } from '../src/engine/generation.js'
import { DecodeLoop } from '../src/engine/loop.js'
import type { DraftMode } from '../src/engine/options.js'
import { tune } from '../src/engine/tuning.js'
import { AnswerWriter } from '../src/engine/writer.js'
import type { Context } from '../src/llama/context.js'
import { Model } from '../src/llama/model.js'
import { DRAFTERS, type DrafterName } from './contest/engine.js'
import type { RecordedWorkload } from './replays.js'
import { addCounts, type Spread, spread, sum } from './statistics.js'

/** A way of decoding recorded answers. */
export interface ClockWay {
  name: string
  drafter: DrafterName
  draft: DraftMode
}

/** One way on one workload: forwards are real, their tokens come from the record. */
export interface ClockStanding {
  name: string
  /** Conventional time over this way's time, by record: what a clock says. */
  speedup: Spread
  /** The same over all records together. */
  whole: number
  /** The same by T(n) alone. */
  idealised: number
  edl: number
  dl: number
}

export interface ClockResult {
  model: string
  weightBytes: number
  threads: number
  /** Whether the configuration is bit-exact on this device. */
  exactness: string
  cost: { rows: number; ms: number }[]
  workloads: { workload: string; records: number; singleMs: number; standings: ClockStanding[] }[]
  /** How many forwards of lookahead had so many rows. */
  rows: number[]
}

/** What one answer took in one way. */
interface Timing {
  decodeMs: number
  /** What T(n) says: of one token per forward, and of the forwards that were done. */
  singleMs: number
  idealMs: number
  tokens: number
  forwards: number
  drafted: number
}

/** How much is timed. */
export interface ClockPlan {
  /** Tokens of the prompt that the model reads; drafters read all of it. */
  contextTokens: number
  tokens: number
  /** Records timed per workload, and records known before. */
  timed: number
  warm: number
  /** Milliseconds after which no workload is begun. */
  limitMs: number
}

export interface ClockOptions extends ClockPlan {
  threads: number
  ways: readonly ClockWay[]
  onProgress: (text: string) => void
}

const maxNodes = 64
const branches = 8

/** The first is the one to compare with. */
export const CLOCK_WAYS: readonly ClockWay[] = [
  { name: 'conventional', drafter: 'lookahead', draft: 'off' },
  { name: 'lookahead', drafter: 'lookahead', draft: 'auto' },
  { name: "paper's trie", drafter: 'paper-trie', draft: 'auto' },
  { name: "paper's trie, 64 nodes", drafter: 'paper-trie', draft: 64 },
  { name: 'prompt lookup, 10 tokens', drafter: 'prompt-lookup', draft: 10 },
]

/**
 * Speed on a model whose weights say nothing: it does every forward, and what it "chooses" is what was recorded. The
 * ways take turns on every record, each with a memory of its own.
 */
export async function replayOnTheClock(
  file: string,
  workloads: readonly RecordedWorkload[],
  options: ClockOptions,
): Promise<ClockResult> {
  const { contextTokens, tokens, timed, warm, threads, ways, limitMs, onProgress } = options
  const model = await Model.load(file)
  const room = contextTokens + tokens + 2 * maxNodes
  const { context, cost, exactness } = await tune(model, {
    exactness: 'bitwise',
    context: { contextTokens: room, maxSequences: branches, batchTokens: 512, threads },
    modelOptions: {},
  })
  const { name, weightBytes } = model.describe()
  const result: ClockResult = {
    model: name,
    weightBytes,
    threads: context.threads,
    exactness: exactness.level,
    cost: [...cost.points],
    workloads: [],
    rows: [],
  }
  const layout = { slots: 1, branches, contextTokens: contextTokens + tokens + maxNodes, maxNodes }
  const began = performance.now()
  for (const { name: workload, recordings } of workloads) {
    if (performance.now() - began > limitMs) break
    const fit = recordings
      .filter(({ prompt, response }) => prompt.length > 0 && response.length >= tokens / 2)
      .map((recording) => ({ ...recording, response: Array.from(recording.response).slice(0, tokens) }))
    // Requests of one group never help each other.
    const isFirst = ({ group }: Recording, i: number) => !group || fit.findIndex((r) => r.group === group) === i
    const asked = fit.filter(isFirst).slice(0, timed)
    const groups = new Set(asked.map(({ group }) => group))
    const known = fit.filter(
      (recording) => !asked.includes(recording) && !(recording.group && groups.has(recording.group)),
    )
    if (asked.length === 0) continue
    // Every way learns for itself: what its forwards cost, how far its drafts can be believed.
    const loops = ways.map(() => new DecodeLoop(context, { ...layout, cost: ForwardCost.from(cost.record()) }))
    const drafters = ways.map(({ drafter }) => DRAFTERS[drafter]())
    for (const drafter of drafters) replay(known.slice(0, warm), drafter, { budget: 16 })
    const timings: Timing[][] = ways.map(() => [])
    for (const [r, recording] of asked.entries()) {
      onProgress(`${workload}: record ${r + 1} of ${asked.length}`)
      for (let turn = 0; turn < ways.length; turn++) {
        const w = (turn + r) % ways.length
        const { draft } = ways[w]
        const session = drafters[w].open()
        const timing = await decode(loops[w], recording, { context, cost, contextTokens, draft, session })
        timings[w].push(timing)
        if (ways[w].name === 'lookahead') result.rows = addCounts(result.rows, timing.rows)
      }
    }
    const [conventional] = timings
    result.workloads.push({
      workload,
      records: asked.length,
      singleMs: sum(conventional, ({ decodeMs }) => decodeMs) / sum(conventional, ({ forwards }) => forwards),
      standings: ways.map((way, w) => standingOf(way.name, timings[w], conventional)),
    })
    for (const loop of loops) await loop.close()
  }
  await model[Symbol.asyncDispose]()
  return result
}

/** Decodes one record; the drafter reads the whole prompt, the model its end. */
async function decode(
  loop: DecodeLoop,
  { prompt, response }: Recording,
  options: { context: Context; cost: ForwardCost; contextTokens: number; draft: DraftMode; session: DraftSession },
): Promise<Timing & { rows: number[] }> {
  const { context, cost, contextTokens, draft, session } = options
  const whole: DraftSession = {
    read: () => session.read(prompt),
    draft: (tree, budget) => session.draft(tree, budget),
    accept: (tokens, count) => session.accept(tokens, count),
    close: () => session.close(),
  }
  let at = 0
  const sampler = {
    seed: 0,
    // Choosing a token costs what it costs; then the recorded one is taken.
    sample: (row: number) => (context.argmax(row) < 0 ? -1 : response[at++]),
    [Symbol.dispose]() {},
  }
  const generation = new Generation(() => {})
  const text = { bytesOf: () => new Uint8Array(0), isEndOfGeneration: () => false }
  const read = Int32Array.from(prompt).slice(-contextTokens)
  const limits = { maxTokens: response.length, stops: [] }
  const writer = new AnswerWriter(generation, text, limits, read.length, 0)
  loop.submit({ prompt: read, draft, session: whole, sampler, writer, reusePrefix: false })
  const rows: number[] = []
  let isPrefill = true
  for await (const { drafted } of generation) {
    if (!isPrefill) rows[drafted + 1] = (rows[drafted + 1] ?? 0) + 1
    isPrefill = false
  }
  const { stats } = await generation.result
  // The loops share one cache: the next one must find it empty.
  for (let id = 0; id < branches; id++) context.removePositions(id, 0, -1)
  const counts = Array.from(rows, (count) => count ?? 0)
  const middle = read.length + response.length / 2
  return {
    decodeMs: stats.decodeMs,
    singleMs: (response.length - 1) * cost.ms(1, middle),
    idealMs: sum(counts.entries(), ([n, times]) => (n > 0 ? times * cost.ms(n, middle) : 0)),
    tokens: response.length - 1,
    forwards: stats.forwards,
    drafted: stats.draftedTokens,
    rows: counts,
  }
}

function standingOf(name: string, timings: readonly Timing[], conventional: readonly Timing[]): ClockStanding {
  const forwards = sum(timings, (timing) => timing.forwards)
  return {
    name,
    speedup: spread(timings.map(({ decodeMs }, i) => conventional[i].decodeMs / decodeMs)),
    whole: sum(conventional, ({ decodeMs }) => decodeMs) / sum(timings, ({ decodeMs }) => decodeMs),
    idealised: sum(timings, ({ singleMs }) => singleMs) / sum(timings, ({ idealMs }) => idealMs),
    edl: sum(timings, ({ tokens }) => tokens) / forwards,
    dl: 1 + sum(timings, ({ drafted }) => drafted) / forwards,
  }
}
