import { describe, expect, it } from 'vitest'
import { Access } from '../../src/server/access.js'

function isLetIn(host: string, keys: string[] = [], hosts: string[] = []): boolean {
  try {
    new Access(keys, [], hosts).checkHost(new Request(`http://${host}/slots`))
    return true
  } catch (error) {
    expect(error).toMatchObject({ status: 403, code: 'host_not_allowed' })
    return false
  }
}

describe('the name a server is called by', () => {
  it.each([
    'localhost:8080',
    '127.0.0.1',
    '[::1]:8080',
    '192.168.1.5',
    'box',
    'lookahead:8080',
    'box.local',
    'a.localhost',
    'LOCALHOST.',
  ])('may be %s, which nobody can register', (host) => expect(isLetIn(host)).toBe(true))

  it.each([
    'evil.example',
    'localhost.evil.example:8080',
    '127.0.0.1.evil.example',
    'evil.example.',
    'xn--e1afmkfd.com',
  ])('may not be %s', (host) => {
    expect(isLetIn(host)).toBe(false)
    expect(isLetIn(host, [], ['*'])).toBe(true)
    // A page that does not know the key learns nothing.
    expect(isLetIn(host, ['secret'])).toBe(true)
  })

  it('is no name at all', () => {
    // What Node lets through, and no Request can be made of.
    const request = { url: 'http://1.2.3.4.5/slots' } as Request
    for (const access of [new Access([], []), new Access(['secret'], [])])
      expect(() => access.checkHost(request)).toThrow(expect.objectContaining({ status: 400, code: 'invalid_host' }))
  })

  it('may be one that was allowed', () => {
    expect(isLetIn('llm.example.com:8080', [], ['LLM.example.com'])).toBe(true)
    expect(isLetIn('other.example.com', [], ['llm.example.com'])).toBe(false)
  })
})
