import type { ContestResult } from '../contest/contest.js'
import type { ReplayCurves, ReplayResult, ReplayRow } from '../replays.js'
import { aboutContestants, costPlot, speedRanking, speedupPlot, standingsTable } from './contests.js'
import { groupedBars, heatMap, linePlot } from './plots.js'
import type { Results } from './results.js'
import { escapeXml, palette, shared } from './svg.js'
import { figure, htmlTable, thousands, times } from './table.js'

/** The report as one page that needs nothing else. */
export function renderPage(results: Results): string {
  const { machine, model, made, size, threads } = results
  const title = `Lookahead on ${machine.name}`
  const facts = [
    `${machine.cpu}, ${threads} of ${machine.cores} cores, ${machine.memoryGiB} GiB, ${machine.platform}`,
    `Node ${machine.node}, lookahead-llm ${machine.version}${machine.commit ? ` at ${machine.commit}` : ''}`,
    `${model.name} (${model.file}, ${(model.parameters / 1e6).toFixed(1)} M parameters)`,
    ...(results.note ? [results.note] : []),
    `${size} run of ${made.slice(0, 16).replace('T', ' ')} UTC, ${thousands(total(results))} s`,
  ]
  const sections = [ceilings, live, peers, batch, exactness, clock, replay].map((section) => section(results)).join('')
  const rest = `<p>Raw samples of every answer: <code>results.json</code> beside this page. How it was measured, and what
    it does and does not show: <code>docs/benchmarks.md</code>.</p>`
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark"><title>${escapeXml(title)}</title><style>${palette(':root')}${shared}${style}</style>
</head><body><main><h1>${escapeXml(title)}</h1><ul class="facts">${facts.map((fact) => `<li>${escapeXml(fact)}</li>`).join('')}</ul>
${sections}${rest}</main></body></html>\n`
}

const style = [
  'body{margin:0;background:var(--page);color:var(--ink);font:15px/1.55 system-ui,-apple-system,"Segoe UI",sans-serif}',
  'main{max-width:840px;margin:0 auto;padding:32px 20px 64px}h1{font-size:26px;margin:0 0 8px}',
  'h2{font-size:19px;margin:44px 0 6px;padding-top:12px;border-top:1px solid var(--line)}h3{font-size:15px;margin:26px 0 4px}',
  'p{margin:6px 0 12px;max-width:70ch}.facts{list-style:none;padding:0;color:var(--soft);font-size:13.5px;line-height:1.5}',
  '.scroll{overflow-x:auto;margin:10px 0}table{border-collapse:collapse;font-size:13px;font-variant-numeric:tabular-nums}',
  'th,td{padding:4px 10px;text-align:right;border-bottom:1px solid var(--line);white-space:nowrap}',
  '.text{text-align:left}th:first-child,td:first-child{padding-left:0}th{color:var(--soft);font-weight:500}',
  'tr.strong td{font-weight:650;color:var(--s0)}.plot{display:block;margin:12px 0}code{font-size:13px}',
  '.about td{white-space:normal}',
].join('')

function ceilings({ ceilings: known }: Results): string {
  if (known.length === 0) return ''
  const rows = known.map(({ model, weightBytes, readMs, readTokensPerSecond, singleMs, bestRows, bestSpeedup }) => [
    model,
    `${(weightBytes / 1e6).toFixed(1)} MB`,
    `${figure(readMs, 2)} ms`,
    thousands(readTokensPerSecond),
    `${figure(singleMs, 2)} ms`,
    thousands(1000 / singleMs),
    `${times(bestSpeedup)} at n = ${bestRows}`,
  ])
  const heading = ['', 'weights', 'read once', 'so tokens/s', 'T(1)', 'so tokens/s', 'every draft right']
  const { bandwidth } = known[0]
  return `<h2>What the machine allows</h2><p>Before anything clever: a forward reads every weight once, at
    ${bandwidth.toFixed(1)} GB/s when they come from memory, faster when they fit into the caches; and a forward of n rows
    takes T(n). No way of drafting gets past n × T(1) / T(n).</p>${htmlTable({ heading, rows })}`
}

function live({ live: result }: Results): string {
  if (!result) return ''
  const cost = result.entries[0].cost
  const lookahead = result.entries.find(({ name }) => name === 'lookahead')
  const names = [
    'lookahead',
    'lookahead, 16 nodes',
    "paper's trie",
    "paper's trie, 64 nodes",
    'prompt lookup, 10 tokens',
  ]
  return `<h2>The model answers</h2><p>${result.tasks} questions with retrieved documents, ${result.rounds} rounds,
    ${result.sets > 1 ? `${result.sets} sets of fresh processes, ` : ''}every way in a process of its own, in turns. tokens/s: after each answer's first token, median of the rounds. Speed-up: against conventional decoding
    of the same round. By T(n): the same if every forward took exactly what it took when measured at load.</p>
    ${htmlTable(standingsTable(result))}${speedupPlot(result, names)}
    ${cost ? `<h3>What a forward costs, and the sizes lookahead chose</h3>${costPlot(cost, lookahead?.rows, 'T(n)')}` : ''}
    <h3>Who is who</h3><div class="about">${aboutContestants(result)}</div>`
}

function peers({ peers: result, loops, clock: timed }: Results): string {
  if (!result) return ''
  return `<h2>Beside others</h2><p>The same model file, the same prompts as tokens, as many tokens, the same threads, in
    turns: ${result.tasks} questions, ${result.rounds} rounds. Whiskers: slowest and fastest round. "Identical": to our
    conventional decoding, which is bit-exact; others may differ at near ties, for their arithmetic does.</p>
    ${speedRanking(result, 'Tokens per second')}${htmlTable(standingsTable(result))}
    <div class="about">${aboutContestants(result)}</div>${loops ? loopsOf(loops, timed?.model) : ''}`
}

function loopsOf(loops: ContestResult, model = 'a larger shape'): string {
  return `<h3>The loops alone</h3><p>Nobody drafts; ${escapeXml(model)}, random weights, so that a forward takes as long as
    a real one of this shape.</p>${htmlTable(standingsTable(loops))}`
}

function batch({ batch: points }: Results): string {
  if (!points) return ''
  const rows = points.map(({ slots, conventional, lookahead, speedup, identical, answers }) => [
    String(slots),
    thousands(conventional.median),
    thousands(lookahead.median),
    times(speedup.median),
    `${figure(speedup.least)}–${figure(speedup.most)}`,
    `${identical} of ${answers}`,
  ])
  const heading = ['requests at a time', 'conventional', 'lookahead', 'speed-up', 'spread', 'identical']
  return `<h2>Several requests at a time</h2><p>Tokens per second of all together, prompts included. The more requests
    share a forward, the less room is left for drafts: batching and drafting use the same idle arithmetic.</p>
    ${htmlTable({ heading, rows })}`
}

function exactness({ exactness: result, live: contest }: Results): string {
  if (!result) return ''
  const { answers, identical, rows, equalRows, accepted } = result
  const all = contest?.standings.filter(({ edl }) => edl !== undefined) ?? []
  const [same, compared] = [all.reduce((n, s) => n + s.identical, 0), all.reduce((n, s) => n + s.answers, 0)]
  const liveLine = compared > 0 ? ` In the contest above ${same} of ${compared} answers were the reference's.` : ''
  return `<h2>Nothing is lost</h2><p>${answers} answers decoded conventionally and with trees of 16 nodes, comparing the
    logits behind every token bit by bit: <b>${equalRows} of ${rows} rows equal</b>, ${identical} of ${answers} answers
    identical, ${accepted} tokens from drafts.${liveLine}</p>`
}

function clock({ clock: result }: Results): string {
  if (!result || result.workloads.length === 0) return ''
  const { model, threads, exactness: level, cost, workloads, rows } = result
  const names = workloads[0].standings.slice(1).map(({ name }) => name)
  const bars = groupedBars({
    title: 'Speed-up on recorded answers',
    categories: workloads.map(({ workload }) => workload),
    unit: 'times conventional decoding; whiskers: quarters of the records',
    level: 1,
    series: names.map((name) => ({
      name,
      bars: workloads.map(({ standings }) => {
        const { whole, speedup } = standings.find((standing) => standing.name === name)!
        return { value: whole, low: Math.min(whole, speedup.lower), high: Math.max(whole, speedup.upper) }
      }),
    })),
  })
  const tableRows = workloads.flatMap(({ workload, records, standings }) =>
    standings
      .slice(1)
      .map(({ name, whole, speedup, idealised, edl, dl }) => [
        `${workload} (${records})`,
        name,
        times(whole),
        `${figure(speedup.least)}–${figure(speedup.most)}`,
        times(idealised),
        figure(edl),
        figure(dl),
      ]),
  )
  const heading = ['workload (records)', '', 'speed-up', 'spread', 'by T(n)', 'EDL', 'DL']
  return `<h2>A real shape on the clock</h2><p>${escapeXml(model)}, random weights, ${threads} threads, ${escapeXml(level)}:
    every forward is done, the tokens it "chooses" are those of recorded answers. Real time beside the one that T(n)
    alone would give: Σ T(1) / Σ T(n).</p>${bars}${htmlTable({ heading, rows: tableRows, texts: 2 })}
    <h3>What a forward of it costs, and the sizes lookahead chose</h3>${costPlot(cost, rows, 'T(n)')}`
}

function replay({ replay: result }: Results): string {
  if (!result || result.rows.length === 0) return ''
  const budgets = [...new Set(result.rows.map(({ budget }) => budget))]
  const tables = budgets.map((budget) => `<h3>${budget} draft nodes per forward</h3>${replayTable(result, budget)}`)
  const most = budgets[budgets.length - 1]
  const plots = [
    ...result.budgets.map((curves) =>
      curvePlot(curves, 'tokens per forward by draft budget', 'draft nodes', 'EDL', true),
    ),
    ...result.learning.map((curves) =>
      curvePlot(curves, 'how it learns', 'answers of earlier requests known', 'EDL', true, false),
    ),
    ...result.depths.map((curves) =>
      curvePlot(curves, 'how deep drafts come true', 'depth in the draft', 'share of forwards'),
    ),
    ...result.grids.map(({ workload, decodingLengths, branchLengths, edl }) => {
      const map = { title: "The paper's grid", x: 'decoding length', y: 'branch length' }
      const drawn = heatMap({ ...map, columns: decodingLengths, rows: branchLengths, values: edl })
      return `<h3>${escapeXml(workload)}: the paper's grid, EDL of its trie</h3>${drawn}`
    }),
  ]
  return `<h2>Recorded answers, replayed</h2><p>How many forwards drafts would have saved, if every forward may verify so
    many nodes: a draft counts for as long as the recorded answer follows it. The oracle sees the answer and continues the
    best earlier place of the last token: no drafter that looks up the last token gets past it. Warm: answers of earlier
    requests are known. Waste: nodes verified in vain.</p>${edlPlot(result.rows, most)}${tables.join('')}
    <h3>What drafts cost</h3>${wasteTable(result)}${plots.join('')}`
}

function edlPlot(rows: readonly ReplayRow[], budget: number): string {
  const warm = rows.filter((row) => row.warm && row.budget === budget)
  const workloads = [...new Set(warm.map(({ workload }) => workload))]
  const drafters = [...new Set(warm.map(({ drafter }) => drafter))]
  const edlOf = (workload: string, drafter: string) =>
    warm.find((row) => row.workload === workload && row.drafter === drafter)!.edl
  return `<h3>EDL with ${budget} nodes, warm</h3>${groupedBars({
    title: 'EDL by workload',
    categories: workloads,
    unit: 'tokens per forward',
    level: 1,
    series: drafters.map((name) => ({ name, bars: workloads.map((workload) => ({ value: edlOf(workload, name) })) })),
  })}`
}

/** EDL of every drafter, warm and cold. */
function replayTable({ rows }: ReplayResult, budget: number): string {
  const ofBudget = rows.filter((row) => row.budget === budget)
  const drafters = [...new Set(ofBudget.map(({ drafter }) => drafter))]
  const workloads = [...new Set(ofBudget.map(({ workload }) => workload))]
  const heading = ['EDL warm / cold', ...drafters, 'requests', 'tokens']
  const lines = workloads.map((workload) => {
    const ofWorkload = ofBudget.filter((row) => row.workload === workload)
    const edl = (drafter: string, warm: boolean) =>
      figure(ofWorkload.find((row) => row.drafter === drafter && row.warm === warm)?.edl)
    const { requests, tokens } = ofWorkload[0]
    const counts = [thousands(requests), thousands(tokens)]
    return [workload, ...drafters.map((drafter) => `${edl(drafter, true)} / ${edl(drafter, false)}`), ...counts]
  })
  return htmlTable({ heading, rows: lines })
}

/** What drafts cost: means over the workloads. */
function wasteTable({ rows }: ReplayResult): string {
  const kinds = [...new Set(rows.map(({ drafter, budget }) => `${budget} ${drafter}`))]
  const lines = kinds.map((kind) => {
    const own = rows.filter(({ drafter, budget, warm }) => warm && `${budget} ${drafter}` === kind)
    const mean = (of: (row: ReplayRow) => number) => own.reduce((total, row) => total + of(row), 0) / own.length
    return [
      own[0].drafter,
      String(own[0].budget),
      figure(1 + mean(({ dl }) => dl)),
      `${Math.round(100 * mean(({ waste }) => waste))} %`,
      `${figure(
        mean(({ retrievalMicros }) => retrievalMicros),
        1,
      )} µs`,
      `${figure(
        mean(({ retrievalMicros99 }) => retrievalMicros99),
        0,
      )} µs`,
    ]
  })
  const heading = ['mean over the workloads, warm', 'nodes', 'DL', 'waste', 'QT median', 'QT p99']
  return htmlTable({ heading, rows: lines })
}

function curvePlot(
  curves: ReplayCurves,
  what: string,
  x: string,
  y: string,
  doubling = false,
  fromZero = true,
): string {
  const heading = `<h3>${escapeXml(curves.workload)}: ${what}</h3>`
  return heading + linePlot({ title: what, x, y, series: curves.series, doubling, fromZero })
}

function total({ seconds }: Results): number {
  return Object.values(seconds).reduce((sum, value) => sum + value, 0)
}
