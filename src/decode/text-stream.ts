/**
 * Turns token bytes into text that may be shown at once. It holds back bytes of an incomplete character and text that
 * could still become a stop string:
 *
 *     stop 'END'     bytes in     shown       held
 *                    "The E"      "The "      "E"
 *                    "ast EN"     "East "     "EN"
 *                    "D."         ""          -        stopped by 'END'
 */
export class TextStream {
  readonly #decoder = new TextDecoder('utf-8')
  readonly #stops: readonly string[]
  readonly #longestStop: number
  #held = ''
  #stoppedBy: string | undefined

  /** @param stops strings that end the text; they are not part of it. None may be empty. */
  constructor(stops: readonly string[] = []) {
    this.#stops = stops
    this.#longestStop = Math.max(0, ...stops.map((stop) => stop.length))
  }

  /** The stop string found, if one was. Nothing more is shown after it. */
  get stoppedBy(): string | undefined {
    return this.#stoppedBy
  }

  /** Takes the bytes of one token and returns the text that can be shown now. */
  push(bytes: Uint8Array): string {
    if (this.#stoppedBy !== undefined) return ''
    return this.#release(this.#decoder.decode(bytes, { stream: true }))
  }

  /** Ends the stream and returns what was held back; incomplete bytes become U+FFFD. */
  end(): string {
    if (this.#stoppedBy !== undefined) return ''
    const shown = this.#release(this.#decoder.decode())
    if (this.#stoppedBy !== undefined) return shown
    const rest = this.#held
    this.#held = ''
    return shown + rest
  }

  #release(text: string): string {
    if (this.#longestStop === 0) return text
    const all = this.#held + text
    // 1. The earliest stop string ends the text; of two that begin together, the one given first.
    let at = -1
    for (const stop of this.#stops) {
      const found = all.indexOf(stop)
      if (found >= 0 && (at < 0 || found < at)) {
        at = found
        this.#stoppedBy = stop
      }
    }
    if (at >= 0) {
      this.#held = ''
      return all.slice(0, at)
    }
    // 2. Otherwise the longest suffix that begins a stop string is held back.
    let keep = Math.min(this.#longestStop - 1, all.length)
    while (keep > 0 && !this.#stops.some((stop) => stop.startsWith(all.slice(all.length - keep)))) keep--
    this.#held = keep > 0 ? all.slice(all.length - keep) : ''
    return keep > 0 ? all.slice(0, all.length - keep) : all
  }
}
