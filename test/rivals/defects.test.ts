import { describe, expect, it } from 'vitest'
import { RetrievalDrafter } from '../../src/draft/index.js'
import { branchesOf, draftOf } from './drafters.js'

/** What the published implementation of the paper got wrong; the rest of the list is in docs/design.md. */
describe('a defect of the reference does not return:', () => {
  it('a prompt is known beyond the token that ends a turn', () => {
    const endOfTurn = 2
    const session = new RetrievalDrafter().open()
    session.read([endOfTurn, 11, 12, 13, 14, endOfTurn, 21, 22, 23, endOfTurn, 30, 22])
    expect(branchesOf(draftOf(session, 8)).map((branch) => branch[0])).toContain(23)
    session.accept([12], 1)
    expect(branchesOf(draftOf(session, 8)).map((branch) => branch.slice(0, 2))).toContainEqual([13, 14])
  })

  it('what the prompt continues with stays in the tree beside any number of other answers', () => {
    const drafter = new RetrievalDrafter()
    for (let i = 0; i < 60; i++) {
      const other = drafter.open()
      other.read([900 + i])
      other.accept([1, 2, 100 + i, 200 + i], 4)
      other.close()
    }
    const session = drafter.open()
    session.read([1, 2, 50, 51, 52, 7, 1, 2])
    for (const budget of [4, 8, 16]) {
      const tree = draftOf(session, budget)
      expect(tree.size).toBe(budget)
      expect(branchesOf(tree).map((branch) => branch[0])).toContain(50)
    }
  })

  it('the end of one request takes nothing from another', () => {
    const drafter = new RetrievalDrafter()
    const one = drafter.open()
    const other = drafter.open()
    const prompt = [1, 2, 3, 4, 5, 1, 2]
    one.read(prompt)
    other.read(prompt)
    one.close()
    expect(branchesOf(draftOf(other, 4))).toContainEqual([3, 4, 5, 1])
  })

  it('memory is bounded, and what had to go is not drafted', () => {
    const drafter = new RetrievalDrafter({ sharedTokens: 20_000 })
    for (let i = 0; i < 60; i++) {
      const session = drafter.open()
      session.read([0])
      const answer = Array.from({ length: 1000 }, (_, k) => 1 + i * 1000 + k)
      session.accept(answer, answer.length)
      session.close()
    }
    // The reference held 689,011 nodes of hundreds of bytes after as much.
    expect(drafter.corpus.byteLength).toBeGreaterThan(10_000 * 4)
    expect(drafter.corpus.byteLength).toBeLessThan(60_000 * 16)
    const session = drafter.open()
    session.read([59_501, 59_502])
    expect(branchesOf(draftOf(session, 4)).flat()).toContain(59_503)
    session.accept([501, 502], 2)
    expect(branchesOf(draftOf(session, 4)).flat()).not.toContain(503)
  })
})
