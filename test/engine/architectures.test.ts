import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { Engine } from '../../src/engine/engine.js'
import type { EngineOptions } from '../../src/engine/options.js'
import { HindsightSession } from '../helpers/fake-drafters.js'
import { type RandomModelOptions, writeRandomModel } from '../helpers/random-model.js'

const folder = mkdtempSync(path.join(tmpdir(), 'lookahead-architectures-'))
afterAll(() => rmSync(folder, { recursive: true }))

function write(options: RandomModelOptions): string {
  const file = path.join(folder, `${options.architecture}-${options.context ?? ''}.gguf`)
  writeRandomModel(file, { type: 'Q8_0', seed: 11, novelty: 0.3, ...options })
  return file
}

const load = (model: string, options: Partial<EngineOptions> = {}) =>
  Engine.load({ model, threads: 1, profile: false, ...options })

const prompt = Array.from({ length: 40 }, (_, i) => 300 + ((i * 37) % 100))

/** Writes an answer without drafts and several with, whose drafts know it and hide it among wrong ones. */
async function compare(engine: Engine, maxTokens: number): Promise<number> {
  const answer = async (draft: 'off' | number, session = 0, known: number[] = []) =>
    engine.complete({
      prompt,
      maxTokens,
      draft,
      drafter: { name: 'hindsight', open: () => new HindsightSession(known, session, engine.vocabularySize) },
    }).result
  const { tokens } = await answer('off')
  expect(tokens).toHaveLength(maxTokens)
  let accepted = 0
  for (const [session, draft] of [3, 7, 16].entries()) {
    const drafted = await answer(draft, session, tokens)
    expect(drafted.tokens).toEqual(tokens)
    accepted += drafted.stats.acceptedTokens
  }
  return accepted
}

describe('models that need care', () => {
  it('MLA models, which refuse unequal types of keys and values, get equal ones that are exact', async () => {
    await using engine = await load(write({ architecture: 'deepseek2' }))
    expect(engine.exactness).toMatchObject({ level: 'bitwise', keyType: 'bf16', valueType: 'bf16' })
    expect(await compare(engine, 60)).toBeGreaterThan(30)
  })

  it('a configuration that the user decides and the model refuses is refused in a sentence', async () => {
    const file = write({ architecture: 'deepseek2' })
    await expect(load(file, { keyType: 'f16', valueType: 'bf16' })).rejects.toMatchObject({
      code: 'context-failed',
      message: expect.stringMatching(/does not support different K \(f16\) and V \(bf16\) cache types/),
    })
    await using engine = await load(file, { keyType: 'f16' })
    expect(engine.exactness).toMatchObject({ keyType: 'f16', valueType: 'f16' })
  })

  it('experts, attention sinks and windows', async () => {
    await using engine = await load(write({ architecture: 'gpt-oss' }))
    expect(engine.exactness.level).toBe('bitwise')
    expect(await compare(engine, 60)).toBeGreaterThan(30)
  })

  it.each([128, 64])('no position beyond the %i that were learnt is ever computed', async (context) => {
    await using engine = await load(write({ architecture: 'gpt2', context }))
    expect(engine.contextTokens).toBe(context)
    const most = context - prompt.length
    expect(await compare(engine, most)).toBeGreaterThan(most / 4)
    const { reason, tokens } = await engine.complete({ prompt, draft: 16 }).result
    expect({ reason, tokens: tokens.length }).toEqual({ reason: 'context-full', tokens: context - prompt.length })
  })
})
