import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { GenerationResult } from '../../src/decode/generation.js'
import { Engine } from '../../src/engine/engine.js'
import type { CompletionRequest } from '../../src/engine/options.js'
import { answerAfter, betaTail, lastAnswer, selfConsistency } from '../../src/engine/self-consistency.js'

const messages = [{ role: 'user', content: 'How much is the fee?' }]

/** Writers whose answers are given: one digit a token, of which the last is the answer. */
function writersOf(answer: (request: CompletionRequest, index: number) => number[]) {
  const waves: CompletionRequest[][] = []
  let index = 0
  return {
    waves,
    tokenizeChat: () => Int32Array.of(1, 2, 3),
    textOf: (tokens: ArrayLike<number>) => Array.from(tokens).join(' '),
    write: async (requests: readonly CompletionRequest[]) => {
      waves.push([...requests])
      return requests.map((request) => ({ tokens: answer(request, index++) }) as unknown as GenerationResult)
    },
  }
}

describe('self-consistency', () => {
  it('votes plainly where nothing else is asked: all at once, each from the prompt, with seeds of their own', async () => {
    const writers = writersOf((_, i) => [7, [4, 5, 4, 6, 4][i]])
    const result = await selfConsistency({ messages, samples: 5, seed: 10 }, writers)
    expect(result.answer).toBe('4')
    expect(result.votes[0]).toEqual({ answer: '4', count: 3 })
    expect(result).toMatchObject({ writtenTokens: 10, sharedTokens: 0 })
    expect(writers.waves.map((wave) => wave.map(({ prompt }) => prompt))).toEqual([Array(5).fill([1, 2, 3])])
    expect(writers.waves[0].map(({ seed }) => seed)).toEqual([10, 11, 12, 13, 14])
    expect(new Set(writers.waves[0].map(({ together }) => together)).size).toBe(1)
  })

  it('leads later answers along one that leads surely, further with every level', async () => {
    const writers = writersOf(() => [9, 9, 9, 9, 9, 4])
    const result = await selfConsistency({ messages, samples: 12, levels: 2, seed: 1, maxTokens: 20 }, writers)
    expect(writers.waves.map((wave) => wave.length)).toEqual([4, 4, 4])
    expect(writers.waves.map(([{ prompt }]) => (prompt as number[]).length)).toEqual([3, 3 + 2, 3 + 2 + 3])
    expect(writers.waves.map(([{ maxTokens }]) => maxTokens)).toEqual([20, 18, 15])
    expect(result.sharedTokens).toBe(4 * 2 + 4 * 5)
    expect(result.answer).toBe('4')
  })

  it('leads nobody where no answer leads', async () => {
    const writers = writersOf((_, i) => [9, 9, 9, i])
    const result = await selfConsistency({ messages, samples: 9, levels: 2, seed: 1 }, writers)
    expect(result.sharedTokens).toBe(0)
    expect(result.votes).toHaveLength(9)
  })

  it('writes as many samples as asked, whatever the answers and levels', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 2, max: 64 }),
        fc.integer({ min: 0, max: 8 }),
        fc.array(fc.nat(3), { minLength: 64, maxLength: 64 }),
        async (samples, levels, answers) => {
          const writers = writersOf((_, i) => [...Array(answers[i] * 3).fill(8), answers[i]])
          const result = await selfConsistency({ messages, samples, levels, seed: 3 }, writers)
          expect(result.samples).toHaveLength(samples)
          const counts = [0, 1, 2, 3].map((a) => result.samples.filter(({ answer }) => answer === String(a)).length)
          expect(result.votes[0].count).toBe(Math.max(...counts))
          expect(result.confidence).toBeGreaterThan(0)
          expect(result.confidence).toBeLessThan(1)
        },
      ),
    )
  })

  it('knows how sure a majority is', () => {
    // By integration of the density.
    const byHand = (votes: number, all: number) => {
      const steps = 100_000
      let above = 0
      let whole = 0
      for (let i = 0; i < steps; i++) {
        const p = (i + 0.5) / steps
        const density = p ** votes * (1 - p) ** (all - votes)
        whole += density
        if (p > 0.5) above += density
      }
      return above / whole
    }
    for (const [votes, all] of [
      [1, 1],
      [3, 5],
      [5, 5],
      [20, 64],
      [40, 64],
    ])
      expect(betaTail(votes, all)).toBeCloseTo(byHand(votes, all), 4)
  })

  it('finds answers', () => {
    expect(lastAnswer('The fee is 1,200.50 euros, so 3 times that is 3,601.5.')).toBe('3601.5')
    expect(lastAnswer('Yes.\nNo.\n\n')).toBe('No.')
    expect(lastAnswer('  \n')).toBeUndefined()
    expect(answerAfter('####')('so\n#### 4\n#### 17 \nand')).toBe('17')
    expect(answerAfter('####')('so 17')).toBeUndefined()
  })

  it.each([
    [{ samples: 1 }, /samples must be an integer from 2 to 64, got 1/],
    [{ levels: 9 }, /levels must be an integer from 0 to 8, got 9/],
    [{ confidence: 1 }, /confidence must be a number between 0.5 and 1, got 1/],
    [{ answerOf: '####' as never }, /answerOf must be a function, got string/],
  ])('refuses %o', async (options, message) => {
    await expect(
      selfConsistency(
        { messages, ...options },
        writersOf(() => [1]),
      ),
    ).rejects.toThrow(message)
  })
})

describe('self-consistency of a real model', () => {
  let engine: Engine
  beforeAll(async () => {
    engine = await Engine.load({ slots: 4, threads: 1, profile: false })
  })
  afterAll(() => engine[Symbol.asyncDispose]())
  const documents = [{ title: 'Fees', text: 'The fee for a parking permit is 89 euros a year. It is due in March.' }]
  const request = {
    messages: [{ role: 'user', content: 'What is the fee for a parking permit?' }],
    documents,
    maxTokens: 40,
  }

  it('gives what as many answers alone give, with drafts from each other', async () => {
    const { samples } = await engine.selfConsistency({ ...request, samples: 4, seed: 5 })
    for (const [k, sample] of samples.entries()) {
      const alone = await engine.complete({
        prompt: engine.tokenizeChat(request),
        maxTokens: 40,
        temperature: 0.8,
        seed: 5 + k,
        draft: 'off',
      }).result
      expect(sample.result.tokens).toEqual(alone.tokens)
    }
  })

  it('goes on along a path, and says what that saved', async () => {
    const result = await engine.selfConsistency({ ...request, samples: 8, levels: 1, seed: 5, answerOf: () => 'same' })
    expect(result.samples).toHaveLength(8)
    expect(result.sharedTokens).toBeGreaterThan(0)
    const path = result.samples[7].text.slice(0, 5)
    expect(result.samples.slice(4).every(({ text }) => text.startsWith(path))).toBe(true)
  })

  it('refuses what is misspelt or does not go with it', async () => {
    expect(() => engine.selfConsistency({ ...request, sample: 3 } as never)).toThrow(
      /no option sample; did you mean samples/,
    )
    expect(() => engine.selfConsistency({ ...request, grammar: 'root ::= "a"' } as never)).toThrow(/no option grammar/)
  })
})
