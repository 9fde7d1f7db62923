import { describe, expect, it } from 'vitest'
import type { Drafter, DraftSession, Foreseen } from '../../src/draft/drafter.js'
import { ForcedDrafter } from '../../src/draft/forced.js'
import { DraftSource, DraftTree, sourceName } from '../../src/draft/tree.js'

/** A text of tokens that must come, each a byte of it. */
class Sentence implements Foreseen {
  readonly tokens: Int32Array
  readonly kinds: Uint8Array
  begin = 0

  constructor(tokens: readonly number[], kinds = tokens.map(() => 0)) {
    this.tokens = Int32Array.from(tokens)
    this.kinds = Uint8Array.from(kinds)
  }

  get length(): number {
    return this.tokens.length - this.begin
  }

  look(): void {}

  follow(token: number, said: number): number {
    if (said >= this.length) return said
    return this.tokens[this.begin + said] === token ? said + 1 : -1
  }

  accept(token: number): void {
    this.begin = this.length > 0 && this.tokens[this.begin] === token ? this.begin + 1 : this.tokens.length
  }
}

/** Drafts the same chains each time: the more probable one first. */
const drafting = (...chains: number[][]): Drafter => ({
  name: 'fixed',
  open: (): DraftSession => ({
    read() {},
    draft(tree) {
      tree.clear()
      let nodes: [tokens: number[], parent: number, p: number][] = chains.map((tokens, k) => [tokens, -1, 0.5 - k / 10])
      for (let depth = 0; nodes.length > 0; depth++)
        nodes = nodes
          .filter(([tokens]) => tokens.length > depth)
          .map(([tokens, parent, p]) => [tokens, tree.add(tokens[depth], parent, p, DraftSource.own, 3), p / 2])
    },
    originOf: (node) => ({ kind: 'prompt', place: node }),
    accept() {},
    close() {},
  }),
})

function draftOf(session: DraftSession, budget = 16): DraftTree {
  const tree = new DraftTree(16)
  session.draft(tree, budget)
  return tree
}

const shown = (tree: DraftTree) =>
  Array.from({ length: tree.size }, (_, i) => `${tree.tokens[i]}<${tree.parents[i]} ${sourceName(tree.sources[i])}`)

describe('ForcedDrafter', () => {
  it('drafts alone where nothing else does', () => {
    const session = new ForcedDrafter(drafting()).open({ foreseen: new Sentence([7, 8, 9]) })
    const tree = draftOf(session)
    expect(shown(tree)).toEqual(['7<-1 forced', '8<0 forced', '9<1 forced'])
    expect(tree.probabilities[0]).toBeGreaterThan(0.9)
    expect(draftOf(session, 2).size).toBe(2)
    expect(session.originOf?.(tree.origins[0])).toBeUndefined()
  })

  it('leaves out what cannot come, and goes on where the grammar ends', () => {
    const session = new ForcedDrafter(drafting([7, 8, 1, 2], [5, 6])).open({ foreseen: new Sentence([7, 8]) })
    const tree = draftOf(session)
    expect(shown(tree)).toEqual(['7<-1 own', '8<0 own', '1<1 own', '2<2 own'])
    expect(tree.probabilities[1]).toBeGreaterThan(0.9)
    // Nodes of the other drafter are known to it by the index they had there: the second chain stood between them.
    expect(session.originOf?.(tree.origins[2])).toEqual({ kind: 'prompt', place: 4 })
  })

  it('learns how far each kind can be believed, and nothing from what it did not foresee', () => {
    const drafter = new ForcedDrafter(drafting())
    for (let i = 0; i < 40; i++) {
      const session = drafter.open({ foreseen: new Sentence([7, 8], [0, 3]) })
      draftOf(session)
      session.accept([7, 1, 2], 3)
      session.close()
    }
    const tree = draftOf(drafter.open({ foreseen: new Sentence([7, 8], [0, 3]) }))
    expect(tree.probabilities[0]).toBeGreaterThan(0.95)
    expect(tree.probabilities[1]).toBeLessThan(0.3)
  })

  it('stands aside where there is no grammar', () => {
    const inner = drafting([7]).open()
    const drafter = new ForcedDrafter({ name: 'one', byteLength: 5, open: () => inner })
    expect(drafter.open()).toBe(inner)
    expect(drafter).toMatchObject({ name: 'one', byteLength: 5 })
  })
})
