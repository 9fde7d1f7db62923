import { describe, expect, it } from 'vitest'
import type { DraftSession, DraftTree } from '../../src/draft/index.js'
import { PaperTrieDrafter, SuffixDecodingDrafter } from '../../src/rivals/index.js'
import { branchesOf, draftOf } from './drafters.js'

/** A session that has read a prompt. */
function reading(drafter: PaperTrieDrafter, ...prompt: number[]): DraftSession {
  const session = drafter.open()
  session.read(prompt)
  return session
}

/** Leaves an answer behind. */
function answered(drafter: PaperTrieDrafter, prompt: number[], answer: number[], namespace?: string): void {
  const session = drafter.open({ namespace })
  session.read(prompt)
  session.accept(answer, answer.length)
  session.close()
}

function tokensOf(tree: DraftTree): number[] {
  return Array.from(tree.tokens.subarray(0, tree.size))
}

/** After 1: three branches of weights 3, 2 and 1, of three tokens each; 2 comes first. */
const threeBranches = [
  1, 2, 3, 4, 90, 1, 2, 3, 4, 91, 1, 2, 3, 4, 92, 1, 5, 6, 7, 93, 1, 5, 6, 7, 94, 1, 8, 9, 10, 95, 1,
]

describe('paper trie', () => {
  it('drafts a tree of the heaviest nodes (hier)', () => {
    const tree = draftOf(reading(new PaperTrieDrafter({ branchLength: 3 }), ...threeBranches), 6)
    expect(tokensOf(tree)).toEqual([2, 3, 4, 5, 6, 7])
  })

  it('drafts whole branches, each counted from its first token on (par)', () => {
    const prompt = [1, 2, 3, 4, 90, 1, 2, 3, 5, 91, 1, 2, 3, 6, 92, 1]
    const budget = 5
    const hier = draftOf(reading(new PaperTrieDrafter({ branchLength: 3 }), ...prompt), budget)
    const par = draftOf(reading(new PaperTrieDrafter({ branchLength: 3, mode: 'par' }), ...prompt), budget)
    expect(branchesOf(hier).length).toBe(3)
    // Two branches of three tokens each would be six: the second is cut to the two tokens it shares with the first.
    expect(branchesOf(par).length).toBe(1)
    expect(branchesOf(hier)).toContainEqual(branchesOf(par)[0])
    let laid = 0
    for (const branch of branchesOf(par)) laid += branch.length
    expect(laid).toBeLessThanOrEqual(budget)
  })

  it('drafts the heaviest branch alone (one), which is the first of hier (P4)', () => {
    const one = draftOf(reading(new PaperTrieDrafter({ branchLength: 3, mode: 'one' }), ...threeBranches), 6)
    expect(branchesOf(one)).toEqual([[2, 3, 4]])
    const hier = draftOf(reading(new PaperTrieDrafter({ branchLength: 3 }), ...threeBranches), 6)
    expect(branchesOf(hier)[0]).toEqual([2, 3, 4])
  })

  it('weighs prompt and output alike in hier and one: a prompt branch before an output branch (P4)', () => {
    for (const mode of ['hier', 'one', 'par'] as const) {
      const drafter = new PaperTrieDrafter({ mode, branchLength: 2 })
      for (let k = 0; k < 5; k++) answered(drafter, [9], [1, 2, 3])
      const tree = draftOf(reading(drafter, 1, 7, 8, 90, 1), 2)
      expect(tokensOf(tree)).toEqual([7, 8])
    }
  })

  it('counts outputs of earlier requests where the prompt says nothing', () => {
    const drafter = new PaperTrieDrafter({ branchLength: 2 })
    answered(drafter, [9], [1, 2, 3])
    for (let k = 0; k < 2; k++) answered(drafter, [9], [1, 5, 6])
    expect(tokensOf(draftOf(reading(drafter, 4, 1), 4))).toEqual([5, 6, 2, 3])
  })

  it('keeps to branch length and decoding length', () => {
    const drafter = new PaperTrieDrafter({ branchLength: 4, decodingLength: 3 })
    expect(tokensOf(draftOf(reading(drafter, 1, 2, 3, 4, 5, 6, 7, 1), 64))).toEqual([2, 3, 4])
    const longer = new PaperTrieDrafter({ branchLength: 4 })
    expect(tokensOf(draftOf(reading(longer, 1, 2, 3, 4, 5, 6, 7, 1), 64))).toEqual([2, 3, 4, 5])
  })

  it('indexes what stands after an end-of-text token too (P1)', () => {
    const tree = draftOf(reading(new PaperTrieDrafter(), 5, 2, 6, 7, 8, 2, 9, 6), 8)
    expect(branchesOf(tree)[0].slice(0, 2)).toEqual([7, 8])
  })

  it('keeps prompt branches when there are more candidates than budget (P2), and fills the budget (P3)', () => {
    const drafter = new PaperTrieDrafter({ branchLength: 2 })
    for (let k = 0; k < 100; k++) answered(drafter, [9], [1, 100 + k, 300 + k])
    const tree = draftOf(reading(drafter, 1, 7, 8, 90, 1), 16)
    expect(tree.size).toBe(16)
    expect(tokensOf(tree).slice(0, 2)).toEqual([7, 8])
  })

  it('leaves the branch of a longer match as it is (P6)', () => {
    // After 1 2: always 3. After 2 alone: mostly 5.
    const tree = draftOf(reading(new PaperTrieDrafter({ branchLength: 2 }), 1, 2, 3, 2, 5, 2, 5, 2, 5, 9, 1, 2), 4)
    expect(tokensOf(tree)[0]).toBe(3)
    expect(tree.matchLengths[0]).toBe(2)
    expect(tokensOf(tree)).toContain(5)
  })

  it('ends a request without touching what another has read (P7)', () => {
    const drafter = new PaperTrieDrafter()
    const one = reading(drafter, 1, 2, 3, 90, 1)
    const other = reading(drafter, 1, 2, 4, 91, 1)
    const before = draftOf(other, 8).show()
    one.close()
    expect(draftOf(other, 8).show()).toBe(before)
  })

  it('squeezes: memory stays bounded, and what occurs again and again stays (P8)', () => {
    const drafter = new PaperTrieDrafter({ branchLength: 4, capacityNodes: 2000 })
    let most = 0
    for (let k = 0; k < 400; k++) {
      answered(drafter, [9], [1, 2, 3, 4])
      answered(
        drafter,
        [9],
        Array.from({ length: 50 }, (_, i) => 1000 + k * 50 + i),
      )
      most = Math.max(most, drafter.byteLength)
    }
    expect(drafter.byteLength).toBe(most)
    expect(most).toBeLessThan(2 ** 18)
    expect(tokensOf(draftOf(reading(drafter, 5, 1), 8)).slice(0, 3)).toEqual([2, 3, 4])
    const session = reading(drafter, 1, 2, 3)
    expect(session.byteLength).toBeGreaterThan(0)
    session.close()
    expect(session.byteLength).toBe(0)
  })

  it('looks only at the children of what it drafts (P9)', () => {
    const drafter = new PaperTrieDrafter({ branchLength: 6 })
    for (let k = 0; k < 200; k++)
      answered(drafter, [9], [1, 2, ...Array.from({ length: 5 }, (_, i) => 1000 + ((k * 7919 + i * 104729) % 5000))])
    answered(drafter, [9], [1, 3, 4])
    const session = reading(drafter, 5, 1)
    draftOf(session, 1)
    // One node is drafted: its two hundred children are open, and its sibling; the hundreds below them are not.
    expect(drafter.frontier.size).toBeLessThanOrEqual(201)
  })

  it('gives every open request the whole budget (P10)', () => {
    const drafter = new PaperTrieDrafter({ branchLength: 3 })
    const sessions = [1, 2, 3].map(() => reading(drafter, ...threeBranches))
    for (const session of sessions) expect(draftOf(session, 9).size).toBe(9)
  })

  it('looks up as many tokens of context as it is told to (P12)', () => {
    const prompt = [1, 2, 3, 7, 90, 4, 2, 3, 8, 91, 4, 2, 3, 8, 92, 1, 2, 3]
    const short = draftOf(reading(new PaperTrieDrafter({ branchLength: 6 }), ...prompt), 1)
    const long = draftOf(reading(new PaperTrieDrafter({ branchLength: 6, maxQueryLength: 3 }), ...prompt), 1)
    expect(tokensOf(short)).toEqual([8])
    expect(tokensOf(long)).toEqual([7])
  })

  it('refuses options that make no sense', () => {
    expect(() => new PaperTrieDrafter({ branchLength: 0 })).toThrow('branchLength must be an integer ≥ 1, got 0')
    expect(() => new PaperTrieDrafter({ decodingLength: 2.5 })).toThrow('decodingLength')
    expect(() => new PaperTrieDrafter({ capacityNodes: 1 })).toThrow('capacityNodes')
  })
})

describe.each([
  { name: 'paper trie', create: () => new PaperTrieDrafter() },
  { name: 'suffix tree', create: () => new SuffixDecodingDrafter() },
])('$name', ({ create }) => {
  it('keeps the outputs of namespaces apart (P15)', () => {
    const drafter = create()
    const one = drafter.open({ namespace: 'acme' })
    one.read([9])
    one.accept([1, 2, 3, 4], 4)
    one.close()
    const stranger = drafter.open({ namespace: 'bolt' })
    stranger.read([5, 1, 2])
    expect(draftOf(stranger, 8).size).toBe(0)
    const colleague = drafter.open({ namespace: 'acme' })
    colleague.read([5, 1, 2])
    expect(tokensOf(draftOf(colleague, 8))).toEqual([3, 4])
  })
})

describe('suffix decoding', () => {
  it('forgets the older half of the answers when it is full', () => {
    const drafter = new SuffixDecodingDrafter({ capacityTokens: 100 })
    const answer = (k: number) => Array.from({ length: 20 }, (_, i) => 1000 * k + i)
    let most = 0
    for (let k = 1; k <= 50; k++) {
      const session = drafter.open()
      session.read([9])
      session.accept(answer(k), 20)
      session.close()
      most = Math.max(most, drafter.byteLength)
    }
    expect(most).toBeLessThan(2 ** 17)
    const session = drafter.open()
    session.read([7, ...answer(50).slice(0, 3)])
    expect(tokensOf(draftOf(session, 4))).toEqual(answer(50).slice(3, 7))
    session.read(answer(1).slice(0, 3))
    expect(draftOf(session, 4).size).toBe(0)
  })

  it('drafts the more the longer the match', () => {
    const drafter = new SuffixDecodingDrafter({ factor: 1 })
    const session = drafter.open()
    session.read([1, 2, 3, 4, 5, 6, 7, 8, 1])
    expect(draftOf(session, 8).size).toBe(1)
    session.accept([2, 3], 2)
    expect(tokensOf(draftOf(session, 8))).toEqual([4, 5, 6])
  })
})
