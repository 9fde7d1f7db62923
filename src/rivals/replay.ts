// The replay of recorded answers: how many forwards a drafter would have saved.

import type { Drafter, DraftSession } from '../draft/drafter.js'
import { DraftTree } from '../draft/tree.js'
import { OracleSession } from './oracle.js'

/** One recorded request: what a model read and what it wrote. */
export interface Recording {
  prompt: ArrayLike<number>
  response: ArrayLike<number>
  /** Recordings of one group (the same question, the same conversation) never draft from each other's answers. */
  group?: string
}

/** Nodes with about the same promised probability, and how many of them came true. */
export interface CalibrationBin {
  /** Nodes drafted. */
  nodes: number
  /** Sum of their probabilities. */
  promised: number
  /** Nodes on the path the model took. */
  kept: number
}

/** What {@link replay} measured. */
export interface ReplayReport {
  recordings: number
  /** Forwards a model would have needed; the prefill, which yields the first token, is not one of them. */
  forwards: number
  /** Tokens those forwards would have emitted. */
  tokens: number
  /** Draft nodes verified. */
  drafted: number
  /** Draft nodes accepted. */
  accepted: number
  /** Sum of all nodes' probabilities: how many tokens the drafts promised. */
  promised: number
  /** Effective decoding length: tokens per forward, bonus included. */
  edl: number
  /** Decoding length: draft nodes per forward. */
  dl: number
  /** Median time of one draft in microseconds. */
  retrievalMicros: number
  /** Time that 99 of 100 drafts stay under, in microseconds. */
  retrievalMicros99: number
  /** Most bytes that the drafter and an open request held together; 0 for a drafter that does not say. */
  bytes: number
  /** Ten bins of probability: 0–0.1, 0.1–0.2, … */
  calibration: CalibrationBin[]
}

/** One forward of a {@link replay}. */
export interface ReplayedForward {
  /** Draft nodes it verified. */
  nodes: number
  /** Tokens it emitted. */
  tokens: number
  /** Tokens read and written before it. */
  context: number
  /** Milliseconds of retrieval. */
  retrievalMs: number
}

/** Options of {@link replay}. */
export interface ReplayOptions {
  /** Most draft nodes per forward. */
  budget: number
  /** Whether answers stay unknown to later requests. Default false: what was written before is known. */
  cold?: boolean
  /** Called after every recording with how many are done. */
  onProgress?: (done: number) => void
  /** Called after every forward. */
  onForward?: (forward: ReplayedForward) => void
}

/**
 * Asks what a drafter would have saved: replays recorded requests without a model. A drafted path counts as accepted
 * for as long as the recorded response follows it, which is exactly what verification would accept.
 *
 * Recordings are replayed group by group, groups in order of their first recording. A session is closed, and its answer
 * known to others, when its group is over.
 */
export function replay(recordings: Iterable<Recording>, drafter: Drafter, options: ReplayOptions): ReplayReport {
  const tree = new DraftTree(options.budget)
  const calibration = Array.from({ length: 10 }, () => ({ nodes: 0, promised: 0, kept: 0 }))
  const times: number[] = []
  const emitted = new Int32Array(options.budget + 1)
  const report = { recordings: 0, forwards: 0, tokens: 0, drafted: 0, accepted: 0, promised: 0, bytes: 0 }
  for (const group of groupsOf(recordings)) {
    const sessions: DraftSession[] = []
    for (const { prompt, response } of group) {
      const session = drafter.open()
      sessions.push(session)
      if (session instanceof OracleSession) session.reveal(response)
      session.read(prompt)
      emitted[0] = response[0]
      session.accept(emitted, Math.min(1, response.length))
      for (let at = 1; at < response.length; ) {
        const start = performance.now()
        session.draft(tree, options.budget)
        const retrievalMs = performance.now() - start
        times.push(retrievalMs)
        const accepted = follow(tree, response, at, calibration)
        const count = Math.min(accepted + 1, response.length - at)
        for (let k = 0; k < count; k++) emitted[k] = response[at + k]
        session.accept(emitted, count)
        options.onForward?.({ nodes: tree.size, tokens: count, context: prompt.length + at, retrievalMs })
        at += count
        report.forwards++
        report.tokens += count
        report.drafted += tree.size
        report.accepted += accepted
      }
      report.bytes = Math.max(report.bytes, (drafter.byteLength ?? 0) + (session.byteLength ?? 0))
      report.recordings++
      options.onProgress?.(report.recordings)
    }
    if (!options.cold) for (const session of sessions) session.close()
  }
  for (const bin of calibration) report.promised += bin.promised
  times.sort((a, b) => a - b)
  const micros = (share: number) => (times[Math.floor(share * (times.length - 1))] ?? 0) * 1000
  return {
    ...report,
    edl: report.tokens / Math.max(1, report.forwards),
    dl: report.drafted / Math.max(1, report.forwards),
    retrievalMicros: micros(0.5),
    retrievalMicros99: micros(0.99),
    calibration,
  }
}

/** Follows `response` from `at` down the tree, counts every node in its bin, and returns how many were right. */
function follow(tree: DraftTree, response: ArrayLike<number>, at: number, bins: CalibrationBin[]): number {
  let reached = -1
  let accepted = 0
  for (let node = 0; node < tree.size; node++) {
    const probability = tree.probabilities[node]
    const bin = bins[Math.min(9, Math.floor(probability * 10))]
    bin.nodes++
    bin.promised += probability
    if (tree.parents[node] === reached && tree.tokens[node] === response[at + accepted]) {
      bin.kept++
      reached = node
      accepted++
    }
  }
  return accepted
}

/** Recordings by group, in order of each group's first recording; one without a group is a group of its own. */
export function groupsOf(recordings: Iterable<Recording>): Recording[][] {
  const groups: Recording[][] = []
  const byName = new Map<string, Recording[]>()
  for (const recording of recordings) {
    const known = recording.group === undefined ? undefined : byName.get(recording.group)
    if (known) known.push(recording)
    else {
      const group = [recording]
      groups.push(group)
      if (recording.group !== undefined) byName.set(recording.group, group)
    }
  }
  return groups
}
