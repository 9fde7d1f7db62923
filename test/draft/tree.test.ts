import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DraftSource, DraftTree, sourceName } from '../../src/draft/index.js'

/** Trees as lists of (token, parent), the parent somewhere before. */
const shapes = fc.array(fc.tuple(fc.nat(5), fc.nat(1000)), { maxLength: 40, size: 'max' }).map((list) => {
  const tree = new DraftTree(list.length)
  for (const [token, pick] of list) {
    const parent = (pick % (tree.size + 1)) - 1
    if (tree.childOf(parent, token) < 0) tree.add(token, parent, 1 / (tree.size + 1), DraftSource.own, 3)
  }
  return tree
})

describe('a draft tree', () => {
  it('draws itself', () => {
    const tree = new DraftTree(4)
    const brown = tree.add(10, -1, 0.61, DraftSource.own, 5)
    tree.add(11, brown, 0.4, DraftSource.own, 6)
    tree.add(12, -1, 0.2, DraftSource.shared, 3)
    tree.add(13, brown, 0.05, DraftSource.common, 0)
    const words = ['brown', 'fox', 'red', 'bear']
    expect(tree.show((token) => words[token - 10])).toBe(
      ['├─ brown 0.61 own/5', '│  ├─ fox 0.40 own/6', '│  └─ bear 0.05 common/0', '└─ red 0.20 shared/3'].join('\n'),
    )
    expect(new DraftTree(0).show()).toBe('')
  })

  it('keeps parents before children and counts depths', () => {
    fc.assert(
      fc.property(shapes, (tree) => {
        for (let node = 0; node < tree.size; node++) {
          const parent = tree.parents[node]
          expect(parent).toBeLessThan(node)
          expect(tree.depths[node]).toBe(parent < 0 ? 1 : tree.depths[parent] + 1)
        }
      }),
    )
  })

  it('finds every child and nothing else, also below a limit', () => {
    fc.assert(
      fc.property(shapes, fc.nat(40), (tree, limit) => {
        for (let node = 0; node < tree.size; node++) {
          expect(tree.childOf(tree.parents[node], tree.tokens[node])).toBe(node)
          expect(tree.childOf(tree.parents[node], tree.tokens[node], limit)).toBe(node < limit ? node : -1)
          expect(tree.childOf(node, 99)).toBe(-1)
        }
      }),
    )
  })

  it('shows every node once, indented by its depth', () => {
    fc.assert(
      fc.property(shapes, (tree) => {
        const lines = tree.size > 0 ? tree.show().split('\n') : []
        expect(lines.length).toBe(tree.size)
        const depths = lines.map((line) => line.search(/[├└]/) / 3 + 1).sort()
        expect(depths).toEqual(Array.from(tree.depths.subarray(0, tree.size)).sort())
      }),
    )
  })

  it('keeps what a number of branches can hold, first come, first served', () => {
    const names = (tree: DraftTree): string[] => {
      const paths: string[] = []
      for (let node = 0; node < tree.size; node++)
        paths.push(`${tree.parents[node] < 0 ? '' : paths[tree.parents[node]]}/${tree.tokens[node]}`)
      return paths
    }
    fc.assert(
      fc.property(shapes, fc.nat(40), fc.integer({ min: 1, max: 6 }), (tree, limit, most) => {
        const nodes = Math.min(limit, tree.size)
        const all = names(tree)
        // The naive twin: takes a node if that leaves no more ends than there are branches.
        const kept: number[] = []
        for (let node = 0; node < nodes; node++) {
          const parent = tree.parents[node]
          if (parent >= 0 && !kept.includes(parent)) continue
          const taken = [...kept, node]
          const ends = taken.filter((one) => !taken.some((other) => tree.parents[other] === one))
          if (ends.length <= most) kept.push(node)
        }
        const depths = kept.map((node) => tree.depths[node])
        tree.keepBranches(nodes, most)
        expect(names(tree)).toEqual(kept.map((node) => all[node]))
        expect([...tree.origins.subarray(0, tree.size)]).toEqual(kept)
        expect([...tree.depths.subarray(0, tree.size)]).toEqual(depths)
      }),
    )
  })

  it('clears', () => {
    const tree = new DraftTree(3)
    for (let k = 0; k < 3; k++) tree.add(k, k - 1, 1, DraftSource.own, 1)
    expect(tree.size).toBe(3)
    tree.clear()
    expect(tree.size).toBe(0)
    expect(tree.childOf(-1, 0)).toBe(-1)
  })

  it('refuses a node without room, a parent that does not stand before it, and an odd capacity', () => {
    const tree = new DraftTree(1)
    expect(() => tree.add(1, 0, 1, 0, 0)).toThrow(/must come before/)
    expect(() => tree.add(1, -2, 1, 0, 0)).toThrow(/must come before/)
    tree.add(1, -1, 1, 0, 0)
    expect(() => tree.add(2, -1, 1, 0, 0)).toThrow(/full at 1/)
    for (const capacity of [-1, 1.5, Number.NaN]) expect(() => new DraftTree(capacity)).toThrow(RangeError)
  })

  it('names sources', () => {
    expect([0, 1, 2, 3, 4, 77].map(sourceName)).toEqual(['own', 'shared', 'common', 'external', 'sibling', 'external'])
  })
})
