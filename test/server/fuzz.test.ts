import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isFitAnswer, malformed } from '../helpers/malformed.js'
import { TestServer } from './server.js'

const server = TestServer.forFile({ contextTokens: 48 })

describe('malformed bodies', () => {
  it('get an answer or a sentence, and leave nothing behind', async () => {
    await fc.assert(
      fc.asyncProperty(malformed, async ([route, body]) => {
        const response = await server.post(route, body)
        const text = await response.text()
        expect(isFitAnswer(response.status, text), `${route} ${body}\n${response.status} ${text}`).toBe(true)
      }),
      { numRuns: Number(process.env.LOOKAHEAD_FUZZ ?? 3000) },
    )
    await server.untilIdle()
    expect(server.engine.describeSlots()).toEqual([undefined, undefined])
    expect(server.engine.waitingCount).toBe(0)
  })
})
