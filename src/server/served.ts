// A model by its name, with the door in front of it.

import type { Generation } from '../decode/generation.js'
import type { Engine } from '../engine/engine.js'
import type { ChatRequest, CompletionRequest } from '../engine/options.js'
import { Admission } from './admission.js'
import { badRequest } from './errors.js'
import { Loading } from './loading.js'

/** One model by its name: its engine, once that is loaded, and the door in front of it. */
export class Served {
  readonly name: string
  /** Seconds since 1970. */
  readonly created = Math.floor(Date.now() / 1000)
  readonly #engine: Loading<Engine>
  #admission: Admission | undefined

  /**
   * @param engine an engine, or one that is being loaded: until then requests for it get a 503
   * @param queue answers that may wait for a slot
   */
  constructor(name: string, engine: Engine | PromiseLike<Engine>, queue: number) {
    this.name = name
    this.#engine = new Loading(engine, 'the model', (loaded) => {
      this.#admission = new Admission(loaded.slots, queue)
      // Read off its template now, and not while the first request waits: that takes a while.
      void loaded.rendersTools
    })
  }

  /** The loaded engine. @throws ApiError 503 until it is there */
  get engine(): Engine {
    return this.#engine.demand()
  }

  get isLoaded(): boolean {
    return this.#engine.thing !== undefined
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
