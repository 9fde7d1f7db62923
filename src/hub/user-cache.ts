// Where this package keeps files that can be recreated.

import { homedir, platform } from 'node:os'
import path from 'node:path'

/** A folder of this package in the user's cache, for files that can be recreated. */
export function userCache(name: string): string {
  return path.join(cachesOf(platform()), 'lookahead-llm', name)
}

function cachesOf(system: NodeJS.Platform): string {
  if (system === 'win32') return process.env.LOCALAPPDATA ?? path.join(homedir(), 'AppData', 'Local')
  if (system === 'darwin') return path.join(homedir(), 'Library', 'Caches')
  return process.env.XDG_CACHE_HOME || path.join(homedir(), '.cache')
}
