/**
 * Do drafts promise what they keep? Nodes by promised probability, and how many of them the model really chose: on
 * recorded answers, and live on a model. The reliability diagram of docs/cost.md.
 *
 *     npm run bench -- reliability --traces FILE… --vocabulary qwen2.gguf --svg docs/reliability.svg
 */
import { writeFileSync } from 'node:fs'
import { formatTable } from '../src/cli/terminal.js'
import { RetrievalDrafter } from '../src/draft/retrieval.js'
import { Engine } from '../src/engine/engine.js'
import { type CalibrationBin, replay } from '../src/rivals/replay.js'
import { readArguments, refuse } from './kit/arguments.js'
import { embeddedModel } from './kit/embedded.js'
import { openSpelling, readWorkloads } from './kit/recordings.js'
import { groundedQuestions } from './kit/workloads.js'
import { element, label, picture, seriesColour } from './report/svg.js'

/** Bins of one tenth. */
type Bins = CalibrationBin[]

/** Fewer nodes say nothing: such bins are neither drawn nor counted in the error. */
const leastNodes = 50

const { values, positionals } = readArguments(
  'reliability',
  {
    traces: {
      type: 'string',
      multiple: true,
      default: [],
      value: 'FILE…',
      help: 'JSONL of prompts and answers, gzipped or not; without it only the live part is made',
    },
    vocabulary: { type: 'string', value: 'FILE', help: 'GGUF whose tokeniser splits them' },
    requests: { type: 'string', default: '60', value: 'N', help: 'of each workload' },
    nodes: { type: 'string', default: '16', value: 'N', help: 'draft nodes of every forward' },
    model: { type: 'string', value: 'FILE', help: 'GGUF that answers live (default: the embedded model)' },
    questions: { type: 'string', default: '60', value: 'N', help: 'it answers' },
    svg: { type: 'string', value: 'FILE', help: 'draw the diagram into this file' },
  },
  { name: 'FILE…', help: 'more traces' },
)
const [requests, nodes, questions] = [values.requests, values.nodes, values.questions].map(Number)
const files = [...values.traces, ...positionals]
if (files.length > 0 && values.vocabulary === undefined) refuse('reliability', '--traces needs --vocabulary FILE')

const series: { name: string; bins: Bins }[] = []
if (values.vocabulary !== undefined) {
  const limits = { requests, promptTokens: 8192, answerTokens: 256 }
  const spelling = await openSpelling(values.vocabulary)
  for (const { name, recordings } of await readWorkloads(files, values.vocabulary, limits))
    series.push({ name, bins: replay(recordings, new RetrievalDrafter({ spelling }), { budget: nodes }).calibration })
  const all = emptyBins()
  for (const { bins } of series) for (const [i, bin] of bins.entries()) add(all[i], bin)
  series.push({ name: 'all recorded', bins: all })
}
series.push({ name: 'live', bins: await answerLive() })

const percent = (share: number) => `${(100 * share).toFixed(0)} %`
const observed = ({ kept, nodes: count }: CalibrationBin) => (count < leastNodes ? '–' : percent(kept / count))
const total = (bins: Bins, of: (bin: CalibrationBin) => number) => bins.reduce((sum, bin) => sum + of(bin), 0)
const rows = series.map(({ name, bins }) => [
  name,
  String(total(bins, (bin) => bin.nodes)),
  ...bins.map(observed),
  `${(100 * errorOf(bins)).toFixed(1)} %`,
  (total(bins, (bin) => bin.kept) / total(bins, (bin) => bin.promised)).toFixed(2),
])
const heads = series[0].bins.map((_, i) => `${i * 10}–${i * 10 + 10} %`)
console.log(formatTable([['promised', 'nodes', ...heads, 'error', 'kept / promised'], ...rows]).join('\n'))
if (values.svg !== undefined) writeFileSync(values.svg, `${draw()}\n`)
console.log(JSON.stringify({ nodes, requests, questions, series }))

/** Grounded questions, answered greedily with this many nodes drafted in every forward. */
async function answerLive(): Promise<Bins> {
  const bins = emptyBins()
  await using engine = await Engine.load({ model: values.model ?? embeddedModel })
  for (const { question, documents } of groundedQuestions(questions)) {
    const messages = [{ role: 'user' as const, content: question }]
    const answer = engine.chat({ messages, documents, maxTokens: 160, draft: nodes, explain: true })
    for await (const { tree = [] } of answer)
      for (const { probability, accepted } of tree)
        add(bins[binOf(probability)], { nodes: 1, promised: probability, kept: accepted ? 1 : 0 })
  }
  return bins
}

function emptyBins(): Bins {
  return Array.from({ length: 10 }, () => ({ nodes: 0, promised: 0, kept: 0 }))
}

function binOf(probability: number): number {
  return Math.min(9, Math.floor(probability * 10))
}

function add(bin: CalibrationBin, more: CalibrationBin): void {
  bin.nodes += more.nodes
  bin.promised += more.promised
  bin.kept += more.kept
}

/** Expected calibration error: how far observed shares lie from promised ones, weighted by nodes. */
function errorOf(bins: Bins): number {
  const counted = bins.filter((bin) => bin.nodes >= leastNodes)
  return (
    total(counted, ({ promised, kept }) => Math.abs(promised - kept)) /
    Math.max(
      1,
      total(counted, (bin) => bin.nodes),
    )
  )
}

/** Observed over promised; what is promised honestly lies on the diagonal. */
function draw(): string {
  const [size, left, top] = [360, 56, 34]
  const x = (share: number) => left + share * size
  const y = (share: number) => top + (1 - share) * size
  const parts: string[] = []
  for (const share of [0, 0.25, 0.5, 0.75, 1]) {
    parts.push(element('line', { x1: x(0), x2: x(1), y1: y(share), y2: y(share), class: 'grid' }))
    parts.push(element('line', { x1: x(share), x2: x(share), y1: y(0), y2: y(1), class: 'grid' }))
    parts.push(label(left - 8, y(share) + 4, percent(share), { anchor: 'end', className: 'soft' }))
    parts.push(label(x(share), y(0) + 18, percent(share), { className: 'soft' }))
  }
  parts.push(element('line', { x1: x(0), y1: y(0), x2: x(1), y2: y(1), class: 'axis', 'stroke-dasharray': '4 4' }))
  parts.push(label(x(0.5), y(0) + 38, 'promised'), label(16, y(0.5), 'came true', { turn: -90 }))
  const drawn = series.filter(({ bins }) => bins.some((bin) => bin.nodes >= leastNodes))
  for (const [s, { name, bins }] of drawn.entries()) {
    const isSum = name === 'live' || name === 'all recorded'
    const places = bins
      .filter((bin) => bin.nodes >= leastNodes)
      .map((bin) => [x(bin.promised / bin.nodes), y(bin.kept / bin.nodes)])
    const points = places.map(([a, b]) => `${a.toFixed(1)},${b.toFixed(1)}`).join(' ')
    const stroke = isSum ? 'var(--ink)' : seriesColour(s)
    const dashes = name === 'live' ? { 'stroke-dasharray': '7 4' } : {}
    parts.push(element('polyline', { points, fill: 'none', stroke, 'stroke-width': isSum ? 2.5 : 1.2, ...dashes }))
    for (const [cx, cy] of places) parts.push(element('circle', { cx, cy, r: isSum ? 4 : 2, fill: stroke }))
    const [lineX, lineY] = [x(1) + 20, top + 6 + s * 20]
    const key = { x1: lineX, x2: lineX + 14, y1: lineY, y2: lineY, stroke, 'stroke-width': isSum ? 2.5 : 3 }
    parts.push(element('line', { ...key, ...dashes }))
    parts.push(label(x(1) + 38, top + 10 + s * 20, name, { anchor: 'start', className: isSum ? 'strong' : undefined }))
  }
  const title = `What drafts of ${nodes} nodes promise, and what comes true`
  parts.push(label(left, 20, title, { anchor: 'start', className: 'strong' }))
  return picture(left + size + 160, top + size + 52, title, parts.join(''), true)
}
