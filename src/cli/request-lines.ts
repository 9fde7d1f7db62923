// The log of a server: what it writes about the requests it has answered.

import { type RequestEntry, requestLine } from '../server/index.js'
import type { Terminal } from './terminal.js'

/** How much is logged: nothing; requests that ask for work or fail; all requests; all requests as JSON. */
export type LogLevel = 'off' | 'info' | 'debug' | 'json'

/** What routers and people ask to see whether the server lives. */
export function isProbe(url: string): boolean {
  return /\/(?:health|livez|readyz)(?:\?|$)/.test(url)
}

/** Logs each request that was answered; `undefined` if nothing is logged. */
export function logOf(level: LogLevel, terminal: Terminal): ((entry: RequestEntry) => void) | undefined {
  switch (level) {
    case 'off':
      return undefined
    case 'json':
      return (entry) => terminal.err(`${JSON.stringify({ time: new Date().toISOString(), ...entry })}\n`)
    case 'debug':
      return (entry) => terminal.err(`${new Date().toISOString()} ${requestLine(entry)}\n`)
    default:
      // The web page and dashboards ask for the state several times a second; who looks whether the server is there yet, too.
      return (entry) => {
        const isLook = entry.method === 'GET' && (entry.status < 400 || isProbe(entry.path))
        if (!isLook) terminal.err(`${requestLine(entry)}\n`)
      }
  }
}
