import type { Embedder } from '../engine/embedder.js'
import { Admission } from './admission.js'
import { ApiError } from './errors.js'

/** A model that reads, by its name. */
export interface ReadingModel {
  /** Name of the model in the API. */
  name: string
  embedder: Embedder | PromiseLike<Embedder>
}

/** The same once it is served: its door lets one request in at a time, and some wait. */
export class ServedReader {
  readonly name: string
  readonly created = Math.floor(Date.now() / 1000)
  readonly admission: Admission
  #embedder: Embedder | undefined
  #failure: unknown

  constructor({ name, embedder }: ReadingModel, queue: number) {
    this.name = name
    this.admission = new Admission(1, queue)
    if ('then' in embedder)
      embedder.then(
        (loaded) => {
          this.#embedder = loaded
        },
        (error: unknown) => {
          this.#failure = error
        },
      )
    else this.#embedder = embedder
  }

  get isLoaded(): boolean {
    return this.#embedder !== undefined
  }

  /** @throws ApiError 503 until it is loaded */
  get embedder(): Embedder {
    if (this.#embedder) return this.#embedder
    const isLost = this.#failure !== undefined
    throw new ApiError(
      503,
      'unavailable_error',
      isLost ? `the model '${this.name}' could not be loaded` : `the model '${this.name}' is being loaded`,
      isLost ? { code: 'not_loaded' } : { code: 'loading', retryAfter: 1 },
    )
  }
}
