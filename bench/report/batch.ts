// Several requests in one forward: drafts beside none, at several numbers of slots.

import { fileURLToPath } from 'node:url'
import { ForwardCost } from '../../src/cost/forward-cost.js'
import { DecodeLoop } from '../../src/decode/loop.js'
import type { Context } from '../../src/llama/context.js'
import { Model } from '../../src/llama/model.js'
import { Sampler } from '../../src/llama/sampler.js'
import { tune } from '../../src/measure/tuning.js'
import type { Task } from '../contest/contestant.js'
import { DRAFTERS } from '../contest/engine.js'
import { inFreshProcess, serveOnce } from '../contest/fresh.js'
import { DISTURBED, OthersWatch } from '../kit/others.js'
import { median, type Spread, spread, sum } from '../kit/statistics.js'

/** All tasks answered once, so many at a time. */
export interface BatchSample {
  slots: number
  set: number
  round: number
  draft: 'off' | 'auto'
  /** Tokens of all answers, and the time of everything, prompts included. */
  tokens: number
  ms: number
  forwards: number
  /** Rows of all forwards, prompts included. */
  rows: number
  /** What its forwards would have taken by T(n). */
  idealMs: number
  /** Answers that are the same as without drafts in the same round. */
  identical: number
  /** Share of all cores that other programs took meanwhile, where that is known. */
  others?: number
  /** Whether speeds are made of it: others did not disturb it, or disturbed it in every round. */
  counts: boolean
}

/** So many requests at the same time: tokens per second of all together. */
export interface BatchPoint {
  slots: number
  conventional: Spread
  lookahead: Spread
  speedup: Spread
  /** The same by T(n) alone. */
  idealised: number
  /** Answers compared, and how many were the same in both ways. */
  answers: number
  identical: number
}

export interface BatchResult {
  points: BatchPoint[]
  samples: BatchSample[]
}

/** How much is measured: numbers of requests at a time, rounds of each, and fresh processes. */
export interface BatchPlan {
  slots: readonly number[]
  rounds: number
  sets: number
  /** Milliseconds of each process that may go, in all, into waiting for other programs and into what they disturbed. */
  patienceMs: number
}

interface BatchTask {
  model: string
  tasks: readonly Task[]
  slots: number
  rounds: number
  threads: number
  patienceMs: number
}

const branches = 8
const maxNodes = 64
const contextTokens = 1024
/** Long enough to see whether others are at work. */
const restMs = 150

/** Answers all tasks with so many at a time, in both ways in turns. */
export async function measureBatches(
  model: string,
  tasks: readonly Task[],
  plan: BatchPlan & { threads: number; onProgress: (text: string) => void },
): Promise<BatchResult> {
  const { slots, rounds, sets, threads, patienceMs, onProgress } = plan
  const samples: BatchSample[] = []
  for (let set = 0; set < sets; set++)
    for (const count of slots) {
      onProgress(`process ${set + 1} of ${sets}: ${count} at a time`)
      const options: BatchTask = { model, tasks, slots: count, rounds, threads, patienceMs }
      const measured = await inFreshProcess<BatchTask, Omit<BatchSample, 'set'>[]>(
        fileURLToPath(import.meta.url),
        options,
        onProgress,
      )
      samples.push(...measured.map((sample) => ({ ...sample, set })))
    }
  return { points: slots.map((count) => pointOf(samples, count, tasks.length)), samples }
}

function pointOf(samples: readonly BatchSample[], slots: number, tasks: number): BatchPoint {
  const all = samples.filter((sample) => sample.slots === slots)
  const [off, auto] = (['off', 'auto'] as const).map((draft) => {
    const own = all.filter((sample) => sample.draft === draft)
    if (!own.some(({ counts }) => counts)) for (const sample of lastOfRounds(own)) sample.counts = true
    return own.filter(({ counts }) => counts)
  })
  const speed = ({ tokens, ms }: BatchSample) => (1000 * tokens) / ms
  // Of the same round; where that does not count, the median of all has to do.
  const usual = median(off.map(speed))
  const base = ({ set, round }: BatchSample) => {
    const partner = off.find((sample) => sample.set === set && sample.round === round)
    return partner ? speed(partner) : usual
  }
  const compared = lastOfRounds(all.filter(({ draft }) => draft === 'auto'))
  const per = (some: readonly BatchSample[]) => sum(some, ({ tokens }) => tokens) / sum(some, (s) => s.idealMs)
  return {
    slots,
    conventional: spread(off.map(speed)),
    lookahead: spread(auto.map(speed)),
    speedup: spread(auto.map((sample) => speed(sample) / base(sample))),
    idealised: per(auto) / per(off),
    answers: tasks * compared.length,
    identical: sum(compared, ({ identical }) => identical),
  }
}

/** Of what was measured again, the last time; those are the answers that were compared. */
function lastOfRounds(samples: readonly BatchSample[]): BatchSample[] {
  return samples.filter(
    ({ set, round }, i) => !samples.some((other, k) => k > i && other.set === set && other.round === round),
  )
}

/** What one process measures. */
async function measure({ model: file, ...task }: BatchTask): Promise<Omit<BatchSample, 'set'>[]> {
  const { tasks, slots, rounds, threads } = task
  const model = await Model.load(file)
  const watch = new OthersWatch(() => [process.pid, process.ppid])
  const { context, cost } = await watch.undisturbed(
    () =>
      tune(model, {
        exactness: 'bitwise',
        context: { contextTokens: slots * (contextTokens + maxNodes), maxSequences: slots * branches, threads },
        modelOptions: {},
      }),
    (spoilt) => spoilt.context[Symbol.asyncDispose](),
  )
  // The loop refines what was measured; figures by T(n) stay with that.
  const measured = ForwardCost.from(cost.record())
  const rows: number[] = []
  const decode = context.decode.bind(context)
  context.decode = () => {
    rows.push(context.batch.size)
    return decode()
  }
  const loop = new DecodeLoop(context, { vocabulary: model.vocabulary, slots, branches, contextTokens, maxNodes, cost })
  const say = { loop, context, rows, tasks }
  // Warms up both ways.
  for (const draft of ['off', 'auto'] as const) await answerAll(say, draft, measured)
  let patience = task.patienceMs
  const samples: Omit<BatchSample, 'set'>[] = []
  for (let round = 0; round < rounds; round++) {
    const answers = new Map<string, string[]>()
    for (const draft of round % 2 === 0 ? (['off', 'auto'] as const) : (['auto', 'off'] as const)) {
      for (let again = true; again; ) {
        if (patience > 0) patience -= await watch.rest(restMs, restMs + patience)
        watch.start()
        const { texts, ...measures } = await answerAll(say, draft, measured)
        const others = watch.share()
        const counts = (others ?? 0) <= DISTURBED
        if (!counts) patience -= measures.ms
        again = !counts && patience > 0
        answers.set(draft, texts)
        samples.push({ slots, round, draft, ...measures, identical: 0, others, counts })
      }
    }
    const identical = answers.get('off')!.filter((text, i) => text === answers.get('auto')![i]).length
    for (const sample of samples) if (sample.round === round) sample.identical = identical
  }
  await loop.close()
  await model[Symbol.asyncDispose]()
  return samples
}

async function answerAll(
  { loop, context, rows, tasks }: { loop: DecodeLoop; context: Context; rows: number[]; tasks: readonly Task[] },
  draft: 'off' | 'auto',
  cost: ForwardCost,
): Promise<Pick<BatchSample, 'tokens' | 'ms' | 'forwards' | 'rows' | 'idealMs'> & { texts: string[] }> {
  // Memories begin empty: what was answered earlier in the round is known, nothing else.
  const drafter = DRAFTERS.lookahead()
  rows.length = 0
  const began = performance.now()
  const results = await Promise.all(
    tasks.map(({ prompt, maxTokens }) => {
      const sampler = Sampler.create(context, {}, prompt)
      return loop.start({ prompt, draft, session: drafter.open(), sampler, maxTokens, reusePrefix: false }).result
    }),
  )
  const ms = performance.now() - began
  return {
    tokens: sum(results, ({ tokens }) => tokens.length),
    ms,
    forwards: rows.length,
    rows: sum(rows, (count) => count),
    idealMs: sum(rows, (count) => cost.ms(count)),
    texts: results.map(({ text }) => text),
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) serveOnce(measure)
