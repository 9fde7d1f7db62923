// Prompts read in a context of their own.

import type { Decoder } from './decoder.js'
import type { KeptPrompts } from './kept-prompts.js'
import type { PromptShelf } from './prompt-shelf.js'

/** The least rows that ggml's tiled attention takes at a time; and tokens from one border of a kept prompt to the next. */
export const blockTokens = 64

/** Sequence ids of the reading context: the prompt, and the part of it that is taken out. */
const whole = 0
const part = 1

/** What reads: a context of the same model, with two sequence ids, in which long forwards are fast. */
export type ReadingDecoder = Pick<
  Decoder,
  | 'batch'
  | 'contextTokens'
  | 'decode'
  | 'useThreads'
  | 'copySequence'
  | 'removePositions'
  | 'readCells'
  | 'writeCells'
  | 'tellVectors'
  | 'vectorsOf'
>

/** Is shown the vectors of tokens that were read, from a position on. */
export type Observer = (vectors: Float32Array, position: number) => void

/** How cells of the reading context become blocks, and blocks cells of either context. */
export interface BlockCodec {
  /** Cuts a state into blocks of this many cells; what remains at the end is left out. */
  split(state: Uint8Array, blockCells: number): Uint8Array[]
  /** A state of the reading context. */
  restore(blocks: readonly Uint8Array[], blockCells: number): Promise<Uint8Array>
  /** A state of the writing context: blocks, and after them states of the reading one. Valid until the next call. */
  convert(blocks: readonly Uint8Array[], blockCells: number, states: readonly Uint8Array[]): Promise<Uint8Array>
}

/** What is to be known of blocks that lie in files. */
export interface BlockForm {
  /** Stands for everything the numbers in a block depend on besides its tokens. */
  identity: string
  /** Bytes of a block. */
  bytes: number
}

/**
 * Reads prompts in a context of its own, and hands them to the context that writes.
 *
 *     prompt    │ block 0 │ block 1 │ block 2 │ block 3 │ rest │ last token
 *               └── kept ─┴─────────┴────── read here ──┴──────┘└ read by the writer
 *
 * What is exact for a few rows reads slowly, and what reads fast is exact only for many: so all of a prompt but its last
 * token is read here, always by the same kernel, in forwards of as many rows as there is time for, and of no fewer than
 * that kernel wants; where less is left, rows of nothing fill them up. The bits of a cell depend on the prompt alone: not
 * on what had been kept, how it was divided, or on company. Prompts too short for one such forward are left to the writer.
 *
 * One prompt is read at a time, in order of arrival.
 */
export class Reader {
  /** What blocks in files are told apart by, and their bytes; missing where none are to be written. */
  readonly form: BlockForm | undefined
  /** Prompts kept aside. */
  readonly kept: KeptPrompts
  /** Those of them that are on the disk too. */
  readonly shelf: PromptShelf | undefined
  readonly #decoder: ReadingDecoder
  readonly #codec: BlockCodec
  /** The prompt whose cells lie in the context, whose it is, and how many of its tokens have cells. */
  #held: ArrayLike<number> = []
  #owner = ''
  #length = 0
  /** Milliseconds of a row, by the last forwards. */
  #rowMs: number
  /** How often something was forgotten. */
  #epoch = 0

  /** @param rowMs what reading a token takes, to begin with */
  constructor(
    decoder: ReadingDecoder,
    codec: BlockCodec,
    kept: KeptPrompts,
    rowMs: number,
    shelf?: PromptShelf,
    form?: BlockForm,
  ) {
    this.shelf = shelf
    this.form = form
    this.#decoder = decoder
    this.#codec = codec
    this.kept = kept
    this.#rowMs = rowMs
  }

  /** How often something was forgotten. @internal */
  get epoch(): number {
    return this.#epoch
  }

  /** Milliseconds that reading a token takes at the moment. */
  get rowMs(): number {
    return this.#rowMs
  }

  /**
   * Begins to read a prompt; `undefined` if it is too short for that.
   *
   * @param keeps whether what was kept may be used, and what is read be kept
   */
  open(prompt: ArrayLike<number>, owner: string, keeps: boolean): Reading | undefined {
    const tokens = this.tokensOf(prompt.length)
    return tokens > 0 ? new Reading(this, prompt, tokens, owner, keeps) : undefined
  }

  /** Tokens at the beginning of a prompt of so many that are read here. */
  tokensOf(promptLength: number): number {
    const tokens = promptLength - 1
    return tokens < blockTokens || tokens > this.#decoder.contextTokens - blockTokens ? 0 : tokens
  }

  /** Computes the coming forwards with this many threads. */
  useThreads(count: number): void {
    this.#decoder.useThreads?.(count)
  }

  /** Rows of a forward that takes so many milliseconds, in blocks; at least one. It may take along a rest of less than one. */
  rowsWithin(ms: number): number {
    const most = Math.floor(this.#decoder.batch.capacity / blockTokens) - 1
    return blockTokens * Math.max(1, Math.min(most, Math.floor(ms / this.#rowMs / blockTokens)))
  }

  /**
   * Reads a part of a prompt, and returns its cells.
   *
   * @param known blocks from the beginning on, for the case that they do not lie in the context any more
   * @internal
   */
  async read(
    prompt: ArrayLike<number>,
    owner: string,
    known: readonly Uint8Array[],
    from: number,
    to: number,
    observe?: Observer,
  ): Promise<Uint8Array> {
    const { batch } = this.#decoder
    await this.#place(prompt, owner, known, from)
    batch.clear()
    for (let i = from; i < to; i++) batch.addSequence(batch.add(prompt[i], i, false), whole)
    for (let i = 0; batch.size < blockTokens; i++) batch.addSequence(batch.add(prompt[0], i, false), part)
    this.#decoder.tellVectors?.(observe ? 'all' : 'none')
    const began = performance.now()
    await this.#decoder.decode()
    const vectors = observe && this.#decoder.vectorsOf?.(0, to - from)
    if (vectors) observe(vectors, from)
    const ms = (performance.now() - began) / batch.size
    this.#rowMs += (Math.min(ms, 4 * this.#rowMs) - this.#rowMs) / 4
    if (batch.size > to - from) this.#decoder.removePositions(part, 0, -1)
    this.#length = to
    this.#decoder.copySequence(whole, part, from, to)
    const state = await this.#decoder.readCells(part)
    this.#decoder.removePositions(part, 0, -1)
    return state
  }

  /** Blocks of a prompt's first tokens that are kept, in memory or on the disk. @internal */
  async find(prompt: ArrayLike<number>, tokens: number, owner: string): Promise<Uint8Array[]> {
    const blocks = Math.floor(tokens / blockTokens)
    const found = this.kept.find(prompt, blocks, owner)
    if (!this.shelf) return found
    this.shelf.keep(prompt, found, owner)
    return [...found, ...(await this.shelf.find(prompt, found.length, blocks, owner))]
  }

  /** @internal */
  split(state: Uint8Array): Uint8Array[] {
    return this.#codec.split(state, blockTokens)
  }

  /** @internal */
  convert(blocks: readonly Uint8Array[], states: readonly Uint8Array[]): Promise<Uint8Array> {
    return this.#codec.convert(blocks, blockTokens, states)
  }

  /** Forgets what was read for an owner, at once; resolves when the disk holds nothing of it either. */
  async forget(owner: string): Promise<void> {
    // What is being read leaves nothing behind.
    this.#epoch++
    this.kept.forget(owner)
    await this.shelf?.forget(owner)
  }

  /** Empties the context, after a forward that failed. */
  clear(): void {
    for (const sequence of [whole, part]) this.#decoder.removePositions(sequence, 0, -1)
    this.#held = []
    this.#length = 0
  }

  /** Sees to it that the context holds the tokens before those to be read, and nothing else. */
  async #place(prompt: ArrayLike<number>, owner: string, known: readonly Uint8Array[], length: number): Promise<void> {
    const stays = this.#owner === owner && this.#length >= length && beginsAlike(prompt, this.#held, length)
    if (!stays) {
      this.clear()
      if (length > 0) await this.#decoder.writeCells(whole, await this.#codec.restore(known, blockTokens))
    } else if (this.#length > length) this.#decoder.removePositions(whole, length, -1)
    this.#held = prompt
    this.#owner = owner
    this.#length = length
  }
}

/** A prompt on its way through the reader. */
export class Reading {
  /** Tokens that are read here. */
  readonly tokens: number
  /** Tokens that have been read. */
  done = 0
  /** Of them, those that had been kept. */
  cached = 0
  readonly #reader: Reader
  readonly #prompt: ArrayLike<number>
  readonly #owner: string
  readonly #keeps: boolean
  readonly #epoch: number
  /** Cells of what had been kept, and of what was read since. */
  readonly #blocks: Uint8Array[] = []
  readonly #states: Uint8Array[] = []
  #isFirst = true

  /** @internal */
  constructor(reader: Reader, prompt: ArrayLike<number>, tokens: number, owner: string, keeps: boolean) {
    this.#reader = reader
    this.#prompt = prompt
    this.tokens = tokens
    this.#owner = owner
    this.#keeps = keeps
    this.#epoch = reader.epoch
  }

  /** Looks for what had been kept, the first time it is called; another may just have read it. Returns whether it was the first. */
  async find(): Promise<boolean> {
    if (!this.#isFirst) return false
    this.#isFirst = false
    if (this.#keeps) this.#blocks.push(...(await this.#reader.find(this.#prompt, this.tokens, this.#owner)))
    this.cached = this.#blocks.length * blockTokens
    this.done = this.cached
    return true
  }

  /** Reads on: so many tokens, or what is left. */
  async advance(rows: number, observe?: Observer): Promise<void> {
    await this.find()
    if (this.done === this.tokens) return
    // What would be too little for a forward of its own is taken along.
    const left = this.tokens - this.done
    const next = left - rows < blockTokens ? left : rows
    const { done } = this
    this.#states.push(await this.#reader.read(this.#prompt, this.#owner, this.#blocks, done, done + next, observe))
    this.done += next
  }

  /** Puts what has been read into a sequence of the context that writes, and keeps it. */
  async handOver(writer: Pick<Decoder, 'writeCells'>, sequence: number): Promise<void> {
    await writer.writeCells(sequence, await this.#reader.convert(this.#blocks, this.#states))
    this.close()
  }

  /** Keeps what has been read so far, whole blocks of it. */
  close(): void {
    if (!this.#keeps || this.#epoch !== this.#reader.epoch) return
    for (const state of this.#states) this.#blocks.push(...this.#reader.split(state))
    this.#reader.kept.keep(this.#prompt, this.#blocks, this.#owner)
  }
}

function beginsAlike(a: ArrayLike<number>, b: ArrayLike<number>, length: number): boolean {
  for (let i = 0; i < length; i++) if (a[i] !== b[i]) return false
  return true
}
