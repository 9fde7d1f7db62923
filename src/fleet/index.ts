/**
 * Replicas that share what they have read and written: records and deletions, over Redis or Valkey, or directly over HTTP.
 *
 * @example
 * import { Engine } from 'lookahead-llm'
 * import { joinFleet } from 'lookahead-llm/fleet'
 *
 * await using engine = await Engine.load({ model: 'model.gguf' })
 * const { corpus, fingerprint, vocabularySize } = engine
 * await using fleet = await joinFleet(corpus, { share: ['redis://localhost'], fingerprint, vocabularySize })
 *
 * @module
 */
export { Counters, Delays, type RefusalReason } from './counters.js'
export { FleetError, type FleetErrorCode } from './error.js'
export { type Fleet, type FleetAddress, type FleetTransports, joinFleet, openTransports } from './fleet.js'
export { FrameLog, type LogEntry, type LogReader } from './frame-log.js'
export { PeerTransport, type PeerTransportOptions } from './http/peer-transport.js'
export { encodeMessage, type Message, type MessageLimits, type Refusal, readMessages } from './message.js'
export { RedisTransport, type RedisTransportOptions } from './redis/redis-transport.js'
export { Replica, type ReplicaReport } from './replica.js'
export type { ReplicaOptions } from './replica-options.js'
export { readSharing, type Sharing } from './sharing.js'
export type { Exchange, Transport, TransportState } from './transport.js'
