import { describe, expect, it } from 'vitest'
import { hostile } from '../helpers/hostile.js'
import { isFitAnswer } from '../helpers/malformed.js'
import { TestServer } from './server.js'

const server = TestServer.forFile({ contextTokens: 512 })

describe('a hostile body', () => {
  it.each(Object.keys(hostile))('is answered or refused in a sentence: %s', async (name) => {
    const [route, body] = hostile[name]()
    const response = await server.post(route, body)
    const text = await response.text()
    if (response.status !== 200) expect(text.length).toBeLessThan(2000)
    expect(
      isFitAnswer(response.status, text) || response.status === 413,
      `${response.status} ${text.slice(0, 300)}`,
    ).toBe(true)
    await server.untilIdle()
  })
})
