// The border between a replica and the ways by which others are reached.

import type { FrameLog } from './frame-log.js'
import type { HeldDeletion, HeldRecords } from './holdings.js'

/** A way by which replicas reach each other. It never throws: what fails is told, and tried again. */
export interface Transport {
  /** Where it leads, without secrets. */
  readonly name: string
  readonly state: TransportState
  /** Whether it hands on what was heard from others too. */
  readonly forwards: boolean
  /** Begins, and goes on until {@link close}. */
  start(exchange: Exchange): void
  /**
   * Resolves when what was said so far is kept on the other side, with `true`; with `false` when `signal` aborts first.
   */
  flushed(signal: AbortSignal): Promise<boolean>
  /** Ends it. */
  close(): Promise<void>
}

/** How a transport fares. */
export interface TransportState {
  /** Whether the other side answers. */
  connected: boolean
  /** Whether all that the other side had at the beginning has been taken. */
  caughtUp: boolean
  /** Times that the other side was lost. */
  outages: number
  /** Why it is not connected. */
  problem: string | undefined
  /** Messages that wait to be handed over. */
  pending: number
}

/** What a transport may ask of the replica it works for. */
export interface Exchange {
  /** The replica's name among others, 16 hexadecimal digits; new with every start. */
  readonly id: string
  /** 16 hexadecimal digits that tell the tokenizer from others. */
  readonly fingerprint: string
  readonly log: FrameLog
  readonly keepMs: number
  /** Takes in frames of others, with pauses for others between. */
  take(frames: Uint8Array): Promise<void>
  /** Whether a namespace is shared. */
  shares(namespace: string): boolean
  /** When it last was in touch with nothing missing, in milliseconds since 1970. */
  readonly lastContact: number
  /** The deletions that are remembered, or those that came after a time, as frames. */
  deletions(since?: number): Iterable<HeldDeletion>
  /**
   * The records that are held and came here after the one with a given number, as frames of about so many bytes
   * together; `next` is the number to go on after, `undefined` at the end.
   */
  records(after: number, mostBytes: number): HeldRecords
  /**
   * To be asked when the other side is there again, before anything is read: grows when the absence was longer than
   * deletions are kept for, and all must be read anew.
   */
  generation(): number
  /** Notes that the other side is there and nothing is missing. */
  contact(): void
  /** Notes that records could not be handed over. */
  missed(records: number): void
  /** Tells that the state of the transport has changed. */
  changed(transport: Transport): void
}
