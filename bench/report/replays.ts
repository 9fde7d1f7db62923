// Replays of recorded answers by every drafter: tokens per forward, and what drafts cost.

import type { Spelling } from '../../src/corpus/spelling.js'
import type { ForwardCost } from '../../src/cost/forward-cost.js'
import type { Drafter, DraftSession } from '../../src/draft/drafter.js'
import type { DraftTree } from '../../src/draft/tree.js'
import { drafters } from '../../src/rivals/drafters.js'
import { PaperTrieDrafter } from '../../src/rivals/paper-trie.js'
import { type Recording, type ReplayReport, replay } from '../../src/rivals/replay.js'
import { openSpelling, type RecordedWorkload } from '../kit/recordings.js'
import { sum } from '../kit/statistics.js'

/** A workload, a drafter, a budget. */
export interface ReplayRow {
  workload: string
  drafter: string
  budget: number
  /** Whether answers of earlier requests were known. */
  warm: boolean
  requests: number
  tokens: number
  edl: number
  /** Draft nodes per forward. */
  dl: number
  /** Share of the nodes that were verified in vain. */
  waste: number
  retrievalMicros: number
  retrievalMicros99: number
}

/** A curve per drafter, on one workload. */
export interface ReplayCurves {
  workload: string
  series: { name: string; points: [number, number][] }[]
}

/** The paper's grid, on its own trie, by branch length (rows) and decoding length (columns). */
export interface ReplayGrid {
  workload: string
  decodingLengths: number[]
  branchLengths: number[]
  edl: number[][]
  /** Speed-up by T(n) of the model that is timed, if one is. */
  speedup?: number[][]
}

export interface ReplayResult {
  rows: ReplayRow[]
  /** EDL by draft budget. */
  budgets: ReplayCurves[]
  /** EDL by number of answers known, on requests that never change. */
  learning: ReplayCurves[]
  /** Share of forwards that accepted at least so many drafted tokens. */
  depths: ReplayCurves[]
  grids: ReplayGrid[]
}

/** How much is replayed. */
export interface ReplayPlan {
  /** Budgets of the table. */
  budgets: number[]
  /** Budgets of the curves. */
  curve: number[]
  /** Numbers of known answers. */
  answers: number[]
  /** Nodes per forward while learning and for depths. */
  nodes: number
  decodingLengths: number[]
  branchLengths: number[]
}

/** Drafters by name, each made anew where it is to know nothing. */
type Makers = [name: string, make: () => Drafter][]

/** All drafters, for tokens that are written so. */
function makersFor(spelling: Spelling): Makers {
  return Object.entries(drafters).map(([name, make]) => [name, () => make(spelling)])
}

/** All but the oracle, which needs the answer and so learns nothing. */
function contendersOf(makers: Makers): Makers {
  return makers.filter(([name]) => name !== 'oracle')
}

/** Replays workloads with every drafter; curves and the grid only of those in `detailed`. */
export async function replayAll(
  workloads: readonly RecordedWorkload[],
  detailed: ReadonlySet<string>,
  { onProgress, cost, ...plan }: ReplayPlan & { cost?: ForwardCost; onProgress: (text: string) => void },
): Promise<ReplayResult> {
  const result: ReplayResult = { rows: [], budgets: [], learning: [], depths: [], grids: [] }
  for (const { name, recordings, vocabulary } of workloads) {
    const makers = makersFor(await openSpelling(vocabulary))
    for (const [drafter, make] of makers)
      for (const budget of plan.budgets)
        for (const warm of [true, false]) {
          onProgress(`${name}: ${drafter}, ${budget} nodes`)
          const report = replay(recordings, make(), { budget, cold: !warm })
          result.rows.push(rowOf({ workload: name, drafter, budget, warm, requests: recordings.length }, report))
        }
    if (!detailed.has(name)) continue
    onProgress(`${name}: curves`)
    result.budgets.push(budgetCurves(name, recordings, makers, plan))
    result.depths.push(depthCurves(name, recordings, makers, plan))
    result.learning.push(learningCurves(name, recordings, makers, plan))
    onProgress(`${name}: the paper's grid`)
    result.grids.push(paperGrid(name, recordings, plan, cost))
  }
  return result
}

type ReplayKey = Pick<ReplayRow, 'workload' | 'drafter' | 'budget' | 'warm' | 'requests'>

function rowOf(key: ReplayKey, report: ReplayReport): ReplayRow {
  const { tokens, edl, dl, drafted, accepted, retrievalMicros, retrievalMicros99 } = report
  const waste = drafted > 0 ? 1 - accepted / drafted : 0
  return { ...key, tokens, edl, dl, waste, retrievalMicros, retrievalMicros99 }
}

function budgetCurves(
  workload: string,
  recordings: readonly Recording[],
  makers: Makers,
  plan: ReplayPlan,
): ReplayCurves {
  const series = makers.map(([name, make]) => ({
    name,
    points: plan.curve.map((budget): [number, number] => [budget, replay(recordings, make(), { budget }).edl]),
  }))
  return { workload, series }
}

/** The last third of the requests is answered again and again, with more and more of the others known. */
function learningCurves(
  workload: string,
  recordings: readonly Recording[],
  makers: Makers,
  plan: ReplayPlan,
): ReplayCurves {
  const asked = recordings.slice(Math.floor((recordings.length * 2) / 3))
  const groups = new Set(asked.map(({ group }) => group).filter((group) => group !== undefined))
  const known = recordings.slice(0, recordings.length - asked.length).filter(({ group }) => !groups.has(group ?? ''))
  const counts = [...new Set(plan.answers.map((count) => Math.min(count, known.length)))]
  const series = contendersOf(makers).map(([name, make]) => ({
    name,
    points: counts.map((count): [number, number] => {
      const drafter = make()
      // Read, not replayed: nothing is drafted, so this is fast, and confidence is learnt from the requests themselves.
      for (const { prompt, response } of known.slice(0, count)) {
        const session = drafter.open()
        session.read(prompt)
        session.accept(response, response.length)
        session.close()
      }
      return [count, replay(asked, drafter, { budget: plan.nodes, cold: true }).edl]
    }),
  }))
  return { workload, series }
}

function depthCurves(
  workload: string,
  recordings: readonly Recording[],
  makers: Makers,
  plan: ReplayPlan,
): ReplayCurves {
  const series = contendersOf(makers).map(([name, make]) => {
    const watched = new WatchedDrafter(make())
    replay(recordings, watched, { budget: plan.nodes })
    return { name, points: watched.reached().slice(0, plan.nodes) }
  })
  return { workload, series }
}

function paperGrid(
  workload: string,
  recordings: readonly Recording[],
  { decodingLengths, branchLengths }: ReplayPlan,
  cost?: ForwardCost,
): ReplayGrid {
  const cells = branchLengths.map((branchLength) =>
    decodingLengths.map((budget) => {
      const watched = new WatchedDrafter(new PaperTrieDrafter({ branchLength }))
      const { edl, tokens } = replay(recordings, watched, { budget })
      const ms = cost && sum(watched.sizes.entries(), ([nodes, times = 0]) => times * cost.ms(1 + nodes))
      return { edl, speedup: ms ? (tokens * cost.ms(1)) / ms : 1 }
    }),
  )
  const edl = cells.map((row) => row.map((cell) => cell.edl))
  const speedup = cost && cells.map((row) => row.map((cell) => cell.speedup))
  return { workload, decodingLengths, branchLengths, edl, speedup }
}

/** Counts how large its drafts were, and how far down they came true. */
class WatchedDrafter implements Drafter {
  readonly name: string
  /** Drafts by the number of their nodes. */
  readonly sizes: number[] = []
  readonly #drafter: Drafter
  /** Drafts by the number of their tokens that were accepted. */
  readonly #accepted: number[] = []

  constructor(drafter: Drafter) {
    this.name = drafter.name
    this.#drafter = drafter
  }

  open(): DraftSession {
    const session = this.#drafter.open()
    let drafted = false
    return {
      read: (tokens) => session.read(tokens),
      draft: (tree: DraftTree, budget) => {
        session.draft(tree, budget)
        this.sizes[tree.size] = (this.sizes[tree.size] ?? 0) + 1
        drafted = true
      },
      accept: (tokens, count) => {
        // The last token of a forward is its bonus.
        if (drafted) this.#accepted[count - 1] = (this.#accepted[count - 1] ?? 0) + 1
        drafted = false
        session.accept(tokens, count)
      },
      close: () => session.close(),
    }
  }

  /** By depth: the share of all forwards that accepted a token there. */
  reached(): [number, number][] {
    const counts = Array.from(this.#accepted, (count) => count ?? 0)
    const all = counts.reduce((sum, count) => sum + count, 0)
    let left = all
    return counts.slice(0, -1).map((count, i): [number, number] => {
      left -= count
      return [i + 1, left / all]
    })
  }
}
