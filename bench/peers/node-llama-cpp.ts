/**
 * node-llama-cpp, for comparison, in a process of its own. It is no dependency of the package: `npm run bench:peers`
 * installs it beside this folder, without its libraries, so that it runs the very files our engine runs.
 */
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { LookaheadTokenPredictor } from '../../src/bridges/node-llama-cpp.js'
import { ChildContestant, serveChild } from '../contest/child.js'
import type { Answer, ContestantReport, Task } from '../contest/contestant.js'
import { sum } from '../kit/statistics.js'

/** How the peer decodes. */
export interface PeerWay {
  model: string
  /**
   * Most threads it may use. How many are best is tried at the start: its libraries start threads anew for every
   * forward, which on small models costs more than they bring.
   */
  threads: number
  /** What is decoded to try. */
  trial: number[]
  /** Folder of its package.json. */
  folder: string
  /** Most tokens its `InputLookupTokenPredictor` predicts; absent: no predictor. */
  predictionLength?: number
  /** Predict with our `LookaheadTokenPredictor` instead. */
  lookahead?: boolean
}

/** node-llama-cpp as a contestant; it cannot start where it is not installed. */
export function nodeLlamaCpp(name: string, about: string, way: PeerWay): ChildContestant<PeerWay> {
  return new ChildContestant(name, about, fileURLToPath(import.meta.url), way)
}

/** The little of its interface that is used; it may not be there, so its own types cannot be. */
interface Predictor {
  updateInputTokens(tokens: number[]): void
  predictTokens(): number[]
}
interface Sequence {
  tokenPredictor?: Predictor
  evaluate(tokens: number[], options: { temperature: number; yieldEogToken: boolean }): AsyncIterable<number>
  clearHistory(): Promise<void>
}
interface Model {
  detokenize(tokens: number[]): string
  isEogToken(token: number): boolean
  createContext(options: object): Promise<{
    currentThreads: number
    getSequence(options: object): Sequence
    dispose(): Promise<void>
  }>
}
interface Peer {
  getLlama(options: object): Promise<{ loadModel(options: object): Promise<Model> }>
  InputLookupTokenPredictor: new (options?: object) => Predictor
}

/** Each number of threads is tried for so many tokens, but not for longer than this. */
const trialTokens = 48
const trialMs = 1500

let sequence: Sequence
let model: Model
/** Tokens predicted for each forward since the prompt's, and the milliseconds that took. */
let predicted: number[] = []
let predictionMs = 0

async function start(way: PeerWay): Promise<ContestantReport> {
  const { model: modelPath, threads: most, folder, lookahead, predictionLength, trial } = way
  const installed = path.join(folder, 'node_modules', 'node-llama-cpp')
  if (!existsSync(installed)) throw new Error('node-llama-cpp is not installed: npm run bench:peers')
  const { version } = JSON.parse(await readFile(path.join(installed, 'package.json'), 'utf8')) as { version: string }
  const peer = (await import(pathToFileURL(path.join(installed, 'dist', 'index.js')).href)) as Peer
  const llama = await peer.getLlama({ gpu: false, build: 'never', progressLogs: false, logLevel: 'disabled' })
  model = await llama.loadModel({ modelPath })
  const open = async (threads: number) => {
    const context = await model.createContext({ contextSize: 2048, threads })
    const tokenPredictor = lookahead
      ? new LookaheadTokenPredictor()
      : predictionLength === undefined
        ? undefined
        : new peer.InputLookupTokenPredictor({ predictionLength: { max: predictionLength } })
    if (tokenPredictor) watch(tokenPredictor)
    return { context, sequence: context.getSequence({ tokenPredictor }) }
  }
  const tried: { threads: number; tokensPerSecond: number }[] = []
  for (const threads of new Set([1, 2, 4, 8, 16, 32, 64].filter((count) => count < most).concat(most))) {
    const opened = await open(threads)
    sequence = opened.sequence
    const { decoded, decodeMs } = await decode(trial, trialTokens, trialMs)
    tried.push({ threads, tokensPerSecond: decodeMs > 0 ? (1000 * decoded) / decodeMs : 0 })
    await opened.context.dispose()
  }
  const [best] = [...tried].sort((a, b) => b.tokensPerSecond - a.tokensPerSecond)
  const opened = await open(best.threads)
  sequence = opened.sequence
  return { version, threads: opened.context.currentThreads, tried }
}

/** It asks for a prediction before every forward, and only then. */
function watch(predictor: Predictor): void {
  const predict = predictor.predictTokens.bind(predictor)
  predictor.predictTokens = () => {
    const began = performance.now()
    const tokens = predict()
    predictionMs += performance.now() - began
    predicted.push(tokens.length)
    return tokens
  }
}

/** Its leanest way: tokens in, tokens out, nothing rendered on the way. */
async function decode(prompt: number[], maxTokens: number, limitMs = Number.POSITIVE_INFINITY): Promise<Answer> {
  await sequence.clearHistory()
  sequence.tokenPredictor?.updateInputTokens(prompt)
  predicted = []
  predictionMs = 0
  const tokens: number[] = []
  const began = performance.now()
  let first = began
  let last = began
  let decoded = -1
  for await (const token of sequence.evaluate(prompt, { temperature: 0, yieldEogToken: true })) {
    last = performance.now()
    if (++decoded === 0) first = last
    if (model.isEogToken(token)) break
    if (tokens.push(token) === maxTokens || last - first > limitMs) break
  }
  const text = model.detokenize(tokens)
  decoded = Math.max(0, decoded)
  // The first prediction went with the prompt; without a predictor every token is a forward.
  const drafts = sequence.tokenPredictor ? predicted.slice(1) : Array<number>(decoded).fill(0)
  const rows: number[] = []
  for (const count of drafts) rows[1 + count] = (rows[1 + count] ?? 0) + 1
  return {
    ...{ tokens, text, decoded, prefillMs: first - began, decodeMs: last - first },
    forwards: drafts.length,
    drafted: sum(drafts, (count) => count),
    retrievalMs: predictionMs,
    rows: Array.from(rows, (count) => count ?? 0),
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  serveChild<PeerWay>({
    start,
    // Its predictor looks no further than the prompt it was given.
    async reset() {},
    answer: ({ prompt, maxTokens }: Task) => decode(prompt, maxTokens),
  })
