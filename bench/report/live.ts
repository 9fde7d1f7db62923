// The contests of the report: conventional decoding, drafts, plain loops and other programs.

import path from 'node:path'
import type { CostPoint } from '../../src/cost/forward-cost.js'
import { Engine } from '../../src/engine/engine.js'
import type { Recording } from '../../src/rivals/replay.js'
import { type ContestResult, hold } from '../contest/contest.js'
import type { Contestant, Task } from '../contest/contestant.js'
import { engineContestant } from '../contest/engine.js'
import { root } from '../kit/machine.js'
import { OthersWatch } from '../kit/others.js'
import type { RecordedWorkload } from '../kit/recordings.js'
import { groundedQuestions, type Question, questionTasks } from '../kit/workloads.js'
import { nodeLlamaCpp } from '../peers/node-llama-cpp.js'
import { OpenAiContestant } from '../peers/openai.js'

/** The model that answers, as the report names it. */
export interface BenchModel {
  file: string
  name: string
  parameters: number
  /** Bytes of all tensors, which every forward reads. */
  weightBytes: number
}

/** How much a live contest measures. */
export interface ContestPlan {
  questions: number
  maxTokens: number
  rounds: number
  sets: number
  limitMs: number
  patienceMs: number
}

/** What live contests need. */
export interface LiveOptions extends ContestPlan {
  model: string
  /** Most threads anyone may use, and those of ours. */
  threads: number
  ownThreads?: number
  onProgress: (text: string) => void
}

/** Rest before each turn; see ContestOptions. */
const pauseMs = 500

/** Nodes of the draft where the cost model has no say. */
const fixedNodes = 16

/** What contests need of the model, and what they compare with. */
export interface Prepared {
  tasks: Task[]
  recorded: RecordedWorkload
  model: BenchModel
  /** Threads that the engine found best, or was told to use, and T(n) with them. */
  threads: number
  cost: CostPoint[]
}

/** Reads the model once: renders and tokenises the questions, and records its answers for the replay. */
export async function prepareTasks(
  model: string,
  count: number,
  maxTokens: number,
  threads: number | undefined,
): Promise<Prepared> {
  // Its T(n) is everybody's.
  const watch = new OthersWatch(() => [process.pid])
  await using engine = await watch.undisturbed(
    () => Engine.load({ model, threads }),
    (spoilt) => spoilt[Symbol.asyncDispose](),
  )
  const render = ({ question, documents }: Question) => {
    const plain = [...documents.map(({ title, text }) => `${title}\n${text}\n`), `${question}\n`].join('\n')
    const messages = [{ role: 'user', content: question }]
    const text = engine.chatTemplate === undefined ? plain : engine.renderChat({ messages, documents })
    const prompt = engine.tokenize(text, { special: true, addSpecial: true })
    // A template that writes the BOS itself would have it twice.
    return { text, prompt: prompt[0] === prompt[1] ? prompt.subarray(1) : prompt }
  }
  const { name, parameters, weightBytes } = engine.description
  const cost = [...engine.cost.points]
  const tasks = questionTasks(groundedQuestions(count), render, maxTokens)
  const recordings: Recording[] = []
  for (const { prompt } of tasks)
    recordings.push({ prompt, response: (await engine.complete({ prompt, maxTokens }).result).tokens })
  return {
    tasks,
    recorded: {
      name: 'embedded',
      recordings: recordings.filter(({ response }) => response.length > 1),
      vocabulary: model,
    },
    model: { file: path.basename(model), name, parameters, weightBytes },
    threads: engine.threads,
    cost,
  }
}

/** All our ways of decoding, on the same questions. */
export async function holdLive(tasks: readonly Task[], options: LiveOptions): Promise<ContestResult> {
  const { model, ownThreads, rounds, sets, limitMs, patienceMs, onProgress } = options
  const way = { model, threads: ownThreads }
  const contestants = [
    conventional(options),
    lookahead(options),
    engineContestant('lookahead, cold', 'Lookahead that forgets everything between two requests.', {
      ...way,
      drafter: 'lookahead',
      draft: 'auto',
      cold: true,
    }),
    engineContestant('lookahead, 16 nodes', 'Our retrieval without the cost model: always 16 nodes.', {
      ...way,
      drafter: 'lookahead',
      draft: fixedNodes,
    }),
    engineContestant("paper's trie", "The paper's trie under our cost model.", {
      ...way,
      drafter: 'paper-trie',
      draft: 'auto',
    }),
    engineContestant("paper's trie, 64 nodes", "The paper's trie as published: decoding length 64, branch length 12.", {
      ...way,
      drafter: 'paper-trie',
      draft: 64,
    }),
    engineContestant('prompt lookup', 'Prompt lookup under our cost model.', {
      ...way,
      drafter: 'prompt-lookup',
      draft: 'auto',
    }),
    engineContestant('prompt lookup, 10 tokens', 'Prompt lookup as published: one branch of 10 tokens.', {
      ...way,
      drafter: 'prompt-lookup',
      draft: 10,
    }),
  ]
  return hold(contestants, { title: 'Live', tasks, rounds, sets, limitMs, patienceMs, pauseMs, onProgress })
}

/** Ours beside node-llama-cpp and whatever servers were named. */
export async function holdPeers(
  tasks: readonly Task[],
  servers: readonly { name: string; url: string }[],
  options: LiveOptions,
): Promise<ContestResult> {
  const { model, threads, rounds, sets, limitMs, patienceMs, onProgress } = options
  const way = { model, threads, trial: tasks[0].prompt, folder: path.join(root, 'bench', 'peers') }
  const contestants: Contestant[] = [
    conventional(options),
    lookahead(options),
    nodeLlamaCpp('node-llama-cpp', 'Its leanest call, `sequence.evaluate`, without a predictor.', way),
    nodeLlamaCpp('node-llama-cpp + lookup', 'The same with `InputLookupTokenPredictor` as it comes: up to 3 tokens.', {
      ...way,
      predictionLength: 3,
    }),
    nodeLlamaCpp('node-llama-cpp + lookup 10', 'The same with predictions of up to 10 tokens.', {
      ...way,
      predictionLength: 10,
    }),
    nodeLlamaCpp(
      'node-llama-cpp + ours',
      'The same with `LookaheadTokenPredictor` of `lookahead-llm/node-llama-cpp`.',
      {
        ...way,
        lookahead: true,
      },
    ),
    ...servers.map(({ name, url }) => new OpenAiContestant(name, url)),
  ]
  return hold(contestants, { title: 'Peers', tasks, rounds, sets, limitMs, patienceMs, pauseMs, onProgress })
}

/**
 * The loops alone: nobody drafts, on a model of real shape whose forwards take milliseconds. What it says is made up;
 * everyone says the same.
 */
export async function holdLoops(options: LiveOptions): Promise<ContestResult> {
  const { model, threads, questions, maxTokens, rounds, sets, limitMs, patienceMs, onProgress } = options
  const tasks = Array.from({ length: questions }, (_, k): Task => {
    const prompt = Array.from({ length: 48 }, (_, i) => 1000 + (((k + 1) * 7919 * (i + 1)) % 20_000))
    return { id: `prompt ${k + 1}`, kind: 'random', prompt, text: '', maxTokens }
  })
  const peer = { model, threads, trial: tasks[0].prompt, folder: path.join(root, 'bench', 'peers') }
  const about = 'Its leanest call, `sequence.evaluate`, without a predictor.'
  const contestants = [conventional(options), nodeLlamaCpp('node-llama-cpp', about, peer)]
  return hold(contestants, { title: 'Loops', tasks, rounds, sets, limitMs, patienceMs, pauseMs, onProgress })
}

function conventional({ model, ownThreads: threads }: LiveOptions): Contestant {
  const about = 'One token per forward: our loop with drafting off.'
  return engineContestant('conventional', about, { model, threads, drafter: 'lookahead', draft: 'off' })
}

function lookahead({ model, ownThreads: threads }: LiveOptions): Contestant {
  const about = 'What the package does unless told otherwise.'
  return engineContestant('lookahead', about, { model, threads, drafter: 'lookahead', draft: 'auto' })
}
