/**
 * One link per token to an older one, stored as a distance, split into bytes so that most take three:
 *
 *     position        8        9       10
 *     older one       5        –        2         –: none, distance 0
 *     low          ┌──────┬────────┬────────┐
 *                  │   3  │    0   │    8   │     16 bits
 *     middle       ├──────┼────────┼────────┤
 *                  │   0  │    0   │    0   │      8 bits
 *     far          └ ─ ─ ─┴ ─ ─ ─ ─┴ ─ ─ ─ ─┘      8 bits, only in segments where a distance reaches 2²⁴
 *
 * Segments are those of the log.
 */
export class Links {
  /** Bytes of all segments held. */
  byteLength = 0
  readonly #segmentTokens: number
  readonly #segmentShift: number
  readonly #segmentMask: number
  /** Columns by segment number; read and written by the index alone. */
  readonly low: (Uint16Array | undefined)[] = []
  readonly middle: (Uint8Array | undefined)[] = []
  readonly far: (Uint8Array | undefined)[] = []

  /** @param segmentTokens tokens per segment, a power of two */
  constructor(segmentTokens: number) {
    this.#segmentTokens = segmentTokens
    this.#segmentShift = Math.log2(segmentTokens)
    this.#segmentMask = segmentTokens - 1
  }

  /** Whether a segment is held. */
  has(number: number): boolean {
    return this.low[number] !== undefined
  }

  /** Makes room for a segment without any links; does nothing if it is held. */
  add(number: number): void {
    if (this.low[number]) return
    this.low[number] = new Uint16Array(this.#segmentTokens)
    this.middle[number] = new Uint8Array(this.#segmentTokens)
    this.far[number] = undefined
    this.byteLength += 3 * this.#segmentTokens
  }

  /** Frees a segment. */
  drop(number: number): void {
    if (!this.low[number]) return
    this.byteLength -= (this.far[number] ? 4 : 3) * this.#segmentTokens
    this.low[number] = undefined
    this.middle[number] = undefined
    this.far[number] = undefined
  }

  /** Frees everything. */
  clear(): void {
    this.low.length = 0
    this.middle.length = 0
    this.far.length = 0
    this.byteLength = 0
  }

  /** The position `position` is linked to; -1: none. */
  older(position: number): number {
    const number = position >>> this.#segmentShift
    const place = position & this.#segmentMask
    let distance = this.low[number]![place] | (this.middle[number]![place] << 16)
    const far = this.far[number]
    if (far !== undefined) distance |= far[place] << 24
    return distance === 0 ? -1 : position - distance
  }

  /** Sets the upper 8 bits of a distance of 2²⁴ or more. */
  setFar(number: number, place: number, high: number): void {
    let far = this.far[number]
    if (!far) {
      far = new Uint8Array(this.#segmentTokens)
      this.far[number] = far
      this.byteLength += this.#segmentTokens
    }
    far[place] = high
  }
}
