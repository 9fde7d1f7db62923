import { describe, expect, it } from 'vitest'
import { takeHeading } from '../../src/chat/headed-text.js'

describe('a text with its title as a heading', () => {
  it.each([
    ['# Parking permit\n\nIt costs 12 euros.', 'Parking permit', 'It costs 12 euros.'],
    ['\n## Fees ##\r\nNone.\n', 'Fees', 'None.'],
    ['Fees\n====\n\nNone.', 'Fees', 'None.'],
    ['# C# for beginners\nA book.', 'C# for beginners', 'A book.'],
  ])('is taken apart: %j', (text, title, body) => {
    expect(takeHeading(text)).toEqual({ title, text: body })
  })

  it.each(['It costs 12 euros.', '#hashtag first\nrest', '# Only a title', '', '#', 'a\n# b\nc', '### small\nrest'])(
    'is left alone where it begins in another way: %j',
    (text) => expect(takeHeading(text)).toBeUndefined(),
  )
})
