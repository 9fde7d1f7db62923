import { z } from 'zod'
import type { DeleteOptions, NamespaceReport } from '../corpus/corpus.js'
import { readBody } from './body.js'
import { ApiError } from './errors.js'
import { namespaceName } from './fields.js'
import { documents, requestDocuments } from './messages.js'
import type { Service } from './service.js'

const warmBody = z.strictObject({
  documents,
  namespace: namespaceName.nullish(),
})

/**
 * `POST /lookahead/warm`: indexes documents before requests bring them. The answer comes once they are kept on the disk
 * too, if anything is.
 */
export async function warm(service: Service, request: Request): Promise<Response> {
  const { engine } = service
  const body = await readBody(request, warmBody, service.maxBodyBytes)
  const report = await engine.warm(requestDocuments(body.documents) ?? [], {
    namespace: body.namespace ?? undefined,
    signal: request.signal,
  })
  await engine.flushMemory()
  return Response.json({ object: 'lookahead.warm', ...report })
}

/** `GET /lookahead/cache`: all namespaces in numbers. */
export function listCache({ engine }: Service): Response {
  const data = engine.describeMemory().map(describe)
  const sum = (of: (one: (typeof data)[number]) => number) => data.reduce((total, one) => total + of(one), 0)
  return Response.json({ object: 'list', data, tokens: sum(({ tokens }) => tokens), bytes: sum(({ bytes }) => bytes) })
}

/** `GET /lookahead/cache/{namespace}`: one namespace in numbers. */
export function findCache({ engine }: Service, namespace: string): Response {
  const found = engine.describeMemory().find(({ name }) => name === namespace)
  if (found) return Response.json(describe(found))
  throw new ApiError(404, 'not_found_error', `the namespace '${namespace.slice(0, 256)}' holds nothing`, {
    code: 'unknown_namespace',
  })
}

/**
 * `DELETE /lookahead/cache…`: forgets a document, what a request left behind, a namespace, or, where nothing is named,
 * all of them. The answer comes once the deletion is on the disk too.
 */
export async function forget(service: Service, what?: DeleteOptions): Promise<Response> {
  const { engine } = service
  let deleted = 0
  if (what) deleted = await engine.forget(what)
  else {
    // Those of running requests too: they must not leave behind what they have read.
    const names = new Set([...engine.describeMemory().map(({ name }) => name), ...service.activeNamespaces])
    for (const namespace of names) deleted += await engine.forget({ namespace })
  }
  return Response.json({ object: 'lookahead.cache.deleted', deleted })
}

function describe({ name, documents, requests, tokens, bytes, oldest }: NamespaceReport) {
  return {
    object: 'lookahead.namespace',
    namespace: name,
    documents,
    requests,
    tokens,
    bytes,
    oldest: oldest === undefined ? null : Math.floor(oldest / 1000),
  }
}
