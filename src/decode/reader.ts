import type { Decoder } from './decoder.js'
import type { KeptPrompts } from './kept-prompts.js'

/** Tokens from one border of a prompt to the next: the least that ggml's tiled attention takes at a time. */
export const blockTokens = 64

/** Sequence ids of the reading context: the prompt, and the part of it that is taken out. */
const whole = 0
const part = 1

/** What reads: a context of the same model, with two sequence ids, in which long forwards are fast. */
export type ReadingDecoder = Pick<
  Decoder,
  'batch' | 'contextTokens' | 'decode' | 'useThreads' | 'copySequence' | 'removePositions' | 'readCells' | 'writeCells'
>

/** How cells of the reading context become blocks, and blocks cells of either context. */
export interface BlockCodec {
  split(state: Uint8Array, blockCells: number): Uint8Array[]
  restore(blocks: readonly Uint8Array[], blockCells: number): Promise<Uint8Array>
  convert(blocks: readonly Uint8Array[], blockCells: number): Promise<Uint8Array>
}

/**
 * Reads prompts in a context of its own, and hands them to the context that writes.
 *
 *     prompt    │ block 0 │ block 1 │ block 2 │ block 3 │ rest │
 *               └── kept ─┴─────────┴── read here ──────┘      └ read by the writer, with the last token
 *
 * What is exact for a few rows reads slowly, and what reads fast is exact only for many: so whole blocks are read here,
 * always by the same kernel, in forwards of as many blocks as there is time for, and what remains is left to the writer.
 * The bits of a cell depend on the prompt alone: not on what had been kept, how it was divided, or on company.
 *
 * One prompt is read at a time, in order of arrival.
 */
export class Reader {
  readonly #decoder: ReadingDecoder
  readonly #codec: BlockCodec
  readonly #kept: KeptPrompts
  /** The prompt whose cells lie in the context, whose it is, and how many of its tokens have cells. */
  #held: ArrayLike<number> = []
  #owner = ''
  #length = 0
  /** Milliseconds of a block, by the last forwards. */
  #blockMs: number
  /** How often something was forgotten. */
  #epoch = 0

  /** @param blockMs what reading a block takes, to begin with */
  constructor(decoder: ReadingDecoder, codec: BlockCodec, kept: KeptPrompts, blockMs: number) {
    this.#decoder = decoder
    this.#codec = codec
    this.#kept = kept
    this.#blockMs = blockMs
  }

  /** Prompts kept aside. */
  get kept(): KeptPrompts {
    return this.#kept
  }

  /** How often something was forgotten. @internal */
  get epoch(): number {
    return this.#epoch
  }

  /** Milliseconds that reading a block takes at the moment. */
  get blockMs(): number {
    return this.#blockMs
  }

  /**
   * Begins to read a prompt; `undefined` if it is too short for that.
   *
   * @param keeps whether what was kept may be used, and what is read be kept
   */
  open(prompt: ArrayLike<number>, owner: string, keeps: boolean): Reading | undefined {
    const tokens = this.tokensOf(prompt.length)
    return tokens > 0 ? new Reading(this, prompt, tokens / blockTokens, owner, keeps) : undefined
  }

  /** Tokens at the beginning of a prompt of so many that are read here: whole blocks, without the last token. */
  tokensOf(promptLength: number): number {
    return Math.floor((Math.min(promptLength, this.#decoder.contextTokens) - 1) / blockTokens) * blockTokens
  }

  /** Computes the coming forwards with so many threads. */
  useThreads(count: number): void {
    this.#decoder.useThreads?.(count)
  }

  /** Blocks that a forward can read in so many milliseconds; at least 1. */
  blocksWithin(ms: number): number {
    const most = Math.floor(this.#decoder.batch.capacity / blockTokens)
    return Math.max(1, Math.min(most, Math.floor(ms / this.#blockMs)))
  }

  /**
   * Reads some blocks of a prompt, those before them known, and returns their cells.
   *
   * @internal
   */
  async read(
    prompt: ArrayLike<number>,
    owner: string,
    before: readonly Uint8Array[],
    blocks: number,
  ): Promise<Uint8Array[]> {
    const { batch } = this.#decoder
    const from = before.length * blockTokens
    const to = from + blocks * blockTokens
    await this.#place(prompt, owner, before)
    batch.clear()
    for (let i = from; i < to; i++) batch.addSequence(batch.add(prompt[i], i, false), whole)
    const began = performance.now()
    await this.#decoder.decode()
    this.#length = to
    const ms = (performance.now() - began) / blocks
    this.#blockMs += (Math.min(ms, 4 * this.#blockMs) - this.#blockMs) / 4
    this.#decoder.copySequence(whole, part, from, to)
    const state = await this.#decoder.readCells(part)
    this.#decoder.removePositions(part, 0, -1)
    return this.#codec.split(state, blockTokens)
  }

  /** @internal */
  convert(blocks: readonly Uint8Array[]): Promise<Uint8Array> {
    return this.#codec.convert(blocks, blockTokens)
  }

  /** Forgets what was read for an owner; what is being read leaves nothing behind. */
  forget(owner: string): number {
    this.#epoch++
    if (this.#owner === owner) this.clear()
    return this.#kept.forget(owner)
  }

  /** Empties the context, after a forward that failed. */
  clear(): void {
    for (const sequence of [whole, part]) this.#decoder.removePositions(sequence, 0, -1)
    this.#held = []
    this.#length = 0
  }

  /** Sees to it that the context holds the blocks before those to be read, and nothing else. */
  async #place(prompt: ArrayLike<number>, owner: string, before: readonly Uint8Array[]): Promise<void> {
    const length = before.length * blockTokens
    const stays = this.#owner === owner && this.#length >= length && beginsAlike(prompt, this.#held, length)
    if (stays) {
      if (this.#length > length) this.#decoder.removePositions(whole, length, -1)
    } else {
      this.clear()
      if (length > 0) await this.#decoder.writeCells(whole, await this.#codec.restore(before, blockTokens))
    }
    this.#held = prompt
    this.#owner = owner
    this.#length = length
  }
}

/** A prompt on its way through the reader. */
export class Reading {
  readonly #reader: Reader
  readonly #prompt: ArrayLike<number>
  readonly #blocks: number
  readonly #owner: string
  readonly #keeps: boolean
  readonly #epoch: number
  /** Cells of what has been read. */
  readonly #cells: Uint8Array[] = []
  #isFirst = true
  /** Tokens that had been kept. */
  cached = 0

  /** @internal */
  constructor(reader: Reader, prompt: ArrayLike<number>, blocks: number, owner: string, keeps: boolean) {
    this.#reader = reader
    this.#prompt = prompt
    this.#blocks = blocks
    this.#owner = owner
    this.#keeps = keeps
    this.#epoch = reader.epoch
  }

  /** Tokens that are read here. */
  get tokens(): number {
    return this.#blocks * blockTokens
  }

  /** Tokens that have been read. */
  get done(): number {
    return this.#cells.length * blockTokens
  }

  /**
   * Looks once for what had been kept; an earlier prompt may just have been read.
   *
   * @returns whether all has been read
   */
  find(): boolean {
    if (this.#isFirst) {
      this.#isFirst = false
      if (this.#keeps) this.#cells.push(...this.#reader.kept.find(this.#prompt, this.#blocks, this.#owner))
      this.cached = this.done
    }
    return this.#cells.length === this.#blocks
  }

  /** Reads on, so many blocks or what is left. */
  async advance(blocks: number): Promise<void> {
    const next = Math.min(blocks, this.#blocks - this.#cells.length)
    this.#cells.push(...(await this.#reader.read(this.#prompt, this.#owner, this.#cells, next)))
    if (this.#keeps && this.#epoch === this.#reader.epoch)
      this.#reader.kept.keep(this.#prompt, this.#cells, this.#owner)
  }

  /** Puts what has been read into a sequence of the context that writes. */
  async handOver(writer: Pick<Decoder, 'writeCells'>, sequence: number): Promise<void> {
    await writer.writeCells(sequence, await this.#reader.convert(this.#cells))
  }
}

function beginsAlike(a: ArrayLike<number>, b: ArrayLike<number>, length: number): boolean {
  for (let i = 0; i < length; i++) if (a[i] !== b[i]) return false
  return true
}
