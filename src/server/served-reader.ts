// A model that reads, by its name.

import type { Embedder } from '../engine/embedder.js'
import { Admission } from './admission.js'
import { Loading } from './loading.js'

/** A model that reads, by its name. */
export interface ReadingModel {
  /** Name of the model in the API. */
  name: string
  embedder: Embedder | PromiseLike<Embedder>
}

/** The same once it is served: its door admits one request at a time, and some wait. */
export class ServedReader {
  readonly name: string
  readonly created = Math.floor(Date.now() / 1000)
  readonly admission: Admission
  readonly #embedder: Loading<Embedder>

  constructor({ name, embedder }: ReadingModel, queue: number) {
    this.name = name
    this.admission = new Admission(1, queue)
    this.#embedder = new Loading(embedder, `the model '${name}'`)
  }

  get isLoaded(): boolean {
    return this.#embedder.thing !== undefined
  }

  /** @throws ApiError 503 until it is loaded */
  get embedder(): Embedder {
    return this.#embedder.demand()
  }
}
