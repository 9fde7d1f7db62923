import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { TextStream } from '../../src/decode/text-stream.js'

/** Cuts bytes at random places, as tokens do. */
function cut(bytes: Uint8Array, sizes: readonly number[]): Uint8Array[] {
  const pieces: Uint8Array[] = []
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const size = sizes.length > 0 ? 1 + (sizes[i % sizes.length] % 5) : 3
    pieces.push(bytes.subarray(at, at + size))
    at += size
  }
  return pieces
}

describe('text stream', () => {
  it('shows exactly the text, wherever tokens cut it, and never half a character', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.array(fc.nat(), { maxLength: 8 }), (text, sizes) => {
        const stream = new TextStream()
        let shown = ''
        for (const piece of cut(Buffer.from(text), sizes)) {
          shown += stream.push(piece)
          expect(text.startsWith(shown)).toBe(true)
        }
        expect(shown + stream.end()).toBe(text)
      }),
    )
  })

  it('ends before the first stop string, wherever tokens cut it', () => {
    const letters = fc.string({ unit: fc.constantFrom('a', 'b', 'c', 'é') })
    fc.assert(
      fc.property(
        letters,
        fc.array(fc.string({ unit: fc.constantFrom('a', 'b', 'c', 'é'), minLength: 1, maxLength: 4 }), {
          minLength: 1,
          maxLength: 3,
        }),
        fc.array(fc.nat(), { maxLength: 8 }),
        (text, stops, sizes) => {
          const stream = new TextStream(stops)
          let shown = ''
          for (const piece of cut(Buffer.from(text), sizes)) {
            shown += stream.push(piece)
            expect(stops.some((stop) => shown.includes(stop))).toBe(false)
          }
          shown += stream.end()
          const places = stops.map((stop) => text.indexOf(stop)).filter((place) => place >= 0)
          // The stop string that is complete first ends the text, at its beginning.
          if (places.length === 0) expect(shown).toBe(text)
          else {
            expect(stream.stoppedBy).toBeDefined()
            expect(text.startsWith(shown + stream.stoppedBy)).toBe(true)
          }
        },
      ),
    )
  })

  it('turns bytes that are no text into replacement characters at the end', () => {
    const stream = new TextStream()
    expect(stream.push(Uint8Array.of(0xf0, 0x9f))).toBe('')
    expect(stream.end()).toBe('\uFFFD')
  })
})
