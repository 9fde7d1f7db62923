import path from 'node:path'
import type { Command } from 'commander'
import type { DraftMode } from '../decode/drafting.js'
import type { Generation, GenerationResult, GenerationStep } from '../decode/generation.js'
import { Engine } from '../engine/engine.js'
import type { RequestDocument, RequestOptions } from '../engine/options.js'
import type { Exactness } from '../measure/configuration.js'
import { decimal, draftMode, gather, integer } from './arguments.js'
import { addDecodingOptions, configurationOf, type DecodingOptions } from './decoding-options.js'
import { explainSteps } from './explanation.js'
import { exitCodes, UsageError } from './failure.js'
import { addModelSource, type ModelSourceOptions, modelFile } from './model-source.js'
import { palette, processTerminal, type Terminal } from './terminal.js'
import { readTextFile } from './text-file.js'

interface RunOptions extends DecodingOptions, ModelSourceOptions {
  prompt?: string
  system?: string
  documents?: string[]
  raw?: boolean
  maxTokens?: number
  temp?: number
  topK?: number
  topP?: number
  minP?: number
  seed?: number
  repeatPenalty?: number
  stop?: string[]
  draft: DraftMode
  ctxSize?: number
  cache?: string
  namespace?: string
  explain?: boolean
  json?: boolean
}

/** Adds `lookahead run`. */
export function registerRun(program: Command): void {
  addDecodingOptions(
    addModelSource(
      program
        .command('run')
        .summary('write one answer')
        .description(
          'Writes one answer to stdout. Progress goes to stderr, so the text can be piped.\nWithout -p the prompt is read from stdin.',
        ),
    )
      .option('-p, --prompt <text>', 'what to answer or, with --raw, to continue')
      .option('--system <text>', 'system message')
      .option('--documents <file...>', 'text files the answer may draw from')
      .option('--raw', 'continue the prompt as it stands, without the chat template')
      .option('-n, --max-tokens <n>', 'most tokens to write (default: until the context is full)', integer(1))
      .option('--temp <t>', 'temperature; 0 is greedy (default: 0)', decimal(0))
      .option('--top-k <k>', 'keep the k most likely tokens, 0: all (default: 40)', integer(0))
      .option('--top-p <p>', 'keep the most likely tokens that reach p together (default: 0.95)', decimal(0, 1))
      .option('--min-p <p>', 'drop tokens below p times the most likely (default: 0.05)', decimal(0, 1))
      .option('--seed <s>', 'seed of the random draws (default: random)', integer(0, 2 ** 32 - 1))
      .option('--repeat-penalty <r>', 'penalty for recent tokens, 1: none (default: 1)', decimal(0))
      .option('--stop <text>', 'end before this text; may be given several times', gather)
      .option('--draft <mode>', 'auto, off, or a number of nodes to verify in every forward', draftMode, 'auto')
      .option('-c, --ctx-size <n>', 'context in tokens (default: the model’s, at most 4096)', integer(8)),
  )
    .option('--cache <folder>', 'keep what is read and written here, to draft from next time')
    .option('--namespace <name>', 'namespace whose earlier answers and documents are drafted from')
    .option('--explain', 'list after the text where each token came from; with --json in its "steps"')
    .option('--json', 'print one JSON object as the last line')
    .action(async (options: RunOptions) => {
      process.exitCode = await run(options, processTerminal())
    })
}

async function run(options: RunOptions, terminal: Terminal): Promise<number> {
  if (options.raw && (options.documents || options.system !== undefined))
    throw new UsageError('--raw continues the prompt as it stands; it cannot be used with --documents or --system')
  const documents = await readDocuments(options.documents ?? [])
  const prompt = options.prompt ?? (await readPrompt())
  if (prompt.trim() === '') throw new UsageError('the prompt is empty; give one with -p or on stdin')
  const model = await modelFile(options, terminal)
  const began = performance.now()
  if (terminal.watched) terminal.err(`loading ${path.basename(model)} …`)
  await using engine = await Engine.load({
    model,
    contextTokens: options.ctxSize,
    ...configurationOf(options),
    cache: options.cache,
  })
  if (terminal.watched) terminal.err(`\r\x1b[K${engine.description.name}, ${seconds(performance.now() - began)}\n`)

  const interrupt = new AbortController()
  const onInterrupt = () => interrupt.abort()
  process.once('SIGINT', onInterrupt)
  const generation = start(engine, prompt, documents, options, interrupt.signal)
  const steps: GenerationStep[] = []
  for await (const step of generation) {
    terminal.out(step.text)
    if (options.explain) steps.push(step)
  }
  process.off('SIGINT', onInterrupt)
  const result = await generation.result
  if (!result.text.endsWith('\n')) terminal.out('\n')
  if (options.explain && !options.json) terminal.out(`\n${explainSteps(steps, palette(terminal.colours)).join('\n')}\n`)
  if (options.json) terminal.out(`${JSON.stringify(jsonOf(model, engine.exactness, result, steps))}\n`)
  else if (terminal.watched) terminal.err(`${summary(result)}\n`)
  return result.reason === 'aborted' ? exitCodes.interrupted : 0
}

function start(
  engine: Engine,
  prompt: string,
  documents: RequestDocument[],
  options: RunOptions,
  signal: AbortSignal,
): Generation {
  const request: RequestOptions = {
    maxTokens: options.maxTokens,
    temperature: options.temp,
    topK: options.topK,
    topP: options.topP,
    minP: options.minP,
    seed: options.seed,
    repeatPenalty: options.repeatPenalty,
    stop: options.stop,
    draft: options.draft,
    namespace: options.namespace,
    explain: options.explain,
    signal,
  }
  if (options.raw) return engine.complete({ prompt, ...request })
  const system = options.system === undefined ? [] : [{ role: 'system', content: options.system }]
  return engine.chat({ messages: [...system, { role: 'user', content: prompt }], documents, ...request })
}

async function readDocuments(files: string[]): Promise<RequestDocument[]> {
  return Promise.all(
    files.map(async (file) => {
      const text = (await readTextFile(file, `the document ${file}`)).trim()
      if (text === '') throw new UsageError(`the document ${file} is empty`)
      return { title: path.basename(file, path.extname(file)), text }
    }),
  )
}

async function readPrompt(): Promise<string> {
  if (process.stdin.isTTY) throw new UsageError('there is no prompt; give one with -p or on stdin')
  let text = ''
  process.stdin.setEncoding('utf8')
  for await (const chunk of process.stdin) text += chunk
  return text
}

function summary({ stats, reason }: GenerationResult): string {
  const drafted = `${stats.acceptedTokens} of ${stats.draftedTokens} drafted tokens accepted`
  return `${stats.completionTokens} tokens in ${stats.forwards + 1} forwards (EDL ${stats.edl.toFixed(2)}, ${drafted}), ${stats.tokensPerSecond.toFixed(0)} tokens/s, ended by ${reason}`
}

function jsonOf(model: string, exactness: Exactness, result: GenerationResult, steps: GenerationStep[]) {
  const { text, tokens, reason, stopString, seed, stats } = result
  return {
    model: path.basename(model),
    text,
    tokens,
    reason,
    ...(stopString && { stopString }),
    seed,
    stats,
    exactness,
    ...(steps.length > 0 && { steps }),
  }
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`
}
