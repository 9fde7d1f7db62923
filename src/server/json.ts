// Answers as JSON, written in pieces: a large one would keep everybody waiting.

import { turns } from '../llama/turns.js'

/** Characters of a piece, some milliseconds of work; an answer that is smaller is written at once. */
const mostPiece = 2 ** 18

/** A response with a value as JSON. What is no JSON (functions, `undefined`) must only stand in fields, which are left out. */
export async function json(value: unknown): Promise<Response> {
  const parts: string[] = []
  let length = 0
  for (const part of write(value)) {
    parts.push(part)
    length += part.length
    if (length < mostPiece) continue
    length = 0
    await turns.take()
  }
  return new Response(parts.join(''), { headers: { 'Content-Type': 'application/json' } })
}

/** Entries of a list that are written together, unless they are lists or objects. */
const together = 2048

function* write(value: unknown): Generator<string> {
  if (typeof value !== 'object' || value === null) yield JSON.stringify(value)
  else if (Array.isArray(value)) yield* writeList(value)
  else {
    let comma = ''
    yield '{'
    for (const [name, held] of Object.entries(value)) {
      if (held === undefined) continue
      yield `${comma}${JSON.stringify(name)}:`
      yield* write(held)
      comma = ','
    }
    yield '}'
  }
}

function* writeList(list: readonly unknown[]): Generator<string> {
  let comma = ''
  yield '['
  for (let at = 0; at < list.length; ) {
    const isPlain = typeof list[at] !== 'object'
    let end = at + 1
    while (isPlain && end < list.length && end < at + together && typeof list[end] !== 'object') end++
    if (isPlain) yield comma + JSON.stringify(list.slice(at, end)).slice(1, -1)
    else {
      yield comma
      yield* write(list[at])
    }
    comma = ','
    at = end
  }
  yield ']'
}
