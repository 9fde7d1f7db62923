// How a replica takes part in a fleet.

import { FleetError } from './error.js'

const DAY_MS = 86_400_000

/** Options of a `Replica`. */
export interface ReplicaOptions {
  /** Identifies the tokenizer: `engine.fingerprint`. Records of another one are refused. */
  fingerprint: string
  /** Tokens of the vocabulary; records with larger ids are refused. */
  vocabularySize: number
  /**
   * Names of the namespaces to share; `*` stands for any text, `!` before a name excludes it. Others neither leave this
   * process nor come in. Default: all are shared.
   */
  namespaces?: readonly string[]
  /** Folder that remembers deletions across restarts, usually the cache's. Default: they are forgotten with the process. */
  folder?: string
  /** Milliseconds for which deletions are remembered and replicas may be away. Default: seven days. */
  keepMs?: number
  /** Milliseconds by which the clocks of replicas may differ. Default: one minute. */
  skewMs?: number
  /** Most bytes of messages held for replicas that are slow to take them. Default 16 MiB. */
  logBytes?: number
  /** Most bytes of one message; longer records are not shared. Default 1 MiB. */
  messageBytes?: number
  /** Most namespaces taken from others. Default 1024. */
  mostNamespaces?: number
  /** Most milliseconds that a deletion waits to be known elsewhere before it is acknowledged. Default 2000. */
  flushMs?: number
  /** Called with one line when the other side is lost or found again. Default: a process warning. */
  log?: (line: string) => void
  /** The time in milliseconds since 1970. Default: the system's clock. */
  now?: () => number
}

/** Those that have defaults, with them. */
export type CheckedOptions = Required<Omit<ReplicaOptions, 'folder' | 'namespaces'>>

/** Options with their defaults. @throws FleetError `invalid-parameter` */
export function checkReplicaOptions(options: ReplicaOptions): CheckedOptions {
  const { fingerprint, vocabularySize } = options
  if (!/^[0-9a-f]{16,}$/.test(fingerprint))
    throw new FleetError(
      'invalid-parameter',
      `fingerprint must be at least 16 hexadecimal digits, got '${fingerprint}'`,
    )
  return {
    fingerprint,
    vocabularySize,
    keepMs: positive('keepMs', options.keepMs ?? 7 * DAY_MS),
    skewMs: positive('skewMs', options.skewMs ?? 60_000),
    logBytes: positive('logBytes', options.logBytes ?? 16 * 2 ** 20),
    messageBytes: positive('messageBytes', options.messageBytes ?? 2 ** 20),
    mostNamespaces: positive('mostNamespaces', options.mostNamespaces ?? 1024),
    flushMs: positive('flushMs', options.flushMs ?? 2000),
    log: options.log ?? warn,
    now: options.now ?? Date.now,
  }
}

function positive(name: string, value: number): number {
  if (value > 0) return value
  throw new FleetError('invalid-parameter', `${name} must be a number > 0, got ${value}`)
}

function warn(line: string): void {
  process.emitWarning(line, { type: 'LookaheadWarning', code: 'fleet' })
}
