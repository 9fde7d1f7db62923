// Tokens and times of a request, as the APIs count them.

import type { GenerationResult, GenerationStats, GenerationStep, PromptProgress } from '../decode/generation.js'

/** Tokens of a request, as OpenAI counts them. */
export interface Usage {
  prompt_tokens: number
  completion_tokens: number
  total_tokens: number
  prompt_tokens_details: { cached_tokens: number; cache_write_tokens: number; audio_tokens: number }
  completion_tokens_details: {
    reasoning_tokens: number
    audio_tokens: number
    accepted_prediction_tokens: number
    rejected_prediction_tokens: number
  }
}

/** Times of one answer, by llama-server's names; milliseconds. */
export interface Timings {
  cache_n: number
  prompt_n: number
  prompt_ms: number
  prompt_per_token_ms: number
  prompt_per_second: number
  predicted_n: number
  predicted_ms: number
  predicted_per_token_ms: number
  predicted_per_second: number
  draft_n: number
  draft_n_accepted: number
}

/** Sums up the answers of a request. Answers to one prompt count the prompt once, as OpenAI does. */
export function usageOf(results: readonly GenerationResult[], answersPerPrompt: number): Usage {
  const total = (of: (stats: GenerationStats) => number, stride = 1) =>
    results.reduce((sum, { stats }, i) => sum + (i % stride === 0 ? of(stats) : 0), 0)
  const prompt = total((stats) => stats.promptTokens, answersPerPrompt)
  const completion = total((stats) => stats.completionTokens)
  const accepted = total((stats) => stats.acceptedTokens)
  return {
    prompt_tokens: prompt,
    completion_tokens: completion,
    total_tokens: prompt + completion,
    prompt_tokens_details: {
      cached_tokens: total((stats) => stats.cachedPromptTokens, answersPerPrompt),
      cache_write_tokens: 0,
      audio_tokens: 0,
    },
    completion_tokens_details: {
      reasoning_tokens: total((stats) => stats.reasoningTokens),
      audio_tokens: 0,
      accepted_prediction_tokens: accepted,
      rejected_prediction_tokens: total((stats) => stats.draftedTokens) - accepted,
    },
  }
}

/** The times of one answer. */
export function timingsOf({ stats }: GenerationResult): Timings {
  return {
    ...promptTimings(stats.cachedPromptTokens, stats.promptTokens - stats.cachedPromptTokens, stats.prefillMs),
    ...writingTimings(stats.completionTokens, stats.decodeMs, stats.tokensPerSecond),
    draft_n: stats.draftedTokens,
    draft_n_accepted: stats.acceptedTokens,
  }
}

/** The times of an answer being written, from its progress and steps. */
export class RunningTimings {
  #cached = 0
  #read = 0
  #readMs = 0
  #written = 0
  /** Tokens that came with the first step, from the prompt's own forward. */
  #first = 0
  #firstAt = 0
  #lastAt = 0
  #drafted = 0
  #accepted = 0

  progress({ cachedTokens, readTokens, elapsedMs }: PromptProgress): void {
    this.#cached = cachedTokens
    this.#read = readTokens - cachedTokens
    this.#readMs = this.#read > 0 ? elapsedMs : 0
  }

  step({ pieces, drafted, accepted }: GenerationStep): void {
    this.#lastAt = performance.now()
    if (this.#written === 0) {
      this.#first = pieces.length
      this.#firstAt = this.#lastAt
    }
    this.#written += pieces.length
    this.#drafted += drafted
    this.#accepted += accepted
  }

  get timings(): Timings {
    const ms = this.#lastAt - this.#firstAt
    return {
      ...promptTimings(this.#cached, this.#read, this.#readMs),
      ...writingTimings(this.#written, ms, ratio((this.#written - this.#first) * 1000, ms)),
      draft_n: this.#drafted,
      draft_n_accepted: this.#accepted,
    }
  }
}

/** How far a prompt has been read, by llama-server's names. */
export function promptProgress({ promptTokens, cachedTokens, readTokens, elapsedMs }: PromptProgress) {
  return { total: promptTokens, cache: cachedTokens, processed: readTokens, time_ms: Math.round(elapsedMs) }
}

function promptTimings(cached: number, read: number, ms: number) {
  return {
    cache_n: cached,
    prompt_n: read,
    prompt_ms: ms,
    prompt_per_token_ms: ratio(ms, read),
    prompt_per_second: ratio(read * 1000, ms),
  }
}

function writingTimings(written: number, ms: number, perSecond: number) {
  return {
    predicted_n: written,
    predicted_ms: ms,
    predicted_per_token_ms: ratio(ms, written),
    predicted_per_second: perSecond,
  }
}

function ratio(a: number, b: number): number {
  return b > 0 ? a / b : 0
}
