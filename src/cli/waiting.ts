// A line that shows what is being waited for, and for how long.

import type { PromptProgress } from '../decode/generation.js'
import type { LoadingProgress, LoadingStage } from '../measure/progress.js'
import type { Terminal } from './terminal.js'

/** The stages of loading, in words. */
const stageNames: Record<LoadingStage, string> = {
  weights: 'reading the model',
  exactness: 'probing how exact its forwards are',
  warming: 'computing every size once, for which the device may compile',
  cost: 'measuring what forwards cost',
  'draft-model': 'reading the draft model',
}

/** The same for a log. */
export function describeStage({ stage }: LoadingProgress): string {
  return stageNames[stage]
}

/**
 * One line on stderr, redrawn every second while something is waited for; shown only in a terminal.
 *
 *     lookahead-qa: measuring what forwards cost … 2 s
 */
export class WaitingLine {
  readonly #terminal: Terminal
  readonly #subject: string
  #beganAt = 0
  #what = ''
  #timer: NodeJS.Timeout | undefined

  constructor(terminal: Terminal, subject: string) {
    this.#terminal = terminal
    this.#subject = subject
  }

  /** Shows what is being done. */
  show(what: string): void {
    if (!this.#terminal.watched) return
    if (this.#what === '') this.#beganAt = performance.now()
    this.#what = what
    this.#draw()
    this.#timer ??= setInterval(() => this.#draw(), 1000).unref()
  }

  /** For `Engine.load`. */
  readonly onProgress = (progress: LoadingProgress): void => {
    const { share } = progress
    this.show(`${describeStage(progress)}${share === undefined ? '' : `, ${Math.floor(100 * share)} %`}`)
  }

  /** For the `onPrompt` of a request. */
  readonly onPrompt = ({ readTokens, promptTokens }: PromptProgress): void => {
    if (readTokens < promptTokens) this.show(`reading the prompt, ${readTokens} of ${promptTokens} tokens`)
    else this.end()
  }

  /** Removes the line. */
  end(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
    if (this.#what !== '') this.#terminal.err('\r\x1b[K')
    this.#what = ''
  }

  #draw(): void {
    const waited = Math.floor((performance.now() - this.#beganAt) / 1000)
    this.#terminal.err(`\r\x1b[K${this.#subject}: ${this.#what} …${waited > 0 ? ` ${waited} s` : ''}`)
  }
}
