import { describe, expect, it } from 'vitest'
import { SHAPES, Spelling } from '../../src/corpus/index.js'

const texts = [
  'the',
  ' the',
  ' The',
  'THE ',
  'they',
  '.',
  ' .',
  '.\n',
  '\n',
  ' ',
  '  ',
  '',
  '\u{1f600}',
  'İ',
  '12',
  ' x',
]
const bytes = texts.map((text) => Buffer.from(text))
// Half of a character, twice.
bytes.push(Buffer.of(0xe4), Buffer.of(0xe4))

function spell() {
  const asked: number[] = []
  const spelling = new Spelling({
    size: bytes.length,
    bytesOf(token) {
      asked.push(token)
      return bytes[token]
    },
  })
  return { spelling, asked }
}

const tokenOf = (text: string) => texts.indexOf(text)

describe('a spelling', () => {
  it('gives one form to what differs in capitals and spaces, and to nothing else', () => {
    const { spelling } = spell()
    const groups = new Map<number, string[]>()
    for (const [token, text] of texts.entries()) {
      const form = spelling.formOf(token)
      groups.set(form, [...(groups.get(form) ?? []), text])
    }
    expect([...groups.values()].filter((group) => group.length > 1)).toEqual([
      ['the', ' the', ' The', 'THE '],
      ['.', ' .'],
    ])
  })

  it('keeps apart what shows nothing, and parts of characters', () => {
    const { spelling } = spell()
    const lonely = [' ', '  ', ''].map(tokenOf).concat(texts.length, texts.length + 1)
    expect(lonely.map((token) => spelling.formOf(token))).toEqual(lonely)
  })

  it('names a form after whichever token is met first, for good', () => {
    const { spelling } = spell()
    expect(spelling.formOf(tokenOf(' The'))).toBe(tokenOf(' The'))
    expect(spelling.formOf(tokenOf('the'))).toBe(tokenOf(' The'))
    expect(spelling.formOf(tokenOf(' The'))).toBe(tokenOf(' The'))
    expect(spelling.alike(tokenOf('the'), tokenOf(' The'))).toBe(true)
    expect(spelling.alike(tokenOf('the'), tokenOf('.'))).toBe(false)
  })

  it('looks at a token once, and only when it is met', () => {
    const { spelling, asked } = spell()
    expect(asked).toEqual([])
    for (let k = 0; k < 3; k++) {
      spelling.formOf(4)
      spelling.shapeOf(4)
      spelling.shapeOf(2)
    }
    expect(asked).toEqual([4, 2])
  })

  it('tells kinds of text apart', () => {
    const { spelling } = spell()
    const shapes = texts.map((_, token) => spelling.shapeOf(token))
    const same = (one: string, other: string) => shapes[tokenOf(one)] === shapes[tokenOf(other)]
    expect(same('.', ' .')).toBe(true)
    expect(same('.\n', '\n')).toBe(true)
    for (const [one, other] of [
      ['the', ' the'],
      [' the', ' The'],
      ['.', '.\n'],
      ['12', 'the'],
      ['', ' '],
    ])
      expect(same(one, other), `'${one}' and '${other}'`).toBe(false)
    for (const shape of shapes) expect(shape).toBeLessThan(SHAPES)
  })

  it('takes numbers that are no tokens for themselves', () => {
    const { spelling } = spell()
    for (const token of [-1, bytes.length, 0x7fff_ffff]) {
      expect(spelling.formOf(token)).toBe(token)
      expect(spelling.shapeOf(token)).toBe(0)
      expect(spelling.alike(token, 0)).toBe(false)
      expect(spelling.alike(token, token)).toBe(false)
    }
  })
})
