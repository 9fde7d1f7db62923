// What timed answers amount to, by workload and way of decoding.

import { median, type Spread, spread, sum } from '../kit/statistics.js'

/** One record decoded in one way, in one of the processes. */
export interface ClockSample {
  workload: string
  /** Its place among the records asked. */
  record: number
  set: number
  way: string
  tokens: number
  forwards: number
  drafted: number
  decodeMs: number
  forwardMs: number
  retrievalMs: number
  /** What T(n) says: of one token per forward, and of the forwards that were done. */
  singleMs: number
  idealMs: number
  /** Share of all cores that other programs took meanwhile, where that is known. */
  others?: number
  /** Whether figures are made of it: others did not disturb it, or disturbed every one of its kind. */
  counts: boolean
}

/** One way on one workload: forwards are real, their tokens come from the record. */
export interface ClockStanding {
  name: string
  tokensPerSecond: number
  /** Conventional time over this way's time in the same process, by record: what a clock says. */
  speedup: Spread
  /** The same over all records together, the median of the processes. */
  whole: number
  /** The same by T(n) alone. */
  idealised: number
  edl: number
  dl: number
  /** FT and QT: milliseconds of a forward, microseconds of a retrieval. */
  forwardMs: number
  retrievalMicros: number
}

/**
 * A way's time on a record is compared with the conventional one of the same process, so both must count. Where others
 * disturbed all such pairs of a way on a workload, the last attempts have to do.
 */
export function settle(samples: readonly ClockSample[], reference: string): void {
  const groups = new Map<string, ClockSample[]>()
  const keyOf = ({ workload, way }: ClockSample) => `${workload} ${way}`
  for (const sample of samples) groups.set(keyOf(sample), [...(groups.get(keyOf(sample)) ?? []), sample])
  for (const own of groups.values()) {
    const base = groups.get(keyOf({ ...own[0], way: reference }))!
    if (pairsOf(own, base).length > 0) continue
    for (const some of [own, base])
      for (const sample of some) sample.counts = sample === some.filter((other) => isSamePlace(other, sample)).pop()
  }
}

function isSamePlace(a: ClockSample, b: ClockSample): boolean {
  return a.set === b.set && a.record === b.record
}

/** Samples that count, each with the one to compare it with. */
function pairsOf(own: readonly ClockSample[], base: readonly ClockSample[]): [ClockSample, ClockSample][] {
  return own.flatMap((sample): [ClockSample, ClockSample][] => {
    const partner = base.find((other) => other.counts && isSamePlace(other, sample))
    return sample.counts && partner ? [[sample, partner]] : []
  })
}

/** @param samples of one workload, settled */
export function standingOf(name: string, samples: readonly ClockSample[], reference: string): ClockStanding {
  const of = (wanted: string) => samples.filter(({ way }) => way === wanted)
  const pairs = pairsOf(of(name), of(reference))
  const own = pairs.map(([sample]) => sample)
  const sets = [...new Set(own.map(({ set }) => set))].map((set) => pairs.filter(([sample]) => sample.set === set))
  const forwards = sum(own, (sample) => sample.forwards)
  return {
    name,
    tokensPerSecond: (1000 * sum(own, ({ tokens }) => tokens)) / sum(own, ({ decodeMs }) => decodeMs),
    speedup: spread(pairs.map(([sample, conventional]) => conventional.decodeMs / sample.decodeMs)),
    whole: median(
      sets.map((ofSet) => sum(ofSet, ([, { decodeMs }]) => decodeMs) / sum(ofSet, ([{ decodeMs }]) => decodeMs)),
    ),
    idealised: sum(own, ({ singleMs }) => singleMs) / sum(own, ({ idealMs }) => idealMs),
    edl: sum(own, ({ tokens }) => tokens) / forwards,
    dl: 1 + sum(own, ({ drafted }) => drafted) / forwards,
    forwardMs: sum(own, ({ forwardMs }) => forwardMs) / forwards,
    retrievalMicros: (1000 * sum(own, ({ retrievalMs }) => retrievalMs)) / forwards,
  }
}
