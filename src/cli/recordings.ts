// Recorded requests and answers, read from files to be replayed.

import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { gunzipSync } from 'node:zlib'
import type { Vocabulary } from '../llama/vocabulary.js'
import { loadVocabulary } from '../llama/vocabulary-file.js'
import type { Recording } from '../rivals/replay.js'
import { UsageError } from './failure.js'
import { readBytes } from './text-file.js'

/** One line of a trace file: what a model read and what it wrote. */
export interface RecordedRequest {
  prompt: string
  response: string
  /** Requests of one group share a question or a conversation. */
  group?: string
  /** Other fields of the file, to filter by. */
  [key: string]: unknown
}

/** A file's bytes, unpacked if they are gzipped. */
async function readUnpacked(file: string): Promise<Buffer> {
  const bytes = await readBytes(file)
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes
  try {
    return gunzipSync(bytes)
  } catch (cause) {
    throw new UsageError(`${file} is gzipped but damaged`, { cause })
  }
}

/**
 * Reads recorded requests: one JSON object per line with at least `prompt` and `response`.
 *
 * @param filters `key=text` each: only requests whose field contains that text
 * @param limit most requests
 */
export async function readRecordings(file: string, filters: string[], limit: number): Promise<RecordedRequest[]> {
  const wanted = filters.map((filter) => {
    const at = filter.indexOf('=')
    if (at < 1) throw new UsageError(`--filter: expected key=text, got ${filter}`)
    return { key: filter.slice(0, at), text: filter.slice(at + 1) }
  })
  const recordings: RecordedRequest[] = []
  for (const [k, line] of new TextDecoder()
    .decode(await readUnpacked(file))
    .split('\n')
    .entries()) {
    if (line.trim() === '') continue
    let request: RecordedRequest
    try {
      request = JSON.parse(line)
    } catch (cause) {
      throw new UsageError(`${file}:${k + 1} is not JSON; expected one object per line`, { cause })
    }
    if (typeof request?.prompt !== 'string' || typeof request.response !== 'string')
      throw new UsageError(`${file}:${k + 1} lacks a text "prompt" or "response"`)
    if (wanted.every(({ key, text }) => String(request[key]).includes(text))) recordings.push(request)
    if (recordings.length === limit) break
  }
  return recordings
}

/** Requests as token ids, leaving out those whose response is too short to draft for. */
export function tokenizeRecordings(requests: readonly RecordedRequest[], vocabulary: Vocabulary): Recording[] {
  return requests
    .map(({ prompt, response, group }) => ({
      prompt: vocabulary.tokenize(prompt, { special: true }),
      response: vocabulary.tokenize(response, { special: true }),
      group,
    }))
    .filter(({ response }) => response.length > 1)
}

/** Loads a vocabulary; a gzipped one is unpacked into a temporary file first. */
export async function openVocabulary(file: string): Promise<Vocabulary> {
  if (!file.endsWith('.gz')) return loadVocabulary(file)
  const folder = await mkdtemp(path.join(tmpdir(), 'lookahead-'))
  try {
    const unpacked = path.join(folder, path.basename(file, '.gz'))
    await writeFile(unpacked, await readUnpacked(file))
    return await loadVocabulary(unpacked)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
