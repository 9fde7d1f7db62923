import { describe, expect, it } from 'vitest'
import { ChainWorth } from '../../src/decode/chain-worth.js'
import type { DraftOutlook } from '../../src/draft/drafter.js'
import { DraftSource, DraftTree } from '../../src/draft/tree.js'
import { Random } from '../helpers/random-weights.js'

/** A device: what a forward with so many nodes takes, and the next token of a chain. */
interface Device {
  forwardMs(nodes: number): number
  tokenMs: number
}

/** Rows are nearly free; a chain of 0.5 a token pays where 0.83 of its tokens come true. */
const dear: Device = { forwardMs: (nodes) => 1 + 0.2 * nodes, tokenMs: 0.5 }
const cheap: Device = { forwardMs: (nodes) => 1 + 0.05 * nodes, tokenMs: 0.1 }
const hopeless: Device = { forwardMs: (nodes) => 1 + 0.5 * nodes, tokenMs: 0.6 }

/** Writes answers of so many tokens behind a backlog, with a writer that is right with some probability. */
function write(
  worth: ChainWorth,
  { forwardMs, tokenMs }: Device,
  options: { right: number; answers: number; tokens?: number; backlogMs?: number; found?: number[]; seed?: number },
) {
  const { right, answers, tokens = 100, backlogMs = 0, found = [], seed = 1 } = options
  const random = new Random(seed, 'chains')
  const tree = new DraftTree(16)
  for (const [node, probability] of found.entries()) tree.add(node, node - 1, probability, DraftSource.own, 1)
  const [spent, chains, read] = [{ chains: 0, all: 0 }, [] as number[], [] as boolean[]]
  for (let answer = 0; answer < answers; answer++) {
    let isRead = false
    let written = 0
    while (written < tokens) {
      const outlook: DraftOutlook = {
        budgetNodes: 16,
        wanted: undefined,
        context: written,
        mostTokens: 10_000,
        ms: forwardMs,
      }
      const length = worth.choose(tree, outlook, isRead ? 0 : backlogMs)
      chains.push(length)
      if (length > 0) {
        spent.chains += (isRead ? 0 : backlogMs) + length * tokenMs + forwardMs(length) - forwardMs(0)
        isRead = true
      }
      spent.all += forwardMs(0)
      written++
      for (let k = 0; k < length; k++) {
        const cameTrue = random.next() < right
        worth.learn(cameTrue)
        if (!cameTrue) break
        written++
      }
    }
    worth.ended(written)
    read.push(isRead)
  }
  return { spent, chains, read }
}

const worthOf = ({ tokenMs }: Device) => new ChainWorth(() => tokenMs)

describe('whether a chain is worth its time', () => {
  it('is learnt of a writer that would not pay at what is believed beforehand', () => {
    const worth = worthOf(dear)
    const { chains } = write(worth, dear, { right: 0.97, answers: 40 })
    expect(chains[0]).toBe(0)
    expect(worth.rate).toBeGreaterThan(0.9)
    expect(worth.pays).toBe(true)
    expect(Math.max(...chains.slice(-50))).toBeGreaterThan(1)
  })

  it('takes a hundredth of the time to learn, and no more of a writer that is always wrong', () => {
    for (const device of [dear, cheap])
      for (const backlogMs of [0, 3]) {
        const worth = worthOf(device)
        // What is believed beforehand is unlearnt first.
        write(worth, device, { right: 0, answers: 20, backlogMs })
        const { spent, chains } = write(worth, device, { right: 0, answers: 100, backlogMs })
        expect(Math.max(...chains)).toBe(1)
        expect(spent.chains / spent.all).toBeLessThan(0.011)
        expect(worth.pays).toBe(false)
      }
  })

  it('is never tried of a writer that is too slow even if always right, or where retrieval is as good', () => {
    const tooSlow = worthOf(hopeless)
    expect(new Set(write(tooSlow, hopeless, { right: 1, answers: 50 }).chains)).toEqual(new Set([0]))
    const behind = worthOf(dear)
    const found = Array.from({ length: 8 }, () => 0.999)
    expect(new Set(write(behind, dear, { right: 1, answers: 50, found }).chains)).toEqual(new Set([0]))
  })

  it('comes back when a writer that was wrong is right again', () => {
    const worth = worthOf(cheap)
    write(worth, cheap, { right: 0, answers: 30 })
    expect(worth.pays).toBe(false)
    write(worth, cheap, { right: 0.95, answers: 60 })
    expect(worth.pays).toBe(true)
  })

  it('counts a prompt that must be gone through first against what the answer can save', () => {
    const [short, long] = [worthOf(cheap), worthOf(cheap)]
    // A token saves half a millisecond or so: five of them do not pay for a prompt of 20 ms, four hundred do.
    expect(write(short, cheap, { right: 0.9, answers: 40, tokens: 5, backlogMs: 20 }).read.slice(20)).not.toContain(
      true,
    )
    expect(write(long, cheap, { right: 0.9, answers: 40, tokens: 400, backlogMs: 20 }).read.slice(20)).not.toContain(
      false,
    )
  })

  it('counts what tokens take beside their forwards', () => {
    const worth = worthOf(dear)
    const outlook = { budgetNodes: 16, wanted: undefined, context: 0, mostTokens: 1000, ms: dear.forwardMs }
    for (let i = 0; i < 100; i++) worth.learn(true)
    expect(worth.choose(new DraftTree(4), outlook, 0)).toBeGreaterThan(1)
    for (let i = 0; i < 200; i++) worth.took(2 * dear.tokenMs, 1, 0)
    expect(worth.choose(new DraftTree(4), outlook, 0)).toBe(0)
    for (let i = 0; i < 200; i++) worth.took(dear.tokenMs, 1, 0)
    expect(worth.choose(new DraftTree(4), outlook, 0)).toBeGreaterThan(1)
  })

  it('is not asked where a number of nodes is wanted', () => {
    const outlook = { budgetNodes: 16, context: 0, mostTokens: 100, ms: hopeless.forwardMs }
    expect(worthOf(hopeless).choose(new DraftTree(4), { ...outlook, wanted: 5 }, 1000)).toBe(5)
  })
})
