import { expect, it } from 'vitest'
import type { StepPiece } from '../../src/decode/generation.js'
import type { Engine } from '../../src/engine/engine.js'
import { completionLogprobs } from '../../src/server/logprobs.js'

it('keeps tokens of one text apart by the likeliest, and parts of characters by their bytes', () => {
  const bytes = [[97], [97], [0xe2], [0xe2, 0x96], [0x5f, 0x5f]]
  const engine = { bytesOf: (token: number) => Uint8Array.from(bytes[token]) } as Engine
  const top = [-0.5, -1, -2, -3, -4].map((logprob, token) => ({ token, logprob }))
  const pieces = [{ logprobs: { token: 0, logprob: -0.5, top } }] as unknown as StepPiece[]
  expect(completionLogprobs(engine, pieces, 0).top_logprobs).toEqual([
    { a: -0.5, 'bytes:\\xe2': -2, 'bytes:\\xe2\\x96': -3, __: -4 },
  ])
})
