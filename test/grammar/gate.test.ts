import { describe, expect, it } from 'vitest'
import { Gate } from '../../src/grammar/gate.js'
import { Lexicon } from '../../src/grammar/lexicon.js'

const texts = [...Array.from({ length: 256 }, (_, byte) => String.fromCharCode(byte)), '<think>', '</think>', '']
const end = texts.length - 1
const lexicon = Lexicon.of({
  size: texts.length,
  bytesOf: (token) => Buffer.from(texts[token], 'latin1'),
  isEndOfGeneration: (token) => token === end,
})
const plan = {
  grammar: 'root ::= "<tool>" [a-z]+ "</tool>"',
  thinking: { open: '<think>', close: '</think>', begun: false },
}

/** Which tokens may follow some texts, each a token. */
function following(written: readonly string[], options: Partial<typeof plan> = {}): string[] | undefined {
  const gate = new Gate({ ...plan, ...options }, lexicon)
  for (const text of written) gate.accept(texts.indexOf(text))
  const allowed = gate.allowed()
  return allowed && texts.filter((_, token) => (allowed[token >>> 5] >>> (token & 31)) & 1)
}

describe('a grammar behind thoughts', () => {
  it('lets both begin, whatever tokens they are written in', () => {
    expect(following([])).toEqual(expect.arrayContaining(['<', '<think>']))
    expect(following([])).not.toContain('a')
    expect(following(['<', 't'])?.sort()).toEqual(['h', 'o'])
    expect(following(['<', 't', 'h'])).toEqual(['i'])
    expect(following(['<', 't', 'o'])).toEqual(['o'])
  })

  it('holds once they are over, however their markers were written', () => {
    for (const opening of [['<think>'], [...'<think>'], ['\n', ...'<think>']])
      for (const closing of [['</think>'], [...'</think>']]) {
        const written = [...opening, ...'Hm <', ...closing]
        expect(following(written)).toEqual(['<'])
        expect(following([...written, ...'<tool>'])).not.toContain('<')
        expect(following([...written, ...'<tool>a'])).toContain('<')
      }
  })

  it('may end the thoughts, but not the answer, while they last', () => {
    expect(following([...'<think>', 'x'])).not.toContain('')
    expect(following([...'<think>', 'x'])).toContain('</think>')
  })
})
