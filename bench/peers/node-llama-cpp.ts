/**
 * node-llama-cpp, for comparison, in a process of its own. It is no dependency of the package: `npm run bench:peers`
 * installs it beside this folder, without its libraries, so that it runs the very files our engine runs.
 */
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { ChildContestant, serveChild } from '../contest/child.js'
import type { Answer, ContestantReport, Task } from '../contest/contestant.js'

/** How the peer decodes. */
export interface PeerWay {
  model: string
  threads: number
  /** Folder of its package.json. */
  folder: string
  /** Most tokens its `InputLookupTokenPredictor` predicts; absent: no predictor. */
  predictionLength?: number
}

/** node-llama-cpp as a contestant; it cannot start where it is not installed. */
export function nodeLlamaCpp(name: string, about: string, way: PeerWay): ChildContestant<PeerWay> {
  return new ChildContestant(name, about, fileURLToPath(import.meta.url), way)
}

/** The little of its interface that is used; it may not be there, so its own types cannot be. */
interface Predictor {
  updateInputTokens(tokens: number[]): void
}
interface Sequence {
  tokenPredictor?: Predictor
  evaluate(tokens: number[], options: { temperature: number; yieldEogToken: boolean }): AsyncIterable<number>
  clearHistory(): Promise<void>
}
interface Peer {
  getLlama(options: object): Promise<{
    loadModel(options: object): Promise<{
      detokenize(tokens: number[]): string
      isEogToken(token: number): boolean
      createContext(options: object): Promise<{ currentThreads: number; getSequence(options: object): Sequence }>
    }>
  }>
  InputLookupTokenPredictor: new (options?: object) => Predictor
}

let sequence: Sequence
let model: Awaited<ReturnType<Awaited<ReturnType<Peer['getLlama']>>['loadModel']>>

async function start({ model: modelPath, threads, folder, predictionLength }: PeerWay): Promise<ContestantReport> {
  const installed = path.join(folder, 'node_modules', 'node-llama-cpp')
  if (!existsSync(installed)) throw new Error('node-llama-cpp is not installed: npm run bench:peers')
  const { version } = JSON.parse(await readFile(path.join(installed, 'package.json'), 'utf8')) as { version: string }
  const peer = (await import(pathToFileURL(path.join(installed, 'dist', 'index.js')).href)) as Peer
  const llama = await peer.getLlama({ gpu: false, build: 'never', progressLogs: false, logLevel: 'disabled' })
  model = await llama.loadModel({ modelPath })
  const context = await model.createContext({ contextSize: 2048, threads })
  const tokenPredictor =
    predictionLength === undefined
      ? undefined
      : new peer.InputLookupTokenPredictor({ predictionLength: { max: predictionLength } })
  sequence = context.getSequence({ tokenPredictor })
  return { version, threads: context.currentThreads }
}

/** Its leanest way: tokens in, tokens out, nothing rendered on the way. */
async function answer({ prompt, maxTokens }: Task): Promise<Answer> {
  await sequence.clearHistory()
  sequence.tokenPredictor?.updateInputTokens(prompt)
  const tokens: number[] = []
  const began = performance.now()
  let first = began
  let last = began
  let decoded = -1
  for await (const token of sequence.evaluate(prompt, { temperature: 0, yieldEogToken: true })) {
    last = performance.now()
    if (++decoded === 0) first = last
    if (model.isEogToken(token)) break
    if (tokens.push(token) === maxTokens) break
  }
  const text = model.detokenize(tokens)
  return { tokens, text, decoded: Math.max(0, decoded), prefillMs: first - began, decodeMs: last - first }
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  serveChild<PeerWay>({
    start,
    // Its predictor looks no further than the prompt it was given.
    async reset() {},
    answer,
  })
