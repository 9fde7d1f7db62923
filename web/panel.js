/** The panel: how an answer was made, forward by forward. Drawn at most once a frame. */
import { svg } from './svg.js'
import { drawTree } from './tree.js'
import { $, element, number, plural } from './words.js'

/** The answer that is shown: its steps and times; and T(n) of the server. */
let shown
let costs = []
/** The forward that is shown; -1: the most telling one. */
let pinned = -1
let scheduled = false

export function useCosts(measured) {
  costs = measured
  draw()
}

/** Draws soon; `then` is called after. */
export function schedule(then) {
  if (scheduled) return
  scheduled = true
  requestAnimationFrame(() => {
    scheduled = false
    draw()
    then?.()
  })
}

/** Shows one forward of an answer; -1: the most telling one. */
export function pin(answer, index) {
  for (const word of document.querySelectorAll('.near')) word.classList.remove('near')
  shown = answer
  pinned = index
  for (const word of answer?.words[index] ?? []) word.classList.add('near')
  draw()
}

export const isPinned = (answer, index) => shown === answer && pinned === index

/** Moves on from the forward that is shown. */
export function move(by) {
  if (allSteps().length > 0) pin(shown, Math.min(allSteps().length - 1, Math.max(0, current() + by)))
}

/** Shows the forward at a place of the strip. */
export function pinAt(x) {
  const count = allSteps().length
  if (count === 0) return
  pin(shown, Math.min(count - 1, Math.max(0, Math.floor(x / stripSlot($('strip').clientWidth, count)))))
}

export function draw() {
  drawFigures()
  drawStrip()
  drawTree(allSteps(), current(), pinned >= 0)
  drawHistogram()
  drawCurve()
}

const allSteps = () => shown?.steps ?? []
/** The forwards after the one that read the prompt. */
const decodeSteps = () => allSteps().slice(1).filter((step) => step.pieces.length > 0)

/** The forward that is shown: the one chosen, else the one that shows most of what drafts are. */
function current() {
  const steps = allSteps()
  if (pinned >= 0 && pinned < steps.length) return pinned
  let best = steps.length - 1
  let most = 0
  for (const [i, { tree, accepted }] of steps.entries()) {
    if (tree.length === 0) continue
    // A tree with branches tells more than a chain, and tokens that came true more than those that did not.
    const branches = tree.length - new Set(tree.map(({ parent }) => parent)).size
    const telling = 1 + accepted + (accepted > 0 ? 4 * Math.min(branches, 4) : 0)
    if (telling >= most) {
      best = i
      most = telling
    }
  }
  return best
}

/** Milliseconds of a forward of `rows` tokens, between the measured sizes by interpolation. */
function forwardMs(rows) {
  const right = costs.find((point) => point.rows >= rows) ?? costs.at(-1)
  const left = costs.findLast((point) => point.rows <= rows) ?? costs[0]
  return right.rows === left.rows ? left.ms : left.ms + ((right.ms - left.ms) * (rows - left.rows)) / (right.rows - left.rows)
}

function drawFigures() {
  const steps = allSteps()
  const list = decodeSteps()
  const sum = (of) => list.reduce((total, step) => total + of(step), 0)
  const tokens = sum((step) => step.pieces.length)
  const drafted = sum((step) => step.drafted)
  const seconds = list.length > 0 ? (list.at(-1).at - steps[0].at) / 1000 : 0
  const timings = shown?.timings
  const speed = timings?.predicted_per_second || (seconds > 0 ? tokens / seconds : 0)
  const ratio = costs.length > 0 && list.length > 0 ? (tokens * forwardMs(1)) / sum((step) => forwardMs(1 + step.drafted)) : 0
  // On a machine as busy as now, one token per forward would have been slower by the same factor.
  const plain = ratio > 0 ? speed / ratio : 0
  $('times').textContent = ratio > 0 ? `${ratio.toFixed(2)} ×` : '–'
  $('ours').textContent = speed > 0 ? `${number(speed)} tokens/s` : 'tokens/s'
  $('plain').textContent = plain > 0 ? `${number(plain)} one by one, by T(n)` : 'one by one, by T(n)'
  const most = Math.max(speed, plain, 1e-9)
  $('lane-ours').style.width = `${(100 * speed) / most}%`
  $('lane-plain').style.width = `${(100 * plain) / most}%`
  $('sofar').textContent = steps.length > 0 ? `${plural(steps.reduce((total, step) => total + step.pieces.length, 0), 'token')} in ${plural(steps.length, 'forward')}` : ''
  const mean = (of) => (list.length > 0 ? `${(sum(of) / list.length).toFixed(2)} ms` : '–')
  const show = [
    [list.length > 0 ? (tokens / list.length).toFixed(2) : '–', 'tokens per forward (EDL)'],
    [list.length > 0 ? (1 + drafted / list.length).toFixed(2) : '–', 'rows computed per forward (DL)'],
    [mean((step) => step.forward_ms), 'a forward takes (FT)'],
    [mean((step) => step.retrieval_ms), 'looking for a draft (QT)'],
    [drafted > 0 ? `${sum((step) => step.accepted)} / ${drafted}` : '–', 'drafted tokens accepted'],
    [timings ? `${timings.cache_n} / ${timings.cache_n + timings.prompt_n}` : '–', 'prompt tokens reused'],
    [timings ? `${timings.prompt_ms.toFixed(0)} ms` : '–', 'reading the prompt'],
    [timings ? `${timings.predicted_ms.toFixed(0)} ms` : '–', 'writing'],
  ]
  $('figures').replaceChildren(
    ...show.map(([value, name]) => element('div', {}, element('b', {}, value), element('span', {}, name))),
  )
}

/** One bar a forward: what it drafted in outline, what was accepted filled, the token it computed itself on top. */
function drawStrip() {
  const canvas = $('strip')
  const steps = allSteps()
  const scale = devicePixelRatio
  const width = canvas.clientWidth
  const height = canvas.clientHeight
  canvas.width = width * scale
  canvas.height = height * scale
  const paint = canvas.getContext('2d')
  paint.scale(scale, scale)
  const style = getComputedStyle(document.body)
  const colour = (name) => style.getPropertyValue(name)
  const most = Math.max(4, ...steps.map(({ drafted, pieces }) => Math.max(drafted + 1, pieces.length)))
  const slot = stripSlot(width, steps.length)
  const unit = (height - 4) / most
  const chosen = current()
  for (const [i, { drafted, accepted, pieces }] of steps.entries()) {
    const x = i * slot
    const wide = Math.max(1, slot - (slot > 4 ? 1.5 : 0))
    const bar = (from, to, fill) => {
      paint.fillStyle = fill
      paint.fillRect(x, height - to * unit, wide, (to - from) * unit)
    }
    if (i === chosen) bar(0, most + 1, colour('--line'))
    if (drafted + 1 > pieces.length) bar(pieces.length, drafted + 1, colour('--line'))
    bar(0, Math.min(accepted, pieces.length), colour('--accent'))
    if (pieces.length > accepted) bar(accepted, pieces.length, colour('--faint'))
  }
  canvas.setAttribute('aria-valuemax', Math.max(1, steps.length))
  canvas.setAttribute('aria-valuenow', chosen + 1)
}
const stripSlot = (width, count) => Math.min(14, width / Math.max(1, count))

function drawHistogram() {
  const counts = []
  for (const { pieces } of decodeSteps()) counts[pieces.length] = (counts[pieces.length] ?? 0) + 1
  const most = Math.max(1, ...counts.filter(Boolean))
  const wide = Math.max(8, counts.length - 1)
  const slot = 190 / wide
  const parts = [svg('line', { class: 'axis', x1: 5, x2: 195, y1: 97, y2: 97 })]
  for (let n = 1; n <= wide; n++) {
    const height = ((counts[n] ?? 0) / most) * 80
    if (height > 0) {
      const bar = svg('rect', { class: 'bar', x: 5 + (n - 1) * slot + 1, width: slot - 2, y: 97 - height, height, rx: 1.5 })
      bar.append(svg('title', {}, `${plural(counts[n], 'forward')} brought ${plural(n, 'token')}`))
      parts.push(bar)
      if (counts[n] === most && wide <= 16) parts.push(svg('text', { x: 5 + (n - 0.5) * slot, y: 93 - height, 'text-anchor': 'middle' }, counts[n]))
    }
    if (n === 1 || n % Math.ceil(wide / 8) === 0)
      parts.push(svg('text', { x: 5 + (n - 0.5) * slot, y: 110, 'text-anchor': 'middle' }, n))
  }
  $('histogram').replaceChildren(...parts)
}

function drawCurve() {
  if (costs.length === 0) return
  const sizes = new Map()
  for (const { drafted } of decodeSteps()) sizes.set(drafted + 1, (sizes.get(drafted + 1) ?? 0) + 1)
  const widest = costs.at(-1).rows
  const top = Math.max(...costs.map(({ ms }) => ms))
  const x = (rows) => 10 + (Math.log2(rows) / Math.max(1, Math.log2(widest))) * 180
  const y = (ms) => 97 - (ms / top) * 80
  const total = Math.max(1, ...sizes.values())
  $('curve').replaceChildren(
    svg('line', { class: 'axis', x1: 5, x2: 195, y1: 97, y2: 97 }),
    svg('polyline', { class: 'curve', points: costs.map((point) => `${x(point.rows)},${y(point.ms)}`).join(' ') }),
    ...[...sizes].map(([rows, count]) => {
      const at = Math.min(rows, widest)
      const dot = svg('circle', { class: 'dot', cx: x(at), cy: y(forwardMs(at)), r: 2 + 6 * Math.sqrt(count / total) })
      dot.append(svg('title', {}, `${plural(count, 'forward')} of ${plural(rows, 'row')}`))
      return dot
    }),
    ...costs
      .filter(({ rows }) => Number.isInteger(Math.log2(rows)))
      .map(({ rows }) => svg('text', { x: x(rows), y: 110, 'text-anchor': 'middle' }, rows)),
    svg('text', { x: 5, y: 10 }, `${top.toFixed(top < 10 ? 1 : 0)} ms for ${widest} rows, ${forwardMs(1).toFixed(2)} ms for one`),
  )
}
