import type { GenerationResult, GenerationStats } from '../decode/generation.js'

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
  const read = stats.promptTokens - stats.cachedPromptTokens
  const written = stats.completionTokens
  return {
    cache_n: stats.cachedPromptTokens,
    prompt_n: read,
    prompt_ms: stats.prefillMs,
    prompt_per_token_ms: ratio(stats.prefillMs, read),
    prompt_per_second: ratio(read * 1000, stats.prefillMs),
    predicted_n: written,
    predicted_ms: stats.decodeMs,
    predicted_per_token_ms: ratio(stats.decodeMs, written),
    predicted_per_second: stats.tokensPerSecond,
    draft_n: stats.draftedTokens,
    draft_n_accepted: stats.acceptedTokens,
  }
}

function ratio(a: number, b: number): number {
  return b > 0 ? a / b : 0
}
