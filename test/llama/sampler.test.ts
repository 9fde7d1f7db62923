import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Context } from '../../src/llama/context.js'
import { Model } from '../../src/llama/model.js'
import { halts, Sampler } from '../../src/llama/sampler.js'
import type { SamplerOptions } from '../../src/llama/sampler-options.js'
import { writeRandomModel } from '../helpers/random-model.js'

const folder = mkdtempSync(path.join(tmpdir(), 'lookahead-sampler-'))
let model: Model
let context: Context
beforeAll(async () => {
  const file = path.join(folder, 'random.gguf')
  writeRandomModel(file, { sharpness: 1.2 })
  model = await Model.load(file)
  context = await Context.create(model, { contextTokens: 512, threads: 1 })
  for (let row = 0; row < 8; row++) context.batch.addSequence(context.batch.add(300 + row * 3, row, true), 0)
  await context.decode()
})
afterAll(async () => {
  await model[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true })
})

const all = { topK: 0, topP: 1, minP: 0, temperature: 1 }

/** Tokens and their probabilities in a row, best first. */
function ranked(row: number): { id: number; logit: number; p: number }[] {
  const { vocabularySize, logits } = context
  const list = Array.from(logits.subarray(row * vocabularySize, (row + 1) * vocabularySize), (logit, id) => ({
    id,
    logit,
  }))
  list.sort((a, b) => b.logit - a.logit)
  const sum = list.reduce((total, { logit }) => total + Math.exp(logit - list[0].logit), 0)
  return list.map((entry) => ({ ...entry, p: Math.exp(entry.logit - list[0].logit) / sum }))
}

/** The tokens that many seeds draw from a row. */
function drawn(row: number, options: SamplerOptions, times = 300): Set<number> {
  const tokens = new Set<number>()
  for (let seed = 0; seed < times; seed++) {
    using sampler = Sampler.create(context, { ...options, seed }, [])
    tokens.add(sampler.sample(row))
  }
  return tokens
}

describe('filters, against what their papers say', () => {
  it('top-n-sigma keeps what lies within n standard deviations of the best', () => {
    for (const topNSigma of [0.5, 1.5]) {
      const list = ranked(0)
      const mean = list.reduce((sum, { logit }) => sum + logit, 0) / list.length
      const deviation = Math.sqrt(list.reduce((sum, { logit }) => sum + (logit - mean) ** 2, 0) / list.length)
      const least = list[0].logit - topNSigma * deviation
      const kept = new Set(list.filter(({ logit }) => logit >= least - 1e-4).map(({ id }) => id))
      expect(kept.size).toBeLessThan(list.length)
      const tokens = drawn(0, { ...all, topNSigma })
      for (const token of tokens) expect(kept).toContain(token)
      if (topNSigma > 1) expect(tokens.size).toBeGreaterThan(1)
    }
  })

  it('typical keeps what is about as likely as expected', () => {
    for (const typicalP of [0.2, 0.6]) {
      const list = ranked(1)
      const entropy = list.reduce((sum, { p }) => sum - p * Math.log(p), 0)
      const surprise = ({ p }: { p: number }) => Math.abs(-Math.log(p) - entropy)
      const kept = new Set<number>()
      let sum = 0
      for (const entry of [...list].sort((a, b) => surprise(a) - surprise(b))) {
        kept.add(entry.id)
        sum += entry.p
        if (sum > typicalP + 1e-4) break
      }
      for (const token of drawn(1, { ...all, typicalP })) expect(kept).toContain(token)
    }
  })

  it('XTC drops the top choices but the last, or none, as its own draw says', () => {
    const list = ranked(2)
    const threshold = (list[2].p + list[3].p) / 2
    const options = { ...all, xtcThreshold: threshold }
    const always = drawn(2, { ...options, xtcProbability: 1 })
    for (const { id } of list.slice(0, 2)) expect(always).not.toContain(id)
    expect(always).toContain(list[2].id)
    expect(drawn(2, { ...options, xtcProbability: 0.5 })).toContain(list[0].id)
    // Under a grammar too, where what is drawn is looked up by its place.
    const grammar = 'root ::= [a-z ]+'
    for (const token of drawn(2, { ...options, xtcProbability: 1, grammar }))
      expect(Buffer.from(model.vocabulary.bytesOf(token)).toString()).toMatch(/^[a-z ]+$/)
  })

  it('dynamic temperature is hot where the model is undecided and cold where it is not', () => {
    const cold = drawn(3, { ...all, temperature: 0.5, dynatempRange: 0.5, dynatempExponent: 100 })
    const hot = drawn(3, { ...all, temperature: 0.5, dynatempRange: 0.5, dynatempExponent: 0 })
    expect(cold.size).toBeLessThan(hot.size)
  })
})

describe('DRY', () => {
  it('lowers what would continue a repetition, the more the longer it is, until a sequence breaker', () => {
    const row = 4
    const [best, next] = ranked(row)
    const lead = best.logit - next.logit
    // … x y z best … x y z |: `best` would make the repetition four long.
    const prompt = [301, 302, 303, best.id, 310, 301, 302, 303]
    const choose = (options: SamplerOptions, read = prompt) => {
      using sampler = Sampler.create(context, options, read)
      return sampler.sample(row)
    }
    const strong = { dryMultiplier: lead + 1, dryBase: 1 }
    expect(choose({})).toBe(best.id)
    expect(choose(strong)).not.toBe(best.id)
    expect(choose({ ...strong, dryAllowedLength: 4 })).toBe(best.id)
    expect(choose({ ...strong, dryLastTokens: 3 })).toBe(best.id)
    expect(choose({ ...strong, dryLastTokens: 0 })).toBe(best.id)
    expect(choose({ dryMultiplier: (lead + 0.1) / 4, dryBase: 2, dryAllowedLength: 1 })).not.toBe(best.id)
    const breaker = model.vocabulary.textOf([303])
    expect(choose({ ...strong, drySequenceBreakers: [breaker] })).toBe(best.id)
  })
})

describe('the end of an answer', () => {
  const wish = () => ({ logitBias: Object.fromEntries(Array.from(model.vocabulary.endTokens, (id) => [id, 100])) })
  const draw = (options: SamplerOptions, count: number) => {
    using sampler = Sampler.create(context, options, [])
    return Array.from({ length: count }, (_, row) => sampler.sample(row))
  }
  const ends = (token: number) => model.vocabulary.isEndOfGeneration(token)

  it('may be forbidden, for some tokens or for all', () => {
    for (const temperature of [0, 1]) {
      expect(draw({ temperature, ...wish() }, 4).map(ends)).toEqual([true, true, true, true])
      expect(draw({ temperature, ...wish(), minTokens: 2 }, 4).map(ends)).toEqual([false, false, true, true])
      expect(draw({ temperature, ...wish(), ignoreEos: true }, 4).map(ends)).toEqual([false, false, false, false])
      const grammar = 'root ::= [a-z]*'
      expect(draw({ temperature, ...wish(), minTokens: 2, grammar }, 4).map(ends)).toEqual([false, false, true, true])
    }
  })

  it('comes all the same where a grammar lets nothing follow', () => {
    const token = draw({ minTokens: 50, grammar: 'root ::= ""' }, 1)
    expect(token).toEqual([halts.whole])
  })
})

describe('options out of range', () => {
  it.each<[SamplerOptions, RegExp]>([
    [{ typicalP: 0 }, /typicalP must be a number above 0/],
    [{ xtcProbability: 2 }, /xtcProbability must be a number from 0 to 1/],
    [{ topNSigma: -1 }, /topNSigma must be/],
    [{ dryBase: 0.5 }, /dryBase must be a number from 1/],
    [{ dryAllowedLength: 1.5 }, /dryAllowedLength must be an integer/],
    [{ drySequenceBreakers: [1] as never }, /drySequenceBreakers must be a list/],
    [{ minTokens: -1 }, /minTokens must be an integer/],
    [{ ignoreEos: 1 as never }, /ignoreEos must be true or false/],
    [{ dynatempRange: Number.NaN }, /dynatempRange must be/],
  ])('%j', (options, sentence) => {
    expect(() => Sampler.create(context, options, [])).toThrow(sentence)
  })
})
