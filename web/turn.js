/**
 * One turn of the conversation as it is shown:
 *
 *     Model                                   Text | Tokens
 *     ▸ Thought for 3 s                       folded once the answer begins
 *     the answer: tokens in colour while it is written, Markdown where it has any once it is done
 *     ┌ get_weather ──────────┐               a card for each call
 *     │ { "city": "Paris" }   │
 *     └───────────────────────┘
 *     Copy   Again
 */
import { isMarkdown, renderMarkdown } from './markdown.js'
import { colourOf, copyButton, element, placeOf } from './words.js'

/** The question of a user, with a button to ask it in other words. */
export function questionTurn(text, edit) {
  const button = element('button', { type: 'button', className: 'small', textContent: 'Edit' })
  button.onclick = edit
  return element('div', { className: 'turn you' }, head('You', button), element('div', { className: 'body' }, text))
}

/** A refusal or failure, in the server's words. */
export function failedTurn(sentence, again) {
  const button = element('button', { type: 'button', className: 'small', textContent: 'Try again' })
  button.onclick = again
  return element('div', { className: 'turn failed', role: 'alert' }, element('div', { className: 'body' }, sentence), element('div', { className: 'foot' }, button))
}

/** The answer of a model, as it comes. */
export class AnswerTurn {
  message = { role: 'assistant', content: '' }
  root
  #thinking = element('details', { className: 'thinking', open: true, hidden: true }, element('summary', {}, 'Thinking …'))
  #thoughts = element('div', { className: 'body' })
  #tokens = element('div', { className: 'body' })
  #text = element('div', { className: 'body markdown', hidden: true })
  #cards = element('div', { className: 'cards' })
  #foot = element('div', { className: 'foot' })
  #views
  #began = performance.now()

  constructor() {
    this.#thinking.append(this.#thoughts)
    const asText = element('button', { type: 'button', className: 'small', textContent: 'Text' })
    const asTokens = element('button', { type: 'button', className: 'small', textContent: 'Tokens' })
    asText.onclick = () => this.show('text')
    asTokens.onclick = () => this.show('tokens')
    this.#views = element('span', { className: 'views', hidden: true, role: 'group', ariaLabel: 'how the answer is shown' }, asText, asTokens)
    this.root = element('div', { className: 'turn model' }, head('Model', this.#views), this.#thinking, this.#tokens, this.#text, this.#cards, this.#foot)
    this.root.setAttribute('aria-busy', 'true')
  }

  /** Takes a piece of the message. */
  take({ content, reasoning_content: reasoning, tool_calls: calls }) {
    if (reasoning) {
      this.message.reasoning_content = (this.message.reasoning_content ?? '') + reasoning
      this.#thinking.hidden = false
    }
    if (content) {
      if (this.message.content === '' && this.message.reasoning_content) this.#foldThoughts()
      this.message.content += content
    }
    for (const call of calls ?? []) this.#takeCall(call)
  }

  /** Shows the tokens of one forward. Returns an element for each. */
  takeTokens(step, index, part, choose) {
    const words = step.pieces
      .filter(({ text }) => text !== '')
      .map((piece) => {
        const word = element('span', { className: `tok ${colourOf(piece)}`, textContent: piece.text })
        word.title = `forward ${index + 1}: ${placeOf(piece)}`
        word.onclick = choose
        return word
      })
    ;(part === 'reasoning' ? this.#thoughts : this.#tokens).append(...words)
    return words
  }

  /** Ends the answer: what it is shown as from now on, and what can be done with it. */
  end(note, again) {
    const { content, reasoning_content: reasoning } = this.message
    this.root.removeAttribute('aria-busy')
    if (reasoning) this.#foldThoughts()
    if (this.#tokens.childElementCount === 0 && content !== '') this.#tokens.textContent = content
    if (reasoning && this.#thoughts.childElementCount === 0) this.#thoughts.textContent = reasoning
    this.#text.replaceChildren(...renderMarkdown(content))
    if (isMarkdown(content)) {
      this.#views.hidden = false
      this.show('text')
    }
    this.#foot.replaceChildren()
    if (note) this.#foot.append(element('span', {}, note))
    if (content !== '') this.#foot.append(copyButton(() => content))
    if (again) {
      const button = element('button', { type: 'button', className: 'small', textContent: 'Again' })
      button.onclick = again
      this.#foot.append(button)
    }
  }

  show(view) {
    this.#text.hidden = view !== 'text'
    this.#tokens.hidden = view === 'text'
    for (const [i, button] of [...this.#views.children].entries())
      button.setAttribute('aria-pressed', String((i === 0) === (view === 'text')))
  }

  #foldThoughts() {
    const summary = this.#thinking.firstElementChild
    if (!summary.textContent.startsWith('Thinking')) return
    const seconds = (performance.now() - this.#began) / 1000
    summary.textContent = seconds < 1 ? 'Thoughts' : `Thought for ${seconds.toFixed(0)} s`
    this.#thinking.open = false
  }

  #takeCall({ index = 0, id, function: called }) {
    this.message.tool_calls ??= []
    const calls = this.message.tool_calls
    calls[index] ??= { id, type: 'function', function: { name: '', arguments: '' } }
    calls[index].id ??= id
    calls[index].function.name += called?.name ?? ''
    calls[index].function.arguments += called?.arguments ?? ''
    while (this.#cards.childElementCount <= index)
      this.#cards.append(element('div', { className: 'call' }, element('b'), element('pre', { tabIndex: 0 })))
    const card = this.#cards.children[index]
    card.firstElementChild.textContent = calls[index].function.name
    card.lastElementChild.textContent = pretty(calls[index].function.arguments)
  }
}

function head(who, ...more) {
  return element('div', { className: 'who' }, element('span', {}, who), ...more)
}

function pretty(json) {
  try {
    return JSON.stringify(JSON.parse(json), undefined, 2)
  } catch {
    return json
  }
}
