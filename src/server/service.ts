import { DEFAULT_NAMESPACE } from '../corpus/corpus.js'
import type { Generation } from '../decode/generation.js'
import type { Engine } from '../engine/engine.js'
import type { NamespaceKey } from './access.js'
import { Admission } from './admission.js'
import { Answers } from './answers.js'
import { ApiError, badRequest, toApiError } from './errors.js'
import { Metrics } from './metrics.js'

/** How an app is made. */
export interface ServerOptions {
  /** Name of the model in the API. Default `'lookahead'`. */
  model?: string
  /**
   * Keys of which one must come as `Authorization: Bearer …` with everything but `/health` and the page. Requests with a
   * key that is bound to a namespace belong to that namespace and reach no other. Default: none.
   */
  apiKeys?: readonly (string | NamespaceKey)[]
  /** Answers that may wait for a slot; beyond that the server says 429. Default 32. */
  queue?: number
  /** Most bytes of a request body. Default 8 MiB. */
  maxBodyBytes?: number
  /**
   * Origins whose pages may call the API from a browser, e.g. `http://localhost:3000`; `'*'`: all. Default: none but the
   * server's own page.
   */
  corsOrigins?: readonly string[]
  /** Quiet milliseconds of a stream after which a comment keeps it alive. Default 5000. */
  pingMs?: number
  /** Takes one line about what went wrong inside; never text of prompts or answers. Default: stderr. */
  log?: (line: string) => void
}

/** What the routes share: the engine, the door in front of it, the counters. */
export class Service {
  readonly model: string
  readonly metrics = new Metrics()
  readonly startedAt = performance.now()
  /** Seconds since 1970. */
  readonly created = Math.floor(Date.now() / 1000)
  readonly maxBodyBytes: number
  readonly pingMs: number
  readonly #queue: number
  readonly #log: (line: string) => void
  #engine: Engine | undefined
  #admission: Admission | undefined
  /** Namespaces of the requests in flight, each as often as it has some. */
  readonly #active: string[] = []
  readonly #bound = new WeakMap<Request, string>()
  #failure: unknown

  /** @param engine an engine, or one that is being loaded: until then every route says 503 */
  constructor(engine: Engine | PromiseLike<Engine>, options: ServerOptions) {
    this.model = options.model ?? 'lookahead'
    this.maxBodyBytes = options.maxBodyBytes ?? 8 * 2 ** 20
    this.pingMs = options.pingMs ?? 5000
    this.#queue = options.queue ?? 32
    this.#log = options.log ?? ((line) => void process.stderr.write(`${line}\n`))
    if ('then' in engine)
      engine.then(
        (loaded) => this.#open(loaded),
        (error: unknown) => {
          this.#failure = error
        },
      )
    else this.#open(engine)
  }

  /** The loaded engine. @throws ApiError 503 until it is there */
  get engine(): Engine {
    if (this.#engine) return this.#engine
    if (this.#failure !== undefined)
      throw new ApiError(503, 'unavailable_error', 'the model could not be loaded', { code: 'not_loaded' })
    throw new ApiError(503, 'unavailable_error', 'the model is being loaded', { code: 'loading', retryAfter: 1 })
  }

  /** Answers that are being written or wait. */
  get inFlight(): number {
    return this.#admission?.inFlight ?? 0
  }

  /** Namespaces of the requests in flight. */
  get activeNamespaces(): ReadonlySet<string> {
    return new Set(this.#active)
  }

  /** Notes the namespace that the key of a request is bound to. */
  bind(request: Request, namespace: string | undefined): void {
    if (namespace !== undefined) this.#bound.set(request, namespace)
  }

  /**
   * The namespace a request belongs to: the one it names, or that of its key; `undefined` if there is neither.
   *
   * @throws ApiError 403 if its key is bound to another namespace than the one it names
   */
  namespaceOf(request: Request, named?: string | null): string | undefined {
    const bound = this.#bound.get(request)
    if (bound === undefined || named === bound) return named ?? undefined
    if (named === null || named === undefined) return bound
    throw new ApiError(
      403,
      'authentication_error',
      `this key belongs to the namespace '${bound}'; it reaches no other`,
      { param: 'namespace', code: 'namespace_not_allowed' },
    )
  }

  /** Checks the `model` of a request. @throws ApiError 404 */
  checkModel(model: string | null | undefined): void {
    if (model === null || model === undefined || model === this.model) return
    throw new ApiError(
      404,
      'not_found_error',
      `the model '${model}' is not served here; this server has '${this.model}'`,
      {
        param: 'model',
        code: 'model_not_found',
      },
    )
  }

  /**
   * Starts answers together, or none of them.
   *
   * @param begin one for each answer
   * @param signal aborts when the client goes
   * @param namespace whose request it is
   * @throws ApiError
   */
  start(begin: readonly (() => Generation)[], signal: AbortSignal, namespace?: string): Answers {
    if (begin.length === 0) throw badRequest('the request asks for no answer')
    if (!this.#admission) throw new ApiError(503, 'unavailable_error', 'the model is being loaded', { code: 'loading' })
    const leave = this.#admission.enter(begin.length)
    const generations: Generation[] = []
    try {
      for (const start of begin) generations.push(start())
    } catch (error) {
      for (const generation of generations) generation.abort()
      leave()
      throw error
    }
    const name = namespace ?? DEFAULT_NAMESPACE
    this.#active.push(name)
    return new Answers(generations, this.metrics, signal, () => {
      this.#active.splice(this.#active.indexOf(name), 1)
      leave()
    })
  }

  /** What the client may see of an error; what it may not goes to the log. */
  explain(error: unknown): ApiError {
    const shown = toApiError(error)
    this.metrics.fail(shown.status >= 500 ? 'error' : 'refused')
    if (shown.status === 500) {
      const cause = shown.cause ?? error
      this.#log(
        `lookahead: a request failed: ${cause instanceof Error ? (cause.stack ?? cause.message) : String(cause)}`,
      )
    }
    return shown
  }

  /** Lets no request in from now on and resolves when the running ones are through, at the latest after `deadlineMs`. */
  async stop(deadlineMs: number): Promise<void> {
    const admission = this.#admission
    if (!admission) return
    admission.stop()
    let timer: NodeJS.Timeout | undefined
    const deadline = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, deadlineMs)
    })
    await Promise.race([admission.whenIdle(), deadline])
    clearTimeout(timer)
  }

  #open(engine: Engine): void {
    this.#engine = engine
    this.#admission = new Admission(engine.slots, this.#queue)
  }
}
