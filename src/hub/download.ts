// One file over HTTP: resumed, checked, with progress.

import { createHash, type Hash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, open, rename, stat, statfs, unlink } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { HubError, unreachable } from './error.js'

/** How far a download is, in bytes. */
export interface DownloadProgress {
  /** Name of the file. */
  file: string
  receivedBytes: number
  /** `undefined` where the server does not say. */
  totalBytes: number | undefined
}

/** What is to be fetched, and what is known of it. */
export interface DownloadOptions {
  url: URL
  /** Where the file is to lie. Beside it, `….incomplete` holds what has arrived so far; a later call goes on from there. */
  target: string
  /** Sent to the server of `url` only, not to where it redirects. */
  token?: string
  /** Expected length and SHA-256, where known. */
  bytes?: number
  sha256?: string
  signal?: AbortSignal
  onProgress?: (progress: DownloadProgress) => void
}

/** Attempts in a row that bring no byte before it is given up, and the wait before the first repetition. */
const mostAttempts = 5
const firstWaitMs = 250

/** Room that is left on the disk beyond the file. */
const spareBytes = 64 * 2 ** 20

/** Redirects that are followed. */
const mostRedirects = 10

/**
 * Fetches a file, going on where an earlier attempt was cut:
 *
 * 1. Hash what has arrived before.
 * 2. Ask for the rest; check the room on the disk once the length is known.
 * 3. Append what comes. A connection that is cut is taken up again while every attempt brings something.
 * 4. Compare length and SHA-256, then rename. What does not match is thrown away.
 *
 * @throws HubError `not-found`, `access-denied`, `unreachable`, `checksum-mismatch`, `no-space`; the reason of the signal
 */
export async function download(options: DownloadOptions): Promise<void> {
  const { target, signal, sha256 } = options
  const partial = `${target}.incomplete`
  const file = path.basename(new URL(options.url).pathname)
  await mkdir(path.dirname(target), { recursive: true })
  let hash = createHash('sha256')
  let received = await hashFile(partial, hash)
  let total = options.bytes
  for (let failures = 0; ; ) {
    // All of it may have arrived before the last attempt was ended.
    if (total !== undefined && received === total) break
    signal?.throwIfAborted()
    const before = received
    try {
      const response = await request(options, received)
      if (response.status === 416 && received > 0) {
        // More has arrived than there is: another file lay under this name.
        await unlink(partial)
        hash = createHash('sha256')
        received = 0
        continue
      }
      refuse(response, options.url)
      if (received > 0 && response.status !== 206) {
        hash = createHash('sha256')
        received = 0
      }
      const length = response.headers.get('content-length')
      total = options.bytes ?? (length === null ? undefined : received + Number(length))
      await checkRoom(path.dirname(target), (total ?? 0) - received, file)
      const handle = await open(partial, received > 0 ? 'a' : 'w', 0o644)
      try {
        for await (const chunk of response.body ?? []) {
          const bytes = chunk as Uint8Array
          await handle.write(bytes)
          hash.update(bytes)
          received += bytes.length
          options.onProgress?.({ file, receivedBytes: received, totalBytes: total })
        }
      } finally {
        await handle.close()
      }
      if (total === undefined || received >= total) break
      throw new Error(`the connection was cut after ${received} of ${total} bytes`)
    } catch (error) {
      if (error instanceof HubError) throw error
      signal?.throwIfAborted()
      failures = received > before ? 1 : failures + 1
      if (failures >= mostAttempts) throw unreachable(options.url, file, error)
      await delay(firstWaitMs * 2 ** (failures - 1), undefined, { signal })
    }
  }
  const found = hash.digest('hex')
  if ((total !== undefined && received !== total) || (sha256 !== undefined && found !== sha256)) {
    await unlink(partial)
    throw new HubError(
      'checksum-mismatch',
      received !== total && total !== undefined
        ? `${file} has ${received} bytes instead of ${total}; it was thrown away`
        : `${file} has the SHA-256 ${found} instead of ${sha256}; it was thrown away`,
    )
  }
  await rename(partial, target)
}

/** Follows redirects by hand, so that the token goes to the first server only. */
async function request({ url, token, signal }: DownloadOptions, from: number): Promise<Response> {
  let at = url
  for (let redirects = 0; redirects <= mostRedirects; redirects++) {
    const headers = new Headers({ 'User-Agent': 'lookahead-llm' })
    if (from > 0) headers.set('Range', `bytes=${from}-`)
    if (token !== undefined && at.host === url.host) headers.set('Authorization', `Bearer ${token}`)
    const response = await fetch(at, { headers, redirect: 'manual', signal })
    const location = response.headers.get('location')
    if (response.status < 300 || response.status > 399 || location === null) return response
    await response.body?.cancel()
    at = new URL(location, at)
  }
  throw new HubError('unreachable', `${url.host} redirects more than ${mostRedirects} times`)
}

/** Turns a refusal into a sentence. Server errors are worth another attempt. @throws HubError, Error */
export function refuse({ status }: Response, url: URL): void {
  if (status < 400) return
  if (status === 401 || status === 403)
    throw new HubError(
      'access-denied',
      `${url.host} answers ${status} for ${url.pathname}: it is private or gated, or does not exist; set HF_TOKEN to a token that may read it`,
    )
  if (status < 500 && status !== 408 && status !== 429)
    throw new HubError('not-found', `${url.host} answers ${status} for ${url.pathname}: there is no such model or file`)
  throw new Error(`the server answers ${status}`)
}

async function checkRoom(folder: string, bytes: number, file: string): Promise<void> {
  const { bavail, bsize } = await statfs(folder)
  const free = bavail * bsize
  if (bytes + spareBytes > free)
    throw new HubError('no-space', `${file} needs ${sizeOf(bytes)}, but ${folder} has ${sizeOf(free)} left`)
}

/** Feeds a file to a hash. Returns its length; 0 if there is none. */
async function hashFile(file: string, hash: Hash): Promise<number> {
  const size = await stat(file).then(
    ({ size }) => size,
    () => 0,
  )
  if (size > 0) for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer)
  return size
}

/** Bytes for people, e.g. `1.3 GB`. */
export function sizeOf(bytes: number): string {
  if (bytes < 1e6) return `${Math.ceil(bytes / 1e3)} kB`
  return bytes < 1e9 ? `${(bytes / 1e6).toFixed(0)} MB` : `${(bytes / 1e9).toFixed(1)} GB`
}
