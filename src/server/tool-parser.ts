import { randomUUID } from 'node:crypto'

/** A call the model wants made. */
export interface ToolCall {
  id: string
  type: 'function'
  function: { name: string /** A JSON object as text. */; arguments: string }
}

/** What a piece of text turned out to be. */
export interface ParsedText {
  content: string
  calls: ToolCall[]
}

const opening = '<tool_call>'
const closing = '</tool_call>'

/**
 * Finds tool calls in a text while it is written. Two ways of writing them are common:
 *
 *     Let me look. <tool_call>{"name": "weather", "arguments": {"city": "Oslo"}}</tool_call>      Hermes, Qwen
 *     {"name": "weather", "parameters": {"city": "Oslo"}}                                         Llama, Mistral
 *
 * The first may stand anywhere; its text is held back from the moment it could begin. The second is the whole answer,
 * so an answer that begins with a bracket is held back to its end. What only looked like a call becomes content.
 */
export class ToolCallParser {
  readonly #names: ReadonlySet<string>
  readonly #parallel: boolean
  #state: 'start' | 'text' | 'call' | 'json' = 'start'
  #held = ''
  #found = 0
  #afterCall = false

  /**
   * @param names functions that may be called; a call of another is content
   * @param parallel whether more than one call is reported
   */
  constructor(names: ReadonlySet<string>, parallel = true) {
    this.#names = names
    this.#parallel = parallel
  }

  /** How many calls have been found. */
  get found(): number {
    return this.#found
  }

  /** Takes text and returns what is certain now. */
  push(text: string): ParsedText {
    const out: ParsedText = { content: '', calls: [] }
    this.#held += text
    if (this.#state === 'start') {
      const begin = this.#held.trimStart()
      if (begin === '') return out
      this.#state = begin[0] === '{' || begin[0] === '[' ? 'json' : 'text'
    }
    while (this.#state !== 'json') {
      if (this.#state === 'text') {
        const at = this.#held.indexOf(opening)
        const end = at >= 0 ? at : this.#held.length - overlap(this.#held, opening)
        this.#say(this.#held.slice(0, end), out)
        this.#held = this.#held.slice(end)
        if (at < 0) break
        this.#state = 'call'
      }
      const close = this.#held.indexOf(closing)
      if (close < 0) break
      this.#take(this.#held.slice(opening.length, close), this.#held.slice(0, close + closing.length), out)
      this.#held = this.#held.slice(close + closing.length)
      this.#state = 'text'
    }
    return out
  }

  /** The text is over. */
  end(): ParsedText {
    const out: ParsedText = { content: '', calls: [] }
    const held = this.#held
    this.#held = ''
    if (this.#state === 'call') this.#take(held.slice(opening.length), held, out)
    else if (this.#state === 'json') this.#take(held, held, out)
    else this.#say(held, out)
    return out
  }

  /** Gives text out; line breaks that follow a call belong to the call. */
  #say(text: string, out: ParsedText): void {
    const rest = this.#afterCall ? text.trimStart() : text
    if (rest !== '') this.#afterCall = false
    out.content += rest
  }

  #take(text: string, whole: string, out: ParsedText): void {
    const calls = readCalls(text, this.#names)
    if (calls === undefined) {
      this.#say(whole, out)
      return
    }
    this.#afterCall = true
    for (const call of calls) {
      if (this.#found > 0 && !this.#parallel) return
      this.#found++
      out.calls.push(call)
    }
  }
}

/** The calls that a JSON text stands for; undefined if it is none. */
function readCalls(text: string, names: ReadonlySet<string>): ToolCall[] | undefined {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return undefined
  }
  const list = Array.isArray(value) ? value : [value]
  const calls: ToolCall[] = []
  for (const entry of list) {
    if (typeof entry !== 'object' || entry === null) return undefined
    const { name, arguments: given, parameters } = entry as Record<string, unknown>
    if (typeof name !== 'string' || !names.has(name)) return undefined
    const values = given ?? parameters ?? {}
    calls.push({
      id: `call_${randomUUID().replaceAll('-', '').slice(0, 24)}`,
      type: 'function',
      function: { name, arguments: typeof values === 'string' ? values : JSON.stringify(values) },
    })
  }
  return calls.length > 0 ? calls : undefined
}

/** How much of the end of `text` begins `word`. */
function overlap(text: string, word: string): number {
  for (let length = Math.min(word.length - 1, text.length); length > 0; length--)
    if (text.endsWith(word.slice(0, length))) return length
  return 0
}
