/**
 * Made-up vocabularies of any size that tokenise every text and give it back.
 *
 * The words are built of syllables, so that a random model speaks something one can read ("ba kelo mi"), and each word
 * is the join of two shorter pieces, as both kinds of tokenizer demand:
 *
 *     b + a → ba      ▁ + ba → ▁ba      ba + ke → bake      ▁ba + ke → ▁bake      bake + lo → bakelo      …
 *
 * `spm` (SentencePiece with byte fallback, as Llama 2 and Gemma) and `bpe` (byte-level, as GPT-2 and Qwen) hold the same
 * words. Text outside them is spelt in single characters or bytes; an emoji takes several tokens in both.
 */
import type { MetadataValue } from './gguf.js'

export type TokenizerKind = 'spm' | 'bpe'

export interface Vocabulary {
  /** The `tokenizer.*` entries of the model file. */
  metadata: Record<string, MetadataValue>
  /** What a token is for: a random model says words, now and then bytes, and control tokens never. */
  kinds: ('word' | 'byte' | 'control')[]
  /** The token that ends a turn (`<|im_end|>`). */
  endOfTurn: number
}

/** ChatML, the template most small models use. */
const CHAT_TEMPLATE =
  "{% for message in messages %}{{ '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}" +
  "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"

/** The least number of tokens: characters, bytes, control tokens and the syllables. */
export const LEAST_VOCABULARY = 448

/** The kinds of tokens in a GGUF file (`llama_token_type`). */
const TYPE = { normal: 1, unknown: 2, control: 3, byte: 6 }

export function makeVocabulary(kind: TokenizerKind, size: number): Vocabulary {
  if (!Number.isInteger(size) || size < LEAST_VOCABULARY) {
    throw new Error(`vocabulary: the size is an integer of at least ${LEAST_VOCABULARY}, got ${size}`)
  }
  return kind === 'spm' ? makeSpm(size) : makeBpe(size)
}

/** Bytes that a random model may say as freely as a word: a line feed and the printable ASCII characters. */
const readable = (byte: number) => byte === 10 || (byte >= 32 && byte < 127)

function makeSpm(size: number): Vocabulary {
  const tokens: string[] = []
  const types: number[] = []
  const kinds: Vocabulary['kinds'] = []
  const add = (text: string, type: number, kind: Vocabulary['kinds'][number]) => {
    types.push(type)
    kinds.push(kind)
    return tokens.push(text) - 1
  }
  add('<unk>', TYPE.unknown, 'control')
  const bos = add('<s>', TYPE.control, 'control')
  const eos = add('</s>', TYPE.control, 'control')
  for (let byte = 0; byte < 256; byte++) {
    const hex = byte.toString(16).toUpperCase().padStart(2, '0')
    add(`<0x${hex}>`, TYPE.byte, byte === 10 ? 'word' : 'byte')
  }
  add('<|im_start|>', TYPE.control, 'control')
  const endOfTurn = add('<|im_end|>', TYPE.control, 'control')
  add('▁', TYPE.normal, 'word')
  for (let code = 33; code < 127; code++) add(String.fromCharCode(code), TYPE.normal, 'word')
  for (const [left, right] of joins('▁', size - tokens.length)) add(left + right, TYPE.normal, 'word')
  return {
    kinds,
    endOfTurn,
    metadata: {
      'tokenizer.ggml.model': 'llama',
      'tokenizer.ggml.tokens': ['string[]', tokens],
      // The best score is joined first: the order of the words.
      'tokenizer.ggml.scores': ['float32[]', tokens.map((_, id) => -id)],
      'tokenizer.ggml.token_type': ['int32[]', types],
      'tokenizer.ggml.bos_token_id': ['uint32', bos],
      'tokenizer.ggml.eos_token_id': ['uint32', eos],
      'tokenizer.ggml.unknown_token_id': ['uint32', 0],
      'tokenizer.ggml.add_bos_token': true,
      'tokenizer.chat_template': CHAT_TEMPLATE,
    },
  }
}

function makeBpe(size: number): Vocabulary {
  const letters = byteLetters()
  // An emoji such as F0 9F 98 80 begins with one token of three bytes, which is no text by itself.
  const emoji: [string, string][] = [
    [letters[0xf0], letters[0x9f]],
    [letters[0xf0] + letters[0x9f], letters[0x98]],
  ]
  const controls = ['<|endoftext|>', '<|im_start|>', '<|im_end|>']
  const merges = [...emoji, ...joins(letters[32], size - 256 - emoji.length - controls.length)]
  const tokens = [...letters, ...merges.map(([left, right]) => left + right), ...controls]
  const bos = size - controls.length
  const kind = (id: number) => (id >= bos ? 'control' : id >= 256 + emoji.length || readable(id) ? 'word' : 'byte')
  return {
    kinds: tokens.map((_, id) => kind(id)),
    endOfTurn: size - 1,
    metadata: {
      'tokenizer.ggml.model': 'gpt2',
      'tokenizer.ggml.pre': 'qwen2',
      'tokenizer.ggml.tokens': ['string[]', tokens],
      'tokenizer.ggml.merges': ['string[]', merges.map(([left, right]) => `${left} ${right}`)],
      'tokenizer.ggml.token_type': ['int32[]', tokens.map((_, id) => (id >= bos ? TYPE.control : TYPE.normal))],
      'tokenizer.ggml.bos_token_id': ['uint32', bos],
      'tokenizer.ggml.eos_token_id': ['uint32', size - 1],
      'tokenizer.ggml.padding_token_id': ['uint32', bos],
      'tokenizer.ggml.add_bos_token': false,
      'tokenizer.chat_template': CHAT_TEMPLATE,
    },
  }
}

/** The letter that stands for each byte in byte-level BPE: itself where it prints, else one from U+0100 on. */
export function byteLetters(): string[] {
  const prints = (byte: number) =>
    (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || (byte >= 174 && byte <= 255)
  let next = 256
  return Array.from({ length: 256 }, (_, byte) => String.fromCodePoint(prints(byte) ? byte : next++))
}

/** The first `count` words, each as the two pieces it joins. */
function joins(space: string, count: number): [string, string][] {
  const found: [string, string][] = []
  for (const join of words(space)) if (found.push(join) === count) break
  return found
}

/**
 * All words without end; pieces come before the words made of them. Words that begin with `space` come before those
 * that do not, so that a tokenizer joins from the beginning of a word on.
 */
function* words(space: string): Generator<[string, string]> {
  const syllables: string[] = []
  for (const consonant of 'bdfghjklmnprstvz') for (const vowel of 'aeiou') syllables.push(consonant + vowel)
  for (const [consonant, vowel] of syllables) yield [consonant, vowel]
  for (const syllable of syllables) yield [space, syllable]
  for (let stems = syllables; ; stems = stems.flatMap((stem) => syllables.map((syllable) => stem + syllable))) {
    for (const start of [space, '']) {
      for (const stem of stems) for (const syllable of syllables) yield [start + stem, syllable]
    }
  }
}
