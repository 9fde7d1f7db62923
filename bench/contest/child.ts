// A contestant in a process of its own.

import { type ChildProcess, fork } from 'node:child_process'
import type { Answer, Contestant, ContestantReport, Task } from './contestant.js'

/** What a contestant in a process of its own does there. */
export interface ChildRole<Options> {
  start(options: Options): Promise<ContestantReport>
  reset(): Promise<void>
  answer(task: Task): Promise<Answer>
}

interface Call {
  call: 'start' | 'reset' | 'answer'
  argument: unknown
}

type Reply = { value: unknown } | { error: string }

/** A contestant in a fresh process: `script` calls {@link serveChild} there. One call at a time. */
export class ChildContestant<Options> implements Contestant {
  readonly name: string
  readonly about: string
  readonly #script: string
  readonly #options: Options
  #child: ChildProcess | undefined

  constructor(name: string, about: string, script: string, options: Options) {
    this.name = name
    this.about = about
    this.#script = script
    this.#options = options
  }

  get pid(): number | undefined {
    return this.#child?.pid
  }

  async start(): Promise<ContestantReport> {
    this.#child = fork(this.#script, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
    return (await this.#call('start', this.#options)) as ContestantReport
  }

  async reset(): Promise<void> {
    await this.#call('reset')
  }

  async answer(task: Task): Promise<Answer> {
    return (await this.#call('answer', task)) as Answer
  }

  async close(): Promise<void> {
    const child = this.#child
    this.#child = undefined
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
    child.kill('SIGKILL')
    await ended
  }

  #call(call: Call['call'], argument?: unknown): Promise<unknown> {
    const child = this.#child
    if (!child?.connected) return Promise.reject(new Error(`${this.name}: its process has ended`))
    return new Promise((resolve, reject) => {
      const onMessage = (reply: Reply) => {
        child.off('exit', onExit)
        if ('error' in reply) reject(new Error(reply.error))
        else resolve(reply.value)
      }
      const onExit = (code: number | null) => {
        child.off('message', onMessage)
        reject(new Error(`${this.name}: its process ended with ${code ?? 'a signal'}`))
      }
      child.once('message', onMessage)
      child.once('exit', onExit)
      child.send({ call, argument } satisfies Call)
    })
  }
}

/** The other end: answers calls until the parent goes. */
export function serveChild<Options>(role: ChildRole<Options>): void {
  process.on('message', async ({ call, argument }: Call) => {
    let reply: Reply
    try {
      if (call === 'start') reply = { value: await role.start(argument as Options) }
      else if (call === 'answer') reply = { value: await role.answer(argument as Task) }
      else reply = { value: (await role.reset()) ?? null }
    } catch (error) {
      reply = { error: error instanceof Error ? error.message : String(error) }
    }
    process.send?.(reply)
  })
  process.on('disconnect', () => process.exit(0))
}
