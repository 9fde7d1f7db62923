import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { encodePart, type Part, PartReader } from '../../src/fleet/http/part.js'

const part = fc.record({
  cursor: fc.stringMatching(/^[0-9a-f.rdt]{0,60}$/),
  isAll: fc.boolean(),
  frames: fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 4 }),
})

describe('parts of a log', () => {
  it('come back as they went, wherever what comes is cut', () => {
    fc.assert(
      fc.property(
        fc.array(part, { maxLength: 6 }),
        fc.infiniteStream(fc.integer({ min: 1, max: 30 })),
        (parts, cuts) => {
          const bytes = Buffer.concat(parts.map(({ cursor, isAll, frames }) => encodePart(cursor, isAll, frames)))
          const reader = new PartReader(1000)
          const found: Part[] = []
          for (let at = 0; at < bytes.length; ) {
            const length = cuts.next().value
            for (const one of reader.push(bytes.subarray(at, at + length))) found.push(one)
            at += length
          }
          const plain = ({ frames, ...rest }: { frames: Uint8Array }) => ({ ...rest, frames: [...frames] })
          expect(found.map(plain)).toEqual(parts.map((one) => plain({ ...one, frames: Buffer.concat(one.frames) })))
        },
      ),
    )
  })

  it('are refused where they are none, or too large, before what they announce is held', () => {
    const push = (bytes: Uint8Array) => [...new PartReader(1000).push(bytes)]
    expect(() => push(Buffer.from('<html><body>a proxy’s page'))).toThrow('not with a log')
    expect(() => push(encodePart('a.t1', true, [new Uint8Array(1000)]).subarray(0, 8))).toThrow('more than 1000 bytes')
    expect(push(encodePart('a.t1', true, [new Uint8Array(900)]))).toHaveLength(1)
    expect(push(new Uint8Array(7))).toEqual([])
  })
})
