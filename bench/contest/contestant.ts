// What a contestant is: something that answers a question and says how long it took.

import type { CostPoint } from '../../src/cost/forward-cost.js'

/** One prompt to be answered, the same for everyone. */
export interface Task {
  id: string
  /** What is asked for; tasks of one kind are one workload. */
  kind: string
  /** The prompt as tokens of the model, and as the text they stand for. */
  prompt: number[]
  text: string
  maxTokens: number
}

/** What an answer took. Counts beyond the first line only where the contestant knows them. */
export interface Answer {
  /** Tokens written; empty where a server only shows text. */
  tokens: number[]
  text: string
  /** Tokens after the first one, an end-of-generation token included: those that `decodeMs` brought. */
  decoded: number
  /** Milliseconds until the first token. */
  prefillMs: number
  /** Milliseconds from the first token to the last. */
  decodeMs: number
  /** Forwards after the prompt's. */
  forwards?: number
  drafted?: number
  accepted?: number
  /** Sums over those forwards (FT and QT). */
  forwardMs?: number
  retrievalMs?: number
  /** Forwards by their number of rows. */
  rows?: number[]
}

/** What a contestant says of itself once it is ready. */
export interface ContestantReport {
  /** Version of what runs, where it is not ours. */
  version?: string
  threads?: number
  /** Numbers of threads it tried to find its best one. */
  tried?: { threads: number; tokensPerSecond: number }[]
  /** T(n) as measured when it was loaded. */
  cost?: CostPoint[]
  /** What every token of context adds to a forward of this many rows. */
  costPerContextToken?: CostPoint[]
}

/** A way of decoding that takes part: a process of its own, or a server somewhere. */
export interface Contestant {
  readonly name: string
  /** One sentence for the report. */
  readonly about: string
  /** Its process, where it is one of ours. */
  readonly pid?: number
  /** Makes it ready. @throws if it cannot take part; the report says why */
  start(): Promise<ContestantReport>
  /** Forgets everything earlier tasks taught it. */
  reset(): Promise<void>
  answer(task: Task): Promise<Answer>
  close(): Promise<void>
}
