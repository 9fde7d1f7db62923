import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { explainSteps } from '../../src/cli/explanation.js'
import { palette } from '../../src/cli/terminal.js'
import { DocumentSpans } from '../../src/decode/document-spans.js'
import { embeddedModel } from '../../src/hub/fetch-model.js'
import { Engine, type GenerationStep, type StepPiece } from '../../src/index.js'

const permit =
  'The Selby permit costs 40 euros per year. You can apply online. The permit is sent by post within ten days.'
const messages = [{ role: 'user', content: 'How much does the Selby permit cost?' }]

let engine: Engine
beforeAll(async () => {
  engine = await Engine.load({ model: embeddedModel(), threads: 1, profile: false })
})
afterAll(() => engine[Symbol.asyncDispose]())

async function stepsOf(request: Partial<Parameters<Engine['chat']>[0]> = {}): Promise<GenerationStep[]> {
  const steps: GenerationStep[] = []
  for await (const step of engine.chat({ messages, draft: 8, explain: true, maxTokens: 60, ...request }))
    steps.push(step)
  return steps
}

function piecesOf(steps: GenerationStep[]): StepPiece[] {
  return steps.flatMap(({ pieces }) => pieces)
}

describe('explain', () => {
  it('tells of every token where it came from; of drafted ones the match and a probability', async () => {
    const documents = [{ id: 'permit', title: 'notes', text: permit }]
    const pieces = piecesOf(await stepsOf({ documents, namespace: 'one', draft: 4 }))
    const drafted = pieces.filter(({ source }) => source !== 'model')
    expect(drafted.length).toBeGreaterThan(2)
    for (const { source, origin, matchLength, probability } of pieces)
      if (source === 'model') {
        expect(origin).toEqual({ kind: 'model' })
        expect(probability).toBeUndefined()
      } else {
        expect(['prompt', 'document', 'answer']).toContain(origin?.kind)
        expect(matchLength).toBeGreaterThanOrEqual(0)
        expect(probability).toBeGreaterThan(0)
        expect(probability).toBeLessThanOrEqual(1)
      }
    expect(drafted.some(({ origin }) => origin?.kind === 'document' && origin.id === 'permit')).toBe(true)
  })

  it('names the earlier request that said the same', async () => {
    await (await engine.chat({ messages, namespace: 'two', requestId: 'r-1', maxTokens: 60 })).result
    const again = piecesOf(await stepsOf({ namespace: 'two' }))
    expect(again.some(({ origin }) => origin?.kind === 'request' && origin.id === 'r-1')).toBe(true)
    const stranger = piecesOf(await stepsOf({ namespace: 'three' }))
    expect(stranger.some(({ origin }) => origin?.kind === 'request')).toBe(false)
  })

  it('names a document that the namespace knows and the prompt does not hold', async () => {
    const { text } = await engine.chat({ messages, namespace: 'four', maxTokens: 60 }).result
    await engine.warm([{ id: 'book', text: `${text} And more.` }], { namespace: 'five' })
    const pieces = piecesOf(await stepsOf({ namespace: 'five' }))
    expect(pieces.some(({ origin }) => origin?.kind === 'document' && origin.id === 'book')).toBe(true)
  })

  it('names a prediction', async () => {
    const { text } = await engine.chat({ messages, namespace: 'six', maxTokens: 60 }).result
    const pieces = piecesOf(await stepsOf({ namespace: 'seven', prediction: text }))
    expect(pieces.some(({ origin }) => origin?.kind === 'prediction')).toBe(true)
  })

  it('says nothing where nobody asked', async () => {
    for (const piece of piecesOf(await stepsOf({ explain: false }))) {
      expect(piece.origin).toBeUndefined()
      expect(piece.probability).toBeUndefined()
    }
  })

  it('is listed for people, a line per token', async () => {
    const steps = await stepsOf({ documents: [{ id: 'permit', text: permit }], namespace: 'eight' })
    const lines = explainSteps(steps, palette(false))
    expect(lines[0]).toMatch(/^forward {2}nodes {2}token +from +match +p$/)
    expect(lines.length).toBe(1 + piecesOf(steps).length)
    expect(lines.join('\n')).toContain('document permit')
    expect(lines.join('\n')).toContain('the model')
    expect(explainSteps(steps, palette(true)).join('')).toContain('\x1b[36m')
  })
})

describe('document spans', () => {
  const bytesOf = (token: number) =>
    Buffer.from('the premium is refunded. a card costs five euros.'.match(/\S+\s*/g)![token])
  const prompt = [0, 1, 2, 3, 4, 5, 6, 7, 8]

  it('find documents among the tokens of a prompt', () => {
    const spans = new DocumentSpans(
      prompt,
      [{ id: 'a', text: ' premium is refunded.\n' }, { text: 'card costs' }],
      bytesOf,
    )
    expect(prompt.map((place) => spans.idAt(place))).toEqual([
      undefined,
      'a',
      'a',
      'a',
      undefined,
      '2',
      '2',
      undefined,
      undefined,
    ])
  })

  it('know nothing of documents that the template has changed, or that are empty', () => {
    const spans = new DocumentSpans(prompt, [{ text: 'PREMIUM' }, { text: '  ' }], bytesOf)
    expect(prompt.map((place) => spans.idAt(place)).every((id) => id === undefined)).toBe(true)
    expect(new DocumentSpans(prompt, [], bytesOf).idAt(1)).toBeUndefined()
  })
})
