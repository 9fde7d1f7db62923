import { LlamaError } from '../llama/error.js'
import type { Model } from '../llama/model.js'
import { type ChatMessage, ChatTemplate } from '../llama/template.js'
import { EngineError } from './error.js'
import type { ChatRequest, RequestDocument } from './options.js'

/** Makes the prompt texts of conversations, as the chat template of a model wants them. */
export class ChatPrompts {
  readonly #template: ChatTemplate | undefined
  readonly #bosText: string
  readonly #eosText: string

  constructor({ chatTemplate, vocabulary }: Model) {
    this.#template = chatTemplate === undefined ? undefined : new ChatTemplate(chatTemplate)
    this.#bosText = vocabulary.bos >= 0 ? vocabulary.textOf([vocabulary.bos], true) : ''
    this.#eosText = vocabulary.eos >= 0 ? vocabulary.textOf([vocabulary.eos], true) : ''
  }

  /** Whether the template shows `tools` to the model. */
  get rendersTools(): boolean {
    return this.#template?.rendersTools ?? false
  }

  /** Whether a prompt begins with the BOS: many templates write it themselves, and it must not stand twice. */
  beginsWithBos(text: string): boolean {
    return this.#bosText !== '' && text.startsWith(this.#bosText)
  }

  /** The prompt text of a conversation. @throws LlamaError `template-failed`; EngineError `invalid-parameter` */
  render({ messages, documents, tools }: Pick<ChatRequest, 'messages' | 'documents' | 'tools'>): string {
    if (!this.#template)
      throw new LlamaError(
        'template-failed',
        'this model has no chat template; use complete() with a prompt of your own',
      )
    checkMessages(messages)
    if (tools && tools.length > 0 && !this.#template.rendersTools)
      throw new EngineError('invalid-parameter', "tools: this model's chat template has no place for tools")
    const shared = {
      ...(tools && tools.length > 0 && { tools: [...tools] }),
      bosToken: this.#bosText,
      eosToken: this.#eosText,
    }
    if (!documents || documents.length === 0) return this.#template.render({ messages: [...messages], ...shared })
    const titled = checkDocuments(documents)
    return this.#template.rendersDocuments
      ? this.#template.render({ messages: [...messages], documents: titled, ...shared })
      : this.#template.render({ messages: placeDocuments(messages, titled), ...shared })
  }
}

function checkMessages(messages: readonly ChatMessage[]): void {
  if (!Array.isArray(messages) || messages.length === 0)
    throw new EngineError('invalid-parameter', 'messages must be an array of at least one message')
  for (const [i, message] of messages.entries())
    if (typeof message?.role !== 'string' || typeof message.content !== 'string')
      throw new EngineError('invalid-parameter', `messages[${i}] must have a role and a content, both strings`)
}

function checkDocuments(documents: readonly RequestDocument[]): { title: string; text: string }[] {
  if (!Array.isArray(documents))
    throw new EngineError('invalid-parameter', `documents must be an array, got ${typeof documents}`)
  return documents.map((document: RequestDocument | null, i) => {
    const { text, title } = document ?? {}
    if (typeof text !== 'string')
      throw new EngineError('invalid-parameter', `documents[${i}].text must be a string, got ${typeof text}`)
    return { title: title ?? `Document ${i + 1}`, text }
  })
}

/** Puts documents, numbered, before the last user message, for templates that have no place for them. */
function placeDocuments(
  messages: readonly ChatMessage[],
  documents: readonly { title: string; text: string }[],
): ChatMessage[] {
  const listing = documents.map(({ title, text }, i) => `[${i + 1}] ${title}\n${text}`).join('\n\n')
  const last = messages.findLastIndex((message) => message.role === 'user')
  return messages.map((message, i) =>
    i === last ? { ...message, content: `Documents:\n\n${listing}\n\nQuestion: ${message.content}` } : message,
  )
}
