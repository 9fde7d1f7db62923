// Several answers to one prompt, which draft from each other.

import { TokenLog } from '../corpus/log.js'
import { MatchIndex, type MatchLimits } from '../corpus/match-index.js'
import type { MatchList } from '../corpus/match-list.js'
import type { Spelling } from '../corpus/spelling.js'

/** Tokens from the end of the prompt that are kept in front of an answer, so that its beginning is found too. */
const leadTokens = 8
/** Siblings searched for one draft: those that began last. */
const mostHeard = 8

/** What one of several answers has said so far. */
export class Voice {
  readonly log = new TokenLog({ segmentTokens: 1024 })
  readonly index: MatchIndex

  /** @param lead what the answer follows */
  constructor(lead: ArrayLike<number>, orders: readonly number[], maxMatch: number, spelling?: Spelling) {
    this.log.append(lead, lead.length)
    this.index = new MatchIndex(this.log, { orders: [...orders], maxMatch, expectedTokens: 256, spelling })
  }

  /** Appends what was said next. */
  say(tokens: ArrayLike<number>, count: number): void {
    this.log.append(tokens, count)
    this.index.extend()
  }
}

/**
 * Several answers to one prompt, written at the same time. Each has a log of its own, which the others draft from at
 * once; only when an answer is finished does it go to the log that all requests share.
 *
 *     prompt ──┬── answer 1   The fee is 89 euros and …
 *              ├── answer 2   The fee is ▒▒▒▒▒▒▒▒           drafted from answer 1
 *              └── answer 3   You ask for the fee: …
 */
export class Siblings {
  readonly #orders: readonly number[]
  readonly #maxMatch: number
  readonly #spelling: Spelling | undefined
  readonly #voices: Voice[] = []

  constructor(orders: readonly number[], maxMatch: number, spelling?: Spelling) {
    this.#orders = orders
    this.#maxMatch = maxMatch
    this.#spelling = spelling
  }

  /** Adds an answer. @param context what was read before it; its end is kept */
  join(context: TokenLog): Voice {
    const lead = context.slice(Math.max(context.first, context.end - leadTokens), context.end)
    const voice = new Voice(lead, this.#orders, this.#maxMatch, this.#spelling)
    this.#voices.unshift(voice)
    return voice
  }

  /** Takes an answer out. */
  leave(voice: Voice | undefined): void {
    const at = voice ? this.#voices.indexOf(voice) : -1
    if (at >= 0) this.#voices.splice(at, 1)
  }

  /** Lists what the others said after a context; their logs are numbered `logNumber`, `logNumber` + 1, … */
  find(
    own: Voice | undefined,
    context: Int32Array,
    length: number,
    limits: MatchLimits,
    list: MatchList,
    logNumber: number,
  ): void {
    for (let k = 0; k < this.#voices.length && k <= mostHeard; k++)
      if (this.#voices[k] !== own) this.#voices[k].index.find(context, length, limits, list, logNumber + k)
  }

  /** The log with number `logNumber + k`. */
  logAt(k: number): TokenLog {
    return this.#voices[k].log
  }
}
