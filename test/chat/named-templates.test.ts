import { describe, expect, it } from 'vitest'
import { namedTemplate, templateNames } from '../../src/chat/named-templates.js'
import { ChatTemplate } from '../../src/chat/template.js'

const messages = [
  { role: 'system', content: 'Be brief. ' },
  { role: 'user', content: 'Say "hi"\n' },
  { role: 'assistant', content: 'hi' },
  { role: 'user', content: 'Again' },
]

describe('templates by llama.cpp’s names', () => {
  // What llama-chat.cpp of v0.5.0 writes.
  it.each([
    [
      'chatml',
      '<|im_start|>system\nBe brief. <|im_end|>\n<|im_start|>user\nSay "hi"\n<|im_end|>\n<|im_start|>assistant\nhi<|im_end|>\n<|im_start|>user\nAgain<|im_end|>\n<|im_start|>assistant\n',
    ],
    [
      'llama3',
      '<|start_header_id|>system<|end_header_id|>\n\nBe brief.<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nSay "hi"<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\nhi<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nAgain<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n',
    ],
    [
      'command-r',
      '<|START_OF_TURN_TOKEN|><|SYSTEM_TOKEN|>Be brief.<|END_OF_TURN_TOKEN|><|START_OF_TURN_TOKEN|><|USER_TOKEN|>Say "hi"<|END_OF_TURN_TOKEN|><|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>hi<|END_OF_TURN_TOKEN|><|START_OF_TURN_TOKEN|><|USER_TOKEN|>Again<|END_OF_TURN_TOKEN|><|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>',
    ],
    [
      'phi4',
      '<|im_start|>system<|im_sep|>Be brief. <|im_end|><|im_start|>user<|im_sep|>Say "hi"\n<|im_end|><|im_start|>assistant<|im_sep|>hi<|im_end|><|im_start|>user<|im_sep|>Again<|im_end|><|im_start|>assistant<|im_sep|>',
    ],
  ])('%s', (name, prompt) => {
    const template = new ChatTemplate(namedTemplate(name) as string, { bos: '<s>', eos: '</s>' })
    expect(template.render({ messages }).text).toBe(prompt)
  })

  it('are eight, and no others', () => {
    expect(templateNames).toHaveLength(8)
    for (const name of ['vicuna', 'constructor', '']) expect(namedTemplate(name)).toBeUndefined()
  })
})
