import type { Generation } from '../decode/generation.js'
import type { Engine } from '../engine/engine.js'
import type { ChatRequest, CompletionRequest } from '../engine/options.js'
import { Admission } from './admission.js'
import { ApiError, badRequest } from './errors.js'

/** One model by its name: its engine, once that is loaded, and the door in front of it. */
export class Served {
  readonly name: string
  /** Seconds since 1970. */
  readonly created = Math.floor(Date.now() / 1000)
  #engine: Engine | undefined
  #admission: Admission | undefined
  #failure: unknown

  /**
   * @param engine an engine, or one that is being loaded: until then requests for it get a 503
   * @param queue answers that may wait for a slot
   */
  constructor(name: string, engine: Engine | PromiseLike<Engine>, queue: number) {
    this.name = name
    const open = (loaded: Engine) => {
      this.#engine = loaded
      this.#admission = new Admission(loaded.slots, queue)
    }
    if ('then' in engine)
      engine.then(open, (error: unknown) => {
        this.#failure = error
      })
    else open(engine)
  }

  /** The loaded engine. @throws ApiError 503 until it is there */
  get engine(): Engine {
    if (this.#engine) return this.#engine
    if (this.#failure !== undefined)
      throw new ApiError(503, 'unavailable_error', 'the model could not be loaded', { code: 'not_loaded' })
    throw new ApiError(503, 'unavailable_error', 'the model is being loaded', { code: 'loading', retryAfter: 1 })
  }

  get isLoaded(): boolean {
    return this.#engine !== undefined
  }

  /** Answers that are being written or wait. */
  get inFlight(): number {
    return this.#admission?.inFlight ?? 0
  }

  /**
   * Does beforehand what may take long in a request, aside, so that no other has to wait for it. Asked only while there
   * is room for an answer.
   *
   * @throws ApiError 429, 503; and as `Engine.prepare`
   */
  prepare<Request extends ChatRequest | CompletionRequest>(request: Request): Promise<Request> {
    const { engine } = this
    this.#admission?.knock()
    return engine.prepare(request, request.signal)
  }

  /**
   * Starts answers together, or none of them.
   *
   * @param begin one for each answer
   * @returns the answers, and what to call when they are through
   * @throws ApiError
   */
  start(begin: readonly (() => Generation)[]): { generations: Generation[]; leave: () => void } {
    if (begin.length === 0) throw badRequest('the request asks for no answer')
    void this.engine
    const leave = (this.#admission as Admission).enter(begin.length)
    const generations: Generation[] = []
    try {
      for (const start of begin) generations.push(start())
      return { generations, leave }
    } catch (error) {
      for (const generation of generations) generation.abort()
      leave()
      throw error
    }
  }

  /** Lets no request in from now on; resolves when the running ones are through. */
  async stop(): Promise<void> {
    this.#admission?.stop()
    await this.#admission?.whenIdle()
  }
}
