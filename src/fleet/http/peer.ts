// One peer whose log is read.

import { type ClientRequest, Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest, type RequestOptions } from 'node:https'
import { isIPv6 } from 'node:net'
import { urlToHttpOptions } from 'node:url'
import { Backoff, pause } from '../pause.js'
import type { Exchange } from '../transport.js'
import { type Part, PartReader } from './part.js'

/** Seconds for which a peer tells what comes, before it is asked again. */
const WAIT_S = 20
/** Milliseconds beyond that after which it counts as lost. */
const ANSWER_MS = 5000
/** Most bytes of one part of an answer. */
const MOST_BYTES = 32 * 2 ** 20
/** Milliseconds before a machine that is this one is asked again: it may have become another. */
const SELF_MS = 30_000

/** Another replica, as this one asks it for its log, again and again. */
export class Peer {
  /** Whether it answered the last time. */
  isConnected = false
  /** Whether all it had was taken. */
  isCaughtUp = false
  /** Whether it is this replica. */
  isSelf = false
  /** Why it did not answer. */
  problem: string | undefined
  /** Where, and with what. */
  readonly #options: RequestOptions
  readonly #request: typeof httpRequest
  readonly #exchange: Exchange
  readonly #changed: () => void
  readonly #ending = new AbortController()
  readonly #agent: HttpAgent
  #asked: ClientRequest | undefined
  #cursor = ''
  #generation = 0
  #running: Promise<void> = Promise.resolve()

  constructor(url: URL, address: string, key: string, exchange: Exchange, changed: () => void) {
    const isSecure = url.protocol === 'https:'
    const family = isIPv6(address) ? 6 : 4
    this.#exchange = exchange
    this.#changed = changed
    this.#agent = isSecure ? new HttpsAgent({ keepAlive: true }) : new HttpAgent({ keepAlive: true })
    this.#request = isSecure ? httpsRequest : httpRequest
    this.#options = {
      ...urlToHttpOptions(url),
      agent: this.#agent,
      headers: { authorization: `Bearer ${key}` },
      // One machine of those that the name stands for; certificates are still checked by the name.
      lookup: (_host, options, done) => (options.all ? done(null, [{ address, family }]) : done(null, address, family)),
    }
  }

  start(): void {
    this.#running = this.#run()
  }

  async close(): Promise<void> {
    this.#ending.abort()
    this.#asked?.destroy(new Error('it is no longer asked'))
    await this.#running
    this.#agent.destroy()
  }

  async #run(): Promise<void> {
    const backoff = new Backoff()
    const { signal } = this.#ending
    while (!signal.aborted) {
      try {
        const generation = this.#exchange.generation()
        if (generation !== this.#generation) {
          this.#cursor = ''
          this.isCaughtUp = false
        }
        this.#generation = generation
        const answer = await this.#ask()
        this.isSelf = answer.headers['x-lookahead-replica'] === this.#exchange.id
        if (this.isSelf) {
          answer.destroy()
          this.#changed()
          await pause(SELF_MS, signal)
          continue
        }
        const parts = new PartReader(MOST_BYTES)
        let isEmpty = true
        for await (const piece of answer)
          for (const part of parts.push(piece)) {
            await this.#take(part)
            isEmpty = false
            backoff.reset()
          }
        if (isEmpty) throw new Error(refusals[200])
      } catch (error) {
        if (signal.aborted) break
        this.isConnected = false
        this.problem = describeFailure(error as Error).message
        this.#changed()
        await backoff.wait(signal)
      }
    }
  }

  async #take({ cursor, isAll, frames }: Part): Promise<void> {
    await this.#exchange.take(frames)
    const isNews = !this.isConnected || isAll
    this.#cursor = cursor
    this.isConnected = true
    this.problem = undefined
    if (isAll) this.isCaughtUp = true
    if (isNews) this.#changed()
  }

  /** Asks for what comes after the cursor: an answer that has begun. */
  #ask(): Promise<IncomingMessage> {
    const { id, fingerprint } = this.#exchange
    const path = `/lookahead/log?after=${encodeURIComponent(this.#cursor)}&wait=${WAIT_S}&replica=${id}&fingerprint=${fingerprint}`
    let begun: IncomingMessage | undefined
    return new Promise((resolve, reject) => {
      const asked = this.#request({ ...this.#options, path, timeout: WAIT_S * 1000 + ANSWER_MS })
      this.#asked = asked
      asked.on('timeout', () => {
        const late = new Error(`no answer for ${WAIT_S + ANSWER_MS / 1000} s`)
        begun?.destroy(late)
        asked.destroy(late)
      })
      asked.on('error', (error: NodeJS.ErrnoException) => reject(describeFailure(error)))
      asked.on('response', (answer) => {
        const { statusCode = 0, headers } = answer
        begun = answer
        if (statusCode === 200 && typeof headers['x-lookahead-replica'] === 'string') return resolve(answer)
        answer.resume()
        reject(new Error(refusals[statusCode] ?? `it answered ${statusCode}`))
      })
      asked.end()
    })
  }
}

const refusals: Record<number, string> = {
  200: 'it answered, but not with a log',
  401: 'it does not know the key',
  404: 'it does not share',
  409: 'it has another tokenizer',
}

function describeFailure(error: NodeJS.ErrnoException): Error {
  if (error.code === 'ECONNREFUSED') return new Error('connection refused')
  if (error.code === 'ECONNRESET' || error.message === 'aborted') return new Error('connection lost')
  return error
}
