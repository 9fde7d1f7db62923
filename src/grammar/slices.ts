// Work in slices of some milliseconds, between which other work may have its turn.

/** Work that can be interrupted at every `yield` and taken up again; the yielded values mean nothing. */
export type Slices<T> = Generator<void, T, void>

/** Does work in one go. */
export function finish<T>(work: Iterator<void, T>): T {
  for (;;) {
    const { done, value } = work.next()
    if (done) return value
  }
}
