// Who may call a server: keys from the command line, from files, and from the environment.

import type { NamespaceKey } from '../server/index.js'
import { UsageError } from './failure.js'
import { readTextFile } from './text-file.js'

export interface KeyOptions {
  apiKey?: string[]
  apiKeyFile?: string[]
  namespaceKey?: string[]
  namespaceKeyFile?: string[]
}

/** The accepted keys; with none, anyone may call. @throws UsageError for an empty key, or a file without any */
export async function keysOf(options: KeyOptions): Promise<(string | NamespaceKey)[]> {
  const fromEnvironment = process.env.LOOKAHEAD_API_KEY ? [process.env.LOOKAHEAD_API_KEY] : []
  const open = [...(options.apiKey ?? fromEnvironment)]
  if (open.includes('')) throw new UsageError('the API key is empty; give at least one character')
  for (const file of options.apiKeyFile ?? []) open.push(...(await readKeys(file)))
  const named = [...(options.namespaceKey ?? [])]
  for (const file of options.namespaceKeyFile ?? []) named.push(...(await readKeys(file)))
  return [...open, ...named.map(readNamespaceKey)]
}

/** The keys in a file, one per line; empty lines and those that begin with # are skipped. */
async function readKeys(file: string): Promise<string[]> {
  const lines = (await readTextFile(file, `the keys in ${file}`)).split(/\r?\n/).map((line) => line.trim())
  const keys = lines.filter((line) => line !== '' && !line.startsWith('#'))
  if (keys.length === 0) throw new UsageError(`${file} holds no key; expected one on each line`)
  return keys
}

/** Parses `name=key`; the key may contain further equals signs. */
function readNamespaceKey(text: string): NamespaceKey {
  const [, namespace, key] = /^([^=]+)=(.+)$/s.exec(text) ?? []
  if (namespace === undefined) throw new UsageError("--namespace-key expects a name and a key, as in 'acme=secret'")
  return { namespace, key }
}
