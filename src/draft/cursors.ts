// The places in its own log that an answer has been copying from.

/** Cursors kept. */
export const CURSORS = 3
/** Tokens around a cursor that count as near it: two before, twelve after. */
export const BEFORE = 2
export const AFTER = 12
/** Most tokens after which a cursor still counts. */
const LIFE = 100
/** Numbers of the zones that {@link Cursors.zoneOf} tells apart, 0 (none) included. */
export const ZONES = 6 * 16 + 1

/**
 * The places in its own log that an answer has recently been copying from. When it puts something in its own words and
 * then returns to its source, it is likely to return near one of these places:
 *
 *     document   … the premium is refunded within thirty days of cancellation in writing …
 *     answer     … the premium is refunded [fully] …
 *                                           cursor: "within" was next
 *     may follow   within, thirty, days, of, …       although nothing before them matches
 */
export class Cursors {
  /** The position that would be copied next, newest cursor first. */
  readonly positions = new Int32Array(CURSORS)
  /** Tokens written since. */
  readonly #ages = new Int32Array(CURSORS)
  /** Cursors in use. */
  size = 0

  /** Bytes it holds. */
  get byteLength(): number {
    return this.positions.byteLength + this.#ages.byteLength
  }

  /** Forgets all cursors. */
  clear(): void {
    this.size = 0
  }

  /** One token was written. */
  age(): void {
    for (let k = 0; k < this.size; k++) this.#ages[k]++
    while (this.size > 0 && this.#ages[this.size - 1] > LIFE) this.size--
  }

  /** The token before `position` was copied: moves the cursor near it there, or the oldest one if none is near. */
  move(position: number): void {
    const { positions } = this
    const ages = this.#ages
    let k = 0
    while (k < this.size && Math.abs(position - 1 - positions[k]) > AFTER) k++
    if (k === this.size) {
      if (this.size < CURSORS) this.size++
      else k--
    }
    for (; k > 0; k--) {
      positions[k] = positions[k - 1]
      ages[k] = ages[k - 1]
    }
    positions[0] = position
    ages[0] = 0
  }

  /**
   * Where `position` lies relative to the nearest cursor: 0 if near none, otherwise a number below {@link ZONES} made
   * from the cursor's age and the distance.
   */
  zoneOf(position: number): number {
    let zone = 0
    let nearest = AFTER + 1
    for (let k = 0; k < this.size; k++) {
      const distance = position - this.positions[k]
      const away = Math.abs(distance)
      if (distance < -BEFORE || distance > AFTER || away >= nearest) continue
      nearest = away
      const age = this.#ages[k]
      zone = 1 + (age < 3 ? age : age < 5 ? 3 : age < 9 ? 4 : 5) * 16 + distance + BEFORE
    }
    return zone
  }
}

/** How far a zone lies from its cursor; the smaller the nearer. */
export function distanceOf(zone: number): number {
  return zone === 0 ? AFTER + 1 : Math.abs(((zone - 1) & 15) - BEFORE)
}
