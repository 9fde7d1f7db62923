// What routers ask: whether the process lives, is ready, and how full it is.

import { ApiError } from './errors.js'
import type { Service } from './service.js'

/** `GET /livez`: public; 200 while the process answers at all. A process that fails here should be restarted. */
export function live(): Response {
  return Response.json({ status: 'ok' })
}

/** `GET /readyz`: public; 200 while new requests are welcome, 503 while loading, catching up, or about to stop. */
export function ready(service: Service): Response {
  void service.engine
  if (service.isDraining)
    throw new ApiError(503, 'unavailable_error', 'this server is about to stop', { code: 'draining' })
  return Response.json({ status: 'ok' })
}

/** Headers by which a router can tell how busy this replica is. */
export function loadHeaders({ served, fleet }: Service): Record<string, string> {
  let running = 0
  let waiting = 0
  let usage = 0
  for (const one of served) {
    if (!one.isLoaded) continue
    const { runningCount, waitingCount, contextTokens, slots } = one.engine
    const cells = one.engine.describeSlots().reduce((sum, slot) => sum + (slot?.cachedTokens ?? 0), 0)
    running += runningCount
    waiting += waitingCount
    usage = Math.max(usage, cells / (contextTokens * slots))
  }
  return {
    'X-Requests-Running': String(running),
    'X-Requests-Waiting': String(waiting),
    'X-KV-Cache-Usage': usage.toFixed(3),
    ...(fleet && { 'X-Lookahead-Replica': fleet.replica.id }),
  }
}
