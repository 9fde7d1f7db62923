import { Delays } from '../fleet/counters.js'
import type { ReplicaReport } from '../fleet/replica.js'
import { ApiError } from './errors.js'
import type { Service } from './service.js'

/** `GET /lookahead/log`: what this replica has said and heard, for replicas that know the key they share. */
export function answerLog(service: Service, request: Request): Promise<Response> {
  const { fleet } = service
  if (fleet?.answer) return fleet.answer(request)
  throw new ApiError(404, 'not_found_error', 'this server shares with no peers; --share-key lets them read its log', {
    code: 'not_shared',
  })
}

/** How sharing fares, as Prometheus scrapes it. */
export function renderFleet({ counters, transports, deletions, logBytes }: ReplicaReport): string {
  const lines: string[] = []
  const write = (type: 'counter' | 'gauge' | 'histogram', name: string, help: string, values: readonly string[]) =>
    lines.push(
      `# HELP lookahead:fleet_${name} ${help}`,
      `# TYPE lookahead:fleet_${name} ${type}`,
      ...values.map((value) => `lookahead:fleet_${name}${value}`),
    )
  const { sent, taken, refused, delays } = counters
  const by = (label: string, pairs: Iterable<readonly [string, number]>) =>
    Array.from(pairs, ([value, count]) => `{${label}="${escapeLabel(value)}"} ${count}`)
  const of = (value: (state: (typeof transports)[number]['state']) => number) =>
    by(
      'transport',
      transports.map(({ name, state }) => [name, value(state)]),
    )
  write(
    'gauge',
    'connected',
    '1 while the other side answers.',
    of(({ connected }) => (connected ? 1 : 0)),
  )
  write(
    'gauge',
    'caught_up',
    '1 once all that the others had was taken.',
    of(({ caughtUp }) => (caughtUp ? 1 : 0)),
  )
  write(
    'counter',
    'outages_total',
    'Times that the other side was lost.',
    of(({ outages }) => outages),
  )
  write(
    'gauge',
    'pending_messages',
    'Messages that wait to be handed over.',
    of(({ pending }) => pending),
  )
  write(
    'counter',
    'sent_total',
    'Messages said here.',
    by('type', [
      ['record', sent.records],
      ['deletion', sent.deletions],
    ]),
  )
  write('counter', 'sent_bytes_total', 'Bytes of messages said here.', [` ${sent.bytes}`])
  write(
    'counter',
    'taken_total',
    'Messages of others that changed something here.',
    by('type', [
      ['record', taken.records],
      ['deletion', taken.deletions],
    ]),
  )
  write('counter', 'taken_tokens_total', 'Tokens of records taken from others.', [` ${taken.tokens}`])
  write('counter', 'known_total', 'Messages of others that said nothing new.', [` ${counters.known}`])
  write('counter', 'dead_total', 'Records that came after their own deletion.', [` ${counters.dead}`])
  write('counter', 'refused_total', 'Messages of others that were not taken.', by('reason', refused))
  write('counter', 'missed_total', 'Records let go before they could be handed over.', [` ${counters.missed}`])
  write('counter', 'gaps_total', 'Messages of others that never came.', [` ${counters.gaps}`])
  write('counter', 'oversized_total', 'Records said here that were too long to share.', [` ${counters.oversized}`])
  write('gauge', 'deletions', 'Deletions that are remembered.', [` ${deletions}`])
  write('gauge', 'log_bytes', 'Messages held for those that are slow to take them.', [` ${logBytes}`])
  let sum = 0
  const buckets = Delays.bounds.map((bound, k) => {
    sum += delays.counts[k]
    return `_bucket{le="${bound / 1000}"} ${sum}`
  })
  write('histogram', 'delay_seconds', 'From when a record was added there to when it was taken here.', [
    ...buckets,
    `_bucket{le="+Inf"} ${delays.count}`,
    `_sum ${delays.sumMs / 1000}`,
    `_count ${delays.count}`,
  ])
  return `${lines.join('\n')}\n`
}

function escapeLabel(text: string): string {
  return text.replace(/[\\"\n]/g, (sign) => (sign === '\n' ? '\\n' : `\\${sign}`))
}
