import { describe, expect, it } from 'vitest'
import { createApp } from '../../src/server/app.js'
import { TestServer } from './server.js'

const server = TestServer.forFile({ slots: 1 })

describe('an API key', () => {
  const app = () => createApp(server.engine, { apiKeys: ['first', 'second'] })
  const status = async (path: string, authorization?: string) =>
    (await app().request(path, { headers: { ...(authorization && { authorization }) } })).status

  it('is demanded of everything but the health and the page', async () => {
    for (const path of ['/v1/models', '/props', '/slots', '/metrics', '/unknown']) expect(await status(path)).toBe(401)
    for (const path of ['/health', '/']) expect(await status(path)).toBe(200)
  })

  it('opens with any of the keys and with nothing else', async () => {
    for (const key of ['first', 'second']) expect(await status('/v1/models', `Bearer ${key}`)).toBe(200)
    for (const wrong of ['Bearer third', 'Bearer ', 'Bearer firs', 'Bearer first ish', 'Basic first', 'first'])
      expect(await status('/v1/models', wrong)).toBe(401)
  })

  it('is asked for in the shape of the OpenAI API', async () => {
    const response = await app().request('/v1/models')
    expect(response.headers.get('www-authenticate')).toBe('Bearer')
    expect(await response.json()).toMatchObject({ error: { type: 'authentication_error', code: 'invalid_api_key' } })
  })

  it('must not be empty', () => {
    expect(() => createApp(server.engine, { apiKeys: [''] })).toThrow(/must not be empty/)
  })
})

describe('pages of other origins', () => {
  const ask = (origin: string, corsOrigins: string[] = [], method = 'GET') =>
    createApp(server.engine, { corsOrigins }).request('http://127.0.0.1:8080/v1/models', {
      method,
      headers: { origin },
    })

  it('may not call, unless they are on this machine or named', async () => {
    expect((await ask('https://evil.example')).status).toBe(403)
    expect((await ask('http://localhost.evil.example')).status).toBe(403)
    expect((await ask('null')).status).toBe(403)
    for (const origin of ['http://localhost:3000', 'http://127.0.0.1:5173', 'http://[::1]:80']) {
      const response = await ask(origin)
      expect(response.status).toBe(200)
      expect(response.headers.get('access-control-allow-origin')).toBe(origin)
    }
    expect((await ask('https://app.example', ['https://app.example'])).status).toBe(200)
    expect((await ask('https://any.example', ['*'])).status).toBe(200)
  })

  it('may call the server they come from, unless only a name says so', async () => {
    const visit = (origin: string, apiKeys: string[] = []) =>
      createApp(server.engine, { apiKeys }).request(`${origin}/v1/models`, {
        headers: { origin, authorization: 'Bearer k' },
      })
    expect((await visit('http://192.168.1.5:8080')).status).toBe(200)
    expect((await visit('http://rebound.example:8080')).status).toBe(403)
    expect((await visit('https://chat.example', ['k'])).status).toBe(200)
  })

  it('may ask beforehand without a key', async () => {
    const response = await createApp(server.engine, { apiKeys: ['k'] }).request('/v1/chat/completions', {
      method: 'OPTIONS',
      headers: { origin: 'http://localhost:3000', 'access-control-request-headers': 'authorization,x-stainless-os' },
    })
    expect(response.status).toBe(204)
    expect(response.headers.get('access-control-allow-origin')).toBe('http://localhost:3000')
    expect(response.headers.get('access-control-allow-headers')).toBe('authorization,x-stainless-os')
  })
})
