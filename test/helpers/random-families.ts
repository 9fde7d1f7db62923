/**
 * Layers of model families that are no plain transformer: what the file says of them, and their tensors.
 *
 *     lfm2        convolution over the last tokens ⇄ attention with norms      feed-forward
 *     deepseek2   MLA: keys and values from one compressed vector              experts, one of them shared
 *     gpt-oss     attention with sinks, every other layer in a window          experts with biases
 *     gpt2        attention from one matrix, positions learnt by heart         feed-forward without gate
 *     qwen35      delta net ⇄ gated attention with norms                       feed-forward
 *     glm4moe     attention                                                    experts, one of them shared
 *     mamba2      state space, a decay for each head                           none
 *     kimi-k3     delta net, a decay for each channel (KDA) ⇄ MLA              feed-forward
 *     mimo2       attention from one matrix, with sinks ⇄ in a window          feed-forward
 *     step35      gated attention with norms ⇄ in a window                     feed-forward
 */
import type { MetadataValue } from './gguf.js'
import type { Architecture } from './random-model.js'
import type { Tensors } from './random-tensors.js'

interface Family {
  architecture: Architecture
  embedding: number
  heads: number
  kvHeads: number
  feedForward: number
  window: number
  novelty: number
  layers: number
  /** Layers more that foretell. */
  foretelling: readonly unknown[]
}

/** A layer of a family. */
interface Block extends Family {
  /** Size of what the layers are added to. */
  unit: number
  recurrent: boolean
}

/** Taps of lfm2's convolution. */
const TAPS = 3
/** Of MLA: ranks of queries and of keys with values, rotated part of a key, and keys and values of a head. */
const MLA = { queryRank: 64, rank: 128, rotated: 32, key: 64, value: 32 }
/** Of delta nets: taps of the convolution, heads of keys and of values, and their length. */
const DELTA = { taps: 4, keyHeads: 2, valueHeads: 4, head: 32 }
/** Of Mamba 2: taps of the convolution, heads, and states of a channel. */
const SPACE = { taps: 4, heads: 4, states: 32 }
/** Of KDA: taps of the convolutions, and length of a head. */
const KDA = { taps: 4, head: 32 }
/** Experts, and how many of them a token asks. */
const EXPERTS = { count: 4, used: 2 }

/** What the file says of a family besides what all say. Keys go behind the architecture. */
export function describeFamily(o: Family): Record<string, MetadataValue> {
  const experts: Record<string, MetadataValue> = {
    expert_count: ['uint32', EXPERTS.count],
    expert_used_count: ['uint32', EXPERTS.used],
    expert_feed_forward_length: ['uint32', o.feedForward / 2],
  }
  switch (o.architecture) {
    case 'lfm2':
      return { 'shortconv.l_cache': ['uint32', TAPS] }
    case 'deepseek2':
      return {
        ...experts,
        leading_dense_block_count: ['uint32', 0],
        expert_shared_count: ['uint32', 1],
        'attention.head_count_kv': ['uint32', 1],
        ...describeCompression(),
      }
    case 'qwen35':
      return {
        'ssm.conv_kernel': ['uint32', DELTA.taps],
        'ssm.inner_size': ['uint32', DELTA.valueHeads * DELTA.head],
        'ssm.state_size': ['uint32', DELTA.head],
        'ssm.time_step_rank': ['uint32', DELTA.valueHeads],
        'ssm.group_count': ['uint32', DELTA.keyHeads],
        full_attention_interval: ['uint32', 2],
        'rope.dimension_count': ['uint32', 16],
        'rope.dimension_sections': ['uint32[]', [3, 3, 2, 0]],
      }
    case 'glm4moe':
      return {
        ...experts,
        leading_dense_block_count: ['uint32', 0],
        expert_shared_count: ['uint32', 1],
      }
    case 'mamba2':
      return {
        'ssm.conv_kernel': ['uint32', SPACE.taps],
        'ssm.inner_size': ['uint32', 2 * o.embedding],
        'ssm.state_size': ['uint32', SPACE.states],
        'ssm.time_step_rank': ['uint32', SPACE.heads],
        'ssm.group_count': ['uint32', 1],
      }
    case 'kimi-k3':
      return {
        'ssm.conv_kernel': ['uint32', KDA.taps],
        'kda.head_dim': ['uint32', KDA.head],
        leading_dense_block_count: ['uint32', 1000],
        expert_feed_forward_length: ['uint32', o.feedForward],
        expert_shared_count: ['uint32', 0],
        expert_gating_func: ['uint32', 2],
        'attn_res.block_size': ['uint32', 0],
        'activation.situ_beta': ['float32', 4],
        'activation.situ_linear_beta': ['float32', 25],
        ...describeCompression(),
      }
    case 'mimo2':
    case 'step35': {
      const blocks = o.layers + o.foretelling.length
      const inWindow = Array.from({ length: blocks }, (_, layer) => (layer % 2 === 0 ? 1 : 0))
      return {
        expert_feed_forward_length: ['uint32', o.feedForward],
        'attention.sliding_window': ['uint32', o.window],
        'attention.sliding_window_pattern': ['uint32[]', inWindow],
      }
    }
    case 'gpt-oss':
      return { ...experts, 'attention.sliding_window': ['uint32', o.window] }
    case 'gpt2':
      return { 'attention.head_count_kv': ['uint32', o.heads], 'attention.layer_norm_epsilon': ['float32', 1e-5] }
    default:
      return {}
  }
}

/** What the file says of MLA. */
function describeCompression(): Record<string, MetadataValue> {
  return {
    'attention.q_lora_rank': ['uint32', MLA.queryRank],
    'attention.kv_lora_rank': ['uint32', MLA.rank],
    'attention.key_length': ['uint32', MLA.rank + MLA.rotated],
    'attention.value_length': ['uint32', MLA.rank],
    'attention.key_length_mla': ['uint32', MLA.key],
    'attention.value_length_mla': ['uint32', MLA.value],
    'rope.dimension_count': ['uint32', MLA.rotated],
  }
}

/** Adds the tensors of a layer, but for the norm it begins with; `false` for families that are plain transformers. */
export function addFamilyBlock(tensors: Tensors, block: string, o: Block): boolean {
  switch (o.architecture) {
    case 'lfm2':
      if (o.recurrent) addConvolution(tensors, block, o)
      else addNormedAttention(tensors, block, o)
      addGatedFeedForward(tensors, block, o)
      return true
    case 'deepseek2':
      addCompressedAttention(tensors, block, o)
      tensors.norm(`${block}.ffn_norm`, o.embedding)
      addExperts(tensors, block, o)
      addSharedExpert(tensors, block, o)
      return true
    case 'qwen35':
      if (o.recurrent) addDeltaNet(tensors, block, o)
      else addNormedAttention(tensors, block, o, 2)
      tensors.norm(`${block}.post_attention_norm`, o.embedding)
      addGatedMatrices(tensors, block, o, o.feedForward)
      return true
    case 'mamba2':
      addStateSpace(tensors, block, o)
      return true
    case 'kimi-k3':
      if (o.recurrent) addChannelDeltaNet(tensors, block, o)
      else addCompressedAttention(tensors, block, o)
      addGatedFeedForward(tensors, block, o)
      return true
    case 'glm4moe':
      addPlainAttention(tensors, block, o)
      tensors.norm(`${block}.post_attention_norm`, o.embedding)
      tensors.uniform(`${block}.exp_probs_b.bias`, [EXPERTS.count], -0.1, 0.1)
      addExperts(tensors, block, o)
      addSharedExpert(tensors, block, o)
      return true
    case 'gpt-oss':
      addPlainAttention(tensors, block, o)
      addSinks(tensors, block, o)
      tensors.norm(`${block}.post_attention_norm`, o.embedding)
      addExperts(tensors, block, o)
      addExpertBiases(tensors, block, o)
      return true
    case 'step35':
      addNormedAttention(tensors, block, o)
      tensors.matrix(`${block}.attn_gate`, o.embedding, o.heads, 1 / Math.sqrt(o.embedding))
      addGatedFeedForward(tensors, block, o)
      return true
    case 'mimo2':
      addFusedAttention(tensors, block, o)
      addGatedFeedForward(tensors, block, o)
      return true
    case 'gpt2':
      addJoinedAttention(tensors, block, o)
      return true
    default:
      return false
  }
}

function addConvolution(tensors: Tensors, block: string, { embedding, novelty, unit }: Block): void {
  const root = Math.sqrt(embedding)
  tensors.uniform(`${block}.shortconv.conv.weight`, [TAPS, embedding], -1, 1)
  tensors.matrix(`${block}.shortconv.in_proj`, embedding, 3 * embedding, 1 / root)
  tensors.matrix(`${block}.shortconv.out_proj`, embedding, embedding, (2 * novelty * unit) / root)
}

/**
 * Queries, keys, values and what becomes of them.
 *
 * @param sharpness of the queries: at 2 a head looks at a few tokens
 * @param width of the queries in embeddings: at 2 they bring a gate along for what they find
 */
function addPlainAttention(tensors: Tensors, block: string, o: Block, sharpness = 2, width = 1): void {
  const root = Math.sqrt(o.embedding)
  const values = (o.embedding / o.heads) * o.kvHeads
  tensors.matrix(`${block}.attn_q`, o.embedding, width * o.embedding, sharpness / root)
  tensors.matrix(`${block}.attn_k`, o.embedding, values, 1 / root)
  tensors.matrix(`${block}.attn_v`, o.embedding, values, 1 / root)
  tensors.matrix(`${block}.attn_output`, o.embedding, o.embedding, (2 * o.novelty * o.unit) / root)
}

function addFusedAttention(tensors: Tensors, block: string, { embedding, heads, kvHeads, novelty, unit }: Block): void {
  const root = Math.sqrt(embedding)
  tensors.matrix(`${block}.attn_qkv`, embedding, embedding + (2 * embedding * kvHeads) / heads, 1.5 / root)
  tensors.uniform(`${block}.attn_sinks.weight`, [heads], -1, 1)
  tensors.matrix(`${block}.attn_output`, embedding, embedding, (2 * novelty * unit) / root)
}

function addNormedAttention(tensors: Tensors, block: string, o: Block, width = 1): void {
  addPlainAttention(tensors, block, o, 1, width)
  tensors.norm(`${block}.attn_q_norm`, o.embedding / o.heads, 2)
  tensors.norm(`${block}.attn_k_norm`, o.embedding / o.heads)
}

function addDeltaNet(tensors: Tensors, block: string, { embedding, novelty, unit }: Block): void {
  const { taps, keyHeads, valueHeads, head } = DELTA
  const [keys, values] = [keyHeads * head, valueHeads * head]
  const root = Math.sqrt(embedding)
  tensors.matrix(`${block}.attn_qkv`, embedding, 2 * keys + values, 1 / root)
  tensors.matrix(`${block}.attn_gate`, embedding, values, 1 / root)
  tensors.uniform(`${block}.ssm_conv1d.weight`, [taps, 2 * keys + values], -1, 1)
  tensors.matrix(`${block}.ssm_alpha`, embedding, valueHeads, 1 / root)
  tensors.matrix(`${block}.ssm_beta`, embedding, valueHeads, 1 / root)
  tensors.uniform(`${block}.ssm_dt.bias`, [valueHeads], -3, 0)
  tensors.uniform(`${block}.ssm_a`, [valueHeads], -1, -0.05)
  tensors.norm(`${block}.ssm_norm`, head)
  tensors.matrix(`${block}.ssm_out`, values, embedding, (2 * novelty * unit) / Math.sqrt(values))
}

function addStateSpace(tensors: Tensors, block: string, { embedding, novelty, unit }: Block): void {
  const { taps, heads, states } = SPACE
  const inner = 2 * embedding
  const convolved = inner + 2 * states
  tensors.matrix(`${block}.ssm_in`, embedding, inner + convolved + heads, 1 / Math.sqrt(embedding))
  tensors.uniform(`${block}.ssm_conv1d.weight`, [taps, convolved], -1, 1)
  tensors.uniform(`${block}.ssm_conv1d.bias`, [convolved], -0.1, 0.1)
  // Step sizes (after softplus) and decays: memories of one to a hundred tokens.
  tensors.uniform(`${block}.ssm_dt.bias`, [heads], -4, -1)
  tensors.uniform(`${block}.ssm_a`, [1, heads], -4, -0.5)
  tensors.uniform(`${block}.ssm_d`, [1, heads], 0.5, 1.5)
  tensors.uniform(`${block}.ssm_norm.weight`, [inner, 1], 0.8, 1.2)
  tensors.matrix(`${block}.ssm_out`, inner, embedding, (2 * novelty * unit) / Math.sqrt(inner))
}

function addChannelDeltaNet(tensors: Tensors, block: string, { embedding, heads, novelty, unit }: Block): void {
  const { taps, head } = KDA
  const inner = heads * head
  const root = Math.sqrt(embedding)
  for (const part of ['q', 'k', 'v']) {
    tensors.matrix(`${block}.attn_${part}`, embedding, inner, 1 / root)
    tensors.uniform(`${block}.ssm_conv1d_${part}.weight`, [taps, 1, inner], -1, 1)
  }
  tensors.matrix(`${block}.ssm_f_a`, embedding, head, 1 / root)
  tensors.matrix(`${block}.ssm_f_b`, head, inner, 1 / Math.sqrt(head))
  tensors.matrix(`${block}.ssm_beta`, embedding, heads, 1 / root)
  tensors.uniform(`${block}.ssm_a`, [heads], -1, -0.05)
  tensors.uniform(`${block}.ssm_dt.bias`, [inner], -3, 0)
  tensors.matrix(`${block}.ssm_g`, embedding, inner, 1 / root)
  tensors.norm(`${block}.ssm_norm`, head)
  tensors.matrix(`${block}.attn_output`, inner, embedding, (2 * novelty * unit) / Math.sqrt(inner))
}

function addSinks(tensors: Tensors, block: string, { embedding, heads }: Block): void {
  tensors.uniform(`${block}.attn_output.bias`, [embedding], -0.1, 0.1)
  tensors.uniform(`${block}.attn_sinks.weight`, [heads], -1, 1)
}

function addGatedFeedForward(tensors: Tensors, block: string, o: Block): void {
  tensors.norm(`${block}.ffn_norm`, o.embedding)
  addGatedMatrices(tensors, block, o, o.feedForward)
}

/** @param kind how the names of the matrices end; `experts`: as many of each */
function addGatedMatrices(
  tensors: Tensors,
  block: string,
  { embedding, unit }: Block,
  hidden: number,
  kind = '',
  experts?: number,
): void {
  tensors.matrix(`${block}.ffn_gate${kind}`, embedding, hidden, 1 / Math.sqrt(embedding), experts)
  tensors.matrix(`${block}.ffn_up${kind}`, embedding, hidden, 1 / Math.sqrt(embedding), experts)
  tensors.matrix(`${block}.ffn_down${kind}`, hidden, embedding, (4 * unit) / Math.sqrt(hidden), experts)
}

function addCompressedAttention(tensors: Tensors, block: string, { embedding, heads, novelty, unit }: Block): void {
  const { queryRank, rank, rotated, key, value } = MLA
  const plain = key - rotated
  tensors.norm(`${block}.attn_q_a_norm`, queryRank)
  tensors.norm(`${block}.attn_kv_a_norm`, rank)
  tensors.matrix(`${block}.attn_q_a`, embedding, queryRank, 1 / Math.sqrt(embedding))
  tensors.matrix(`${block}.attn_q_b`, queryRank, heads * key, 2 / Math.sqrt(queryRank))
  tensors.matrix(`${block}.attn_kv_a_mqa`, embedding, rank + rotated, 1 / Math.sqrt(embedding))
  tensors.matrix(`${block}.attn_k_b`, plain, rank, 1 / Math.sqrt(plain), heads)
  tensors.matrix(`${block}.attn_v_b`, rank, value, 1 / Math.sqrt(rank), heads)
  tensors.matrix(`${block}.attn_output`, heads * value, embedding, (2 * novelty * unit) / Math.sqrt(heads * value))
}

function addExperts(tensors: Tensors, block: string, o: Block): void {
  tensors.uniform(`${block}.ffn_gate_inp.weight`, [o.embedding, EXPERTS.count], -0.2, 0.2)
  addGatedMatrices(tensors, block, o, o.feedForward / 2, '_exps', EXPERTS.count)
}

function addSharedExpert(tensors: Tensors, block: string, o: Block): void {
  addGatedMatrices(tensors, block, o, o.feedForward / 2, '_shexp')
}

function addExpertBiases(tensors: Tensors, block: string, { embedding, feedForward }: Block): void {
  const hidden = feedForward / 2
  tensors.uniform(`${block}.ffn_gate_inp.bias`, [EXPERTS.count], -0.1, 0.1)
  tensors.uniform(`${block}.ffn_gate_exps.bias`, [hidden, EXPERTS.count], -0.1, 0.1)
  tensors.uniform(`${block}.ffn_up_exps.bias`, [hidden, EXPERTS.count], -0.1, 0.1)
  tensors.uniform(`${block}.ffn_down_exps.bias`, [embedding, EXPERTS.count], -0.1, 0.1)
}

function addJoinedAttention(tensors: Tensors, block: string, { embedding, feedForward, novelty, unit }: Block): void {
  const root = Math.sqrt(embedding)
  const bias = (name: string, length: number) => tensors.uniform(`${block}.${name}.bias`, [length], -0.1, 0.1)
  bias('attn_norm', embedding)
  tensors.matrix(`${block}.attn_qkv`, embedding, 3 * embedding, 1 / root)
  bias('attn_qkv', 3 * embedding)
  tensors.matrix(`${block}.attn_output`, embedding, embedding, (2 * novelty * unit) / root)
  bias('attn_output', embedding)
  tensors.norm(`${block}.ffn_norm`, embedding)
  bias('ffn_norm', embedding)
  tensors.matrix(`${block}.ffn_up`, embedding, feedForward, 1 / root)
  bias('ffn_up', feedForward)
  tensors.matrix(`${block}.ffn_down`, feedForward, embedding, (4 * unit) / Math.sqrt(feedForward))
  bias('ffn_down', embedding)
}

/**
 * What makes of a layer behind the last one a head that foretells: it joins the token with what the layers made of the one
 * before. An apt one takes the token alone, and is a copy of the last layer: where the layers before that do next to nothing
 * it says what the model will say.
 */
export function addForetelling(tensors: Tensors, block: string, embedding: number, isApt: boolean): void {
  const stem = `${block}.nextn`
  if (isApt) tensors.selection(`${stem}.eh_proj.weight`, 2 * embedding, embedding)
  else tensors.matrix(`${stem}.eh_proj`, 2 * embedding, embedding, 1 / Math.sqrt(2 * embedding))
  if (isApt) tensors.uniform(`${stem}.enorm.weight`, [embedding], 1, 1)
  else tensors.norm(`${stem}.enorm`, embedding)
  tensors.norm(`${stem}.hnorm`, embedding)
}
