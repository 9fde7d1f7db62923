import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Engine } from '../../src/engine/engine.js'
import type { EngineOptions } from '../../src/engine/options.js'
import { LlamaError } from '../../src/llama/error.js'
import { createApp } from '../../src/server/app.js'
import { writeRandomModel } from '../helpers/random-model.js'

const folder = mkdtempSync(path.join(tmpdir(), 'lookahead-draft-model-'))
const file = (name: string) => path.join(folder, `${name}.gguf`)
beforeAll(() => {
  writeRandomModel(file('large'), { type: 'Q8_0', seed: 5, layers: 2, novelty: 0.05 })
  // Alike, but not the same: most of its tokens are the large one's.
  writeRandomModel(file('like'), { type: 'Q8_0', seed: 5, layers: 2, novelty: 0.06 })
  writeRandomModel(file('other'), { type: 'Q8_0', seed: 6, layers: 1 })
  // Its positions end within an answer; its table of tokens is shorter.
  writeRandomModel(file('few-positions'), { architecture: 'gpt2', type: 'Q8_0', seed: 5, context: 96 })
  writeRandomModel(file('few-tokens'), { type: 'Q8_0', seed: 5, layers: 1, vocabulary: 480 })
  writeRandomModel(file('windowed'), { architecture: 'gemma3', type: 'Q8_0', seed: 5 })
  writeRandomModel(file('headed'), { architecture: 'glm4moe', type: 'Q8_0', seed: 5, head: 'apt' })
  writeRandomModel(file('bpe'), { architecture: 'qwen2', type: 'Q8_0' })
  writeRandomModel(file('hybrid'), { architecture: 'lfm2', type: 'Q8_0', seed: 5 })
  writeRandomModel(file('mamba'), { architecture: 'mamba', type: 'Q8_0' })
})
afterAll(() => rmSync(folder, { recursive: true }))

const load = (options: Partial<EngineOptions>) =>
  Engine.load({ model: file('large'), threads: 1, profile: false, ...options })
const prompt = Array.from({ length: 70 }, (_, i) => 300 + ((i * 37) % 100))

describe('a draft model', () => {
  it.each(['like', 'other', 'large', 'few-positions', 'few-tokens', 'windowed', 'headed'])(
    'changes nothing in the text: %s',
    async (name) => {
      await using plain = await load({})
      await using engine = await load({ draftModel: file(name) })
      for (const sampling of [{}, { temperature: 0.8, seed: 4, repeatPenalty: 1.1 }])
        for (const draft of ['auto', 1, 5, 20] as const) {
          const request = { prompt, maxTokens: 60, ...sampling }
          const expected = await plain.complete({ ...request, draft: 'off' }).result
          const { tokens, stats } = await engine.complete({ ...request, draft }).result
          expect(tokens).toEqual(expected.tokens)
          if (name === 'large' && draft === 5 && !('seed' in sampling)) {
            // It drafts what it would write itself.
            expect(stats.acceptedTokens / stats.draftedTokens).toBeGreaterThan(0.5)
            expect(stats.edl).toBeGreaterThan(3)
          }
        }
    },
  )

  it('joins what retrieval finds, and says where a token came from', async () => {
    await using engine = await load({ draftModel: file('large') })
    const sources = new Set<string>()
    for await (const step of engine.complete({ prompt, maxTokens: 60, draft: 8, explain: true }))
      for (const { source } of step.pieces) sources.add(source)
    expect(sources).toContain('draft-model')
    expect(engine.describeDraftModel()).toEqual({ rowMs: expect.any(Number), rate: expect.any(Number), pays: true })
    const app = createApp(engine, { model: 'test', log: () => {} })
    expect(await (await app.request('/props')).json()).toMatchObject({ draft_model: { pays: true }, mtp: { count: 0 } })
    await engine.complete({ prompt, maxTokens: 60, draft: 8 }).result
    for await (const step of engine.complete({ prompt, maxTokens: 60, draft: 8, explain: true }))
      for (const { source } of step.pieces) sources.add(source)
    expect(sources).toContain('shared')
  })

  it('serves several requests at once, more than it has places for in turns', async () => {
    await using plain = await load({})
    await using engine = await load({ draftModel: file('like'), slots: 2 })
    const prompts = Array.from({ length: 5 }, (_, k) => prompt.map((token) => 300 + ((token * (k + 3)) % 100)))
    const answers = await Promise.all(
      prompts.map((p) => engine.complete({ prompt: p, maxTokens: 40, draft: 4 }).result),
    )
    for (const [k, { tokens }] of answers.entries())
      expect(tokens).toEqual((await plain.complete({ prompt: prompts[k], maxTokens: 40, draft: 'off' }).result).tokens)
  })

  it('changes nothing in several choices, probabilities, grammars and forced calls over HTTP', async () => {
    await using plain = await load({ slots: 3 })
    await using engine = await load({ draftModel: file('like'), slots: 3 })
    const schema = {
      type: 'object',
      properties: { a: { enum: ['x', 'y'] }, b: { type: 'boolean' } },
      required: ['a', 'b'],
    }
    const common = { model: 'test', prompt: 'the end of the', max_tokens: 24, seed: 3, draft: 4 }
    const bodies = [
      { ...common, n: 3, temperature: 0.8 },
      { ...common, n: 2, temperature: 0.8, logprobs: 3 },
      { ...common, logprobs: 2, temperature: 0 },
      { ...common, json_schema: schema },
      { ...common, grammar: 'root ::= ("ab" | "cd" | " ")+', temperature: 0.9 },
      { ...common, logit_bias: [[300, -3]], stop: ['q'], repeat_penalty: 1.2 },
    ]
    const headers = { 'Content-Type': 'application/json' }
    const ask = async (from: Engine, body: object) => {
      const app = createApp(from, { model: 'test', log: () => {} })
      const response = await app.request('/v1/completions', { method: 'POST', headers, body: JSON.stringify(body) })
      return ((await response.json()) as { choices: unknown }).choices
    }
    for (const body of bodies) {
      const expected = await ask(plain, body)
      expect(expected).toBeDefined()
      expect(await ask(engine, body)).toEqual(expected)
    }
  })

  it('drafts for hybrids too', async () => {
    const options = { model: file('hybrid') }
    await using plain = await load(options)
    await using engine = await load({ ...options, draftModel: file('like') })
    const request = { prompt, maxTokens: 40 }
    const { tokens } = await engine.complete({ ...request, draft: 6 }).result
    expect(tokens).toEqual((await plain.complete({ ...request, draft: 'off' }).result).tokens)
  })

  it('is aborted with its request, and ends with the engine', async () => {
    const engine = await load({ draftModel: file('like') })
    const generation = engine.complete({ prompt, draft: 5 })
    for await (const _ of generation) generation.abort()
    expect((await generation.result).reason).toBe('aborted')
    void engine.complete({ prompt, draft: 5 })
    await engine[Symbol.asyncDispose]()
  })

  it.each([
    ['bpe', /has another vocabulary: .*; expected/],
    ['mamba', /cannot take tokens back; expected a transformer/],
  ])('is refused in a sentence where it does not suit: %s', async (name, message) => {
    const error = await load({ draftModel: file(name) }).catch((error: unknown) => error)
    expect(error).toBeInstanceOf(LlamaError)
    expect((error as LlamaError).message).toMatch(message)
  })
})
