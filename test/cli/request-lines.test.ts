import { describe, expect, it } from 'vitest'
import { logOf } from '../../src/cli/request-lines.js'
import type { Terminal } from '../../src/cli/terminal.js'

function linesOf(level: Parameters<typeof logOf>[0], ...asked: [method: string, path: string, status: number][]) {
  const lines: string[] = []
  const log = logOf(level, { err: (text: string) => lines.push(text) } as unknown as Terminal)
  for (const [method, path, status] of asked) log?.({ method, path, status, ms: 3 })
  return lines
}

describe('the lines of a server', () => {
  it('tell what was asked for or refused, and not who looks whether it is there', () => {
    const told = linesOf(
      'info',
      ['POST', '/v1/chat/completions', 200],
      ['GET', '/v1/models', 200],
      ['GET', '/v1/models', 401],
      ['GET', '/health', 503],
      ['GET', '/llm/readyz', 503],
      ['POST', '/health', 405],
    )
    expect(told).toEqual([
      'POST /v1/chat/completions 200, 3 ms\n',
      'GET /v1/models 401, 3 ms\n',
      'POST /health 405, 3 ms\n',
    ])
  })

  it('tell everything, or nothing, where that is wanted', () => {
    expect(linesOf('debug', ['GET', '/health', 503])[0]).toMatch(/^\d{4}-\S+ GET \/health 503, 3 ms\n$/)
    expect(JSON.parse(linesOf('json', ['GET', '/health', 503])[0])).toMatchObject({ path: '/health', status: 503 })
    expect(linesOf('off', ['POST', '/completion', 500])).toEqual([])
  })
})
