// What was added here and has not been sent yet.

import type { CorpusRecord } from '../corpus/record.js'

/** Most records that wait to be sent together, and most tokens of one that waits. */
const MOST_RECORDS = 64
const MOST_TOKENS = 16_384

/** A record as it was when it was added. */
export interface UnsaidRecord {
  readonly namespace: string
  readonly record: CorpusRecord
  /** The name it was added under; `''` if it has none. */
  readonly name: string
  readonly tokens: Int32Array
}

/** Records that wait to be sent together: that costs less than sending each as its answer ends. */
export class Unsaid {
  #records: UnsaidRecord[] = []

  get isEmpty(): boolean {
    return this.#records.length === 0
  }

  /** Whether they should wait no longer. */
  get isFull(): boolean {
    const records = this.#records
    return records.length >= MOST_RECORDS || records[records.length - 1]?.tokens.length > MOST_TOKENS
  }

  has(record: CorpusRecord): boolean {
    return this.#records.some((one) => one.record === record)
  }

  add(namespace: string, record: CorpusRecord, tokens: ArrayLike<number>): void {
    this.#records.push({ namespace, record, name: record.names[0] ?? '', tokens: Int32Array.from(tokens) })
  }

  /** All of them, in the order in which they were added; none are left. */
  take(): UnsaidRecord[] {
    return this.#records.splice(0)
  }
}
