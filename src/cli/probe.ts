import { writeFileSync } from 'node:fs'
import path from 'node:path'
import type { Command } from 'commander'
import type { ForwardCost } from '../cost/forward-cost.js'
import type { ExactnessWish } from '../engine/configuration.js'
import { tune } from '../engine/tuning.js'
import { Model } from '../llama/model.js'
import { choice, integer } from './arguments.js'
import { embeddedModel } from './embedded.js'
import { UsageError } from './failure.js'
import { formatTable, palette, processTerminal, type Terminal } from './terminal.js'

interface ProbeOptions {
  model?: string
  exactness: ExactnessWish
  context: number
  threads?: number
  svg?: string
  json?: boolean
}

/** Sizes shown. */
const shownRows = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32]

/** Width of the longest bar. */
const barWidth = 40

/** Adds `lookahead probe`. */
export function registerProbe(program: Command): void {
  program
    .command('probe')
    .summary('measure what forwards cost and how exact they are')
    .description(
      'Measures what a forward of n tokens costs on this device, which decides how much is drafted,\nand whether decoding with drafts keeps every bit. Always measures anew.',
    )
    .option('-m, --model <file>', 'GGUF file (default: the small embedded model)')
    .option(
      '--exactness <level>',
      'configuration: bitwise, token or fastest',
      choice('bitwise', 'token', 'fastest'),
      'bitwise',
    )
    .option('--context <n>', 'tokens of context for which the curve is shown', integer(0), 512)
    .option('-t, --threads <n>', 'threads that compute (default: cores)', integer(1, 512))
    .option('--svg <file>', 'draw the curve into this file')
    .option('--json', 'print one JSON object as the last line')
    .action(async (options: ProbeOptions) => probe(options, processTerminal()))
}

async function probe(options: ProbeOptions, terminal: Terminal): Promise<void> {
  const file = options.model ?? embeddedModel()
  const began = performance.now()
  await using model = await Model.load(file, options.exactness === 'bitwise' ? {} : { repack: true })
  const loaded = performance.now()
  const { exactness, cost, context } = await tune(model, {
    exactness: options.exactness,
    profile: false,
    context: { contextTokens: 1024, maxSequences: 8, batchTokens: 512, threads: options.threads },
    modelOptions: {},
  })
  const seconds = (from: number, to: number) => `${((to - from) / 1000).toFixed(1)} s`
  const paint = palette(terminal.colours)
  const { level, largestDifference, rows, equalRows, flashAttention, keyType, valueType } = exactness
  terminal.out(`${paint.bold(path.basename(file))}  ${model.describe().name}, ${context.threads} threads\n`)
  terminal.out(paint.dim(`loaded in ${seconds(began, loaded)}, measured in ${seconds(loaded, performance.now())}\n\n`))
  const attention = flashAttention ? 'fused attention' : 'plain attention'
  terminal.out(`exactness  ${level === 'bitwise' ? paint.good(level) : paint.bad(level)}`)
  terminal.out(`  ${equalRows} of ${rows} logits rows equal bit for bit, largest difference ${largestDifference}\n`)
  terminal.out(`chosen     keys ${keyType}, values ${valueType}, ${attention}\n\n`)
  terminal.out(`${drawCurve(cost, options.context, paint.drafted).join('\n')}\n\n`)
  const share = (ms: number) => `${((100 * ms) / cost.ms(1, options.context)).toFixed(0)} % of a forward`
  terminal.out(`another size than before: ${cost.rebuildMs.toFixed(2)} ms, ${share(cost.rebuildMs)}\n`)
  const perRow = 512 * (cost.perContextToken[0]?.ms ?? 0)
  terminal.out(`512 tokens of context:    ${perRow.toFixed(2)} ms per row, ${share(perRow)}\n`)
  if (options.svg !== undefined) writeSvg(options.svg, cost, options.context, path.basename(file))
  if (options.json)
    terminal.out(
      `${JSON.stringify({ model: path.basename(file), threads: context.threads, exactness, cost: cost.record() })}\n`,
    )
}

/** A table with bars: T(n) after `context` tokens, its ratio to T(1), and what must be accepted for it to pay. */
function drawCurve(cost: ForwardCost, context: number, paint: (text: string) => string): string[] {
  const single = cost.ms(1, context)
  const most = cost.ms(shownRows[shownRows.length - 1], context)
  const table = formatTable([
    ['tokens', 'ms', '× one', 'per token'],
    ...shownRows.map((rows) => {
      const ms = cost.ms(rows, context)
      return [String(rows), ms.toFixed(2), (ms / single).toFixed(2), (ms / rows).toFixed(2)]
    }),
  ])
  return table.map((line, i) =>
    i === 0
      ? line
      : `${line}   ${paint('█'.repeat(Math.max(1, Math.round((barWidth * cost.ms(shownRows[i - 1], context)) / most))))}`,
  )
}

/** Draws the curve at an empty context and after `context` tokens. */
function writeSvg(file: string, cost: ForwardCost, context: number, title: string): void {
  const [width, height, margin] = [640, 400, 48]
  const lastRows = shownRows[shownRows.length - 1]
  const most = cost.ms(lastRows, context) * 1.05
  const x = (rows: number) => margin + ((rows - 1) / (lastRows - 1)) * (width - 2 * margin)
  const y = (ms: number) => height - margin - (ms / most) * (height - 2 * margin)
  const line = (tokens: number, colour: string) => {
    const points = shownRows.map((rows) => `${x(rows).toFixed(1)},${y(cost.ms(rows, tokens)).toFixed(1)}`).join(' ')
    return `<polyline fill="none" stroke="${colour}" stroke-width="2" points="${points}"/>`
  }
  const label = (left: number, top: number, text: string, anchor = 'middle') =>
    `<text x="${left.toFixed(1)}" y="${top.toFixed(1)}" text-anchor="${anchor}">${text.replace(/[<&]/g, '')}</text>`
  const svg = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12">`,
    `<rect width="${width}" height="${height}" fill="white"/>`,
    label(width / 2, 24, `${title}: milliseconds of a forward by tokens`),
    line(0, '#9aa5b1'),
    line(context, '#0b7285'),
    ...[1, 4, 8, 16, 32].map((rows) => label(x(rows), height - margin + 18, String(rows))),
    ...[0, 0.25, 0.5, 0.75, 1].map((part) => label(margin - 6, y(part * most) + 4, (part * most).toFixed(1), 'end')),
    label(x(lastRows), y(cost.ms(lastRows, 0)) - 8, 'empty context', 'end'),
    label(x(lastRows), y(cost.ms(lastRows, context)) - 8, `${context} tokens`, 'end'),
    '</svg>',
  ].join('\n')
  try {
    writeFileSync(file, `${svg}\n`)
  } catch (error) {
    throw new UsageError(`could not write ${file}: ${(error as Error).message}`)
  }
}
