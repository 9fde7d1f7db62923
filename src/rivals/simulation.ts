// Recorded answers decoded with everything but the model, at a given cost.

import { ForwardCost, type ForwardCostRecord } from '../cost/forward-cost.js'
import { CellStack } from '../decode/cells.js'
import type { Decoder, TokenSampler } from '../decode/decoder.js'
import type { DraftMode } from '../decode/drafting.js'
import { Round } from '../decode/round.js'
import { Scheduler } from '../decode/scheduler.js'
import { Sequence } from '../decode/sequence.js'
import { SlotTable } from '../decode/slots.js'
import type { Drafter } from '../draft/drafter.js'
import { Batch } from '../llama/batch.js'
import { OracleSession } from './oracle.js'
import { groupsOf, type Recording } from './replay.js'

/** What decoding would have been like on a device of a given cost. */
export interface SimulationReport {
  forwards: number
  tokens: number
  /** Draft nodes verified, and those of them that were accepted. */
  drafted: number
  accepted: number
  /** Milliseconds of conventional decoding: Σ T(1). */
  conventionalMs: number
  /** Milliseconds of the forwards as they were laid: Σ T(k). */
  forwardMs: number
  /** Milliseconds lost by forwards of another shape than the one before. */
  rebuildMs: number
  /** Milliseconds of retrieval, measured. */
  retrievalMs: number
}

/** How requests are simulated. */
export interface SimulationOptions {
  /** As requests say it: `'auto'` leaves the size of drafts to the controller. */
  draft: DraftMode
  /** What forwards cost; the controller knows it, as if it had been measured at load. */
  cost: ForwardCostRecord
  /** Whether answers stay unknown to later requests. Default false. */
  cold?: boolean
}

/** Most draft nodes of one forward, and branches of a draft, as the engine has them by default. */
const maxNodes = 64
const branches = 8

/**
 * Decodes recorded requests with everything the engine has but the model: its scheduler decides on drafts, they are
 * laid into batches, verified against the recorded answer and committed, step by step, one request at a time. Only the
 * forward is not computed; its time comes from the cost.
 */
export function simulateEngine(
  recordings: Iterable<Recording>,
  drafter: Drafter,
  { draft, cost, cold = false }: SimulationOptions,
): SimulationReport {
  const report: SimulationReport = {
    forwards: 0,
    tokens: 0,
    drafted: 0,
    accepted: 0,
    conventionalMs: 0,
    forwardMs: 0,
    rebuildMs: 0,
    retrievalMs: 0,
  }
  const decoder = new SilentDecoder()
  const truth = ForwardCost.from(cost)
  const cells = new CellStack(decoder)
  const round = new Round(decoder, cells, new Scheduler(decoder, maxNodes, ForwardCost.from(cost)), { maxNodes })
  const slots = new SlotTable(decoder, cells, 1, branches)
  let shape = ''
  for (const group of groupsOf(recordings)) {
    const sessions = group.map(({ prompt, response }) => {
      const session = drafter.open()
      if (session instanceof OracleSession) session.reveal(response)
      session.read(prompt)
      const { slot } = slots.claim(prompt, false, '')
      const end = prompt.length + response.length
      const request = { prompt, draft, session, sampler: new Recorded(response), maxTokens: response.length }
      const sequence = new Sequence(request, slot, prompt.length, end + 1, maxNodes)
      // The prompt's forward brings the first token.
      sequence.append(response[0])
      session.accept([response[0]], 1)
      const sequences = [sequence]
      while (sequence.length < end) {
        const context = sequence.length
        round.plan(sequences)
        round.lay(sequences)
        const { size, outputCount } = decoder.batch
        const ms = truth.ms(size, context)
        const laid = `${size}/${outputCount}/${sequence.branches}`
        const rebuildMs = laid === shape ? 0 : truth.rebuildMs
        shape = laid
        round.verify(sequence)
        round.commit(sequence)
        round.learn(ms + rebuildMs)
        report.forwards++
        report.tokens += sequence.written
        report.drafted += sequence.nodes
        report.accepted += sequence.accepted
        report.conventionalMs += sequence.written * truth.ms(1, context)
        report.forwardMs += ms
        report.rebuildMs += rebuildMs
        report.retrievalMs += sequence.retrievalMs
      }
      slots.release(slot, false)
      return session
    })
    // Requests of a group must not draft from each other's answers.
    if (!cold) for (const session of sessions) session.close()
  }
  return report
}

/** A model's place without a model. */
class SilentDecoder implements Decoder {
  readonly vocabularySize = Number.MAX_SAFE_INTEGER
  readonly contextTokens = Number.MAX_SAFE_INTEGER
  readonly maxSequences = branches
  readonly canBranch = true
  readonly canMove = false
  readonly batch = new Batch(512 + maxNodes, branches)

  async decode(): Promise<void> {}

  copySequence(): void {}

  async readCells(): Promise<Uint8Array> {
    return new Uint8Array(0)
  }

  async writeCells(): Promise<void> {}

  removePositions(): boolean {
    return true
  }
}

/** Writes a recorded answer, whatever row it is asked for. */
class Recorded implements TokenSampler {
  readonly seed = 0
  readonly #response: ArrayLike<number>
  #written = 1

  constructor(response: ArrayLike<number>) {
    this.#response = response
  }

  sample(): number {
    return this.#response[this.#written++]
  }

  [Symbol.dispose](): void {}
}
