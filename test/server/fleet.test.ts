import { describe, expect, it } from 'vitest'
import { joinFleet } from '../../src/fleet/fleet.js'
import { createApp } from '../../src/server/app.js'
import { question, TestServer } from './server.js'

const server = TestServer.forFile()
const key = 'the key of the replicas'

describe('a server of several', () => {
  it('is alive before it is ready', async () => {
    const app = createApp(new Promise(() => {}), { apiKeys: ['secret'] })
    expect((await app.request('/livez')).status).toBe(200)
    expect((await app.request('/readyz')).status).toBe(503)
  })

  it('says that it is not ready once it drains, and goes on answering', async () => {
    const app = createApp(server.engine, { apiKeys: ['secret'] })
    expect((await app.request('/readyz')).status).toBe(200)
    app.drain()
    const ready = await app.request('/readyz')
    expect(ready.status).toBe(503)
    expect(await ready.json()).toMatchObject({ error: { code: 'draining' } })
    expect((await app.request('/livez')).status).toBe(200)
    const answer = await app.request('/v1/chat/completions', {
      method: 'POST',
      headers: { authorization: 'Bearer secret', 'content-type': 'application/json' },
      body: JSON.stringify({ ...question, max_tokens: 2 }),
    })
    expect(answer.status).toBe(200)
    await app.stop(1000)
  })

  it('tells routers how busy it is, by headers and by the names they look for', async () => {
    const response = await server.app.request('/v1/models')
    expect(response.headers.get('x-requests-running')).toBe('0')
    expect(response.headers.get('x-requests-waiting')).toBe('0')
    expect(Number(response.headers.get('x-kv-cache-usage'))).toBeLessThanOrEqual(1)
    const text = await (await server.app.request('/metrics')).text()
    for (const name of [
      'vllm:num_requests_running',
      'vllm:num_requests_waiting',
      'vllm:kv_cache_usage_perc',
      'llamacpp:requests_processing',
      'llamacpp:requests_deferred',
    ])
      expect(text).toMatch(new RegExp(`^${name} [\\d.e-]+$`, 'm'))
  })

  it('shows its log to those that know the key, and how sharing fares to all who may see metrics', async () => {
    expect((await server.app.request('/lookahead/log')).status).toBe(404)
    const { corpus, fingerprint, vocabularySize } = server.engine
    await using fleet = await joinFleet(corpus, { share: [], key, fingerprint, vocabularySize })
    const app = createApp(server.engine, { fleet, apiKeys: ['secret'] })
    corpus.addRequest([1, 2, 3], 'fleet', 'r')
    const asked = (authorization: string) => app.request('/lookahead/log', { headers: { authorization } })
    expect((await asked('Bearer secret')).status).toBe(401)
    const log = await asked(`Bearer ${key}`)
    expect(log.status).toBe(200)
    expect(log.headers.get('x-lookahead-replica')).toBe(fleet.replica.id)
    const metrics = await app.request('/metrics', { headers: { authorization: 'Bearer secret' } })
    const text = await metrics.text()
    expect(text).toContain('lookahead:fleet_sent_total{type="record"} 1\n')
    expect(text).toContain('lookahead:fleet_connected{transport="peers"} 1\n')
    expect(text).toMatch(/lookahead:fleet_delay_seconds_bucket\{le="\+Inf"\} 0/)
    corpus.delete({ namespace: 'fleet' })
  })

  it('ends nothing when sharing could not begin', async () => {
    const app = createApp(server.engine, { fleet: Promise.reject(new Error('no')) })
    expect((await app.request('/readyz')).status).toBe(200)
  })
})
