import type { ContestResult, Standing } from '../contest/contest.js'
import type { Bar } from './plots.js'
import { groupedBars, linePlot, ranking } from './plots.js'
import { figure, htmlTable, type Table, thousands, times } from './table.js'

/** The figures of everyone who took part, and why the others did not. */
export function standingsTable({ standings, entries }: ContestResult): Table {
  const rows = standings.map((standing) => {
    const { contestant, tokensPerSecond, speedup, edl, dl, forwardMs, retrievalMicros, idealised } = standing
    const own = standing.edl === undefined ? '–' : undefined
    return [
      contestant,
      `${thousands(tokensPerSecond.median)}`,
      times(speedup.median),
      `${figure(speedup.least)}–${figure(speedup.most)}`,
      own ?? times(idealised),
      own ?? figure(edl),
      own ?? figure(dl),
      own ?? `${figure(forwardMs, 3)} ms`,
      own ?? `${figure(retrievalMicros, 0)} µs`,
      `${standing.identical} of ${standing.answers}`,
    ]
  })
  for (const { name, absent } of entries)
    if (absent !== undefined) rows.push([name, absent, ...Array<string>(8).fill('')])
  const strong = standings.findIndex(({ contestant }) => contestant === 'lookahead')
  const heading = ['', 'tokens/s', 'speed-up', 'spread', 'by T(n)', 'EDL', 'DL', 'FT', 'QT', 'identical']
  return { heading, rows, strong }
}

/** Speed-up by kind of question, everyone side by side. */
export function speedupPlot({ kinds, standings }: ContestResult, names: readonly string[]): string {
  const groups = [...kinds, { kind: 'all', standings }]
  return groupedBars({
    title: 'Speed-up by kind of question',
    categories: groups.map(({ kind }) => kind),
    unit: 'times conventional decoding; whiskers: slowest and fastest round',
    level: 1,
    series: names.map((name) => ({ name, bars: groups.map((group) => speedupBar(group.standings, name)) })),
  })
}

export function speedRanking(result: ContestResult, title: string, standsAlone = false): string {
  const base = result.standings.find(({ contestant }) => contestant === result.reference)!
  const rows = [...result.standings]
    .sort((a, b) => a.tokensPerSecond.median - b.tokensPerSecond.median)
    .map(({ contestant, tokensPerSecond: { median, least, most } }) => ({
      name: plainName(contestant, base.contestant),
      bar: { value: median, low: least, high: most },
      note: `${thousands(median)} tokens/s`,
      ours: contestant === 'lookahead',
    }))
  return ranking(title, rows, standsAlone)
}

/** Names for readers who have not met the others yet. */
export function plainName(contestant: string, reference: string): string {
  if (contestant === reference) return 'ours, one token per forward'
  return contestant === 'lookahead' ? 'ours, lookahead' : contestant
}

/** T(n), and which sizes were chosen. */
export function costPlot(
  cost: readonly { rows: number; ms: number }[],
  rows: readonly number[] | undefined,
  title: string,
): string {
  const single = cost.find((point) => point.rows === 1)!.ms
  const most = cost[cost.length - 1].rows
  const all = rows?.reduce((sum, count) => sum + (count ?? 0), 0) ?? 0
  const points = (rows ?? []).map((count, n): [number, number] => [n, (count ?? 0) / all])
  const shares = points.filter(([n, share]) => n > 0 && n <= most && share > 0.002)
  const free: [number, number][] = cost.map((point) => [point.rows, 1])
  return linePlot({
    title,
    x: 'rows of a forward, n',
    y: 'T(n) / T(1)',
    doubling: true,
    series: [
      { name: 'measured', points: cost.map((point) => [point.rows, point.ms / single]) },
      { name: 'if rows were free', points: free, dashed: true },
    ],
    shares: shares.length > 0 ? { name: 'share of the forwards lookahead chose', points: shares } : undefined,
  })
}

export function aboutContestants({ entries }: ContestResult): string {
  const rows = entries.map(({ name, about, version }) => [name, version ? `${about} Version ${version}.` : about])
  return htmlTable({ heading: ['', 'what it is'], rows, texts: 2 })
}

function speedupBar(standings: readonly Standing[], name: string): Bar | undefined {
  const standing = standings.find(({ contestant }) => contestant === name)
  return standing && { value: standing.speedup.median, low: standing.speedup.least, high: standing.speedup.most }
}
