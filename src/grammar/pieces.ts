// Work in pieces: a generator that pauses every few milliseconds, so that whoever runs it may let others be heard.

/** The value of a generator whose pauses nobody needs. */
export function finish<Result>(work: Iterator<void, Result>): Result {
  for (;;) {
    const { done, value } = work.next()
    if (done) return value
  }
}
