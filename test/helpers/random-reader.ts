/** A BERT with random weights: it reads texts and gives vectors, or as a reranker scores. */
import type { GgufSource } from './gguf.js'
import { randomModel } from './random-model.js'
import { Tensors } from './random-tensors.js'

const embedding = 64
const feedForward = 128
const context = 128

/** @param pooling 1: mean, 2: the first token, 4: a reranker */
export function randomReader(pooling: 1 | 2 | 4, seed = 1): GgufSource {
  const { metadata: other } = randomModel({ architecture: 'qwen2', seed })
  const vocabulary = Object.fromEntries(Object.entries(other).filter(([key]) => key.startsWith('tokenizer.ggml.')))
  const tokens = vocabulary['tokenizer.ggml.tokens']
  const size = Array.isArray(tokens) ? (Array.isArray(tokens[1]) ? tokens[1].length : tokens.length) : 0
  const tensors = new Tensors({ seed, type: 'F32' })
  const norm = (stem: string) => {
    tensors.norm(stem, embedding)
    tensors.uniform(`${stem}.bias`, [embedding], -0.1, 0.1)
  }
  tensors.matrix('token_embd', embedding, size, 1)
  tensors.matrix('token_types', embedding, 2, 0.1)
  tensors.matrix('position_embd', embedding, context, 0.3)
  norm('token_embd_norm')
  for (const layer of [0, 1]) {
    const block = `blk.${layer}`
    for (const stem of ['attn_q', 'attn_k', 'attn_v', 'attn_output'])
      tensors.matrix(`${block}.${stem}`, embedding, embedding, 0.2)
    norm(`${block}.attn_output_norm`)
    tensors.matrix(`${block}.ffn_up`, embedding, feedForward, 0.2)
    tensors.matrix(`${block}.ffn_down`, feedForward, embedding, 0.2)
    norm(`${block}.layer_output_norm`)
  }
  if (pooling === 4) {
    tensors.matrix('cls', embedding, embedding, 0.3)
    tensors.uniform('cls.bias', [embedding], -0.1, 0.1)
    tensors.matrix('cls.output', embedding, 1, 0.3)
    tensors.uniform('cls.output.bias', [1], -0.1, 0.1)
  }
  const metadata: GgufSource['metadata'] = {
    'general.architecture': 'bert',
    'general.name': 'random bert',
    'bert.context_length': ['uint32', context],
    'bert.embedding_length': ['uint32', embedding],
    'bert.feed_forward_length': ['uint32', feedForward],
    'bert.block_count': ['uint32', 2],
    'bert.attention.head_count': ['uint32', 4],
    'bert.attention.layer_norm_epsilon': ['float32', 1e-5],
    'bert.attention.causal': false,
    'bert.pooling_type': ['uint32', pooling],
    ...vocabulary,
    'tokenizer.ggml.token_type_count': ['uint32', 2],
  }
  return { metadata, tensors: tensors.sources }
}
