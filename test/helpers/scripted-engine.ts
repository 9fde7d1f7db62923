// An engine without a model, for what stands between it and other libraries.

import type { MessageDelta } from '../../src/chat/message.js'
import type { Engine } from '../../src/engine/engine.js'
import type { ChatRequest } from '../../src/engine/options.js'

/**
 * An engine that answers every chat with the same thought, text and call of `weather`, tells it in these deltas, and notes
 * what it was asked.
 *
 * @param args the call's arguments
 */
export function engineThat(deltas: MessageDelta[], args = '{"city":"Paris"}') {
  const asked: ChatRequest[] = []
  const call = { id: 'c1', type: 'function', function: { name: 'weather', arguments: args } }
  const message = { content: 'Let me look.', reasoning: 'Hm.', toolCalls: [call] }
  const stats = { promptTokens: 9, cachedPromptTokens: 4, completionTokens: 7, reasoningTokens: 2 }
  const generation = {
    result: Promise.resolve({ text: message.content, message, reason: 'stop', stats }),
    async *[Symbol.asyncIterator]() {
      for (const delta of deltas) yield { text: '', deltas: [delta] }
    },
  }
  const chat = (request: ChatRequest) => {
    asked.push(request)
    return generation
  }
  return { asked, engine: { description: { name: 'tiny' }, chat } as unknown as Engine }
}

/** The deltas of that answer. */
export const deltas: MessageDelta[] = [
  { type: 'reasoning', text: 'Hm.' },
  { type: 'content', text: 'Let me ' },
  { type: 'content', text: 'look.' },
  { type: 'call', index: 0, id: 'c1', name: 'weather' },
  { type: 'arguments', index: 0, text: '{"city":' },
  { type: 'arguments', index: 0, text: '"Paris"}' },
]
