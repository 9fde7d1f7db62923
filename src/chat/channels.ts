import type { CallSink } from './call-reader.js'
import type { Parameters } from './parameter.js'
import type { Reader, Waiting } from './reader.js'

/** Where the parts of an answer go. */
export interface PartSink {
  say(text: string): void
  reason(text: string): void
  call(): CallSink
}

const message = '<|message|>'
const endings = ['<|end|>', '<|return|>', '<|call|>', '<|start|>']

/**
 * Answers written as whole messages, each to a channel or to a function (OpenAI's harmony format, gpt-oss):
 *
 *     <|channel|>analysis<|message|>Let me see.<|end|>
 *     <|start|>assistant<|channel|>commentary to=functions.weather <|constrain|>json<|message|>{"city": "Oslo"}<|call|>
 *     <|start|>assistant<|channel|>final<|message|>It rains.<|return|>
 */
export class Channels {
  readonly #reader: Reader
  readonly #parameters: Parameters
  readonly #split: boolean

  constructor(reader: Reader, parameters: Parameters, split: boolean) {
    this.#reader = reader
    this.#parameters = parameters
    this.#split = split
  }

  *read(sink: PartSink): Waiting<void> {
    let thought = false
    while (true) {
      const header = yield* this.#upTo([message], () => {})
      if (header === undefined) return
      const channel = header.split('<|channel|>').at(-1) ?? ''
      const name = /to=functions\.([\w.-]+)/.exec(header)?.[1]
      if (name !== undefined && this.#parameters.has(name)) {
        const call = sink.call()
        call.begin(name, undefined)
        let any = false
        yield* this.#upTo(endings, (text) => {
          any ||= text !== ''
          call.add(text)
        })
        if (!any && !this.#reader.ended) call.add('{}')
      } else if (/to=/.test(channel)) yield* this.#upTo(endings, () => {})
      else if (/^\s*analysis/.test(channel)) {
        if (this.#split) {
          if (thought) sink.reason('\n')
          yield* this.#upTo(endings, (text) => sink.reason(text))
        } else {
          sink.say(`<|channel|>analysis${message}`)
          yield* this.#upTo(endings, (text) => sink.say(text))
          sink.say('<|end|>')
        }
        thought = true
      } else yield* this.#upTo(endings, (text) => sink.say(text))
    }
  }

  /** Gives text out up to one of some markers, which it takes; gives back all of it, or undefined where none came. */
  *#upTo(markers: readonly string[], add: (text: string) => void): Waiting<string | undefined> {
    const reader = this.#reader
    const start = reader.at
    while (true) {
      const { text } = reader
      const found = markers
        .map((marker) => ({ marker, at: text.indexOf(marker, reader.at) }))
        .filter(({ at }) => at >= 0)
        .sort((a, b) => a.at - b.at)[0]
      const certain = found?.at ?? (reader.ended ? text.length : text.length - overlap(text.slice(reader.at), markers))
      if (certain > reader.at) add(text.slice(reader.at, certain))
      reader.at = Math.max(reader.at, certain)
      if (found) {
        reader.at = found.at + found.marker.length
        return text.slice(start, found.at)
      }
      if (reader.ended) return undefined
      yield
    }
  }
}

/** How much of the end of a text may begin one of some markers. */
function overlap(text: string, markers: readonly string[]): number {
  let most = 0
  for (const marker of markers)
    for (let length = Math.min(marker.length - 1, text.length); length > most; length--)
      if (text.endsWith(marker.slice(0, length))) most = length
  return most
}
