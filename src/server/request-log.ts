// A line for each request.

import type { GenerationResult } from '../decode/generation.js'

/** Figures of one request once it is over; never any text of it. */
export interface RequestEntry {
  method: string
  path: string
  status: number
  /** Milliseconds from its first line to its last byte. */
  ms: number
  /** Of answers: tokens of the prompt, those of them that had been computed before, tokens written, and forwards. */
  answers?: number
  promptTokens?: number
  cachedTokens?: number
  writtenTokens?: number
  /** Tokens written per forward. */
  edl?: number
  /** How the first of its answers ended. */
  reason?: string
}

/** The part of an entry that tells of answers. */
export function entryOf(results: readonly GenerationResult[]): Partial<RequestEntry> {
  const sum = (of: (result: GenerationResult) => number) => results.reduce((total, result) => total + of(result), 0)
  const forwards = sum(({ stats }) => stats.forwards)
  return {
    answers: results.length,
    promptTokens: sum(({ stats }) => stats.promptTokens),
    cachedTokens: sum(({ stats }) => stats.cachedPromptTokens),
    writtenTokens: sum(({ stats }) => stats.completionTokens),
    edl: forwards > 0 ? sum(({ stats }) => stats.edl * stats.forwards) / forwards : 1,
    reason: results[0]?.reason,
  }
}

/** An entry as one line for people. */
export function requestLine(entry: RequestEntry): string {
  const { method, path, status, ms, promptTokens, cachedTokens, writtenTokens, edl, reason } = entry
  const time = ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`
  const head = `${method} ${path} ${status}, ${time}`
  if (promptTokens === undefined) return head
  return `${head}: ${promptTokens} tokens read (${cachedTokens} known), ${writtenTokens} written, ${edl?.toFixed(2)} a forward, ended by ${reason}`
}
