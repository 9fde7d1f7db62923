// The parts in which a replica's log comes over HTTP.

/**
 * Some frames, and where a reader that has them goes on. An answer is any number of these, one after the other, and may
 * break off anywhere: what came in whole parts is known.
 *
 *     0        2       4              8        8 + c, to a multiple of 4
 *     ┌────────┬───────┬──────────────┬────────┬────────┐
 *     │ c: of  │ all?  │ f: bytes of  │ cursor │ frames │     little-endian; the cursor is ASCII
 *     │ cursor │ 0, 1  │    frames    │        │        │
 *     └────────┴───────┴──────────────┴────────┴────────┘
 */
export interface Part {
  /** Where to go on, as {@link writeCursor} writes it. */
  cursor: string
  /** Whether that was all there was when it was told. */
  isAll: boolean
  frames: Uint8Array
}

const HEAD_BYTES = 8
const MOST_CURSOR = 128

/** The bytes of a part. */
export function encodePart(cursor: string, isAll: boolean, frames: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const begin = framesAt(cursor.length)
  const length = frames.reduce((sum, frame) => sum + frame.length, 0)
  const bytes = Buffer.from(new ArrayBuffer(begin + length))
  bytes.writeUInt16LE(cursor.length, 0)
  bytes.writeUInt16LE(isAll ? 1 : 0, 2)
  bytes.writeUInt32LE(length, 4)
  bytes.write(cursor, HEAD_BYTES, 'latin1')
  let at = begin
  for (const frame of frames) {
    bytes.set(frame, at)
    at += frame.length
  }
  return bytes
}

/** Finds the parts in what comes piece by piece. */
export class PartReader {
  readonly #mostBytes: number
  #waiting: Uint8Array[] = []
  #bytes = 0

  /** @param mostBytes of one part */
  constructor(mostBytes: number) {
    this.#mostBytes = mostBytes
  }

  /** Takes what came; the parts that are whole now. @throws Error if it is no part, or too large a one */
  *push(piece: Uint8Array): Generator<Part> {
    this.#waiting.push(piece)
    this.#bytes += piece.length
    for (let length = this.#length(); length > 0 && this.#bytes >= length; length = this.#length())
      yield readPart(this.#take(length))
  }

  /** Bytes of the part that comes next; 0 while too little of it is there to tell. */
  #length(): number {
    if (this.#bytes < HEAD_BYTES) return 0
    if (this.#waiting[0].length < HEAD_BYTES) this.#waiting = [Buffer.concat(this.#waiting)]
    const [first] = this.#waiting
    const view = new DataView(first.buffer, first.byteOffset, HEAD_BYTES)
    const cursor = view.getUint16(0, true)
    if (cursor > MOST_CURSOR || view.getUint16(2, true) > 1) throw new Error('it answered, but not with a log')
    const length = framesAt(cursor) + view.getUint32(4, true)
    if (length > this.#mostBytes) throw new Error(`a part of more than ${this.#mostBytes} bytes`)
    return length
  }

  #take(length: number): Uint8Array {
    const all = this.#waiting.length === 1 ? this.#waiting[0] : Buffer.concat(this.#waiting)
    this.#waiting = all.length > length ? [all.subarray(length)] : []
    this.#bytes -= length
    return all.subarray(0, length)
  }
}

function readPart(bytes: Uint8Array): Part {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const cursor = view.getUint16(0, true)
  return {
    cursor: Buffer.from(bytes.buffer, bytes.byteOffset + HEAD_BYTES, cursor).toString('latin1'),
    isAll: view.getUint16(2, true) === 1,
    frames: bytes.subarray(framesAt(cursor)),
  }
}

/** Where the frames begin. */
function framesAt(cursorBytes: number): number {
  return (HEAD_BYTES + cursorBytes + 3) & ~3
}
