import { describe, expect, it } from 'vitest'
import { LookaheadTokenPredictor } from '../../src/bridges/node-llama-cpp.js'
import { RetrievalDrafter } from '../../src/draft/retrieval.js'

const sentence = [11, 12, 13, 14, 15, 16, 17, 18]

describe('a token predictor for node-llama-cpp', () => {
  it('predicts what followed the present context before, as far as it is probable', () => {
    const predictor = new LookaheadTokenPredictor()
    predictor.reset({ stateTokens: [1, ...sentence, 2, ...sentence.slice(0, 3)] })
    expect(predictor.predictTokens().slice(0, 2)).toEqual([14, 15])
    predictor.pushTokens([14, 15])
    expect(predictor.predictTokens()[0]).toBe(16)
    const sure = new LookaheadTokenPredictor({ minProbability: 1 })
    sure.reset({ stateTokens: [1, ...sentence, 2, ...sentence.slice(0, 3)] })
    expect(sure.predictTokens()).toEqual([])
  })

  it('goes on where the library starts over with what is known, and forgets nothing', () => {
    const predictor = new LookaheadTokenPredictor()
    predictor.reset({ stateTokens: [1, ...sentence, 2] })
    predictor.pushTokens([11, 12])
    predictor.reset({ stateTokens: [1, ...sentence, 2, 11, 12, 13, 14] })
    expect(predictor.predictTokens()[0]).toBe(15)
  })

  it('drafts from answers of others with the same drafter, once they are through', () => {
    const drafter = new RetrievalDrafter()
    const first = new LookaheadTokenPredictor({ drafter })
    first.reset({ stateTokens: [1] })
    first.pushTokens(sentence)
    first.dispose()
    expect(first.predictTokens()).toEqual([])
    const second = new LookaheadTokenPredictor({ drafter, minProbability: 0 })
    second.reset({ stateTokens: [2, ...sentence.slice(0, 4)] })
    expect(second.predictTokens()[0]).toBe(15)
  })

  it('refuses options out of range', () => {
    expect(() => new LookaheadTokenPredictor({ maxTokens: 0 })).toThrow(
      /maxTokens must be an integer from 1 to 64, got 0/,
    )
    expect(() => new LookaheadTokenPredictor({ minProbability: 2 })).toThrow(/minProbability must be from 0 to 1/)
  })
})
