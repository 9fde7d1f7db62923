import { readFileSync } from 'node:fs'
import { Hono } from 'hono'
import type { Engine } from '../engine/engine.js'
import { Access } from './access.js'
import { findCache, forget, listCache, warm } from './cache.js'
import { chat } from './chat.js'
import { completion } from './completion.js'
import { responses } from './responses.js'
import { type ServerOptions, Service } from './service.js'
import { findModel, health, listModels, metrics, properties, slots, unknownRoute, wrongMethod } from './status.js'
import { applyTemplate, detokenize, tokenize } from './tokens.js'

/** The server as a function from `Request` to `Response`, and how to end it. */
export interface App {
  /** Answers one request; give it to any server that speaks fetch, or mount it. */
  fetch(request: Request): Response | Promise<Response>
  /** Asks the app without a port, for tests: `app.request('/health')`. */
  request(input: string | Request, init?: RequestInit): Response | Promise<Response>
  /**
   * Lets no request in from now on and resolves when the running ones are through, at the latest after `deadlineMs`.
   * Dispose the engine afterwards; that aborts what is left.
   */
  stop(deadlineMs?: number): Promise<void>
  /** Answers that are being written or wait for a slot. */
  readonly inFlight: number
}

/**
 * An OpenAI-compatible server for an engine.
 *
 * @param engine an engine, or the promise of one: until it is loaded every route says 503
 * @example
 * import { serve } from '@hono/node-server'
 *
 * const app = createApp(await Engine.load({ model: 'model.gguf', slots: 4 }))
 * serve({ fetch: app.fetch, hostname: '127.0.0.1', port: 8080 })
 */
export function createApp(engine: Engine | PromiseLike<Engine>, options: ServerOptions = {}): App {
  const service = new Service(engine, options)
  const access = new Access(options.apiKeys ?? [], options.corsOrigins ?? [])
  const app = new Hono()

  app.use(async (c, next) => {
    const origin = access.checkOrigin(c.req.raw)
    const decorate = () => {
      c.header('X-Content-Type-Options', 'nosniff')
      if (origin === undefined) return
      c.header('Access-Control-Allow-Origin', origin)
      c.header('Vary', 'Origin')
    }
    // Once for what is refused here, once for what the routes answer.
    decorate()
    if (c.req.method === 'OPTIONS')
      return c.body(null, 204, {
        'Access-Control-Allow-Methods': 'GET, POST, DELETE',
        'Access-Control-Allow-Headers': c.req.header('access-control-request-headers') ?? 'authorization, content-type',
        'Access-Control-Max-Age': '600',
      })
    // The page holds no data and asks for the key itself; everything else needs it.
    if (c.req.path !== '/health' && c.req.path !== '/') service.bind(c.req.raw, access.checkKey(c.req.raw))
    await next()
    decorate()
  })

  app.get('/health', () => health(service))
  app.get('/v1/models', () => listModels(service))
  app.get('/v1/models/:id{.+}', (c) => findModel(service, c.req.param('id')))
  app.post('/v1/chat/completions', (c) => chat(service, c.req.raw))
  app.post('/v1/completions', (c) => completion(service, c.req.raw))
  app.post('/v1/responses', (c) => responses(service, c.req.raw))
  app.post('/tokenize', (c) => tokenize(service, c.req.raw))
  app.post('/detokenize', (c) => detokenize(service, c.req.raw))
  app.post('/apply-template', (c) => applyTemplate(service, c.req.raw))
  app.get('/props', () => properties(service))
  app.get('/slots', () => slots(service))
  app.get('/metrics', () => metrics(service))
  app.post('/lookahead/warm', (c) => warm(service, c.req.raw))
  app.get('/lookahead/cache', (c) => listCache(service, c.req.raw))
  app.delete('/lookahead/cache', (c) => forget(service, c.req.raw))
  app.get('/lookahead/cache/:namespace', (c) => findCache(service, c.req.raw, c.req.param('namespace')))
  app.delete('/lookahead/cache/:namespace', (c) => forget(service, c.req.raw, { namespace: c.req.param('namespace') }))
  app.delete('/lookahead/cache/:namespace/documents/:id', (c) =>
    forget(service, c.req.raw, { namespace: c.req.param('namespace'), document: c.req.param('id') }),
  )
  app.delete('/lookahead/cache/:namespace/requests/:id', (c) =>
    forget(service, c.req.raw, { namespace: c.req.param('namespace'), request: c.req.param('id') }),
  )
  app.get('/', () => page())

  // Routes that are there, asked in another way.
  const methods = new Map<string, string[]>()
  for (const { method, path } of app.routes)
    if (method !== 'ALL') methods.set(path, [...(methods.get(path) ?? []), method])
  for (const [path, allowed] of methods) app.all(path, (c) => wrongMethod(c.req.method, c.req.path, allowed))

  app.notFound((c) => unknownRoute(c.req.method, c.req.path))
  app.onError((error, c) => {
    const shown = service.explain(error)
    if (shown.retryAfter !== undefined) c.header('Retry-After', String(shown.retryAfter))
    if (shown.status === 401) c.header('WWW-Authenticate', 'Bearer')
    if (shown.allow !== undefined) c.header('Allow', shown.allow)
    return c.json(shown.toJSON(), shown.status as 400)
  })

  return {
    fetch: (request) => app.fetch(request),
    request: (input, init) => app.request(input, init),
    stop: (deadlineMs = 5000) => service.stop(deadlineMs),
    get inFlight() {
      return service.inFlight
    },
  }
}

let pageText: string | undefined

/** The page: one file, nothing from elsewhere. */
function page(): Response {
  pageText ??= readFileSync(new URL('../../web/index.html', import.meta.url), 'utf8')
  return new Response(pageText, {
    headers: {
      'Content-Type': 'text/html; charset=utf-8',
      'Content-Security-Policy':
        "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'",
    },
  })
}
