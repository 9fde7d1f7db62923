import { once } from 'node:events'
import { connect } from 'node:net'
import { describe, expect, it } from 'vitest'
import { closeDoors, openDoors } from '../../src/cli/listening.js'
import type { App } from '../../src/server/index.js'

/** Answers everything with what is written for it. */
function appOf(answer: (request: Request) => Response): App {
  return { fetch: answer, request: () => new Response(), drain() {}, stop: async () => {}, inFlight: 0 }
}

describe('a client', () => {
  const patienceMs = 100

  it('that takes nothing of its answer is left, and nothing of the answer stays', async () => {
    let cancelled!: () => void
    const left = new Promise<void>((resolve) => {
      cancelled = resolve
    })
    const endless = () =>
      new Response(
        new ReadableStream<Uint8Array>({
          pull: (controller) => controller.enqueue(new Uint8Array(2 ** 16)),
          cancel: () => cancelled(),
        }),
      )
    const doors = await openDoors(appOf(endless), ['127.0.0.1'], 0, undefined, patienceMs)
    const socket = connect(Number(new URL(doors[0].url).port), '127.0.0.1')
    socket.pause()
    socket.on('error', () => {})
    socket.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')
    await left
    socket.destroy()
    await closeDoors(doors)
  })

  it('that waits for an answer which takes its time gets it', async () => {
    let begin!: () => void
    const late = new Promise<void>((resolve) => {
      begin = resolve
    })
    const slow = () =>
      new Response(
        new ReadableStream<Uint8Array>({
          async pull(controller) {
            await late
            controller.enqueue(Buffer.from('at last'))
            controller.close()
          },
        }),
      )
    const doors = await openDoors(appOf(slow), ['127.0.0.1'], 0, undefined, patienceMs)
    const answer = fetch(doors[0].url)
    await new Promise((resolve) => setTimeout(resolve, 3 * patienceMs))
    begin()
    expect(await (await answer).text()).toBe('at last')
    await closeDoors(doors)
  })

  it('that asks again on the same connection is still one to wait for', async () => {
    const doors = await openDoors(
      appOf(() => new Response('here')),
      ['127.0.0.1'],
      0,
      undefined,
      patienceMs,
    )
    const socket = connect(Number(new URL(doors[0].url).port), '127.0.0.1')
    for (let i = 0; i < 3; i++) {
      socket.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')
      const [data] = await once(socket, 'data')
      expect(String(data)).toContain('200 OK')
      await new Promise((resolve) => setTimeout(resolve, 2 * patienceMs))
    }
    socket.destroy()
    await closeDoors(doors)
  })
})
