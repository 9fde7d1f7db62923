import { describe, expect, it } from 'vitest'
import { ForwardCost } from '../../src/cost/forward-cost.js'
import type { DraftMode } from '../../src/decode/drafting.js'
import type { GenerationResult } from '../../src/decode/generation.js'
import { DecodeLoop } from '../../src/decode/loop.js'
import type { DraftTree } from '../../src/draft/tree.js'
import { FakeDecoder, FakeSampler } from '../helpers/fake-decoder.js'
import { RandomSession } from '../helpers/fake-drafters.js'

const letters = {
  bytesOf: (token: number) => Buffer.from(String.fromCharCode(65 + token)),
  isEndOfGeneration: () => false,
}

/** Finds nothing, and takes its time over it. */
class SlowSession extends RandomSession {
  override draft(tree: DraftTree): void {
    tree.clear()
    for (const began = performance.now(); performance.now() - began < 0.15; );
  }
}

describe('what a loop tells of its drafting', () => {
  const decoder = new FakeDecoder({ contextTokens: 512, maxSequences: 4, batchTokens: 128, period: 2, ordered: true })
  const cost = new ForwardCost([1, 1.1, 1.3, 2].map((ms, i) => ({ rows: 4 ** i, ms })))
  const layout = { vocabulary: letters, slots: 1, branches: 4, contextTokens: 400, maxNodes: 16 }
  const makeLoop = () => new DecodeLoop(decoder, { ...layout, cost })
  const write = (loop: DecodeLoop, draft: DraftMode, session = new RandomSession(3, 7)): Promise<GenerationResult> => {
    const sampler = new FakeSampler(decoder, {})
    return loop.start({ prompt: [1, 2], draft, session, sampler, maxTokens: 200, reusePrefix: false }).result
  }

  it('counts forwards by the nodes they verified', async () => {
    const loop = makeLoop()
    const { stats } = await write(loop, 5)
    const { forwardsByNodes, rests } = loop.describeDrafting()
    const sum = (values: number[]) => values.reduce((a, b) => a + b)
    expect(sum(forwardsByNodes)).toBe(stats.forwards)
    expect(sum(forwardsByNodes.map((count, nodes) => count * nodes))).toBe(stats.draftedTokens)
    expect(forwardsByNodes.slice(6).every((count) => count === 0)).toBe(true)
    expect(rests).toBe(0)
  })

  it('says when drafting rests because looking for drafts does not pay', async () => {
    const loop = makeLoop()
    expect(loop.describeDrafting()).toMatchObject({ resting: false, rests: 0, restedForwards: 0, trust: 1 })
    await write(loop, 'auto', new SlowSession(3, 7))
    const after = loop.describeDrafting()
    expect(after.rests).toBeGreaterThan(0)
    expect(after.restedForwards).toBeGreaterThan(0)
    expect(after.forwardsByNodes[0]).toBe(199)
  })
})
