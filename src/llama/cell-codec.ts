/**
 * The cells of one sequence as llama.cpp's state functions write them, and how they become cells of another context.
 *
 *     magic │ sequence │ streams = 1 │ cells │ cell × (position, 1, sequence) │ transposed = 0 │ layers
 *           │ layer × (key type, bytes of a row, rows) │ layer × (value type, bytes of a row, rows)
 *
 * A *block* is the keys and values of so many cells, layer by layer, without all that surrounds them: blocks of several
 * states, one after the other, make a state again.
 */

/** Types of numbers that are converted, as GGML numbers them. */
const f16 = 1
const bf16 = 30

const stateHeadBytes = 16
const cellBytes = 12
const rowsHeadBytes = 12

/** The keys, or the values, of one layer. */
interface Part {
  /** Number type, as GGML numbers it. */
  readonly type: number
  /** Bytes of one cell. */
  readonly rowBytes: number
}

/** What surrounds the numbers in the states of one context. */
interface Layout {
  /** The first words: magic, sequence, streams. */
  readonly head: Uint8Array
  readonly layers: number
  /** Keys of all layers, then values. */
  readonly parts: readonly Part[]
}

/** Cuts states of one context into blocks, and joins blocks to states of that context or of another one. */
export class CellCodec {
  /** Bytes of a cell in a block. */
  readonly cellBytes: number
  readonly #source: Layout
  readonly #target: Layout
  #room: Buffer = Buffer.alloc(0)

  /**
   * @param source a state of the context that the blocks come from
   * @param target one of the context that they go to
   * @returns `undefined` where these are of another form, or numbers would have to be converted in a way not known here
   */
  static between(source: Uint8Array, target: Uint8Array): CellCodec | undefined {
    const from = readLayout(source)
    const to = readLayout(target)
    if (!from || !to || from.parts.length !== to.parts.length) return undefined
    const fits = from.parts.every(({ type, rowBytes }, i) => {
      const other = to.parts[i]
      return rowBytes === other.rowBytes && (type === other.type || (type === f16 && other.type === bf16))
    })
    return fits ? new CellCodec(from, to) : undefined
  }

  private constructor(source: Layout, target: Layout) {
    this.#source = source
    this.#target = target
    this.cellBytes = source.parts.reduce((sum, { rowBytes }) => sum + rowBytes, 0)
  }

  /** Cells of a state. */
  cellsOf(state: Uint8Array): number {
    return viewOf(state).getUint32(12, true)
  }

  /** Cuts a state of the source into blocks of `blockCells` cells each; a rest at the end is left out. */
  split(state: Uint8Array, blockCells: number): Uint8Array[] {
    const cells = this.cellsOf(state)
    const blocks = Array.from({ length: Math.floor(cells / blockCells) }, () =>
      Buffer.allocUnsafeSlow(blockCells * this.cellBytes),
    )
    let at = stateHeadBytes + cells * cellBytes + 8
    let written = 0
    for (const { rowBytes } of this.#source.parts) {
      at += rowsHeadBytes
      const bytes = blockCells * rowBytes
      for (const [i, block] of blocks.entries())
        block.set(state.subarray(at + i * bytes, at + (i + 1) * bytes), written)
      at += cells * rowBytes
      written += bytes
    }
    return blocks
  }

  /** A state of the source whose positions begin at 0. */
  restore(blocks: readonly Uint8Array[], blockCells: number): Promise<Uint8Array> {
    return this.#join(blocks, blockCells, [], this.#source)
  }

  /**
   * A state of the target whose positions begin at 0, its numbers converted: blocks, and after them states of the source.
   * Valid until the next call. Long ones let others run in between.
   */
  convert(blocks: readonly Uint8Array[], blockCells: number, states: readonly Uint8Array[] = []): Promise<Uint8Array> {
    return this.#join(blocks, blockCells, states, this.#target)
  }

  async #join(
    blocks: readonly Uint8Array[],
    blockCells: number,
    states: readonly Uint8Array[],
    layout: Layout,
  ): Promise<Uint8Array> {
    const cells = blocks.length * blockCells + states.reduce((sum, state) => sum + this.cellsOf(state), 0)
    const size = stateHeadBytes + cells * cellBytes + 8 + layout.parts.length * rowsHeadBytes + cells * this.cellBytes
    // Memory that has never been touched costs more than what is done with it here.
    if (this.#room.length < size) this.#room = Buffer.allocUnsafeSlow(size)
    const state = this.#room.subarray(0, size)
    const view = viewOf(state)
    state.set(layout.head)
    view.setUint32(12, cells, true)
    let at = stateHeadBytes
    for (let cell = 0; cell < cells; cell++, at += cellBytes) {
      view.setInt32(at, cell, true)
      view.setUint32(at + 4, 1, true)
      view.setInt32(at + 8, 0, true)
    }
    view.setUint32(at, 0, true)
    view.setUint32(at + 4, layout.layers, true)
    at += 8
    let read = 0
    let pause = performance.now() + sliceMs
    for (const [i, { type, rowBytes }] of layout.parts.entries()) {
      view.setInt32(at, type, true)
      view.setBigUint64(at + 4, BigInt(rowBytes), true)
      at += rowsHeadBytes
      const converts = type !== this.#source.parts[i].type
      const put = (numbers: Uint8Array) => {
        if (converts) convertToBf16(numbers, state.subarray(at, at + numbers.length))
        else state.set(numbers, at)
        at += numbers.length
      }
      const bytes = blockCells * rowBytes
      for (const block of blocks) put(block.subarray(read * blockCells, read * blockCells + bytes))
      for (const other of states) {
        const cells = this.cellsOf(other)
        const from = stateHeadBytes + cells * cellBytes + 8 + (i + 1) * rowsHeadBytes + cells * read
        put(other.subarray(from, from + cells * rowBytes))
      }
      read += rowBytes
      if (performance.now() < pause) continue
      await new Promise(setImmediate)
      pause = performance.now() + sliceMs
    }
    return state
  }
}

/** Milliseconds after which others get their turn. */
const sliceMs = 5

/** What surrounds the numbers of a state; `undefined` if it has another form. */
function readLayout(state: Uint8Array): Layout | undefined {
  const view = viewOf(state)
  const has = (bytes: number) => at + bytes <= state.length
  let at = stateHeadBytes
  if (!has(0) || view.getUint32(8, true) !== 1) return undefined
  const cells = view.getUint32(12, true)
  if (cells === 0 || !has(cells * cellBytes + 8)) return undefined
  for (let cell = 0; cell < cells; cell++, at += cellBytes)
    // Where a cell belongs to another position, or holds more than this, nothing here is as expected.
    if (view.getInt32(at, true) !== cell || view.getUint32(at + 4, true) !== 1) return undefined
  const transposed = view.getUint32(at, true)
  const layers = view.getUint32(at + 4, true)
  at += 8
  if (transposed !== 0) return undefined
  const parts: Part[] = []
  while (at < state.length) {
    if (!has(rowsHeadBytes)) return undefined
    const type = view.getInt32(at, true)
    const rowBytes = Number(view.getBigUint64(at + 4, true))
    at += rowsHeadBytes
    if (rowBytes % 2 !== 0 || !has(cells * rowBytes)) return undefined
    parts.push({ type, rowBytes })
    at += cells * rowBytes
  }
  if (at !== state.length || parts.length !== 2 * layers) return undefined
  return { head: state.slice(0, 12), layers, parts }
}

/** Every half-precision number as a brain float, rounded to the nearest, to even where two are as near. */
let nearest: Uint16Array | undefined

function convertToBf16(halves: Uint8Array, target: Uint8Array): void {
  nearest ??= tabulate()
  const table = nearest
  const length = halves.length >> 1
  const from = new Uint16Array(halves.buffer, halves.byteOffset, length)
  const to = new Uint16Array(target.buffer, target.byteOffset, length)
  for (let i = 0; i < length; i++) to[i] = table[from[i]]
}

function tabulate(): Uint16Array {
  const single = new Float32Array(1)
  const bits = new Uint32Array(single.buffer)
  return Uint16Array.from({ length: 65_536 }, (_, half) => {
    const sign = half >> 15 === 0 ? 1 : -1
    const exponent = (half >> 10) & 31
    const mantissa = half & 1023
    if (exponent === 31) return ((half >> 15) << 15) | 0x7f80 | (mantissa > 0 ? 0x40 : 0)
    single[0] = sign * (exponent === 0 ? mantissa * 2 ** -24 : (1 + mantissa / 1024) * 2 ** (exponent - 15))
    return ((bits[0] + 0x7fff + ((bits[0] >> 16) & 1)) >>> 16) & 0xffff
  })
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
}
