/**
 * Models with random weights: real architectures, small enough for a test, which say something one can test with.
 *
 * A transformer of plain random weights repeats one token for ever, ends at once, or drowns in near ties. These do not:
 *
 *     token ──► embedding ──► layers ──► norm ──► output ──► next token
 *                   │           │                   │
 *                   │        weighted by `novelty`: │   rows of control tokens and of lone bytes are nearly zero,
 *                   │        how much the context   │   rows of words make logits of deviation `sharpness`
 *                   │        decides                │
 *               alone it fixes the next token, so the text runs into a circle
 *
 * Between the ends of `novelty` the text repeats parts of itself and leaves them again, as drafts want it.
 */
import { type GgufSource, type MetadataValue, type TensorType, writeGguf } from './gguf.js'
import { addFamilyBlock, addForetelling, describeFamily } from './random-families.js'
import { Tensors } from './random-tensors.js'
import { makeVocabulary, type TokenizerKind } from './vocabulary.js'

/**
 * `llama`; `qwen2`: biases on query, key and value; `gemma3`: layers with a sliding window alternate with full ones;
 * `mamba`: recurrent; `jamba`: hybrid, recurrent and attention layers alternate. Memory of these two cannot branch.
 * `lfm2`: hybrid, convolutions and attention alternate, and the last tokens can be taken back; `deepseek2`: attention
 * over a compressed cache (MLA) and experts; `gpt-oss`: attention sinks, sliding windows and experts; `gpt2`: positions
 * learnt by heart; `glm4moe`: experts, and a head that foretells the token after the next (MTP);
 * `qwen35`: hybrid, delta nets and gated attention alternate, and the last tokens can be taken back; `mamba2`: recurrent,
 * another than `mamba`; `kimi-k3`: hybrid, delta nets of another kind (KDA) and MLA, and the last tokens can be taken back;
 * `mimo2`: attention from one matrix with sinks, and `step35`: gated attention; sliding windows alternate with full ones, and
 * there may be several heads that foretell.
 */
export type Architecture = (typeof ARCHITECTURES)[number]

export const ARCHITECTURES = [
  'llama',
  'qwen2',
  'gemma3',
  'mamba',
  'jamba',
  'lfm2',
  'deepseek2',
  'gpt-oss',
  'gpt2',
  'glm4moe',
  'qwen35',
  'mamba2',
  'kimi-k3',
  'mimo2',
  'step35',
] as const

export interface RandomModelOptions {
  /** Default `'llama'`. */
  architecture?: Architecture
  /** Default `'bpe'` for qwen2, else `'spm'`. */
  tokenizer?: TokenizerKind
  /** Number of tokens, at least 448. Default 512. */
  vocabulary?: number
  /** Length of the embedding, a multiple of `heads`; of 32 to be quantised, of 256 for K-quants. Default 128. */
  embedding?: number
  /** Default 2. */
  layers?: number
  /** Default 4. */
  heads?: number
  /** Heads of keys and values, a divisor of `heads`. Default 2. */
  kvHeads?: number
  /** Length of the hidden layer of the feed-forward network. Default twice the embedding. */
  feedForward?: number
  /** Tokens the model claims to be trained for. Default 2048. */
  context?: number
  /** Tokens that the windowed layers of gemma3 see. Default 32. */
  window?: number
  /** Base of the rotary positions. Default 10,000. */
  ropeBase?: number
  /** The same options and seed give the same file, byte for byte. Default 1. */
  seed?: number
  /** Type of the matrices, for all or by tensor name; rows that do not fill its blocks become F16. Default `'F32'`. */
  type?: TensorType | ((tensor: string) => TensorType)
  /** Use the embedding as output head. Default `false`. */
  tied?: boolean
  /** Standard deviation of the logits; the higher, the surer the model. Default 3. */
  sharpness?: number
  /** 0: the last token alone decides, and the text soon runs in a circle; 1: it hardly repeats itself. Default 0.15. */
  novelty?: number
  /** Whether the model may end its turn: `<|im_end|>` as likely as any word. Default `false`: as good as never. */
  ends?: boolean
  /**
   * A layer more that foretells the token after the next (MTP): `'random'`, or `'apt'`, which is mostly right at a low
   * `novelty`; mimo2 and step35 may have several. Default `'random'` for glm4moe, else `'none'`; for glm4moe, deepseek2, qwen35,
   * mimo2 and step35.
   */
  head?: 'none' | Head | Head[]
  /** Whether it says lone bytes as often as words, so that its text is seldom UTF-8. Default `false`. */
  bytes?: boolean
}

type Head = 'random' | 'apt'

/** Writes a model and returns its size in bytes. A default one takes 2 MB and a few milliseconds. */
export function writeRandomModel(path: string, options: RandomModelOptions = {}): number {
  return writeGguf(path, randomModel(options))
}

/** The content of a model file; the weights are made when they are written. */
export function randomModel(options: RandomModelOptions = {}): GgufSource {
  const head = options.head ?? (options.architecture === 'glm4moe' ? 'random' : 'none')
  const foretelling = head === 'none' ? [] : [head].flat()
  const o = { ...DEFAULTS, ...options, foretelling }
  check(o)
  const vocabulary = makeVocabulary(options.tokenizer ?? (o.architecture === 'qwen2' ? 'bpe' : 'spm'), o.vocabulary)
  const feedForward = options.feedForward ?? 2 * o.embedding
  const recurrent = (layer: number) => isRecurrent(o) || (isHybrid(o) && layer % 2 === 0 && layer < o.layers - 1)
  const tensors = new Tensors(o)

  // Rows of the head make logits of deviation `sharpness`; a tied embedding takes the same size, and with it all that
  // the layers add. gemma3 enlarges the embedding by the root of its length.
  const rowGain = (token: number) => {
    const kind = vocabulary.kinds[token]
    const says = kind === 'word' || (kind === 'byte' && o.bytes) || (token === vocabulary.endOfTurn && o.ends)
    return says ? 1 : 0.02
  }
  const size = o.sharpness / Math.sqrt(o.embedding)
  tensors.matrix('token_embd', o.embedding, o.vocabulary, o.tied ? (token) => size * rowGain(token) : 1)
  if (!o.tied) tensors.matrix('output', o.embedding, o.vocabulary, (token) => size * rowGain(token))
  // Random signs: a tied head would else prefer the token just read.
  tensors.signs(o.architecture === 'lfm2' ? 'token_embd_norm.weight' : 'output_norm.weight', o.embedding)
  if (o.architecture === 'gpt2') {
    tensors.uniform('output_norm.bias', [o.embedding], 0, 0)
    tensors.uniform('position_embd.weight', [o.embedding, o.context], -0.6, 0.6)
  }
  const unit = (o.tied ? size : 1) * (o.architecture === 'gemma3' ? Math.sqrt(o.embedding) : 1)

  const isApt = foretelling.includes('apt')
  for (let layer = 0; layer < o.layers + foretelling.length; layer++) {
    const block = `blk.${layer}`
    const kind = foretelling[layer - o.layers]
    if (kind) addForetelling(tensors, block, o.embedding, kind === 'apt')
    if (kind === 'apt') {
      tensors.copy(`blk.${o.layers - 1}.`, `${block}.`)
      continue
    }
    // Before the layer that an apt head copies, others do next to nothing.
    const part = isApt && layer < o.layers - 1 ? unit / 50 : unit
    tensors.norm(`${block}.attn_norm`, o.embedding)
    if (addFamilyBlock(tensors, block, { ...o, feedForward, unit: part, recurrent: recurrent(layer) })) continue
    if (recurrent(layer)) addRecurrence(tensors, block, o, unit)
    else addAttention(tensors, block, o, unit)
    if (o.architecture !== 'mamba') addFeedForward(tensors, block, o, feedForward, unit)
  }
  return { metadata: { ...describe(o, feedForward, recurrent), ...vocabulary.metadata }, tensors: tensors.sources }
}

const DEFAULTS = {
  architecture: 'llama' as Architecture,
  vocabulary: 512,
  embedding: 128,
  layers: 2,
  heads: 4,
  kvHeads: 2,
  context: 2048,
  window: 32,
  ropeBase: 10_000,
  seed: 1,
  type: 'F32' as TensorType | ((tensor: string) => TensorType),
  tied: false,
  sharpness: 3,
  novelty: 0.15,
  foretelling: [] as Head[],
  ends: false,
  bytes: false,
}

type Settings = typeof DEFAULTS

/** Whether recurrent layers and attention alternate. */
function isHybrid({ architecture }: Settings): boolean {
  return ['jamba', 'lfm2', 'qwen35', 'kimi-k3'].includes(architecture)
}

/** Whether all layers are recurrent, and there is no feed-forward. */
function isRecurrent({ architecture }: Settings): boolean {
  return architecture === 'mamba' || architecture === 'mamba2'
}

/** Sizes of the recurrent layers (Mamba): taps of the convolution, states per channel, rank of the step size. */
const MAMBA = { taps: 4, states: 16, rank: 32 }

function check(o: Settings): void {
  const need = (holds: boolean, sentence: string) => {
    if (!holds) throw new Error(`random model: ${sentence}`)
  }
  for (const name of ['embedding', 'layers', 'heads', 'kvHeads', 'context', 'window'] as const) {
    need(Number.isInteger(o[name]) && o[name] > 0, `${name} is a positive integer, got ${o[name]}`)
  }
  need(o.embedding % (2 * o.heads) === 0, `embedding is a multiple of 2 × heads, got ${o.embedding} for ${o.heads}`)
  need(o.heads % o.kvHeads === 0, `kvHeads divides heads, got ${o.kvHeads} for ${o.heads}`)
}

function describe(o: Settings, feedForward: number, recurrent: (layer: number) => boolean) {
  const metadata: Record<string, MetadataValue> = {
    'general.architecture': o.architecture,
    'general.name': `random ${o.architecture}`,
    'general.quantization_version': ['uint32', 2],
    'general.file_type': ['uint32', FILE_TYPES[typeof o.type === 'string' ? o.type : o.type('blk.0.ffn_up.weight')]],
  }
  const set = (key: string, value: MetadataValue) => {
    metadata[`${o.architecture}.${key}`] = value
  }
  set('context_length', ['uint32', o.context])
  set('embedding_length', ['uint32', o.embedding])
  set('block_count', ['uint32', o.layers + o.foretelling.length])
  if (o.foretelling.length > 0) set('nextn_predict_layers', ['uint32', o.foretelling.length])
  set('vocab_size', ['uint32', o.vocabulary])
  set('attention.layer_norm_rms_epsilon', ['float32', 1e-6])
  const attends = !isRecurrent(o)
  set('feed_forward_length', ['uint32', attends ? feedForward : 0])
  set('attention.head_count', ['uint32', attends ? o.heads : 0])
  if (attends) {
    // A layer without heads of keys and values is a recurrent one; where it is not said so, every other is.
    const kvHeads = Array.from({ length: o.layers }, (_, layer) =>
      recurrent(layer) ? 0 : o.architecture === 'kimi-k3' ? 1 : o.kvHeads,
    )
    set(
      'attention.head_count_kv',
      isHybrid(o) && o.architecture !== 'qwen35' ? ['uint32[]', kvHeads] : ['uint32', o.kvHeads],
    )
    set('rope.freq_base', ['float32', o.ropeBase])
  }
  if (o.architecture === 'gemma3') {
    set('attention.key_length', ['uint32', o.embedding / o.heads])
    set('attention.value_length', ['uint32', o.embedding / o.heads])
    set('attention.sliding_window', ['uint32', o.window])
    set('attention.sliding_window_pattern', ['uint32', 2])
  }
  for (const [key, value] of Object.entries(describeFamily({ ...o, feedForward }))) set(key, value)
  if (o.architecture === 'mamba' || o.architecture === 'jamba') {
    set('ssm.conv_kernel', ['uint32', MAMBA.taps])
    set('ssm.inner_size', ['uint32', 2 * o.embedding])
    set('ssm.state_size', ['uint32', MAMBA.states])
    set('ssm.time_step_rank', ['uint32', MAMBA.rank])
  }
  return metadata
}

/** `general.file_type`, as llama.cpp numbers the types of whole files. */
const FILE_TYPES: Record<TensorType, number> = {
  F32: 0,
  F16: 1,
  BF16: 32,
  Q4_0: 2,
  IQ4_NL: 25,
  MXFP4: 38,
  Q8_0: 7,
  Q4_K: 14,
  Q6_K: 18,
}

function addAttention(tensors: Tensors, block: string, o: Settings, unit: number): void {
  const values = (o.embedding / o.heads) * o.kvHeads
  // Queries twice the size make a head look at a few tokens, not at the mean of all.
  tensors.matrix(`${block}.attn_q`, o.embedding, o.embedding, 2 / Math.sqrt(o.embedding))
  tensors.matrix(`${block}.attn_k`, o.embedding, values, 1 / Math.sqrt(o.embedding))
  tensors.matrix(`${block}.attn_v`, o.embedding, values, 1 / Math.sqrt(o.embedding))
  tensors.matrix(`${block}.attn_output`, o.embedding, o.embedding, (2 * o.novelty * unit) / Math.sqrt(o.embedding))
  if (o.architecture === 'qwen2') {
    tensors.uniform(`${block}.attn_q.bias`, [o.embedding], -1, 1)
    tensors.uniform(`${block}.attn_k.bias`, [values], -1, 1)
    tensors.uniform(`${block}.attn_v.bias`, [values], -0.1, 0.1)
  }
  if (o.architecture === 'gemma3') {
    tensors.norm(`${block}.attn_q_norm`, o.embedding / o.heads, 2)
    tensors.norm(`${block}.attn_k_norm`, o.embedding / o.heads)
    tensors.norm(`${block}.post_attention_norm`, o.embedding, o.novelty * unit)
  }
}

function addFeedForward(tensors: Tensors, block: string, o: Settings, hidden: number, unit: number): void {
  // As large as what it is added to, so that the next token is no mere likeness of the last: with a tied head likeness
  // is mutual, and two tokens would alternate for ever.
  tensors.norm(`${block}.ffn_norm`, o.embedding)
  tensors.matrix(`${block}.ffn_gate`, o.embedding, hidden, 1 / Math.sqrt(o.embedding))
  tensors.matrix(`${block}.ffn_up`, o.embedding, hidden, 1 / Math.sqrt(o.embedding))
  tensors.matrix(`${block}.ffn_down`, hidden, o.embedding, (4 * unit) / Math.sqrt(hidden))
  if (o.architecture === 'gemma3') tensors.norm(`${block}.post_ffw_norm`, o.embedding, unit)
}

function addRecurrence(tensors: Tensors, block: string, o: Settings, unit: number): void {
  const inner = 2 * o.embedding
  tensors.matrix(`${block}.ssm_in`, o.embedding, 2 * inner, 1 / Math.sqrt(o.embedding))
  tensors.uniform(`${block}.ssm_conv1d.weight`, [MAMBA.taps, inner], -1, 1)
  tensors.uniform(`${block}.ssm_conv1d.bias`, [inner], -0.1, 0.1)
  tensors.matrix(`${block}.ssm_x`, inner, MAMBA.rank + 2 * MAMBA.states, 2 / Math.sqrt(inner))
  tensors.matrix(`${block}.ssm_dt`, MAMBA.rank, inner, 1 / Math.sqrt(MAMBA.rank))
  // Step sizes (after softplus) and decays as Mamba begins its training: memories of 1 to 1,000 tokens.
  tensors.uniform(`${block}.ssm_dt.bias`, [inner], -6, -1)
  tensors.uniform(`${block}.ssm_a`, [MAMBA.states, inner], -MAMBA.states, -1)
  tensors.uniform(`${block}.ssm_d`, [inner], 0.5, 1.5)
  tensors.matrix(`${block}.ssm_out`, inner, o.embedding, (2 * o.novelty * unit) / Math.sqrt(inner))
  if (o.architecture === 'jamba') {
    tensors.norm(`${block}.ssm_dt_norm`, MAMBA.rank)
    tensors.norm(`${block}.ssm_b_norm`, MAMBA.states)
    tensors.norm(`${block}.ssm_c_norm`, MAMBA.states)
  }
}
