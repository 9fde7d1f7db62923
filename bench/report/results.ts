import type { BatchResult } from '../batch.js'
import type { Ceiling } from '../ceiling.js'
import type { ClockResult } from '../clock.js'
import type { ContestResult } from '../contest/contest.js'
import type { Exactness } from '../exactness.js'
import type { BenchModel } from '../live.js'
import type { Machine } from '../machine.js'
import type { ReplayResult } from '../replays.js'

/** Everything a run measured: what `results.json` holds. Absent: not asked for. */
export interface Results {
  schema: 2
  /** When it was made, ISO 8601. */
  made: string
  size: 'smoke' | 'quick' | 'full'
  threads: number
  machine: Machine
  model: BenchModel
  /** Of the model that answers, and of the one on the clock. */
  ceilings: Ceiling[]
  live?: ContestResult
  peers?: ContestResult
  /** Loops without drafts on a larger shape. */
  loops?: ContestResult
  batch?: BatchResult
  exactness?: Exactness
  replay?: ReplayResult
  clock?: ClockResult
  /** What a reader has to know of this run, e.g. that the machine was shared. By hand: `--note`. */
  note?: string
  /** Cores that were free before each section and at the end: fewer than `threads`, and others were at work. */
  freeCores: number[]
  /** Seconds by section. */
  seconds: Record<string, number>
}
