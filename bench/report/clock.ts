// Recorded answers decoded against the clock: a real model does every forward, in turns by every way of drafting.

import { createHash } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { ForwardCost, type ForwardCostRecord } from '../../src/cost/forward-cost.js'
import type { DraftMode } from '../../src/decode/drafting.js'
import { DecodeLoop } from '../../src/decode/loop.js'
import type { Drafter, DraftSession } from '../../src/draft/drafter.js'
import type { Context } from '../../src/llama/context.js'
import { Model } from '../../src/llama/model.js'
import { tune } from '../../src/measure/tuning.js'
import { type Recording, replay } from '../../src/rivals/replay.js'
import { DRAFTERS, type DrafterName } from '../contest/engine.js'
import { inFreshProcess, serveOnce } from '../contest/fresh.js'
import { noText } from '../kit/forwards.js'
import { DISTURBED, OthersWatch } from '../kit/others.js'
import { openSpelling, type RecordedWorkload } from '../kit/recordings.js'
import { addCounts, sum } from '../kit/statistics.js'
import { type ClockSample, type ClockStanding, settle, standingOf } from './clock-standings.js'

/** A way of decoding recorded answers. */
export interface ClockWay {
  name: string
  drafter: DrafterName
  draft: DraftMode
  /** Whether every record finds an empty memory. */
  cold?: boolean
}

/** Rows of logits of both ways of decoding, compared bit by bit on recorded answers. */
export interface ClockRows {
  records: number
  rows: number
  equalRows: number
  /** Tokens that came out of drafts, without which the comparison would say nothing. */
  accepted: number
}

export interface ClockResult {
  model: string
  weightBytes: number
  threads: number
  /** Whether the configuration is bit-exact on this device. */
  exactness: string
  cost: { rows: number; ms: number }[]
  /** Fresh processes that measured. */
  sets: number
  workloads: { workload: string; records: number; singleMs: number; standings: ClockStanding[] }[]
  /** Forwards of lookahead by their number of rows. */
  rows: number[]
  compared: ClockRows
  samples: ClockSample[]
}

/** How much is timed. */
export interface ClockPlan {
  /** Tokens of the prompt that the model reads; drafters read all of it. */
  contextTokens: number
  tokens: number
  /** Records timed per workload, and records known before. */
  timed: number
  warm: number
  /** Fresh processes, each of which times everything. */
  sets: number
  /** Workloads of which one record is also decoded to compare its rows of logits, untimed. */
  compared: number
  /** Milliseconds after which no workload is begun; the first process always does the first. */
  limitMs: number
  /** Milliseconds of a process that may go, in all, into waiting for other programs and into what they disturbed. */
  patienceMs: number
}

export interface ClockOptions extends ClockPlan {
  /** Default: what the engine finds best. */
  threads?: number
  ways: readonly ClockWay[]
  onProgress: (text: string) => void
}

const maxNodes = 64
const branches = 8
/** Long enough to see whether others are at work. */
const restMs = 150
/** Nodes of the drafts whose rows are compared: enough for trees and lost branches. */
const comparedNodes = 16

/** The first is the one to compare with. */
export const CLOCK_WAYS: readonly ClockWay[] = [
  { name: 'conventional', drafter: 'lookahead', draft: 'off' },
  { name: 'lookahead', drafter: 'lookahead', draft: 'auto' },
  { name: 'lookahead, cold', drafter: 'lookahead', draft: 'auto', cold: true },
  { name: "paper's trie", drafter: 'paper-trie', draft: 'auto' },
  { name: "paper's trie, 64 nodes", drafter: 'paper-trie', draft: 64 },
  { name: 'prompt lookup', drafter: 'prompt-lookup', draft: 'auto' },
  { name: 'prompt lookup, 10 tokens', drafter: 'prompt-lookup', draft: 10 },
]

/** What a fresh process is given, and what it gives back. */
interface ClockTask extends Omit<ClockOptions, 'onProgress' | 'sets' | 'timed' | 'warm'> {
  file: string
  set: number
  workloads: { name: string; vocabulary: string; asked: Recording[]; known: Recording[] }[]
}
type ClockPart = Pick<
  ClockResult,
  'model' | 'weightBytes' | 'threads' | 'exactness' | 'rows' | 'compared' | 'samples'
> & {
  cost: ForwardCostRecord
}

/**
 * Speed on a model whose weights say nothing: it does every forward, and what it "chooses" is what was recorded. The
 * ways take turns on every record, each with a memory of its own.
 */
export async function replayOnTheClock(
  file: string,
  workloads: readonly RecordedWorkload[],
  { onProgress, sets, timed, warm, ...rest }: ClockOptions,
): Promise<ClockResult> {
  const { tokens, limitMs, ways } = rest
  const chosen = workloads
    .map(({ name, vocabulary, recordings }) => ({ name, vocabulary, ...choose(recordings, { tokens, timed, warm }) }))
    .filter(({ asked }) => asked.length > 0)
  const parts: ClockPart[] = []
  const began = performance.now()
  for (let set = 0; set < sets; set++) {
    const left = limitMs - (performance.now() - began)
    // Half a process would time some workloads more often than others.
    if (set > 0 && left < (performance.now() - began) / set) break
    const task: ClockTask = { ...rest, file, set, workloads: chosen, limitMs: left }
    const say = (text: string) => onProgress(`process ${set + 1} of ${sets}, ${text}`)
    parts.push(await inFreshProcess<ClockTask, ClockPart>(fileURLToPath(import.meta.url), task, say))
  }
  const samples = parts.flatMap((part) => part.samples)
  settle(samples, ways[0].name)
  const [first] = parts
  return {
    ...first,
    cost: first.cost.points,
    sets: parts.length,
    rows: parts.reduce((rows: number[], part) => addCounts(rows, part.rows), []),
    workloads: chosen.flatMap(({ name: workload, asked }) => {
      const own = samples.filter((sample) => sample.workload === workload)
      if (own.length === 0) return []
      const standings = ways.map(({ name }) => standingOf(name, own, ways[0].name))
      return [{ workload, records: asked.length, singleMs: standings[0].forwardMs, standings }]
    }),
    samples,
  }
}

/** The records that are timed, and those known before: requests of one group never help each other. */
function choose(
  recordings: readonly Recording[],
  { tokens, timed, warm }: { tokens: number; timed: number; warm: number },
): { asked: Recording[]; known: Recording[] } {
  const fit = recordings
    .filter(({ prompt, response }) => prompt.length > 0 && response.length >= tokens / 2)
    .map((recording) => ({ ...recording, response: Array.from(recording.response).slice(0, tokens) }))
  const isFirst = ({ group }: Recording, i: number) => !group || fit.findIndex((r) => r.group === group) === i
  const asked = fit.filter(isFirst).slice(0, timed)
  const groups = new Set(asked.map(({ group }) => group))
  const isApart = (recording: Recording) =>
    !asked.includes(recording as (typeof fit)[number]) && !(recording.group && groups.has(recording.group))
  return { asked, known: fit.filter(isApart).slice(0, warm) }
}

/** What one process measures. */
async function measure(task: ClockTask, onProgress: (text: string) => void): Promise<ClockPart> {
  const { file, set, workloads, contextTokens, tokens, threads, ways, limitMs } = task
  const model = await Model.load(file)
  const room = contextTokens + tokens + 2 * maxNodes
  const watch = new OthersWatch(() => [process.pid, process.ppid])
  const { context, cost, exactness } = await watch.undisturbed(
    () =>
      tune(model, {
        exactness: 'bitwise',
        context: { contextTokens: room, maxSequences: branches, batchTokens: 512, threads },
        modelOptions: {},
      }),
    (spoilt) => spoilt.context[Symbol.asyncDispose](),
  )
  const record = cost.record()
  const { name, weightBytes } = model.describe()
  const compared: ClockRows = { records: 0, rows: 0, equalRows: 0, accepted: 0 }
  const samples: ClockSample[] = []
  let rows: number[] = []
  let patience = task.patienceMs
  const layout = { vocabulary: noText, slots: 1, branches, contextTokens: contextTokens + tokens + maxNodes, maxNodes }
  const newLoop = () => new DecodeLoop(context, { ...layout, cost: ForwardCost.from(record) })
  const began = performance.now()
  for (const [k, { name: workload, vocabulary, asked, known }] of workloads.entries()) {
    if (k > 0 && performance.now() - began > limitMs) break
    // Every way learns for itself: what its forwards cost, how far its drafts can be believed.
    const loops = ways.map(newLoop)
    const spelling = await openSpelling(vocabulary)
    const drafters: Drafter[] = ways.map(({ drafter }) => DRAFTERS[drafter](spelling))
    for (const [w, drafter] of drafters.entries())
      if (!ways[w].cold && ways[w].draft !== 'off') replay(known, drafter, { budget: 16 })
    for (const [r, recording] of asked.entries()) {
      onProgress(`${workload}: record ${r + 1} of ${asked.length}`)
      for (let turn = 0; turn < ways.length; turn++) {
        const w = (turn + r + set) % ways.length
        const { name: way, draft, cold, drafter } = ways[w]
        for (let again = true; again; ) {
          if (patience > 0) patience -= await watch.rest(restMs, restMs + patience)
          if (cold) drafters[w] = DRAFTERS[drafter](spelling)
          const session = drafters[w].open()
          const turnBegan = performance.now()
          watch.start()
          const decoded = await decode(loops[w], recording, { context, contextTokens, draft, session })
          const others = watch.share()
          const counts = (others ?? 0) <= DISTURBED
          if (!counts) patience -= performance.now() - turnBegan
          again = !counts && patience > 0
          // A session that is not closed leaves nothing behind: the answer is not known when it is decoded again.
          if (!again) session.close()
          const middle = Math.min(contextTokens, recording.prompt.length) + decoded.tokens / 2
          samples.push({
            ...{ workload, record: r, set, way },
            ...decoded.counts,
            singleMs: decoded.tokens * cost.ms(1, middle),
            idealMs: sum(decoded.rows.entries(), ([n, times]) => (n > 0 ? times * cost.ms(n, middle) : 0)),
            others,
            counts,
          })
          if (!again && way === 'lookahead') rows = addCounts(rows, decoded.rows)
        }
      }
    }
    if (set === 0 && k < task.compared) {
      const answers = []
      for (const draft of ['off', comparedNodes] as const) {
        // A memory of its own: drafting from the very answer would never lose a branch.
        const session = DRAFTERS.lookahead(spelling).open()
        answers.push(await decode(loops[0], asked[0], { context, contextTokens, draft, session, hashed: true }))
      }
      const [conventional, lookahead] = answers
      compared.records++
      compared.rows += conventional.hashes.length
      compared.equalRows += conventional.hashes.filter((hash, i) => hash === lookahead.hashes[i]).length
      compared.accepted += lookahead.accepted
    }
    for (const loop of loops) await loop.close()
  }
  const level = exactness.level
  const part = { model: name, weightBytes, threads: context.threads, exactness: level, cost: record }
  await model[Symbol.asyncDispose]()
  return { ...part, rows, compared, samples }
}

interface Decoded {
  counts: Pick<ClockSample, 'tokens' | 'forwards' | 'drafted' | 'decodeMs' | 'forwardMs' | 'retrievalMs'>
  tokens: number
  accepted: number
  /** Forwards by their number of rows. */
  rows: number[]
  /** Of the logits behind every token, where they were wanted. */
  hashes: string[]
}

/** Decodes one record; the drafter reads the whole prompt, the model its end. The session stays open. */
async function decode(
  loop: DecodeLoop,
  { prompt, response }: Recording,
  options: { context: Context; contextTokens: number; draft: DraftMode; session: DraftSession; hashed?: boolean },
): Promise<Decoded> {
  const { context, contextTokens, draft, session, hashed = false } = options
  const whole: DraftSession = {
    read: () => session.read(prompt),
    draft: (tree, budget) => session.draft(tree, budget),
    accept: (tokens, count) => session.accept(tokens, count),
    close: () => {},
  }
  const hashes: string[] = []
  let at = 0
  const sampler = {
    seed: 0,
    sample: (row: number) => {
      if (hashed) hashes.push(hashOf(context, row))
      // Choosing a token costs what it costs; then the recorded one is taken.
      return context.argmax(row) < 0 ? -1 : response[at++]
    },
    [Symbol.dispose]() {},
  }
  const read = Int32Array.from(prompt).slice(-contextTokens)
  const request = { prompt: read, draft, session: whole, sampler, maxTokens: response.length, reusePrefix: false }
  const generation = loop.start(request)
  const rows: number[] = []
  let isPrefill = true
  for await (const { drafted } of generation) {
    if (!isPrefill) rows[drafted + 1] = (rows[drafted + 1] ?? 0) + 1
    isPrefill = false
  }
  const { stats } = await generation.result
  // The loops share one cache: the next one must find it empty.
  for (let id = 0; id < branches; id++) context.removePositions(id, 0, -1)
  const { forwards, draftedTokens: drafted, decodeMs, forwardMs, retrievalMs } = stats
  const tokens = response.length - 1
  return {
    counts: { tokens, forwards, drafted, decodeMs, forwardMs, retrievalMs },
    tokens,
    accepted: stats.acceptedTokens,
    rows: Array.from(rows, (count) => count ?? 0),
    hashes,
  }
}

function hashOf({ vocabularySize, batch, logits }: Context, row: number): string {
  const begin = batch.outputRows[row] * vocabularySize
  return createHash('md5')
    .update(logits.subarray(begin, begin + vocabularySize))
    .digest('hex')
}

if (process.argv[1] === fileURLToPath(import.meta.url)) serveOnce(measure)
