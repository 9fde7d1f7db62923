// The plots of the report.

import { element, label, picture, seriesColour, widthOf } from './svg.js'

/** A value with the ends of its spread, if they are known. */
export interface Bar {
  value: number
  low?: number
  high?: number
  /** Another value to set beside it, drawn as a dot. */
  dot?: number
}

/** Bars in groups: one group per category, one bar per series. */
export interface GroupedBars {
  title: string
  categories: string[]
  /** `undefined` where a series has no value. */
  series: { name: string; bars: (Bar | undefined)[] }[]
  unit: string
  /** A level to compare with, e.g. 1 ×. */
  level?: number
  /** Index of the series that gets our colour. Default 0. */
  ours?: number
}

const width = 760
const left = 52
const right = 14

export function groupedBars({ title, categories, series, unit, level, ours = 0 }: GroupedBars): string {
  const colours = coloursOf(series.length, ours)
  const legend = drawLegend(
    series.map(({ name }) => name),
    colours,
  )
  // Room for figures that stand upright above the highest bar.
  const top = legend.height + 62
  const group = (width - left - right) / categories.length
  const slants = categories.some((category) => fold(category, group).some((line) => lineLength(group) < line.length))
  const bottom = top + 216
  const height = bottom + (slants ? 20 + 3.6 * Math.max(...categories.map(({ length }) => length)) : 46)
  const most = Math.max(
    level ?? 0,
    ...series.flatMap(({ bars }) => bars.map((bar) => Math.max(bar?.high ?? bar?.value ?? 0, bar?.dot ?? 0))),
  )
  const ticks = niceTicks(0, most)
  const scale = linear(0, ticks[ticks.length - 1], bottom, top)
  const crowded = categories.length > 6
  const barWidth = Math.min(44, (group * 0.82) / series.length)
  const parts = [legend.content, yAxis(ticks, scale, unit, legend.height + 22)]
  for (const [c, category] of categories.entries()) {
    const middle = left + group * (c + 0.5)
    if (slants) parts.push(label(middle + 5, bottom + 15, category, { anchor: 'end', size: 11, turn: -32 }))
    else
      for (const [l, line] of fold(category, group).entries())
        parts.push(label(middle, bottom + 18 + 14 * l, line, { size: crowded ? 11 : 12 }))
    for (const [s, { bars }] of series.entries()) {
      const bar = bars[c]
      if (!bar) continue
      const x = middle + (s - series.length / 2) * barWidth
      const y = scale(bar.value)
      parts.push(element('rect', { x: x + 1, y, width: barWidth - 2, height: bottom - y, rx: 2, fill: colours[s] }))
      const peak = drawWhisker(parts, x + barWidth / 2, bar, scale)
      if (bar.dot !== undefined)
        parts.push(element('circle', { cx: x + barWidth / 2, cy: scale(bar.dot), r: 3, class: 'dot' }))
      const tops = [y, peak, ...(bar.dot === undefined ? [] : [scale(bar.dot) - 3])]
      parts.push(
        barLabel(x + barWidth / 2, { bottom, y, above: Math.min(...tops), barWidth, text: hundredths(bar.value) }),
      )
    }
  }
  if (level !== undefined) parts.push(levelLine(scale(level)))
  return picture(width, height, title, parts.join(''))
}

/** Lines over a scale; the abscissa may double from tick to tick. */
export interface LinePlot {
  title: string
  x: string
  y: string
  series: { name: string; points: readonly (readonly [number, number])[]; dashed?: boolean }[]
  doubling?: boolean
  /** Shares of something by x, drawn as faint bars below the lines. */
  shares?: { name: string; points: readonly (readonly [number, number])[] }
  fromZero?: boolean
}

export function linePlot({ title, x, y, series, doubling = false, shares, fromZero = true }: LinePlot): string {
  const names = series.map(({ name }) => name)
  const legend = drawLegend(shares ? [...names, shares.name] : names)
  const top = legend.height + 38
  const height = top + 270
  const bottom = height - 46
  const points = series.flatMap((line) => line.points)
  const xs = [...new Set([...points, ...(shares?.points ?? [])].map(([at]) => at))].sort((a, b) => a - b)
  const least = fromZero ? 0 : Math.min(...points.map(([, value]) => value))
  const yTicks = niceTicks(least, Math.max(...points.map(([, value]) => value)))
  const yScale = linear(yTicks[0], yTicks[yTicks.length - 1], bottom, top)
  const warp = doubling ? (at: number) => Math.log2(at + (xs[0] === 0 ? 1 : 0)) : (at: number) => at
  const spanX = linear(warp(xs[0]), warp(xs[xs.length - 1]), left + 16, width - right - 16)
  const xScale = (at: number) => spanX(warp(at))
  const parts = [legend.content, yAxis(yTicks, yScale, y)]
  const xTicks = doubling
    ? thinned(xs, (at) => xScale(at))
    : niceTicks(xs[0], xs[xs.length - 1]).filter((at) => at >= xs[0] && at <= xs[xs.length - 1])
  for (const at of xTicks) parts.push(label(xScale(at), bottom + 17, String(at), { className: 'soft' }))
  parts.push(label((left + width) / 2, bottom + 36, x, { className: 'soft' }))
  // Figures of the shares stand before the lines.
  const marks: string[] = []
  if (shares) {
    const most = Math.max(...shares.points.map(([, share]) => share))
    for (const [at, share] of shares.points) {
      const tall = (share / most) * (bottom - top) * 0.5
      const attributes = { x: xScale(at) - 7, y: bottom - tall, width: 14, height: tall, rx: 2 }
      parts.push(element('rect', { ...attributes, fill: seriesColour(series.length), opacity: 0.35 }))
      const text = `${Math.round(100 * share)} %`
      if (share >= 0.04) marks.push(label(xScale(at), bottom - tall - 4, text, { className: 'halo', size: 10 }))
    }
  }
  for (const [s, { points: line, dashed }] of series.entries()) {
    const path = line.map(([at, value], i) => `${i ? 'L' : 'M'}${xScale(at).toFixed(1)} ${yScale(value).toFixed(1)}`)
    const stroke = { stroke: seriesColour(s), 'stroke-width': 2, 'stroke-dasharray': dashed ? '5 4' : undefined }
    parts.push(element('path', { d: path.join(''), fill: 'none', ...stroke }))
    if (!dashed)
      for (const [at, value] of line)
        parts.push(element('circle', { cx: xScale(at), cy: yScale(value), r: 3, fill: seriesColour(s) }))
  }
  parts.push(...marks)
  return picture(width, height, title, parts.join(''))
}

/** A grid of values, darker where they are larger. */
export interface HeatMap {
  title: string
  x: string
  y: string
  columns: (string | number)[]
  rows: (string | number)[]
  /** By row, then column. */
  values: number[][]
}

export function heatMap({ title, x, y, columns, rows, values }: HeatMap): string {
  // Two of them fit side by side.
  const cell = { width: Math.min(48, (width - left - 40) / columns.length), height: 32 }
  const begin = left + 30
  const top = 34
  const height = top + rows.length * cell.height + 46
  const all = values.flat()
  const [least, most] = [Math.min(...all), Math.max(...all)]
  const parts = [label(14, 20, title, { anchor: 'start', className: 'strong', size: 12.5 })]
  for (const [r, row] of rows.entries()) {
    const middle = top + (r + 0.5) * cell.height
    parts.push(label(begin - 8, middle + 4, String(row), { anchor: 'end', className: 'soft' }))
    for (const [c] of columns.entries()) {
      const value = values[r][c]
      const share = most > least ? (value - least) / (most - least) : 1
      const place = { x: begin + c * cell.width + 1, y: top + r * cell.height + 1 }
      const fill = { fill: 'rgb(var(--heat))', 'fill-opacity': 0.08 + 0.62 * share }
      parts.push(element('rect', { ...place, width: cell.width - 2, height: cell.height - 2, rx: 3, ...fill }))
      const className = value === most ? 'strong' : undefined
      parts.push(label(begin + (c + 0.5) * cell.width, middle + 4, value.toFixed(2), { className }))
    }
  }
  const below = top + rows.length * cell.height
  for (const [c, column] of columns.entries())
    parts.push(label(begin + (c + 0.5) * cell.width, below + 16, String(column), { className: 'soft' }))
  parts.push(label(begin + (columns.length * cell.width) / 2, below + 36, x, { className: 'soft' }))
  parts.push(label(14, top + (rows.length * cell.height) / 2, y, { className: 'soft', turn: -90 }))
  return picture(begin + columns.length * cell.width + right, height, title, parts.join(''))
}

/** One bar per line with its name before it; the first colour for `ours`, grey for the rest. */
export function ranking(
  title: string,
  rows: readonly { name: string; bar: Bar; note: string; ours?: boolean }[],
  standsAlone = false,
): string {
  const names = 24 + Math.max(...rows.map(({ name }) => widthOf(name)))
  const notes = 24 + Math.max(...rows.map(({ note }) => widthOf(note)))
  const top = 40
  const height = top + rows.length * 30 + 14
  const most = Math.max(...rows.map(({ bar }) => bar.high ?? bar.value))
  const scale = linear(0, most, names, width - notes)
  const parts = [label(16, 24, title, { anchor: 'start', className: 'strong', size: 13.5 })]
  for (const [i, { name, bar, note, ours = false }] of rows.entries()) {
    const middle = top + 30 * (i + 0.5)
    const className = ours ? 'strong' : undefined
    const fill = seriesColour(ours ? 0 : 1)
    parts.push(label(names - 10, middle + 4, name, { anchor: 'end', className }))
    parts.push(element('rect', { x: names, y: middle - 9, width: scale(bar.value) - names, height: 18, rx: 2, fill }))
    if (bar.low !== undefined && bar.high !== undefined) {
      const d = `M${scale(bar.low).toFixed(1)} ${middle}H${scale(bar.high).toFixed(1)}`
      parts.push(element('path', { d, class: 'whisker' }))
    }
    parts.push(label(scale(bar.high ?? bar.value) + 8, middle + 4, note, { anchor: 'start', className }))
  }
  return picture(width, height, title, parts.join(''), standsAlone)
}

/** The first colour for ours, the others in order for the rest. */
function coloursOf(count: number, ours: number): string[] {
  let next = 1
  return Array.from({ length: count }, (_, s) => seriesColour(s === ours ? 0 : next++))
}

function drawLegend(
  names: readonly string[],
  colours: readonly string[] = names.map((_, s) => seriesColour(s)),
): { content: string; height: number } {
  const parts: string[] = []
  let x = left
  let y = 14
  for (const [s, name] of names.entries()) {
    const wide = 26 + widthOf(name)
    if (x + wide > width - right && x > left) {
      x = left
      y += 20
    }
    parts.push(element('rect', { x, y: y - 9, width: 11, height: 11, rx: 2, fill: colours[s] }))
    parts.push(label(x + 16, y + 1, name, { anchor: 'start' }))
    x += wide
  }
  return { content: parts.join(''), height: y }
}

function yAxis(
  ticks: readonly number[],
  scale: (value: number) => number,
  unit: string,
  unitAt = scale(ticks[ticks.length - 1]) - 12,
): string {
  const parts = ticks.map((tick, i) => {
    const d = `M${left} ${scale(tick).toFixed(1)}H${width - right}`
    return (
      element('path', { d, class: i === 0 ? 'axis' : 'grid' }) +
      label(left - 8, scale(tick) + 4, short(tick), { anchor: 'end', className: 'soft' })
    )
  })
  parts.push(label(left - 40, unitAt, unit, { anchor: 'start', className: 'soft' }))
  return parts.join('')
}

/** The figure of a bar: at its foot where that is tall enough, so that nobody takes it for a dot's; upright where narrow. */
function barLabel(
  x: number,
  { bottom, y, above, barWidth, text }: { bottom: number; y: number; above: number; barWidth: number; text: string },
): string {
  if (barWidth < 11) return ''
  const isNarrow = barWidth < 28
  const inside = bottom - y > (isNarrow ? 36 : 18)
  const className = inside ? 'inside' : undefined
  if (!isNarrow) return label(x, inside ? bottom - 6 : above - 4, text, { size: 10.5, className })
  return label(x + 3.5, inside ? bottom - 5 : above - 4, text, { anchor: 'start', size: 10, turn: -90, className })
}

/** Draws the spread of a bar and returns where it ends above. */
function drawWhisker(parts: string[], x: number, { value, low, high }: Bar, scale: (value: number) => number): number {
  if (low === undefined || high === undefined) return scale(value)
  const [from, to] = [scale(low).toFixed(1), scale(high).toFixed(1)]
  parts.push(element('path', { d: `M${x} ${from}V${to}M${x - 3} ${from}h6M${x - 3} ${to}h6`, class: 'whisker' }))
  return scale(high)
}

function levelLine(y: number): string {
  const d = `M${left} ${y.toFixed(1)}H${width - right}`
  return element('path', { d, class: 'axis', 'stroke-dasharray': '4 3' })
}

function linear(from: number, to: number, low: number, high: number): (value: number) => number {
  const slope = to === from ? 0 : (high - low) / (to - from)
  return (value) => low + (value - from) * slope
}

/** Four to eight round numbers from below `least` to above `most`. */
export function niceTicks(least: number, most: number): number[] {
  if (!(most > least)) return [least, least + 1]
  const rough = (most - least) / 5
  const power = 10 ** Math.floor(Math.log10(rough))
  const step = [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((candidate) => candidate >= rough)!
  const first = Math.floor(least / step)
  const last = Math.ceil(most / step - 1e-9)
  return Array.from({ length: last - first + 1 }, (_, i) => Number(((first + i) * step).toPrecision(12)))
}

/** Ticks that do not run into each other. */
function thinned(values: readonly number[], place: (value: number) => number): number[] {
  let free = Number.NEGATIVE_INFINITY
  return values.filter((value) => {
    if (place(value) < free) return false
    free = place(value) + 26
    return true
  })
}

/** Two places after the point at most. */
function hundredths(value: number): string {
  return value < 10 ? String(Number(value.toFixed(2))) : short(value)
}

function short(value: number): string {
  if (Math.abs(value) >= 1000) return Math.round(value).toLocaleString('en-US')
  return String(Number(value.toPrecision(3)))
}

/** A name in one line, or in two where there is no room. */
function fold(text: string, room: number): string[] {
  if (text.length <= lineLength(room)) return [text]
  const words = text.split(/[\s_-]+/)
  return words.length > 1 ? [words[0], words.slice(1).join(' ')] : [text]
}

/** Letters that fit into a line. */
function lineLength(room: number): number {
  return Math.floor(room / 6.4)
}
