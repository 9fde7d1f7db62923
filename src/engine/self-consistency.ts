// Several answers to one question, and what most of them say.

import type { GenerationResult } from '../decode/generation.js'
import { EngineError } from './error.js'
import { type ChatRequest, type CompletionRequest, checkInteger, type RequestOptions } from './options.js'

/** Finds what a text answers, in a form in which equal answers are equal texts; `undefined`: it answers nothing. */
export type AnswerOf = (text: string) => string | undefined

/** Several answers to one question, and which of them is given most often. */
export interface SelfConsistencyRequest
  extends Pick<ChatRequest, 'messages' | 'documents'>,
    Omit<RequestOptions, 'together' | 'explain' | 'logprobs' | 'logprobsOf' | 'grammar'> {
  /** Answers that are written, 2 … 64. Default 8. */
  samples?: number
  /** Default: the last number in the text, else its last line. */
  answerOf?: AnswerOf
  /**
   * How often later answers may be led along a path that has proved itself, 0 … 8. Default 0: every answer is written
   * from the prompt alone, and voting is plain. Above, fewer tokens are written, and **answers are no longer independent**:
   * what is sampled changes.
   */
  levels?: number
  /** How sure the leading answer must be of more than half of the votes before a path is taken over. Default 0.8. */
  confidence?: number
  /** Default 0.8. */
  temperature?: number
}

/** One of the answers. */
export interface ConsistencySample {
  /** All of it, the path it was led along included. */
  text: string
  answer: string | undefined
  /** Tokens at its beginning that were taken over from an earlier answer, and that were written. */
  prefixTokens: number
  writtenTokens: number
  result: GenerationResult
}

/** What came of it. */
export interface SelfConsistencyResult {
  /** The answer most often given, `undefined` if none was. Of equals the one given first. */
  answer: string | undefined
  /** All answers by how often they were given. */
  votes: { answer: string; count: number }[]
  /** How sure it is that the leading answer would get more than half of many votes, 0 … 1. */
  confidence: number
  samples: ConsistencySample[]
  /** Tokens written in all, and tokens that were taken over instead of being written. */
  writtenTokens: number
  sharedTokens: number
}

/** What the samples are written with. */
export interface Writers {
  /** The prompt of a conversation as tokens. */
  tokenizeChat(conversation: Pick<ChatRequest, 'messages' | 'documents'>): Int32Array | Promise<Int32Array>
  textOf(tokens: ArrayLike<number>): string
  /** Writes some answers side by side. */
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
  // Waves of equal size: one for each level, and one before the first.
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
