// How long a server keeps whoever asks for its health.

import { Worker } from 'node:worker_threads'

/** Asks a server for `/health` again and again, from a thread that does nothing else. */
export class HealthWatch {
  /** How long each answer took, in milliseconds. */
  readonly ms: number[] = []
  readonly #worker: Worker

  /**
   * @param url of the server
   * @param tell what is told of each answer: when it was asked for (`Date.now()`), and how long it took
   */
  constructor(url: string, tell?: (askedAt: number, ms: number) => void) {
    this.#worker = new Worker(script, { eval: true, workerData: `${url}/health` })
    this.#worker.on('message', ([askedAt, ms]: [number, number]) => {
      this.ms.push(ms)
      tell?.(askedAt, ms)
    })
  }

  /** Ends it; what was asked last is waited for. */
  async stop(): Promise<readonly number[]> {
    this.#worker.postMessage('stop')
    await new Promise((resolve) => this.#worker.once('exit', resolve))
    return this.ms
  }
}

const script = `
const { parentPort, workerData } = require('node:worker_threads')
let isOver = false
parentPort.once('message', () => { isOver = true })
void (async () => {
  while (!isOver) {
    const askedAt = Date.now()
    const asked = performance.now()
    await (await fetch(workerData)).text()
    parentPort.postMessage([askedAt, performance.now() - asked])
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
})().catch(() => {}).finally(() => process.exit())
`
