import path from 'node:path'
import { type Command, InvalidArgumentError } from 'commander'
import { type DrafterName, drafterNames, drafters } from '../draft/drafters.js'
import { type Recording, type ReplayReport, replay } from '../draft/replay.js'
import type { Vocabulary } from '../llama/vocabulary.js'
import { gather, integer } from './arguments.js'
import { UsageError } from './failure.js'
import { loadVocabulary, readRecordings, tokenizeRecordings } from './recordings.js'
import { formatTable, processTerminal, type Terminal } from './terminal.js'

/** Options of {@link simulate}. */
export interface SimulateOptions {
  /** JSONL files, gzipped or not. */
  traces: string[]
  /** GGUF whose tokenizer is used; its weights are not loaded. */
  vocab: string
  /** Draft nodes per forward; each is simulated. */
  budget: number[]
  /** A drafter's name, or `all`. */
  drafter: string
  /** Most requests per file. */
  limit: number
  /** `key=text`: only requests whose field holds that text. */
  filter?: string[]
  /** Answers of earlier requests are not known. */
  cold?: boolean
  json?: boolean
}

/** One line of the result: a file, replayed with one drafter and one budget. */
export interface SimulationRow extends ReplayReport {
  file: string
  drafter: string
  budget: number
}

/** Adds `lookahead simulate`. */
export function registerSimulate(program: Command): void {
  program
    .command('simulate')
    .summary('replay recorded requests: how many forwards would drafting have saved?')
    .description(
      'Replays recorded requests without a model and counts how many forwards drafts would have saved.\n' +
        'A trace file holds one JSON object per line with "prompt" and "response"; requests with the same\n' +
        '"group" never draft from each other’s answers.',
    )
    .requiredOption('--traces <file...>', 'JSONL files with recorded requests, gzipped or not')
    .requiredOption('--vocab <file>', 'GGUF that brings the tokenizer, gzipped or not')
    .option('--budget <n,n...>', 'draft nodes per forward', budgets, [8, 64])
    .option('--drafter <name>', `${drafterNames.join(', ')} or all`, drafterName, 'lookahead')
    .option('--limit <n>', 'most requests per file', integer(1), 250)
    .option('--filter <key=text>', 'only requests whose field holds the text; may be given several times', gather)
    .option('--cold', 'answers of earlier requests are not known')
    .option('--json', 'print one JSON object as the last line')
    .action(async (options: SimulateOptions) => {
      await simulate(options, processTerminal())
    })
}

/** Replays trace files and prints one table per file; returns its rows. */
export async function simulate(options: SimulateOptions, terminal: Terminal): Promise<SimulationRow[]> {
  const rows: SimulationRow[] = []
  using vocabulary = await loadVocabulary(options.vocab)
  for (const file of options.traces) {
    const recordings = await tokenizedRecordings(file, options, vocabulary)
    const name = path.basename(file)
    const ofFile: SimulationRow[] = []
    for (const drafter of options.drafter === 'all' ? drafterNames : [options.drafter])
      for (const budget of options.budget) {
        const onProgress = (done: number) => {
          if (terminal.watched)
            terminal.err(`\r\x1b[K${name}: ${drafter}, ${budget} nodes, ${done}/${recordings.length}`)
        }
        const report = replay(recordings, drafters[drafter as DrafterName](), {
          budget,
          cold: options.cold,
          onProgress,
        })
        ofFile.push({ file: name, drafter, budget, ...report })
      }
    if (terminal.watched) terminal.err('\r\x1b[K')
    terminal.out(`${describe(name, options, recordings)}\n`)
    for (const line of formatTable([heading, ...ofFile.map(cells)])) terminal.out(`  ${line}\n`)
    terminal.out('\n')
    rows.push(...ofFile)
  }
  if (options.json) terminal.out(`${JSON.stringify({ cold: options.cold ?? false, limit: options.limit, rows })}\n`)
  return rows
}

const heading = ['drafter', 'nodes', 'EDL', 'DL', 'promised', 'kept', 'waste', 'µs', 'µs p99']

function cells(row: SimulationRow): string[] {
  const perForward = (count: number) => (count / Math.max(1, row.forwards)).toFixed(2)
  return [
    row.drafter,
    String(row.budget),
    row.edl.toFixed(2),
    row.dl.toFixed(1),
    perForward(row.promised),
    perForward(row.accepted),
    `${Math.round(100 * (1 - row.accepted / Math.max(1, row.drafted)))} %`,
    row.retrievalMicros.toFixed(0),
    row.retrievalMicros99.toFixed(0),
  ]
}

function describe(name: string, options: SimulateOptions, recordings: Recording[]): string {
  const tokens = recordings.reduce((sum, { response }) => sum + response.length, 0)
  const filter = options.filter ? `, ${options.filter.join(', ')}` : ''
  return `${name}${filter}: ${recordings.length} requests, ${tokens} tokens written${options.cold ? ', cold' : ''}`
}

async function tokenizedRecordings(
  file: string,
  { filter = [], limit }: SimulateOptions,
  vocabulary: Vocabulary,
): Promise<Recording[]> {
  const requests = await readRecordings(file, filter, limit)
  const recordings = tokenizeRecordings(requests, vocabulary)
  if (recordings.length === 0)
    throw new UsageError(`${file} holds no requests${filter.length > 0 ? ` with ${filter.join(', ')}` : ''}`)
  return recordings
}

function budgets(text: string): number[] {
  return text.split(',').map(integer(0, 256))
}

function drafterName(text: string): string {
  if (text !== 'all' && !Object.hasOwn(drafters, text))
    throw new InvalidArgumentError(`expected ${drafterNames.join(', ')} or all`)
  return text
}
