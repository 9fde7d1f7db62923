import type { GenerationResult, GenerationStep } from '../decode/generation.js'
import type { Answers } from './answers.js'
import type { Service } from './service.js'

/** Turns what happens to answers into the frames of one route's stream. */
export interface Frames {
  /** Before the first token. */
  begin(): string[]
  step(index: number, step: GenerationStep): string[]
  /** One answer is complete. */
  end(index: number, result: GenerationResult): string[]
  /** All are. */
  close(results: readonly GenerationResult[]): string[]
}

/** One server-sent event. */
export function frame(data: unknown, event?: string): string {
  return `${event === undefined ? '' : `event: ${event}\n`}data: ${typeof data === 'string' ? data : JSON.stringify(data)}\n\n`
}

/**
 * Streams answers. Frames are made when the reader asks for them, comments keep a quiet connection open, an error
 * becomes a data line, and a reader that goes ends the answers before their next forward.
 */
export function streamAnswers(service: Service, answers: Answers, frames: Frames): Response {
  const encoder = new TextEncoder()
  let readerIsGone = false
  const body = new ReadableStream<Uint8Array>(
    {
      start(controller) {
        const text = frames.begin().join('')
        if (text !== '') controller.enqueue(encoder.encode(text))
      },
      async pull(controller) {
        try {
          // A stream asks again only after it was given something; a step may bring half a character, which is nothing.
          for (let text = ''; text === ''; ) {
            const event = await answers.next(service.pingMs)
            if (readerIsGone) return
            if (event === 'quiet') text = ': ping\n\n'
            else if (event === undefined) {
              const results = await answers.results()
              if (readerIsGone) return
              controller.enqueue(encoder.encode(frames.close(results).join('')))
              controller.close()
              return
            } else
              text = (
                'step' in event ? frames.step(event.index, event.step) : frames.end(event.index, event.result)
              ).join('')
            if (text !== '') controller.enqueue(encoder.encode(text))
          }
        } catch (error) {
          answers.abort()
          if (readerIsGone) return
          controller.enqueue(encoder.encode(frame(service.explain(error))))
          controller.close()
        }
      },
      cancel() {
        readerIsGone = true
        answers.abort()
      },
    },
    { highWaterMark: 1 },
  )
  return new Response(body, {
    headers: {
      'Content-Type': 'text/event-stream; charset=utf-8',
      'Cache-Control': 'no-cache',
      // Proxies such as nginx would hold the chunks back.
      'X-Accel-Buffering': 'no',
    },
  })
}
