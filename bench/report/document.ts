import { standingsTable } from './contests.js'
import type { Results } from './results.js'
import { figure, markdownTable, thousands, times } from './table.js'

/** The tables of `docs/benchmarks.md`: the report without its pictures. */
export function documentSection(results: Results): string {
  const { machine, model, made, size, threads } = results
  const where =
    `${machine.cpu}, ${threads} threads, ${machine.memoryGiB} GiB, Node ${machine.node}; ` +
    `${size} run of ${made.slice(0, 10)}; results and report in \`bench/results/${machine.name}/\`.`
  const parts = results.note ? [where, results.note] : [where]
  const add = (title: string, ...paragraphs: string[]) => parts.push(`### ${title}`, ...paragraphs)
  if (results.ceilings.length > 0) add('What the machine allows', ceilings(results))
  if (results.live)
    add(
      `The model answers: ${model.name}`,
      contest(results.live.tasks, results.live.rounds),
      markdownTable(standingsTable(results.live)),
    )
  if (results.peers)
    add(
      'Beside others',
      contest(results.peers.tasks, results.peers.rounds),
      markdownTable(standingsTable(results.peers)),
    )
  if (results.loops)
    add(
      `The loops alone: ${results.clock?.model ?? 'a larger shape'}, random weights`,
      markdownTable(standingsTable(results.loops)),
    )
  if (results.batch) add('Several requests at a time', batch(results))
  if (results.exactness) add('Nothing is lost', exactness(results))
  if (results.clock && results.clock.workloads.length > 0)
    add(`On the clock: ${results.clock.model}, random weights, recorded answers`, clock(results))
  for (const budget of new Set(results.replay?.rows.map((row) => row.budget)))
    add(`Replayed: EDL with ${budget} nodes, warm / cold`, replay(results, budget))
  return parts.join('\n\n')
}

function contest(tasks: number, rounds: number): string {
  return `${tasks} questions, ${rounds} rounds.`
}

function ceilings({ ceilings: known, machine }: Results): string {
  const rows = known.map(({ model, weightBytes, readMs, readTokensPerSecond, singleMs, bestRows, bestSpeedup }) => [
    model,
    `${(weightBytes / 1e6).toFixed(0)} MB`,
    `${figure(readMs)} ms`,
    thousands(readTokensPerSecond),
    `${figure(singleMs)} ms`,
    `${times(bestSpeedup)} at n = ${bestRows}`,
  ])
  const heading = [
    '',
    'weights',
    `read once at ${figure(machine.bandwidth, 1)} GB/s`,
    'so tokens/s',
    'T(1)',
    'every draft right',
  ]
  return markdownTable({ heading, rows })
}

function batch({ batch: points = [] }: Results): string {
  const rows = points.map(({ slots, conventional, lookahead, speedup, identical, answers }) => [
    String(slots),
    thousands(conventional.median),
    thousands(lookahead.median),
    times(speedup.median),
    `${figure(speedup.least)}–${figure(speedup.most)}`,
    `${identical} of ${answers}`,
  ])
  return markdownTable({ heading: ['requests', 'conventional', 'lookahead', 'speed-up', 'spread', 'identical'], rows })
}

function exactness({ exactness: result }: Results): string {
  const { answers, identical, rows, equalRows, accepted } = result!
  return (
    `${equalRows} of ${rows} rows of logits equal bit for bit, ${identical} of ${answers} answers identical, ` +
    `${accepted} tokens from drafts of 16 nodes.`
  )
}

function clock({ clock: result }: Results): string {
  const { workloads } = result!
  const names = workloads[0].standings.slice(1).map(({ name }) => name)
  const rows = workloads.map(({ workload, records, standings }) => {
    const cells = standings.slice(1).map(({ whole, idealised }) => `${times(whole)} (${figure(idealised)})`)
    return [`${workload} (${records})`, ...cells, figure(standings.find(({ name }) => name === 'lookahead')?.edl)]
  })
  return markdownTable({ heading: ['workload (records)', ...names, 'EDL of lookahead'], rows })
}

function replay({ replay: result }: Results, budget: number): string {
  const ofBudget = result!.rows.filter((row) => row.budget === budget)
  const drafters = [...new Set(ofBudget.map(({ drafter }) => drafter))]
  const rows = [...new Set(ofBudget.map(({ workload }) => workload))].map((workload) => {
    const edl = (drafter: string, warm: boolean) =>
      figure(ofBudget.find((r) => r.workload === workload && r.drafter === drafter && r.warm === warm)?.edl)
    const { requests } = ofBudget.find((row) => row.workload === workload)!
    return [`${workload} (${requests})`, ...drafters.map((drafter) => `${edl(drafter, true)} / ${edl(drafter, false)}`)]
  })
  return markdownTable({ heading: ['workload (requests)', ...drafters], rows })
}
