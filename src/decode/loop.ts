import type { Crew } from '../cost/crew.js'
import type { ForwardCost } from '../cost/forward-cost.js'
import type { DraftSession } from '../draft/drafter.js'
import { sourceName } from '../draft/tree.js'
import { CellStack } from './cells.js'
import type { Decoder, TokenSampler } from './decoder.js'
import type { DraftingReport, DraftMode } from './drafting.js'
import { explainDraft } from './explain.js'
import { Forward } from './forward.js'
import { newShare, Scheduler, type Share } from './scheduler.js'
import { Sequence } from './sequence.js'
import { SlotTable } from './slots.js'
import type { Stopwatch } from './stopwatch.js'
import { Verdict, verify } from './verify.js'
import type { AnswerWriter } from './writer.js'

/** A request in tokens. */
export interface TokenRequest {
  prompt: ArrayLike<number>
  draft: DraftMode
  session: DraftSession
  sampler: TokenSampler
  writer: AnswerWriter
  /** Whether cells that hold the beginning of the prompt may be used again. */
  reusePrefix: boolean
  /** Whose request it is: cells of another owner are never used again. Default: nobody's in particular. */
  owner?: string
}

/** How the loop is laid out. */
export interface LoopOptions {
  /** Requests decoded in one forward. */
  slots: number
  /** Branches of a draft tree, the main chain included. */
  branches: number
  /** Most tokens of one request, prompt and answer together. */
  contextTokens: number
  /** Most draft nodes of one request in one forward. */
  maxNodes: number
  cost: ForwardCost
  /** Decides how many threads compute. Default: all, always. */
  crew?: Crew
  /**
   * How far two logits of a row may lie from where a forward of one token has them. Where two candidates are closer,
   * the token is decided by such a forward. Default 0: rows are exact, or taken as they are.
   */
  noise?: number
  /**
   * Keep the cells of every request in position order though several share the cache. Takes one sequence id more than
   * slots × branches. Default `false`.
   */
  ordered?: boolean
  /** Times the parts of every step. Default: nothing is timed. */
  stopwatch?: Stopwatch
}

/** What a slot does. */
export interface SlotState {
  phase: 'prefill' | 'decode'
  promptTokens: number
  /** Tokens with a KV cell. */
  cachedTokens: number
  writtenTokens: number
}

/** A request that waits for a slot. */
interface Waiting {
  readonly request: TokenRequest
  /** A running request that reads the beginning of its prompt; it waits until that has been read. */
  reader: Sequence | undefined
}

/** A request that has a slot. */
interface Running extends Share {
  readonly request: TokenRequest
}

/**
 * Decodes requests together, a forward at a time:
 *
 *     admit → draft and decide → lay → forward → verify → commit → emit → again
 *
 * Conventional decoding is the same loop with empty drafts.
 */
export class DecodeLoop {
  readonly #decoder: Decoder
  readonly #options: LoopOptions
  readonly #scheduler: Scheduler
  readonly #forward: Forward
  readonly #verdict: Verdict
  readonly #queue: Waiting[] = []
  readonly #cells: CellStack
  readonly #slots: SlotTable
  #running: Running[] = []
  #turning: Promise<void> | undefined
  #closed = false

  constructor(decoder: Decoder, options: LoopOptions) {
    this.#decoder = decoder
    this.#options = options
    this.#scheduler = new Scheduler(decoder, options.maxNodes, options.cost, options.crew)
    const { slots, branches, ordered = false } = options
    this.#cells = new CellStack(decoder, ordered && slots > 1 ? slots * branches : undefined)
    this.#forward = new Forward(decoder, this.#cells)
    this.#verdict = new Verdict(options.maxNodes)
    this.#slots = new SlotTable(decoder, this.#cells, slots, branches)
  }

  /** Requests that hold a slot. */
  get runningCount(): number {
    return this.#running.length
  }

  /** Requests that wait for a slot. */
  get waitingCount(): number {
    return this.#queue.length
  }

  /** What each slot does now; `undefined`: nothing. */
  describeSlots(): (SlotState | undefined)[] {
    return this.#slots.all.map(
      ({ sequence }) =>
        sequence && {
          phase: sequence.isPrefilling ? 'prefill' : 'decode',
          promptTokens: sequence.promptLength,
          cachedTokens: sequence.committed,
          writtenTokens: sequence.length - sequence.promptLength,
        },
    )
  }

  /** How drafting has gone so far. */
  describeDrafting(): DraftingReport {
    return this.#scheduler.describe()
  }

  /** Starts a request as soon as a slot is free. Its outcome goes to its writer. */
  submit(request: TokenRequest): void {
    this.#queue.push({ request, reader: undefined })
    this.#turning ??= this.#turn()
  }

  /** Ends all requests as aborted and waits for the forward in flight. */
  async close(): Promise<void> {
    this.#closed = true
    await this.#turning
  }

  async #turn(): Promise<void> {
    // A tick for the caller, so that a request is not decoded before its Generation has been handed out.
    await null
    for (;;) {
      try {
        this.#endAborted()
        this.#admit()
        if (this.#running.length > 0) await this.#step()
      } catch (error) {
        this.#failAll(error)
      }
      if (this.#running.length > 0 || this.#queue.length > 0) continue
      // At once, not in a later tick: a request submitted as the last one ends must start a turn of its own.
      this.#turning = undefined
      return
    }
  }

  /** Gives free slots to waiting requests, in order; one that another request just reads the prompt for waits on. */
  #admit(): void {
    const { contextTokens, maxNodes } = this.#options
    for (let next = 0; next < this.#queue.length && this.#slots.hasFree; ) {
      const waiting = this.#queue[next]
      const { request } = waiting
      const { prompt, draft, session, sampler, writer, reusePrefix, owner = '' } = request
      // It waits for one reader at most: a stream of requests that begin alike must not hold it up for ever.
      if (reusePrefix) waiting.reader ??= this.#slots.findReader(prompt, owner)
      if (waiting.reader?.isPrefilling && this.#running.some(({ sequence }) => sequence === waiting.reader)) {
        next++
        continue
      }
      this.#queue.splice(next, 1)
      const { slot, cached } = this.#slots.claim(prompt, reusePrefix, owner)
      const sequence = new Sequence(slot, cached, prompt, contextTokens, maxNodes, session, sampler)
      slot.sequence = sequence
      const running = { request, ...newShare(sequence, draft) }
      this.#running.push(running)
      try {
        session.read(prompt)
      } catch (error) {
        this.#fail(running, error)
        continue
      }
      writer.begin(cached)
    }
  }

  async #step(): Promise<void> {
    const { batch } = this.#decoder
    const { stopwatch } = this.#options
    stopwatch?.start()
    batch.clear()
    this.#scheduler.plan(this.#running)
    for (let i = this.#running.length - 1; i >= 0; i--) {
      const { failure } = this.#running[i]
      if (failure) this.#fail(this.#running[i], failure.reason)
    }
    if (this.#running.length === 0) return
    await this.#cells.makeRoom(
      this.#running.reduce((rows, { headRows, nodes }) => rows + headRows + nodes, 0),
      this.#slots.all,
    )
    stopwatch?.lap('draft')
    for (const running of this.#running)
      running.nodes = this.#forward.lay(running.sequence, running.headRows, running.nodes)
    this.#scheduler.laid(this.#running)
    stopwatch?.lap('batch')
    const began = performance.now()
    await this.#decoder.decode()
    const forwardMs = performance.now() - began
    this.#cells.push(batch.size)
    stopwatch?.lap('forward')
    const took = this.#running.filter(({ headRows }) => headRows > 0)
    const last = took.at(-1)
    for (const running of took) {
      try {
        this.#finishStep(running, forwardMs, running === last)
      } catch (error) {
        // What a request brings along (its drafter, its sampler) fails that request and no other.
        this.#fail(running, error)
      }
    }
    this.#scheduler.learn(took, forwardMs)
    stopwatch?.lap('learn')
  }

  /** Verifies, commits and emits what one request got from the forward. */
  #finishStep(running: Running, forwardMs: number, isLast: boolean): void {
    const { sequence, request } = running
    const { writer } = request
    const verdict = this.#verdict
    const { noise, stopwatch } = this.#options
    const wasPrefilling = sequence.isPrefilling
    if (sequence.rootRow < 0) {
      this.#forward.commit(sequence, running.headRows, verdict.path, 0, isLast)
      if (wasPrefilling) writer.prefilled(forwardMs)
      else writer.waited({ rows: running.headRows, drafted: 0, forwardMs, retrievalMs: running.retrievalMs })
      running.tokens = 0
      running.accepted = 0
      running.undecided = false
      return
    }
    // The prompt is read in the same forwards with drafts as without; a forward of one row is conventional.
    const isExact = wasPrefilling || this.#decoder.batch.size === 1
    verify(sequence, running.nodes, verdict, writer.takes, isExact ? 0 : noise)
    stopwatch?.lap('verify')
    running.undecided = verdict.undecided
    sequence.isAlone = verdict.undecided
    this.#forward.commit(sequence, running.headRows, verdict.path, verdict.pathLength, isLast, verdict.undecided)
    stopwatch?.lap('commit')
    running.tokens = verdict.count
    running.accepted = Math.min(verdict.pathLength, verdict.count)
    if (verdict.count === 0 && !verdict.halt) {
      const { headRows, nodes, retrievalMs } = running
      writer.waited({ rows: headRows + nodes, drafted: nodes, forwardMs, retrievalMs })
      return
    }
    for (let i = 0; i < verdict.count; i++) sequence.append(verdict.tokens[i])
    sequence.session.accept(verdict.tokens, verdict.count)
    stopwatch?.lap('learn')
    if (wasPrefilling) writer.prefilled(forwardMs)
    writer.step({
      isPrefill: wasPrefilling,
      rows: running.headRows + running.nodes,
      drafted: running.nodes,
      accepted: running.accepted,
      sourceOf: (i) => (i < verdict.pathLength ? sourceName(sequence.tree.sources[verdict.path[i]]) : 'model'),
      forwardMs,
      retrievalMs: running.retrievalMs,
      nodeOf: (i) => (i < verdict.pathLength ? verdict.path[i] : -1),
      explain: (textOf, spans) =>
        explainDraft(sequence, running.nodes, verdict.path, verdict.pathLength, textOf, spans),
    })
    stopwatch?.lap('emit')
    if (verdict.ended) this.#end(running, () => writer.end())
    else if (verdict.halt) this.#end(running, () => writer.end(verdict.halt))
    else if (sequence.room <= 0) this.#end(running, () => writer.end('context-full'))
  }

  #endAborted(): void {
    for (const running of [...this.#running])
      if (this.#closed || running.request.writer.aborted)
        this.#end(running, () => running.request.writer.end('aborted'))
    for (let i = this.#queue.length - 1; i >= 0; i--) {
      const { request } = this.#queue[i]
      if (!this.#closed && !request.writer.aborted) continue
      this.#queue.splice(i, 1)
      this.#leave(request, () => request.writer.end('aborted'))
    }
  }

  /** Gives the slot back, then tells the writer. */
  #end(running: Running, tell: () => void, keepCells = true): void {
    this.#running = this.#running.filter((other) => other !== running)
    this.#slots.release(running.sequence.slot, keepCells)
    this.#leave(running.request, tell)
  }

  /** Closes what a request brought along, then tells the writer; where that fails, the request does. */
  #leave({ session, sampler, writer }: TokenRequest, tell: () => void): void {
    try {
      session.close()
    } catch (error) {
      sampler[Symbol.dispose]()
      writer.fail(error)
      return
    }
    sampler[Symbol.dispose]()
    tell()
  }

  #fail(running: Running, error: unknown): void {
    this.#end(running, () => running.request.writer.fail(error), false)
  }

  #failAll(error: unknown): void {
    for (const running of [...this.#running]) this.#fail(running, error)
    this.#slots.clear()
  }
}
