// Joining a fleet: a replica of a corpus with the transports its addresses ask for.

import type { Corpus } from '../corpus/corpus.js'
import { FleetError } from './error.js'
import { PeerTransport } from './http/peer-transport.js'
import { withoutPassword } from './redis/connection.js'
import { RedisTransport } from './redis/redis-transport.js'
import { Replica } from './replica.js'
import type { ReplicaOptions } from './replica-options.js'
import type { Transport } from './transport.js'

/** Where the other replicas are. */
export interface FleetAddress {
  /**
   * `redis://` or `rediss://` (or `valkey://`, `valkeys://`) for a server all share over, or the `http://` or `https://`
   * addresses of the other replicas. Both may be mixed.
   */
  share: readonly string[]
  /** The secret that replicas show each other; needed for `http` addresses. */
  key?: string
  /** About how many bytes of records a Redis keeps of one namespace. Default 64 MiB. */
  streamBytes?: number
}

/** A corpus that shares, and the handler that serves its log to others. */
export interface Fleet extends AsyncDisposable {
  readonly replica: Replica
  /** Handles `GET /lookahead/log`; `undefined` without a key. */
  readonly answer: ((request: Request) => Promise<Response>) | undefined
}

/** Transports to the others, checked but not yet started. */
export interface FleetTransports {
  readonly brokers: readonly Transport[]
  readonly peers: PeerTransport | undefined
}

/** Checks addresses, and loads what they need. @throws FleetError `invalid-parameter`, `not-installed` */
export async function openTransports({ share, key, streamBytes }: FleetAddress): Promise<FleetTransports> {
  const isPeer = (url: string) => /^https?:/i.test(url)
  const peers = share.filter(isPeer)
  const brokers = share.filter((url) => !isPeer(url))
  for (const url of brokers)
    if (!/^(redis|valkey)s?:\/\//i.test(url))
      throw new FleetError(
        'invalid-parameter',
        `expected redis://HOST:PORT, or http://HOST:PORT of another replica, got '${withoutPassword(url)}'`,
      )
  if (peers.length > 0 && !key)
    throw new FleetError(
      'invalid-parameter',
      `replicas that share over HTTP (${peers[0]}) need a key that all of them know`,
    )
  return {
    brokers: await Promise.all(brokers.map((url) => RedisTransport.open(url, { streamBytes }))),
    peers: key ? new PeerTransport(peers, { key }) : undefined,
  }
}

/**
 * Lets a corpus share what is read and written with those of other replicas.
 *
 * @throws FleetError `invalid-parameter`, `not-installed`; CorpusError for a folder that cannot be written to
 * @example
 * await using fleet = await joinFleet(engine.corpus, {
 *   share: ['redis://localhost:6379'],
 *   fingerprint: engine.fingerprint,
 *   vocabularySize: engine.vocabularySize,
 * })
 * await fleet.replica.caughtUp(10_000)
 */
export async function joinFleet(
  corpus: Corpus,
  options: ReplicaOptions & (FleetAddress | { transports: FleetTransports }),
): Promise<Fleet> {
  const { brokers, peers } = 'transports' in options ? options.transports : await openTransports(options)
  const replica = new Replica(corpus, options)
  for (const broker of brokers) replica.attach(broker)
  if (peers) replica.attach(peers)
  return {
    replica,
    answer: peers && ((request) => peers.answer(request)),
    [Symbol.asyncDispose]: () => replica[Symbol.asyncDispose](),
  }
}
