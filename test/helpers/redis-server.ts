// A real Redis, or what speaks its protocol here, for tests and benchmarks of the fleet.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { freePort } from './free-port.js'

/** Whether a program is there to be run. */
export function hasProgram(name: string, flag = '--version'): boolean {
  return spawnSync(name, [flag], { stdio: 'ignore' }).error === undefined
}

/** The program that serves Redis's protocol here; `undefined`: none. */
export const redisProgram = ['redis-server', 'valkey-server'].find((name) => hasProgram(name))

/** A Redis of one’s own, which can be killed, paused and started again. */
export class RedisServer implements AsyncDisposable {
  readonly port: number
  readonly url: string
  readonly #folder = mkdtempSync(path.join(tmpdir(), 'lookahead-redis-'))
  readonly #options: readonly string[]
  #process: ChildProcess | undefined

  static async start(...options: string[]): Promise<RedisServer> {
    const server = new RedisServer(await freePort(), options)
    await server.start()
    return server
  }

  private constructor(port: number, options: readonly string[]) {
    this.port = port
    this.url = `redis://127.0.0.1:${port}`
    this.#options = options
  }

  async start(): Promise<void> {
    const place = ['--port', String(this.port), '--bind', '127.0.0.1', '--dir', this.#folder]
    this.#process = spawn(redisProgram!, [...place, '--save', '', ...this.#options], {
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    await new Promise<void>((resolve, reject) => {
      this.#process!.once('error', reject)
      let text = ''
      this.#process!.stdout!.on('data', (piece) => {
        text += piece
        if (/Ready to accept connections/.test(text)) resolve()
      })
      this.#process!.once('exit', () => reject(new Error(`redis-server ended: ${text}`)))
    })
  }

  pause(): void {
    this.#process?.kill('SIGSTOP')
  }

  resume(): void {
    this.#process?.kill('SIGCONT')
  }

  async kill(): Promise<void> {
    const ending = new Promise((resolve) => this.#process?.once('exit', resolve))
    this.#process?.kill('SIGKILL')
    await ending
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill()
    rmSync(this.#folder, { recursive: true, force: true })
  }
}
