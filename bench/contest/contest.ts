import { ForwardCost } from '../../src/cost/forward-cost.js'
import { DISTURBED, OthersWatch } from '../others.js'
import { addCounts, type Spread, spread, sum } from '../statistics.js'
import type { Answer, Contestant, ContestantReport, Task } from './contestant.js'

/** One task answered by one contestant in one round. */
export interface Sample {
  contestant: string
  task: string
  kind: string
  round: number
  decoded: number
  prefillMs: number
  decodeMs: number
  forwards?: number
  drafted?: number
  accepted?: number
  forwardMs?: number
  retrievalMs?: number
  /** Milliseconds its forwards would have taken by the reference's T(n). */
  idealMs?: number
  /** Whether the answer is the reference's. */
  identical: boolean
}

/** Figures of a contestant over some tasks. */
export interface Standing {
  contestant: string
  /** Tokens per second after each answer's first token, over the rounds. */
  tokensPerSecond: Spread
  /** The same divided by the reference's of the same round. */
  speedup: Spread
  answers: number
  identical: number
  edl?: number
  dl?: number
  /** FT and QT: milliseconds of a forward, microseconds of a retrieval. */
  forwardMs?: number
  retrievalMicros?: number
  /** Speed-up by T(n) alone: tokens × T(1) / Σ T(n), as the reference measured T at load. */
  idealised?: number
}

export interface Entry extends ContestantReport {
  name: string
  about: string
  /** Why it did not take part. */
  absent?: string
  /** How many forwards had so many rows. */
  rows?: number[]
}

/** The outcome of {@link hold}. */
export interface ContestResult {
  title: string
  /** Whose speed is 1. */
  reference: string
  entries: Entry[]
  tasks: number
  rounds: number
  /** Sets of fresh processes. */
  sets: number
  /** Everybody's turns, in order. */
  turns: Turn[]
  /** Over all tasks, and by kind of task. */
  standings: Standing[]
  kinds: { kind: string; tasks: number; standings: Standing[] }[]
  samples: Sample[]
  /** Of turns that were disturbed and held again: no figure is made of them. */
  discarded: Sample[]
}

/** One contestant answering all tasks of a round. */
export interface Turn {
  contestant: string
  round: number
  /** Share of all cores that other programs took meanwhile, where that is known. */
  others?: number
  /** Whether its samples count; if not, it was held again. */
  kept: boolean
}

export interface ContestOptions {
  title: string
  tasks: readonly Task[]
  /** Rounds of each set; in each everyone has a turn and answers all tasks. */
  rounds: number
  /**
   * Milliseconds of rest before each turn: threads of the one before spin for a third of a second in hope of more, on
   * cores that the next one needs. Default 0.
   */
  pauseMs?: number
  /** Milliseconds that may go, in all, into waiting for other programs and into turns they disturbed. Default 0. */
  patienceMs?: number
  /** How often all processes are started afresh. Default 1. */
  sets?: number
  /** Milliseconds after which no new round is begun; the first is always held. Default: none. */
  limitMs?: number
  /** What tells how busy others are. Default: the system. */
  watch?: Pick<OthersWatch, 'start' | 'share' | 'rest'>
  onProgress?: (text: string) => void
}

/**
 * Lets contestants answer the same tasks in turns; who begins moves on. In a turn tasks come in order and memories begin
 * empty: what was answered earlier in the turn is known, nothing else. An untimed task warms everyone up.
 *
 * A turn during which other programs took more than a little of the processor is held again: what decides is what they
 * took, never how the contestant did.
 *
 * @param contestants the first is the reference
 */
export async function hold(contestants: readonly Contestant[], options: ContestOptions): Promise<ContestResult> {
  const {
    tasks,
    rounds,
    sets = 1,
    pauseMs = 0,
    patienceMs = 0,
    limitMs = Number.POSITIVE_INFINITY,
    onProgress = () => {},
  } = options
  const [reference] = contestants
  const entries: Entry[] = contestants.map(({ name, about }) => ({ name, about }))
  const samples: Sample[] = []
  const discarded: Sample[] = []
  const turns: Turn[] = []
  const truth = new Map<string, Answer>()
  const began = performance.now()
  let curve: ForwardCost | undefined
  let round = 0
  let patience = patienceMs
  for (let set = 0; set < sets; set++) {
    if (set > 0 && performance.now() - began > limitMs) break
    const present = await startAll(contestants, entries, tasks[0], onProgress)
    const watch = options.watch ?? new OthersWatch(() => [process.pid, ...present.flatMap(({ pid }) => pid ?? [])])
    curve ??= entries[0].cost && new ForwardCost(entries[0].cost)
    try {
      for (let turn = 0; turn < rounds; turn++) {
        if (turn > 0 && performance.now() - began > limitMs) break
        round++
        const held: { name: string; given: Answer[]; kept: boolean }[] = []
        for (let i = 0; i < present.length; i++) {
          const contestant = present[(i + round) % present.length]
          const { name } = contestant
          const entry = entries[contestants.indexOf(contestant)]
          for (let kept = false; !kept && entry.absent === undefined; ) {
            onProgress(`round ${round} of ${rounds * sets}: ${name}`)
            if (pauseMs > 0) patience -= (await watch.rest(pauseMs, pauseMs + Math.max(0, patience))) - pauseMs
            const turnBegan = performance.now()
            try {
              await contestant.reset()
              watch.start()
              const given: Answer[] = []
              for (const task of tasks) given.push(await contestant.answer(task))
              // A server's processes are not known, and would pass for others.
              const others = contestant.pid === undefined ? undefined : watch.share()
              kept = patience <= 0 || (others ?? 0) <= DISTURBED
              if (!kept) patience -= performance.now() - turnBegan
              held.push({ name, given, kept })
              turns.push({ contestant: name, round, others, kept })
              if (kept) for (const { rows } of given) entry.rows = addCounts(entry.rows, rows)
            } catch (error) {
              if (contestant === reference) throw error
              entry.absent = `failed in round ${round}: ${error instanceof Error ? error.message : error}`
            }
          }
        }
        for (const [k, task] of tasks.entries()) {
          if (!truth.has(task.id)) truth.set(task.id, held.find(({ name }) => name === reference.name)!.given[k])
          for (const { name, given, kept } of held) {
            const sample = sampleOf(name, task, round, given[k], isSame(given[k], truth.get(task.id)!), curve)
            if (kept) samples.push(sample)
            else discarded.push(sample)
          }
        }
      }
    } finally {
      for (const contestant of present) await contestant.close()
    }
  }
  const names = entries.filter(({ absent }) => absent === undefined).map(({ name }) => name)
  const kinds = [...new Set(tasks.map(({ kind }) => kind))]
  return {
    title: options.title,
    reference: reference.name,
    entries,
    tasks: tasks.length,
    rounds: round,
    sets,
    turns,
    standings: standingsOf(samples, names, reference.name, curve),
    kinds: kinds.map((kind) => {
      const ofKind = samples.filter((sample) => sample.kind === kind)
      const count = tasks.filter((task) => task.kind === kind).length
      return { kind, tasks: count, standings: standingsOf(ofKind, names, reference.name, curve) }
    }),
    samples,
    discarded,
  }
}

/** Starts all that can take part. @throws if the reference cannot */
async function startAll(
  contestants: readonly Contestant[],
  entries: Entry[],
  warmUp: Task,
  onProgress: (text: string) => void,
): Promise<Contestant[]> {
  const present: Contestant[] = []
  for (const [i, contestant] of contestants.entries()) {
    onProgress(`starting ${contestant.name}`)
    try {
      Object.assign(entries[i], await contestant.start(), { absent: undefined })
      await contestant.answer(warmUp)
      present.push(contestant)
    } catch (error) {
      await contestant.close()
      if (i === 0) {
        for (const other of present) await other.close()
        throw error
      }
      entries[i].absent = error instanceof Error ? error.message : String(error)
    }
  }
  return present
}

function sampleOf(
  contestant: string,
  task: Task,
  round: number,
  answer: Answer,
  identical: boolean,
  curve: ForwardCost | undefined,
): Sample {
  const { decoded, prefillMs, decodeMs, forwards, drafted, accepted, forwardMs, retrievalMs, rows } = answer
  const idealMs = rows && curve ? sum(rows.entries(), ([n, times]) => (n > 0 ? times * curve.ms(n) : 0)) : undefined
  const known = { forwards, drafted, accepted, forwardMs, retrievalMs, idealMs }
  return { contestant, task: task.id, kind: task.kind, round, decoded, prefillMs, decodeMs, ...known, identical }
}

/** Servers may show text only, some with blanks cut off at the ends. */
function isSame(a: Answer, b: Answer): boolean {
  if (a.tokens.length === 0 || b.tokens.length === 0) return a.text.trim() === b.text.trim()
  return a.tokens.length === b.tokens.length && a.tokens.every((token, i) => token === b.tokens[i])
}

function standingsOf(
  samples: readonly Sample[],
  names: readonly string[],
  reference: string,
  curve: ForwardCost | undefined,
): Standing[] {
  const speeds = new Map(names.map((name) => [name, speedsOf(samples, name)]))
  const base = speeds.get(reference)!
  return names.map((name) => {
    const own = samples.filter(({ contestant }) => contestant === name)
    const rounds = [...speeds.get(name)!.entries()]
    const forwards = sum(own, (sample) => sample.forwards ?? 0)
    const standing: Standing = {
      contestant: name,
      tokensPerSecond: spread(rounds.map(([, speed]) => speed)),
      speedup: spread(rounds.map(([round, speed]) => speed / base.get(round)!)),
      answers: own.length,
      identical: own.filter(({ identical }) => identical).length,
    }
    if (forwards === 0) return standing
    const tokens = sum(own, ({ decoded }) => decoded)
    const idealMs = sum(own, (sample) => sample.idealMs ?? 0)
    const per = (of: (sample: Sample) => number | undefined) =>
      own.every((sample) => of(sample) !== undefined) ? sum(own, (sample) => of(sample)!) / forwards : undefined
    const retrievalMs = per((sample) => sample.retrievalMs)
    return {
      ...standing,
      edl: tokens / forwards,
      dl: 1 + sum(own, ({ drafted = 0 }) => drafted) / forwards,
      forwardMs: per((sample) => sample.forwardMs),
      retrievalMicros: retrievalMs === undefined ? undefined : 1000 * retrievalMs,
      idealised: idealMs > 0 && curve ? (tokens * curve.ms(1)) / idealMs : undefined,
    }
  })
}

/** Tokens per second of each round, first tokens apart. */
function speedsOf(samples: readonly Sample[], name: string): Map<number, number> {
  const speeds = new Map<number, number>()
  const own = samples.filter(({ contestant }) => contestant === name)
  for (const round of new Set(own.map((sample) => sample.round))) {
    const ofRound = own.filter((sample) => sample.round === round)
    const tokens = sum(ofRound, ({ decoded }) => decoded)
    speeds.set(round, (1000 * tokens) / sum(ofRound, ({ decodeMs }) => decodeMs))
  }
  return speeds
}
