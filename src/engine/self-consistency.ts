// Several answers to one question, and what most of them say.

import type { GenerationResult } from '../decode/generation.js'
import { checkInteger } from './checks.js'
import { EngineError } from './error.js'
import type { ChatRequest, CompletionRequest, RequestOptions } from './options.js'

/** Extracts the answer from a text, so that equal answers are equal strings; `undefined` if there is none. */
export type AnswerOf = (text: string) => string | undefined

/** A question to be answered several times; the answer given most often wins. */
export interface SelfConsistencyRequest
  extends Pick<ChatRequest, 'messages' | 'documents'>,
    Omit<RequestOptions, 'together' | 'explain' | 'logprobs' | 'logprobsOf' | 'grammar'> {
  /** How many answers are written, 2 … 64. Default 8. */
  samples?: number
  /** Extracts the answer from a text. Default: {@link lastAnswer}, the last number in the text, otherwise its last line. */
  answerOf?: AnswerOf
  /**
   * How often later answers may take over the beginning of one that leads, 0 … 8. Default 0: every answer is written from
   * the prompt alone, and the vote is a plain one. Above 0 fewer tokens are written, but **answers are no longer
   * independent**: what is sampled changes.
   */
  levels?: number
  /** How likely it must be that the leading answer has more than half of all votes before its path is taken over. Default 0.8. */
  confidence?: number
  /** Default 0.8; without a temperature all answers would be the same. */
  temperature?: number
}

/** One of several answers to a question. */
export interface ConsistencySample {
  /** The whole text, including the beginning it took over. */
  text: string
  /** The answer extracted from it, if there is one. */
  answer: string | undefined
  /** Tokens at its beginning that were taken over from an earlier answer, and tokens that were written. */
  prefixTokens: number
  writtenTokens: number
  result: GenerationResult
}

/** What became of a {@link SelfConsistencyRequest}. */
export interface SelfConsistencyResult {
  /** The answer given most often, in a tie the one given first; `undefined` if there is none. */
  answer: string | undefined
  /** All answers, most frequent first. */
  votes: { answer: string; count: number }[]
  /** How likely it is that the leading answer would get more than half of many votes, 0 … 1. */
  confidence: number
  samples: ConsistencySample[]
  /** Tokens written in all, and tokens taken over instead of being written. */
  writtenTokens: number
  sharedTokens: number
}

/** What the samples are written with. */
export interface Writers {
  /** The prompt of a conversation as tokens. */
  tokenizeChat(conversation: Pick<ChatRequest, 'messages' | 'documents'>): Int32Array | Promise<Int32Array>
  textOf(tokens: ArrayLike<number>): string
  /** Writes several answers side by side. */
  write(requests: readonly CompletionRequest[]): Promise<GenerationResult[]>
}

/**
 * Self-consistency (Wang et al., arXiv 2203.11171) with path-consistency (Zhu et al., arXiv 2409.01281): several answers
 * to one question, and a vote.
 *
 *     levels 0    prompt ──┬── answer 1      levels 2    prompt ──┬── answer 1
 *                          ├── answer 2                           └── answer 2 ──┐ leads, surely enough:
 *                          ├── …                          its first third ───────┴──┬── answer 3
 *                          └── answer n                                             └── answer 4 …
 *
 * All read one prompt once, and each drafts from what the others have written.
 */
export async function selfConsistency(
  request: SelfConsistencyRequest,
  writers: Writers,
): Promise<SelfConsistencyResult> {
  const {
    messages,
    documents,
    answerOf = lastAnswer,
    samples: wanted = 8,
    levels = 0,
    confidence = 0.8,
    ...options
  } = request
  checkInteger('samples', wanted, 2, 64)
  checkInteger('levels', levels, 0, 8)
  if (!(confidence > 0.5 && confidence < 1))
    throw new EngineError('invalid-parameter', `confidence must be a number between 0.5 and 1, got ${confidence}`)
  if (typeof answerOf !== 'function')
    throw new EngineError('invalid-parameter', `answerOf must be a function, got ${typeof answerOf}`)
  const prompt = await writers.tokenizeChat({ messages, documents })
  const together = {}
  const seed = options.seed ?? Math.floor(Math.random() * 2 ** 31)
  const samples: ConsistencySample[] = []
  let path: readonly number[] = []
  let level = 0
  // Waves of equal size: one before the first level, and one for each.
  const waveSize = Math.ceil(wanted / (levels + 1))
  while (samples.length < wanted) {
    const count = levels === 0 ? wanted : Math.min(waveSize, wanted - samples.length)
    const begun = samples.length
    const taken = path
    const left = options.maxTokens === undefined ? undefined : Math.max(1, options.maxTokens - taken.length)
    const requests = Array.from({ length: count }, (_, k) => ({
      temperature: 0.8,
      ...options,
      maxTokens: left,
      prompt: [...prompt, ...taken],
      seed: (seed + begun + k) % 2 ** 32,
      together,
    }))
    for (const result of await writers.write(requests)) {
      const text = writers.textOf([...taken, ...result.tokens])
      const written = result.tokens.length
      samples.push({ text, answer: answerOf(text), prefixTokens: taken.length, writtenTokens: written, result })
    }
    const leading = votesOf(samples)[0]
    if (level === levels || !leading || confidenceOf(samples) < confidence) continue
    level++
    path = pathTo(samples, leading.answer, path, level / (levels + 1))
  }
  const votes = votesOf(samples)
  const sum = (of: (sample: ConsistencySample) => number) => samples.reduce((total, sample) => total + of(sample), 0)
  return {
    answer: votes[0]?.answer,
    votes,
    confidence: confidenceOf(samples),
    samples,
    writtenTokens: sum(({ writtenTokens }) => writtenTokens),
    sharedTokens: sum(({ prefixTokens }) => prefixTokens),
  }
}

/** The first part of the shortest text that gives an answer and goes on from the path that is taken already. */
function pathTo(
  samples: readonly ConsistencySample[],
  answer: string,
  path: readonly number[],
  share: number,
): readonly number[] {
  const candidates = samples
    .filter((sample) => sample.answer === answer && sample.prefixTokens === path.length)
    .sort((a, b) => a.writtenTokens - b.writtenTokens)
  if (candidates.length === 0) return path
  const whole = [...path, ...candidates[0].result.tokens]
  return whole.slice(0, Math.max(path.length, Math.floor(share * whole.length)))
}

function votesOf(samples: readonly ConsistencySample[]): { answer: string; count: number }[] {
  const counts = new Map<string, number>()
  for (const { answer } of samples) if (answer !== undefined) counts.set(answer, (counts.get(answer) ?? 0) + 1)
  return [...counts].map(([answer, count]) => ({ answer, count })).sort((a, b) => b.count - a.count)
}

/** How probable it is, after these votes, that the leading answer has more than half of all: a beta distribution's tail. */
function confidenceOf(samples: readonly ConsistencySample[]): number {
  const lead = votesOf(samples)[0]?.count ?? 0
  return lead === 0 ? 0 : betaTail(lead, samples.length)
}

/** P(p > ½) for p ~ Beta(votes + 1, all − votes + 1): at most `votes` heads in `all` + 1 tosses. */
export function betaTail(votes: number, all: number): number {
  let term = 2 ** -(all + 1)
  let sum = 0
  for (let k = 0; k <= votes; k++) {
    sum += term
    term *= (all + 1 - k) / (k + 1)
  }
  return sum
}

/** The last number in a text, without what sets thousands apart; where there is none its last line that is not empty. */
export function lastAnswer(text: string): string | undefined {
  const numbers = text.match(/-?\d[\d,]*(?:\.\d+)?/g)
  const number = numbers?.[numbers.length - 1].replaceAll(',', '')
  if (number !== undefined) return String(Number(number))
  const lines = text.split('\n').filter((line) => line.trim() !== '')
  return lines.length > 0 ? lines[lines.length - 1].trim() : undefined
}

/** What follows the last occurrence of a marker, up to the end of its line; `undefined` where it does not occur. */
export function answerAfter(marker: string): AnswerOf {
  return (text) => {
    const at = text.lastIndexOf(marker)
    if (at < 0) return undefined
    const [line] = text
      .slice(at + marker.length)
      .trimStart()
      .split('\n', 1)
    return line.trim() === '' ? undefined : line.trim()
  }
}
