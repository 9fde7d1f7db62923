/**
 * Models that write what a script says: their next token depends on its position alone.
 *
 *     position   0 … 41            42   43   44   45 …
 *     prompt     <|user|>Hi …
 *     answer                       H    e    l    l    o   <eos>
 *
 * They are GPT-2s whose layers do nothing: the learnt vector of a position is the output row of the token that is to
 * follow it. Every byte is a token, and the markers given are control tokens, so that a script may hold any text.
 */
import type { GgufSource, TensorSource } from './gguf.js'
import { writeGguf } from './gguf.js'
import { Random } from './random-weights.js'

const embedding = 64
const context = 4096

export interface ScriptModelOptions {
  /** The chat template. */
  template: string
  /** Texts of control tokens, besides `<eos>`. */
  markers?: readonly string[]
  /** What to write after which prompt, as text; markers in either are control tokens. */
  scripts: readonly { prompt: string; answer: string }[]
}

/** Writes a model that answers each prompt as its script says, and then ends. */
export function writeScriptModel(path: string, options: ScriptModelOptions): number {
  return writeGguf(path, scriptModel(options))
}

function scriptModel({ template, markers = [], scripts }: ScriptModelOptions): GgufSource {
  const controls = ['<eos>', ...new Set(markers)].sort((a, b) => b.length - a.length)
  const eos = 256 + controls.indexOf('<eos>')
  const size = 256 + controls.length
  const head = new Float32Array(size * embedding)
  const random = new Random(7)
  for (let i = 0; i < head.length; i++) head[i] = random.next() < 0.5 ? -1 : 1
  const next = new Int32Array(context).fill(eos)
  const taken = new Set<number>()
  for (const { prompt, answer } of scripts) {
    const written = [...tokensOf(answer, controls), eos]
    const first = tokensOf(prompt, controls).length - 1
    if (first + written.length > context) throw new Error(`a script ends beyond ${context} tokens`)
    for (const [i, token] of written.entries()) {
      if (taken.has(first + i)) throw new Error('two scripts write at the same places; make a prompt longer')
      taken.add(first + i)
      next[first + i] = token
    }
  }
  const positions = new Float32Array(context * embedding)
  for (const [at, token] of next.entries())
    positions.set(head.subarray(token * embedding, (token + 1) * embedding), at * embedding)
  const zeros = (...shape: number[]) => new Float32Array(shape.reduce((a, b) => a * b, 1))
  const ones = (length: number) => new Float32Array(length).fill(1)
  const tensor = (name: string, shape: number[], values: Float32Array): TensorSource => ({
    name,
    type: 'F32',
    shape,
    data: () => [new Uint8Array(values.buffer)],
  })
  const norm = (name: string) => [
    tensor(`${name}.weight`, [embedding], ones(embedding)),
    tensor(`${name}.bias`, [embedding], zeros(embedding)),
  ]
  const linear = (name: string, from: number, to: number) => [
    tensor(`${name}.weight`, [from, to], zeros(from, to)),
    tensor(`${name}.bias`, [to], zeros(to)),
  ]
  return {
    metadata: {
      'general.architecture': 'gpt2',
      'general.name': 'script',
      'gpt2.context_length': ['uint32', context],
      'gpt2.embedding_length': ['uint32', embedding],
      'gpt2.block_count': ['uint32', 1],
      'gpt2.feed_forward_length': ['uint32', embedding],
      'gpt2.attention.head_count': ['uint32', 1],
      'gpt2.attention.layer_norm_epsilon': ['float32', 1e-5],
      'tokenizer.ggml.model': 'gpt2',
      'tokenizer.ggml.pre': 'gpt-2',
      'tokenizer.ggml.tokens': ['string[]', [...byteTexts(), ...controls]],
      'tokenizer.ggml.token_type': ['int32[]', Array.from({ length: size }, (_, id) => (id < 256 ? 1 : 3))],
      'tokenizer.ggml.merges': ['string[]', []],
      'tokenizer.ggml.bos_token_id': ['uint32', eos],
      'tokenizer.ggml.eos_token_id': ['uint32', eos],
      'tokenizer.ggml.add_bos_token': false,
      'tokenizer.chat_template': template,
    },
    tensors: [
      tensor('token_embd.weight', [embedding, size], zeros(embedding, size)),
      tensor('position_embd.weight', [embedding, context], positions),
      ...norm('output_norm'),
      tensor('output.weight', [embedding, size], head),
      ...norm('blk.0.attn_norm'),
      ...linear('blk.0.attn_qkv', embedding, 3 * embedding),
      ...linear('blk.0.attn_output', embedding, embedding),
      ...norm('blk.0.ffn_norm'),
      ...linear('blk.0.ffn_up', embedding, embedding),
      ...linear('blk.0.ffn_down', embedding, embedding),
    ],
  }
}

/** A text as such a model reads it: bytes, and markers as single tokens. */
function tokensOf(text: string, controls: readonly string[]): number[] {
  const tokens: number[] = []
  let plain = ''
  const flush = () => {
    tokens.push(...Buffer.from(plain))
    plain = ''
  }
  for (let at = 0; at < text.length; ) {
    const control = controls.findIndex((other) => text.startsWith(other, at))
    if (control < 0) plain += text[at++]
    else {
      flush()
      tokens.push(256 + control)
      at += controls[control].length
    }
  }
  flush()
  return tokens
}

/** The characters byte-level vocabularies write bytes with: printable ones as they are, others from U+0100 on. */
function byteTexts(): string[] {
  let unprintable = 0
  return Array.from({ length: 256 }, (_, byte) => {
    const isPrintable = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174
    return String.fromCharCode(isPrintable ? byte : 256 + unprintable++)
  })
}
