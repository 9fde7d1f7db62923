/** Nodes a draft may have at first, and least of all. */
const first = 4
const shortest = 2

/**
 * Bounds the size of drafts by how the last ones went, as TCP bounds what it sends: a draft of which half came true
 * allows one twice as long, a draft that failed at its first token halves the bound. Long drafts promise much, since
 * their promises add up; this lets them be made only where the text has just been foreseeable.
 */
export class Leash {
  #nodes = first

  /** Most nodes of the next draft. */
  get nodes(): number {
    return this.#nodes
  }

  /** Takes the outcome of a verified draft. */
  observe(drafted: number, accepted: number): void {
    if (drafted <= 0) return
    if (2 * accepted >= drafted) this.#nodes = Math.max(this.#nodes, 2 * drafted)
    else if (accepted === 0) this.#nodes = Math.max(shortest, Math.min(this.#nodes, drafted) >> 1)
  }

  /** Begins where another one is. */
  take(other: Leash): void {
    this.#nodes = other.#nodes
  }
}
