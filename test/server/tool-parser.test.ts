import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ToolCallParser } from '../../src/server/tool-parser.js'

const names = new Set(['weather', 'time'])

/** Parses a text that comes in pieces. */
function parse(pieces: readonly string[], parallel = true) {
  const parser = new ToolCallParser(names, parallel)
  const parts = [...pieces.map((piece) => parser.push(piece)), parser.end()]
  return {
    content: parts.map((part) => part.content).join(''),
    calls: parts.flatMap((part) => part.calls.map((call) => call.function)),
  }
}

const oslo = { name: 'weather', arguments: '{"city":"Oslo"}' }
const noon = { name: 'time', arguments: '{}' }

const cases: [text: string, content: string, calls: object[]][] = [
  ['Just text.', 'Just text.', []],
  ['<tool_call>\n{"name": "weather", "arguments": {"city": "Oslo"}}\n</tool_call>', '', [oslo]],
  ['Let me see. <tool_call>{"name":"weather","arguments":{"city":"Oslo"}}</tool_call>', 'Let me see. ', [oslo]],
  [
    '<tool_call>{"name":"weather","arguments":{"city":"Oslo"}}</tool_call>\n<tool_call>{"name":"time"}</tool_call>',
    '',
    [oslo, noon],
  ],
  ['<tool_call>{"name":"time","arguments":"{}"}', '', [noon]],
  ['{"name": "weather", "parameters": {"city": "Oslo"}}', '', [oslo]],
  ['\n [{"name": "weather", "arguments": {"city": "Oslo"}}, {"name": "time", "arguments": {}}]', '', [oslo, noon]],
  ['{"name": "other", "arguments": {}}', '{"name": "other", "arguments": {}}', []],
  ['{"answer": 5}', '{"answer": 5}', []],
  ['[1] says so.', '[1] says so.', []],
  ['<tool_call>not json</tool_call> after', '<tool_call>not json</tool_call> after', []],
  ['a < b <tool', 'a < b <tool', []],
  ['<tool_call>{"name":"rm","arguments":{}}</tool_call>', '<tool_call>{"name":"rm","arguments":{}}</tool_call>', []],
  ['', '', []],
]

describe('a parser of tool calls', () => {
  it.each(cases)('%j', (text, content, calls) => {
    expect(parse([text])).toEqual({ content, calls })
  })

  it('finds the same in one piece and in many', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...cases),
        fc.array(fc.nat(100), { maxLength: 12 }),
        ([text, content, calls], cuts) => {
          const places = [0, ...cuts.map((cut) => cut % (text.length + 1)), text.length].sort((a, b) => a - b)
          const pieces = places.slice(1).map((place, i) => text.slice(places[i], place))
          expect(parse(pieces)).toEqual({ content, calls })
        },
      ),
      { numRuns: 500 },
    )
  })

  it('loses no text that is no call', () => {
    const part = fc.constantFrom('<tool_call>', '</tool_call>', '<tool', '{', '}', 'a', ' ', '\n', '"name"', '[')
    fc.assert(
      fc.property(fc.array(part, { maxLength: 20 }), (pieces) => {
        expect(parse(pieces)).toEqual({ content: pieces.join(''), calls: [] })
      }),
      { numRuns: 500 },
    )
  })

  it('reports one call where more are not wanted', () => {
    expect(parse([cases[3][0]], false).calls).toEqual([oslo])
  })

  it('holds back nothing that cannot become a call', () => {
    const parser = new ToolCallParser(names)
    expect(parser.push('Hello').content).toBe('Hello')
    expect(parser.push(' <too').content).toBe(' ')
    expect(parser.push('k').content).toBe('<took')
  })
})
