// The binary interface of libllama v0.5.0: struct layouts and function prototypes, the only place that spells them (of
// libggml: `ggml.ts`). Field order and types follow `include/llama.h` of that release.

import koffi, { type LibraryHandle } from 'koffi'
import type { Native, Pointer } from './native.js'

/** The release whose layouts are spelt here; `llama_version()` must begin with it. */
export const llamaRelease = '0.5.0'

/** Fields of `struct llama_model_params`, in their order. */
export const modelParamsLayout = {
  devices: 'void*',
  tensor_buft_overrides: 'void*',
  n_gpu_layers: 'int32',
  split_mode: 'int32',
  load_mode: 'int32',
  lazy_mode: 'int32',
  main_gpu: 'int32',
  tensor_split: 'void*',
  progress_callback: 'void*',
  progress_callback_user_data: 'void*',
  kv_overrides: 'void*',
  vocab_only: 'bool',
  check_tensors: 'bool',
  use_extra_bufts: 'bool',
  no_host: 'bool',
  no_alloc: 'bool',
  load_mtp: 'bool',
}
koffi.struct('llama_model_params', modelParamsLayout)

/** Fields of `struct llama_context_params`, in their order. */
export const contextParamsLayout = {
  n_ctx: 'uint32',
  n_batch: 'uint32',
  n_ubatch: 'uint32',
  n_seq_max: 'uint32',
  n_rs_seq: 'uint32',
  n_outputs_max: 'uint32',
  n_outputs_max_per_seq: 'uint32',
  n_threads: 'int32',
  n_threads_batch: 'int32',
  ctx_type: 'int32',
  rope_scaling_type: 'int32',
  pooling_type: 'int32',
  attention_type: 'int32',
  flash_attn_type: 'int32',
  rope_freq_base: 'float',
  rope_freq_scale: 'float',
  yarn_ext_factor: 'float',
  yarn_attn_factor: 'float',
  yarn_beta_fast: 'float',
  yarn_beta_slow: 'float',
  yarn_orig_ctx: 'uint32',
  defrag_thold: 'float',
  cb_eval: 'void*',
  cb_eval_user_data: 'void*',
  type_k: 'int32',
  type_v: 'int32',
  abort_callback: 'void*',
  abort_callback_data: 'void*',
  embeddings: 'bool',
  offload_kqv: 'bool',
  no_perf: 'bool',
  op_offload: 'bool',
  swa_full: 'bool',
  kv_unified: 'bool',
  samplers: 'void*',
  n_samplers: 'size_t',
  ctx_other: 'void*',
}
koffi.struct('llama_context_params', contextParamsLayout)

/** Fields of `struct llama_batch`, in their order. */
export const batchLayout = {
  n_tokens: 'int32',
  token: 'void*',
  embd: 'void*',
  pos: 'void*',
  n_seq_id: 'void*',
  seq_id: 'void*',
  logits: 'void*',
}

koffi.struct('llama_batch', batchLayout)

koffi.struct('llama_sampler_chain_params', { no_perf: 'bool' })

koffi.struct('llama_model_quantize_params', {
  nthread: 'int32',
  ftype: 'int32',
  output_tensor_type: 'int32',
  token_embedding_type: 'int32',
  allow_requantize: 'bool',
  quantize_output_tensor: 'bool',
  only_copy: 'bool',
  pure: 'bool',
  keep_split: 'bool',
  dry_run: 'bool',
  imatrix: 'void*',
  kv_overrides: 'void*',
  tt_overrides: 'void*',
  prune_layers: 'void*',
  max_buf_size: 'size_t',
})

/** `struct llama_model_params`, the fields this package sets or checks. */
export interface ModelParams {
  devices: BigUint64Array | null
  tensor_buft_overrides: BigUint64Array | null
  tensor_split: Float32Array | null
  progress_callback: Pointer | null
  n_gpu_layers: number
  split_mode: number
  main_gpu: number
  load_mode: number
  no_alloc: boolean
  vocab_only: boolean
  check_tensors: boolean
  use_extra_bufts: boolean
  load_mtp: boolean
  [field: string]: unknown
}

/** `struct llama_context_params`, the fields this package sets or checks. */
export interface ContextParams {
  n_ctx: number
  n_batch: number
  n_ubatch: number
  n_seq_max: number
  n_rs_seq: number
  n_outputs_max: number
  n_threads: number
  n_threads_batch: number
  ctx_type: number
  flash_attn_type: number
  type_k: number
  type_v: number
  no_perf: boolean
  swa_full: boolean
  kv_unified: boolean
  offload_kqv: boolean
  op_offload: boolean
  [field: string]: unknown
}

/** `struct llama_batch`; the arrays are passed by address and must outlive the call. */
export interface BatchStruct {
  n_tokens: number
  token: Int32Array
  /** Of the context of a head: the vector that each row brings along. */
  embd: Float32Array | null
  pos: Int32Array
  n_seq_id: Int32Array
  seq_id: BigUint64Array
  logits: Int8Array
}

/** `struct llama_model_quantize_params`, the fields this package sets. */
export interface QuantizeParams {
  nthread: number
  ftype: number
  allow_requantize: boolean
  pure: boolean
  [field: string]: unknown
}

/** The functions of libllama, as C declares them. */
export const prototypes = {
  llama_version: 'const char* llama_version()',
  llama_backend_init: 'void llama_backend_init()',
  llama_log_set: 'void llama_log_set(void* callback, void* data)',
  llama_model_default_params: 'llama_model_params llama_model_default_params()',
  llama_context_default_params: 'llama_context_params llama_context_default_params()',
  llama_model_quantize_default_params: 'llama_model_quantize_params llama_model_quantize_default_params()',
  llama_model_load_from_file: 'void* llama_model_load_from_file(const char* path, llama_model_params params)',
  llama_model_free: 'void llama_model_free(void* model)',
  llama_model_quantize:
    'uint32 llama_model_quantize(const char* input, const char* output, llama_model_quantize_params* params)',
  llama_model_get_vocab: 'void* llama_model_get_vocab(void* model)',
  llama_model_n_ctx_train: 'int32 llama_model_n_ctx_train(void* model)',
  llama_model_n_layer: 'int32 llama_model_n_layer(void* model)',
  llama_model_n_swa: 'int32 llama_model_n_swa(void* model)',
  llama_model_n_layer_nextn: 'int32 llama_model_n_layer_nextn(void* model)',
  llama_model_size: 'uint64 llama_model_size(void* model)',
  llama_model_n_params: 'uint64 llama_model_n_params(void* model)',
  llama_model_desc: 'int32 llama_model_desc(void* model, _Out_ uint8* text, size_t capacity)',
  llama_model_meta_val_str:
    'int32 llama_model_meta_val_str(void* model, const char* key, _Out_ uint8* text, size_t capacity)',
  llama_model_chat_template: 'const char* llama_model_chat_template(void* model, const char* name)',
  llama_model_has_encoder: 'bool llama_model_has_encoder(void* model)',
  llama_model_has_decoder: 'bool llama_model_has_decoder(void* model)',
  llama_model_is_recurrent: 'bool llama_model_is_recurrent(void* model)',
  llama_model_is_hybrid: 'bool llama_model_is_hybrid(void* model)',
  llama_model_is_diffusion: 'bool llama_model_is_diffusion(void* model)',
  llama_init_from_model: 'void* llama_init_from_model(void* model, llama_context_params params)',
  llama_free: 'void llama_free(void* context)',
  llama_n_ctx: 'uint32 llama_n_ctx(void* context)',
  llama_n_rs_seq: 'uint32 llama_n_rs_seq(void* context)',
  llama_set_n_threads: 'void llama_set_n_threads(void* context, int32 threads, int32 batchThreads)',
  llama_attach_threadpool: 'void llama_attach_threadpool(void* context, void* pool, void* batchPool)',
  llama_decode: 'int32 llama_decode(void* context, llama_batch batch)',
  llama_synchronize: 'void llama_synchronize(void* context)',
  llama_get_logits: 'void* llama_get_logits(void* context)',
  llama_get_memory: 'void* llama_get_memory(void* context)',
  llama_memory_clear: 'void llama_memory_clear(void* memory, bool data)',
  llama_memory_seq_rm: 'bool llama_memory_seq_rm(void* memory, int32 sequence, int32 from, int32 to)',
  llama_state_seq_get_size_ext: 'size_t llama_state_seq_get_size_ext(void* context, int32 sequence, uint32 flags)',
  llama_state_seq_get_data_ext:
    'size_t llama_state_seq_get_data_ext(void* context, void* data, size_t size, int32 sequence, uint32 flags)',
  llama_state_seq_set_data_ext:
    'size_t llama_state_seq_set_data_ext(void* context, void* data, size_t size, int32 sequence, uint32 flags)',
  llama_state_seq_get_size: 'size_t llama_state_seq_get_size(void* context, int32 sequence)',
  llama_state_seq_get_data: 'size_t llama_state_seq_get_data(void* context, void* data, size_t size, int32 sequence)',
  llama_state_seq_set_data: 'size_t llama_state_seq_set_data(void* context, void* data, size_t size, int32 sequence)',
  llama_memory_seq_cp: 'void llama_memory_seq_cp(void* memory, int32 source, int32 target, int32 from, int32 to)',
  llama_vocab_n_tokens: 'int32 llama_vocab_n_tokens(void* vocab)',
  llama_vocab_type: 'int32 llama_vocab_type(void* vocab)',
  llama_vocab_get_attr: 'int32 llama_vocab_get_attr(void* vocab, int32 token)',
  llama_vocab_is_eog: 'bool llama_vocab_is_eog(void* vocab, int32 token)',
  llama_vocab_bos: 'int32 llama_vocab_bos(void* vocab)',
  llama_vocab_eos: 'int32 llama_vocab_eos(void* vocab)',
  llama_vocab_fim_pre: 'int32 llama_vocab_fim_pre(void* vocab)',
  llama_vocab_fim_suf: 'int32 llama_vocab_fim_suf(void* vocab)',
  llama_vocab_fim_mid: 'int32 llama_vocab_fim_mid(void* vocab)',
  llama_vocab_fim_rep: 'int32 llama_vocab_fim_rep(void* vocab)',
  llama_vocab_fim_sep: 'int32 llama_vocab_fim_sep(void* vocab)',
  llama_vocab_get_add_bos: 'bool llama_vocab_get_add_bos(void* vocab)',
  llama_vocab_get_add_eos: 'bool llama_vocab_get_add_eos(void* vocab)',
  llama_vocab_get_add_sep: 'bool llama_vocab_get_add_sep(void* vocab)',
  llama_vocab_sep: 'int32 llama_vocab_sep(void* vocab)',
  llama_pooling_type: 'int32 llama_pooling_type(void* context)',
  llama_model_n_cls_out: 'uint32 llama_model_n_cls_out(void* model)',
  llama_model_n_embd_out: 'int32 llama_model_n_embd_out(void* model)',
  llama_get_embeddings_seq: 'void* llama_get_embeddings_seq(void* context, int32 sequence)',
  llama_tokenize:
    'int32 llama_tokenize(void* vocab, const uint8* text, int32 textBytes, _Out_ int32* tokens, int32 capacity, bool addSpecial, bool parseSpecial)',
  llama_token_to_piece:
    'int32 llama_token_to_piece(void* vocab, int32 token, _Out_ uint8* text, int32 capacity, int32 lstrip, bool special)',
  llama_sampler_chain_init: 'void* llama_sampler_chain_init(llama_sampler_chain_params params)',
  llama_sampler_chain_add: 'void llama_sampler_chain_add(void* chain, void* sampler)',
  llama_sampler_free: 'void llama_sampler_free(void* sampler)',
  llama_sampler_accept: 'void llama_sampler_accept(void* sampler, int32 token)',
  llama_sampler_apply: 'void llama_sampler_apply(void* sampler, void* candidates)',
  llama_sampler_clone: 'void* llama_sampler_clone(void* sampler)',
  llama_sampler_sample: 'int32 llama_sampler_sample(void* sampler, void* context, int32 index)',
  llama_sampler_init_greedy: 'void* llama_sampler_init_greedy()',
  llama_sampler_init_dist: 'void* llama_sampler_init_dist(uint32 seed)',
  llama_sampler_init_top_k: 'void* llama_sampler_init_top_k(int32 k)',
  llama_sampler_init_top_p: 'void* llama_sampler_init_top_p(float p, size_t minKeep)',
  llama_sampler_init_min_p: 'void* llama_sampler_init_min_p(float p, size_t minKeep)',
  llama_sampler_init_temp: 'void* llama_sampler_init_temp(float temperature)',
  llama_sampler_init_temp_ext: 'void* llama_sampler_init_temp_ext(float temperature, float range, float exponent)',
  llama_sampler_init_typical: 'void* llama_sampler_init_typical(float p, size_t minKeep)',
  llama_sampler_init_top_n_sigma: 'void* llama_sampler_init_top_n_sigma(float n)',
  llama_sampler_init_xtc: 'void* llama_sampler_init_xtc(float p, float threshold, size_t minKeep, uint32 seed)',
  llama_sampler_init_dry:
    'void* llama_sampler_init_dry(const void* vocabulary, float multiplier, float base, int32 allowedLength, int32 lastTokens, const char** breakers, size_t breakerCount)',
  llama_sampler_init_penalties:
    'void* llama_sampler_init_penalties(int32 vocabularySize, int32 lastTokens, float repeat, float frequency, float presence)',
  llama_sampler_init_logit_bias:
    'void* llama_sampler_init_logit_bias(int32 vocabularySize, int32 count, const void* bias)',
} as const

/** The functions of libllama that this package calls, by their C names. */
export interface LlamaFunctions {
  llama_version: Native<[], string>
  llama_backend_init: Native<[], void>
  llama_log_set: Native<[callback: Pointer | null, data: null], void>
  llama_model_default_params: Native<[], ModelParams>
  llama_context_default_params: Native<[], ContextParams>
  llama_model_quantize_default_params: Native<[], QuantizeParams>
  llama_model_load_from_file: Native<[path: string, params: ModelParams], Pointer | null>
  llama_model_free: Native<[model: Pointer], void>
  llama_model_quantize: Native<[input: string, output: string, params: QuantizeParams], number>
  llama_model_get_vocab: Native<[model: Pointer], Pointer>
  llama_model_n_ctx_train: Native<[model: Pointer], number>
  llama_model_n_layer: Native<[model: Pointer], number>
  llama_model_n_swa: Native<[model: Pointer], number>
  llama_model_n_layer_nextn: Native<[model: Pointer], number>
  llama_model_size: Native<[model: Pointer], number>
  llama_model_n_params: Native<[model: Pointer], number>
  llama_model_desc: Native<[model: Pointer, text: Uint8Array, capacity: number], number>
  llama_model_meta_val_str: Native<[model: Pointer, key: string, text: Uint8Array, capacity: number], number>
  llama_model_chat_template: Native<[model: Pointer, name: string | null], string | null>
  llama_model_has_encoder: Native<[model: Pointer], boolean>
  llama_model_has_decoder: Native<[model: Pointer], boolean>
  llama_model_is_recurrent: Native<[model: Pointer], boolean>
  llama_model_is_hybrid: Native<[model: Pointer], boolean>
  llama_model_is_diffusion: Native<[model: Pointer], boolean>
  llama_init_from_model: Native<[model: Pointer, params: ContextParams], Pointer | null>
  llama_free: Native<[context: Pointer], void>
  llama_n_ctx: Native<[context: Pointer], number>
  llama_n_rs_seq: Native<[context: Pointer], number>
  llama_set_n_threads: Native<[context: Pointer, threads: number, batchThreads: number], void>
  llama_attach_threadpool: Native<[context: Pointer, pool: Pointer, batchPool: Pointer], void>
  llama_decode: Native<[context: Pointer, batch: BatchStruct], number>
  llama_synchronize: Native<[context: Pointer], void>
  llama_get_logits: Native<[context: Pointer], Pointer | null>
  llama_get_memory: Native<[context: Pointer], Pointer>
  llama_memory_clear: Native<[memory: Pointer, data: boolean], void>
  llama_memory_seq_rm: Native<[memory: Pointer, sequence: number, from: number, to: number], boolean>
  llama_state_seq_get_size_ext: Native<[context: Pointer, sequence: number, flags: number], number>
  llama_state_seq_get_data_ext: Native<
    [context: Pointer, data: Uint8Array, size: number, sequence: number, flags: number],
    number
  >
  llama_state_seq_set_data_ext: Native<
    [context: Pointer, data: Uint8Array, size: number, sequence: number, flags: number],
    number
  >
  llama_state_seq_get_size: Native<[context: Pointer, sequence: number], number>
  llama_state_seq_get_data: Native<[context: Pointer, data: Uint8Array, size: number, sequence: number], number>
  llama_state_seq_set_data: Native<[context: Pointer, data: Uint8Array, size: number, sequence: number], number>
  llama_memory_seq_cp: Native<[memory: Pointer, source: number, target: number, from: number, to: number], void>
  llama_vocab_n_tokens: Native<[vocab: Pointer], number>
  llama_vocab_type: Native<[vocab: Pointer], number>
  llama_vocab_get_attr: Native<[vocab: Pointer, token: number], number>
  llama_vocab_is_eog: Native<[vocab: Pointer, token: number], boolean>
  llama_vocab_bos: Native<[vocab: Pointer], number>
  llama_vocab_eos: Native<[vocab: Pointer], number>
  llama_vocab_fim_pre: Native<[vocab: Pointer], number>
  llama_vocab_fim_suf: Native<[vocab: Pointer], number>
  llama_vocab_fim_mid: Native<[vocab: Pointer], number>
  llama_vocab_fim_rep: Native<[vocab: Pointer], number>
  llama_vocab_fim_sep: Native<[vocab: Pointer], number>
  llama_vocab_get_add_bos: Native<[vocab: Pointer], boolean>
  llama_vocab_get_add_eos: Native<[vocab: Pointer], boolean>
  llama_vocab_get_add_sep: Native<[vocab: Pointer], boolean>
  llama_vocab_sep: Native<[vocab: Pointer], number>
  llama_pooling_type: Native<[context: Pointer], number>
  llama_model_n_cls_out: Native<[model: Pointer], number>
  llama_model_n_embd_out: Native<[model: Pointer], number>
  llama_get_embeddings_seq: Native<[context: Pointer, sequence: number], Pointer | null>
  llama_tokenize: Native<
    [
      vocab: Pointer,
      text: Uint8Array,
      textBytes: number,
      tokens: Int32Array,
      capacity: number,
      addSpecial: boolean,
      parseSpecial: boolean,
    ],
    number
  >
  llama_token_to_piece: Native<
    [vocab: Pointer, token: number, text: Uint8Array, capacity: number, lstrip: number, special: boolean],
    number
  >
  llama_sampler_chain_init: Native<[params: { no_perf: boolean }], Pointer>
  llama_sampler_chain_add: Native<[chain: Pointer, sampler: Pointer], void>
  llama_sampler_free: Native<[sampler: Pointer], void>
  llama_sampler_accept: Native<[sampler: Pointer, token: number], void>
  llama_sampler_apply: Native<[sampler: Pointer, candidates: BigUint64Array], void>
  llama_sampler_clone: Native<[sampler: Pointer], Pointer>
  llama_sampler_sample: Native<[sampler: Pointer, context: Pointer, index: number], number>
  llama_sampler_init_greedy: Native<[], Pointer>
  llama_sampler_init_dist: Native<[seed: number], Pointer>
  llama_sampler_init_top_k: Native<[k: number], Pointer>
  llama_sampler_init_top_p: Native<[p: number, minKeep: number], Pointer>
  llama_sampler_init_min_p: Native<[p: number, minKeep: number], Pointer>
  llama_sampler_init_temp: Native<[temperature: number], Pointer>
  llama_sampler_init_temp_ext: Native<[temperature: number, range: number, exponent: number], Pointer>
  llama_sampler_init_typical: Native<[p: number, minKeep: number], Pointer>
  llama_sampler_init_top_n_sigma: Native<[n: number], Pointer>
  llama_sampler_init_xtc: Native<[p: number, threshold: number, minKeep: number, seed: number], Pointer>
  llama_sampler_init_dry: Native<
    [
      vocabulary: Pointer,
      multiplier: number,
      base: number,
      allowedLength: number,
      lastTokens: number,
      breakers: readonly string[],
      breakerCount: number,
    ],
    Pointer
  >
  llama_sampler_init_penalties: Native<
    [vocabularySize: number, lastTokens: number, repeat: number, frequency: number, presence: number],
    Pointer
  >
  llama_sampler_init_logit_bias: Native<[vocabularySize: number, count: number, bias: Uint8Array], Pointer>
}

/** Binds every function of libllama. Throws if one is missing. */
export function bindLlama(library: LibraryHandle): LlamaFunctions {
  const bound = Object.entries(prototypes).map(([name, prototype]) => [name, library.func(prototype)])
  return Object.fromEntries(bound) as LlamaFunctions
}
