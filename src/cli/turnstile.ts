// Where requests come in one after the other.

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { Turns } from '../llama/turns.js'
import { isProbe } from './request-lines.js'

/** Answers one request of a connection. */
type Reply = (request: IncomingMessage, response: ServerResponse) => unknown

/** Requests of one connection that may wait: nobody sends more before the first answer, unless to hold up others. */
const mostWaiting = 32

interface Line {
  waiting: number
  /** Resolves when the last request of the connection so far is answered. */
  last: Promise<void>
}

/**
 * Lets requests in one at a time, and between two of them everybody else is heard; those of one connection one after the
 * other.
 *
 *     connection 1   ▒ ▒ ▒ ──▶ ▒ ┐
 *     connection 2         ──▶ ▒ ┼──▶ │ 1 │ probes, sockets, timers │ 2 │ probes, sockets, timers │ 3 │ …
 *     connection 3     ▒ ▒ ──▶ ▒ ┘
 *
 * A few kilobytes hold thousands of requests, and all of them would be begun before anything else of the loop.
 */
export class Turnstile {
  readonly #turns = new Turns()
  readonly #lines = new WeakMap<Socket, Line>()

  /** Has a request answered when its turn comes; a probe at once. Of too many the connection is broken off. */
  enter(request: IncomingMessage, response: ServerResponse, reply: Reply): void {
    const { socket } = request
    const line = this.#lines.get(socket) ?? { waiting: 0, last: Promise.resolve() }
    this.#lines.set(socket, line)
    if (line.waiting === mostWaiting) {
      socket.destroy()
      return
    }
    line.waiting++
    const before = line.last
    line.last = new Promise((resolve) => {
      response.once('close', () => {
        line.waiting--
        resolve()
      })
    })
    const answer = () => reply(request, response)
    if (line.waiting === 1 && isProbe(request.url ?? '')) answer()
    else void this.#wait(before, socket, response, answer)
  }

  async #wait(before: Promise<void>, socket: Socket, response: ServerResponse, answer: () => unknown): Promise<void> {
    await before
    await this.#turns.take()
    // Who has gone meanwhile needs no answer. A response that waits behind another does not hear of that.
    if (!socket.destroyed && !response.destroyed) answer()
  }
}
