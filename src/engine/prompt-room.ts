// Whether a prompt leaves room for an answer.

import { EngineError } from './error.js'

/**
 * Bytes that no token of any vocabulary exceeds. Reading a text of megabytes takes seconds in which no answer gets on;
 * what is too long in any case is refused without that.
 */
const longestTokenBytes = 256

/** Tokens that a text has at least, however it is split. */
export function leastTokensOf(text: string): number {
  return Math.ceil(Buffer.byteLength(text) / longestTokenBytes)
}

/** What a context has room for: prompts that leave at least one token for the answer. */
export class PromptRoom {
  readonly contextTokens: number

  /** @param contextTokens most tokens of one request, prompt and answer together */
  constructor(contextTokens: number) {
    this.contextTokens = contextTokens
  }

  /** Refuses a text that cannot fit, however it is split into tokens. @throws EngineError `prompt-too-long` */
  checkText(text: string): void {
    const least = leastTokensOf(text)
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
