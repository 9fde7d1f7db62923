// What a server writes of the requests it has answered.

import { type RequestEntry, requestLine } from '../server/index.js'
import type { Terminal } from './terminal.js'

/** How much is written: nothing, a line for what is asked for or fails, for everything, or all of it as JSON. */
export type LogLevel = 'off' | 'info' | 'debug' | 'json'

/** What is done with each request that was answered. */
export function logOf(level: LogLevel, terminal: Terminal): ((entry: RequestEntry) => void) | undefined {
  switch (level) {
    case 'off':
      return undefined
    case 'json':
      return (entry) => terminal.err(`${JSON.stringify({ time: new Date().toISOString(), ...entry })}\n`)
    case 'debug':
      return (entry) => terminal.err(`${new Date().toISOString()} ${requestLine(entry)}\n`)
    default:
      // The page and dashboards ask several times a second.
      return (entry) => {
        if (entry.method !== 'GET' || entry.status >= 400) terminal.err(`${requestLine(entry)}\n`)
      }
  }
}
