// Work in slices of some milliseconds, so that whoever has it done may let others be heard between two of them.

/** Work that may be left and taken up again; what is yielded means nothing. */
export type Slices<T> = Generator<void, T, void>

/** Does work in one go. */
export function finish<T>(work: Iterator<void, T>): T {
  for (;;) {
    const { done, value } = work.next()
    if (done) return value
  }
}
