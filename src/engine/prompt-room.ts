// Whether a prompt leaves room for an answer.

import { EngineError } from './error.js'

/**
 * No token of any vocabulary has more bytes. Tokenising megabytes takes seconds, in which no answer makes progress; a text
 * that is certainly too long is refused without it.
 */
const longestTokenBytes = 256

/** The fewest tokens that texts can have, however they are split. */
export function leastTokensOf(...texts: readonly string[]): number {
  return Math.ceil(texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0) / longestTokenBytes)
}

/** The room of a context: prompts must leave at least one token for the answer. */
export class PromptRoom {
  readonly contextTokens: number

  /** @param contextTokens most tokens of one request, prompt and answer together */
  constructor(contextTokens: number) {
    this.contextTokens = contextTokens
  }

  /** Refuses texts that cannot fit together, however they are split into tokens. @throws EngineError `prompt-too-long` */
  checkText(...texts: readonly string[]): void {
    const least = leastTokensOf(...texts)
    if (least >= this.contextTokens) throw this.#tooLong(least, 'at least ')
  }

  /** @throws EngineError `empty-prompt`, `prompt-too-long` */
  checkTokens(promptTokens: number): void {
    if (promptTokens === 0) throw new EngineError('empty-prompt', 'the prompt is empty; expected at least one token')
    if (promptTokens >= this.contextTokens) throw this.#tooLong(promptTokens, '')
  }

  #tooLong(promptTokens: number, about: string): EngineError {
    const { contextTokens } = this
    return new EngineError(
      'prompt-too-long',
      `the prompt has ${about}${promptTokens} tokens; the context holds ${contextTokens}, one of them for the answer`,
      { promptTokens, contextTokens },
    )
  }
}
