import type { Corpus } from './corpus.js'
import type { Namespace } from './namespace.js'

/**
 * The corpus as one request sees it: its namespace, and the common one if there is such. Nothing else can be reached
 * through it.
 */
export class CorpusView {
  readonly namespace: string
  /** The request's id, if it has one. */
  readonly request: string | undefined
  readonly #corpus: Corpus
  readonly #release: () => void
  #revoked = false

  /** @internal Made by {@link Corpus.open}. */
  constructor(corpus: Corpus, namespace: string, request: string | undefined, release: () => void) {
    this.#corpus = corpus
    this.namespace = namespace
    this.request = request
    this.#release = release
  }

  /** The request's namespace. Ask anew for every draft: it comes, goes and is compacted. */
  get shared(): Namespace | undefined {
    return this.#corpus.find(this.namespace)
  }

  /** The common namespace, unless it is the request's own. */
  get common(): Namespace | undefined {
    const { common } = this.#corpus
    return common === undefined || common === this.namespace ? undefined : this.#corpus.find(common)
  }

  /** Leaves what the request wrote to its namespace, unless that was deleted meanwhile. */
  write(tokens: ArrayLike<number>): void {
    if (!this.#revoked) this.#corpus.addRequest(tokens, this.namespace, this.request)
  }

  /** From now on nothing is written. */
  revoke(): void {
    this.#revoked = true
  }

  /** The request is over. */
  close(): void {
    this.#release()
  }
}
