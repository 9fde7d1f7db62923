// Several replicas in a simulation, which may share what they have read.

import type { Drafter, DraftSession, SessionOptions } from '../draft/drafter.js'
import { RetrievalDrafter } from '../draft/retrieval.js'
import { Replica } from '../fleet/replica.js'
import { UsageError } from './failure.js'

/**
 * Several replicas as one drafter, used as a round-robin router would: each request goes to the next. With `share` they
 * tell each other at once what they have read, in the messages of a real fleet.
 */
export class ReplicatedDrafter implements Drafter {
  readonly name: string
  readonly #drafters: readonly Drafter[]
  readonly #replicas: Replica[] = []
  /** Places in the replicas' logs up to which all others have read them. */
  readonly #heard: number[]
  #next = 0

  /** @throws UsageError for drafters that have nothing to share */
  constructor(count: number, share: boolean, make: () => Drafter) {
    this.#drafters = Array.from({ length: count }, make)
    this.#heard = this.#drafters.map(() => 0)
    this.name = this.#drafters[0].name
    if (!share) return
    for (const drafter of this.#drafters) {
      if (!(drafter instanceof RetrievalDrafter))
        throw new UsageError(`--share works with the drafter lookahead, not with ${drafter.name}`)
      this.#replicas.push(new Replica(drafter.corpus, { fingerprint: '0'.repeat(16), vocabularySize: 0 }))
    }
  }

  /** Bytes of all replicas. */
  get byteLength(): number {
    return this.#drafters.reduce((sum, { byteLength = 0 }) => sum + byteLength, 0)
  }

  open(options?: SessionOptions): DraftSession {
    this.#exchange()
    const drafter = this.#drafters[this.#next]
    this.#next = (this.#next + 1) % this.#drafters.length
    return drafter.open(options)
  }

  #exchange(): void {
    for (const [k, { id, log }] of this.#replicas.entries()) {
      for (const { frame, writer } of log.after(this.#heard[k], Number.POSITIVE_INFINITY))
        if (writer === id) for (const other of this.#replicas) if (other.id !== id) other.takeNow(frame)
      this.#heard[k] = log.last
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const replica of this.#replicas) await replica[Symbol.asyncDispose]()
  }
}
