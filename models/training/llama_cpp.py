"""llama.cpp from Python through ctypes: enough of it to load a GGUF, tokenise and decode greedily.

The structs are those of the release that the npm package @node-llama-cpp/linux-x64@3.22.1 carries; the folder with its libraries
(`bins/linux-x64`) is what `LlamaCpp` is given.
"""
import ctypes as c
from pathlib import Path

import numpy as np


def struct(name, fields):
    types = {"p": c.c_void_p, "i": c.c_int32, "u": c.c_uint32, "f": c.c_float, "b": c.c_bool, "z": c.c_size_t}
    return type(name, (c.Structure,), {"_fields_": [(field, types[kind]) for kind, names in fields for field in names.split()]})


ModelParams = struct("ModelParams", [("p", "devices buffer_overrides"), ("i", "n_gpu_layers split_mode load_mode lazy_mode main_gpu"), ("p", "tensor_split progress progress_data kv_overrides"),
                                     ("b", "vocab_only check_tensors use_extra_bufts no_host no_alloc load_mtp")])
ContextParams = struct("ContextParams", [
    ("u", "n_ctx n_batch n_ubatch n_seq_max n_rs_seq n_outputs_max n_outputs_max_per_seq"), ("i", "n_threads n_threads_batch ctx_type rope_scaling_type pooling_type attention_type flash_attn_type"),
    ("f", "rope_freq_base rope_freq_scale yarn_ext_factor yarn_attn_factor yarn_beta_fast yarn_beta_slow"), ("u", "yarn_orig_ctx"), ("f", "defrag_thold"), ("p", "cb_eval cb_eval_data"), ("i", "type_k type_v"),
    ("p", "abort abort_data"), ("b", "embeddings offload_kqv no_perf op_offload swa_full kv_unified"), ("p", "samplers"), ("z", "n_samplers"), ("p", "ctx_other")])
Batch = struct("Batch", [("i", "n_tokens"), ("p", "token embd pos n_seq_id seq_id logits")])


class LlamaCpp:
    """A model in llama.cpp."""

    def __init__(self, libraries, gguf, context=4096, threads=2):
        libraries = Path(libraries)
        ggml = c.CDLL(str(next(libraries.glob("libggml.v*.so"))), mode=c.RTLD_GLOBAL)
        self.lib = lib = c.CDLL(str(next(libraries.glob("libllama.v*.so"))), mode=c.RTLD_GLOBAL)
        self._quiet = c.CFUNCTYPE(None, c.c_int32, c.c_char_p, c.c_void_p)(lambda *_: None)
        lib.llama_log_set(self._quiet, None)
        ggml.ggml_backend_load_all_from_path(str(libraries).encode())
        lib.llama_backend_init()
        for name, result, arguments in (
            ("llama_model_default_params", ModelParams, []), ("llama_context_default_params", ContextParams, []), ("llama_model_load_from_file", c.c_void_p, [c.c_char_p, ModelParams]),
            ("llama_init_from_model", c.c_void_p, [c.c_void_p, ContextParams]), ("llama_model_get_vocab", c.c_void_p, [c.c_void_p]), ("llama_vocab_n_tokens", c.c_int32, [c.c_void_p]),
            ("llama_vocab_is_eog", c.c_bool, [c.c_void_p, c.c_int32]), ("llama_tokenize", c.c_int32, [c.c_void_p, c.c_char_p, c.c_int32, c.c_void_p, c.c_int32, c.c_bool, c.c_bool]),
            ("llama_token_to_piece", c.c_int32, [c.c_void_p, c.c_int32, c.c_char_p, c.c_int32, c.c_int32, c.c_bool]), ("llama_batch_get_one", Batch, [c.c_void_p, c.c_int32]),
            ("llama_decode", c.c_int32, [c.c_void_p, Batch]), ("llama_get_logits_ith", c.POINTER(c.c_float), [c.c_void_p, c.c_int32]), ("llama_get_memory", c.c_void_p, [c.c_void_p]),
            ("llama_memory_clear", None, [c.c_void_p, c.c_bool]), ("llama_memory_seq_rm", c.c_bool, [c.c_void_p, c.c_int32, c.c_int32, c.c_int32]),
        ):
            function = getattr(lib, name)
            function.restype, function.argtypes = result, arguments
        model = lib.llama_model_load_from_file(str(gguf).encode(), lib.llama_model_default_params())
        if not model:
            raise RuntimeError(f"llama.cpp does not load {gguf}")
        params = lib.llama_context_default_params()
        params.n_ctx, params.n_batch, params.n_threads, params.n_threads_batch = context, context, threads, threads
        self.context = lib.llama_init_from_model(model, params)
        self.vocab = lib.llama_model_get_vocab(model)
        self.size = lib.llama_vocab_n_tokens(self.vocab)

    def tokenize(self, text):
        data = text.encode()
        room = (c.c_int32 * (len(data) + 8))()
        count = self.lib.llama_tokenize(self.vocab, data, len(data), room, len(room), True, True)
        return list(room[:count])

    def piece(self, token):
        room = c.create_string_buffer(256)
        length = self.lib.llama_token_to_piece(self.vocab, token, room, 256, 0, False)
        return room.raw[:length]

    def decode(self, tokens):
        """Feeds tokens; returns the logits of the last."""
        room = (c.c_int32 * len(tokens))(*tokens)
        if self.lib.llama_decode(self.context, self.lib.llama_batch_get_one(room, len(tokens))):
            raise RuntimeError("llama_decode failed")
        return np.ctypeslib.as_array(self.lib.llama_get_logits_ith(self.context, -1), (self.size,))

    def generate(self, prompt, limit=400):
        """Greedy answer to a rendered prompt."""
        self.lib.llama_memory_clear(self.lib.llama_get_memory(self.context), True)
        tokens, out = self.tokenize(prompt), b""
        for _ in range(limit):
            token = int(self.decode(tokens).argmax())
            if self.lib.llama_vocab_is_eog(self.vocab, token):
                break
            out += self.piece(token)
            tokens = [token]
        return out.decode("utf-8", "replace")
