import { existsSync, readFileSync } from 'node:fs'
import { isDeepStrictEqual } from 'node:util'
import { gunzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { compareOutputs, comparePrompts, type Formats } from '../../bench/kit/formats.js'

const folder = '../shared/formats'
const isThere = existsSync(`${folder}/templates.json.gz`)
const read = (name: string) => gunzipSync(readFileSync(`${folder}/${name}.gz`)).toString()
const lines = (name: string) =>
  read(name)
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))

// Recorded formats of real models, which are not part of the project: without them there is nothing to compare with.
describe.skipIf(!isThere)('the recorded formats of real models', () => {
  const formats: Formats = isThere
    ? {
        templates: JSON.parse(read('templates.json')),
        prompts: lines('prompts.jsonl'),
        outputs: lines('outputs.jsonl'),
      }
    : { templates: {}, prompts: [], outputs: [] }

  it('render to the letter, but for those that docs/chat.md gives a reason for', () => {
    const results = comparePrompts(formats)
    expect(results.filter(({ isRight }) => isRight).length / results.length).toBeGreaterThan(0.975)
  })

  it('are understood, whole and in pieces of any size', () => {
    const results = compareOutputs(formats)
    expect(results.filter(({ isRight }) => isRight).length / results.length).toBeGreaterThan(0.98)
    for (const size of [1, 2, 5, 13]) {
      const cut = compareOutputs(formats, size)
      expect(cut.filter(({ got }, i) => !isDeepStrictEqual(got, results[i].got))).toEqual([])
    }
  })
})
