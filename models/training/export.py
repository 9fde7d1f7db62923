"""Writes a checkpoint as a GGUF file: architecture llama, every matrix Q8_0, tokenizer and chat template inside.

    python3 export.py --checkpoint run/best.pt --tokenizer run/tokenizer.model --out ../lookahead-qa.gguf

Self-contained: the GGUF container is a page of code and Q8_0 another half (blocks of 32 weights, one half-precision scale each,
rounded as llama.cpp rounds). Vectors (norms, biases) stay F32, as in llama.cpp's own files.
"""
import argparse
import hashlib
import struct
from pathlib import Path

import numpy as np
import torch

from circuit import ROPE_BASE
from model import NORM_EPS, Shape
from prompt import CHAT_TEMPLATE, MARKS, SPECIAL_TOKENS, Tokenizer

CONTEXT_LENGTH = 4096
ALIGNMENT = 32
F32, Q8_0 = 0, 8                                     # tensor types
UINT32, INT32, FLOAT32, BOOL, STRING, ARRAY = 4, 5, 6, 7, 8, 9      # metadata types
NORMAL, UNKNOWN, CONTROL, USER_DEFINED, BYTE = 1, 2, 3, 4, 6        # token types


def pack_string(text):
    data = text.encode()
    return struct.pack("<Q", len(data)) + data


def pack_value(kind, value):
    if kind == STRING:
        return pack_string(value)
    return struct.pack({UINT32: "<I", INT32: "<i", FLOAT32: "<f", BOOL: "<?"}[kind], value)


def pack_entry(key, kind, value):
    """A metadata entry; `kind` is (ARRAY, element kind) for lists."""
    if isinstance(kind, tuple):
        body = struct.pack("<IIQ", ARRAY, kind[1], len(value)) + b"".join(pack_value(kind[1], v) for v in value)
    else:
        body = struct.pack("<I", kind) + pack_value(kind, value)
    return pack_string(key) + body


def quantise_q8_0(matrix):
    """Blocks of 32 weights: scale = largest / 127 in half precision, then 32 signed bytes."""
    blocks = matrix.astype(np.float32).reshape(-1, 32)
    scale = np.abs(blocks).max(1, keepdims=True) / np.float32(127)
    inverse = np.where(scale > 0, 1 / np.where(scale > 0, scale, 1), 0).astype(np.float32)
    scaled = blocks * inverse
    rounded = (np.sign(scaled) * np.floor(np.abs(scaled) + 0.5)).astype(np.int8)
    return np.concatenate([scale.astype(np.float16).view(np.uint8), rounded.view(np.uint8)], 1).tobytes()


def side_by_side(rows, heads):
    """Rows of q or k from RoPE pairs (i, i + half), as trained, to (2i, 2i + 1), as llama.cpp has them."""
    width = rows.shape[0] // heads
    order = np.arange(width).reshape(2, width // 2).T.reshape(-1)
    return rows.reshape(heads, width, *rows.shape[1:])[:, order].reshape(rows.shape)


def tensors_of(state, shape):
    """The tensors by llama.cpp's names."""
    weights = {name: tensor.float().numpy() for name, tensor in state.items()}
    yield "token_embd.weight", weights["embedding.weight"]
    yield "output_norm.weight", weights["norm.weight"]
    for layer in range(shape.layers):
        here, there = f"blocks.{layer}.", f"blk.{layer}."
        for part, matrix, bias in zip("qkv", np.split(weights[here + "qkv.weight"], 3), np.split(weights[here + "qkv.bias"], 3)):
            arrange = (lambda rows: side_by_side(rows, shape.heads)) if part != "v" else (lambda rows: rows)
            yield f"{there}attn_{part}.weight", arrange(matrix)
            yield f"{there}attn_{part}.bias", arrange(bias)
        gate, up = np.split(weights[here + "gate_up.weight"], 2)
        yield there + "attn_norm.weight", weights[here + "attention_norm.weight"]
        yield there + "attn_output.weight", weights[here + "attention_out.weight"]
        yield there + "ffn_norm.weight", weights[here + "feed_norm.weight"]
        yield there + "ffn_gate.weight", gate
        yield there + "ffn_up.weight", up
        yield there + "ffn_down.weight", weights[here + "down.weight"]


def metadata(shape, name, tokenizer):
    pieces = tokenizer.pieces
    kinds = []
    for i in range(len(tokenizer)):
        piece = pieces.id_to_piece(i)
        kinds.append(UNKNOWN if pieces.is_unknown(i) else CONTROL if pieces.is_control(i) or piece in SPECIAL_TOKENS + MARKS
                     else BYTE if pieces.is_byte(i) else USER_DEFINED if piece == "\n" else NORMAL)
    return [
        ("general.architecture", STRING, "llama"), ("general.name", STRING, name), ("general.license", STRING, "mit"),
        ("general.description", STRING, "Answers questions by quoting the documents in its prompt. Trained for lookahead-llm."),
        ("general.file_type", UINT32, 7), ("general.quantization_version", UINT32, 2), ("general.alignment", UINT32, ALIGNMENT),
        ("llama.vocab_size", UINT32, len(tokenizer)), ("llama.context_length", UINT32, CONTEXT_LENGTH), ("llama.embedding_length", UINT32, shape.width),
        ("llama.block_count", UINT32, shape.layers), ("llama.feed_forward_length", UINT32, shape.feed_forward),
        ("llama.attention.head_count", UINT32, shape.heads), ("llama.attention.head_count_kv", UINT32, shape.heads),
        ("llama.attention.key_length", UINT32, shape.head_width), ("llama.attention.value_length", UINT32, shape.head_width),
        ("llama.attention.layer_norm_rms_epsilon", FLOAT32, NORM_EPS), ("llama.rope.dimension_count", UINT32, shape.head_width), ("llama.rope.freq_base", FLOAT32, ROPE_BASE),
        ("tokenizer.ggml.model", STRING, "llama"), ("tokenizer.ggml.tokens", (ARRAY, STRING), [pieces.id_to_piece(i) for i in range(len(tokenizer))]),
        ("tokenizer.ggml.scores", (ARRAY, FLOAT32), [pieces.get_score(i) for i in range(len(tokenizer))]), ("tokenizer.ggml.token_type", (ARRAY, INT32), kinds),
        ("tokenizer.ggml.bos_token_id", UINT32, 1), ("tokenizer.ggml.eos_token_id", UINT32, tokenizer.end), ("tokenizer.ggml.eot_token_id", UINT32, tokenizer.end),
        ("tokenizer.ggml.unknown_token_id", UINT32, 0), ("tokenizer.ggml.add_bos_token", BOOL, True), ("tokenizer.ggml.add_eos_token", BOOL, False),
        ("tokenizer.ggml.add_space_prefix", BOOL, False), ("tokenizer.chat_template", STRING, CHAT_TEMPLATE),
    ]


def write_gguf(path, entries, tensors):
    infos, data = b"", bytearray()
    count = 0
    for name, values in tensors:
        kind, body = (Q8_0, quantise_q8_0(values)) if values.ndim == 2 else (F32, values.astype(np.float32).tobytes())
        infos += pack_string(name) + struct.pack("<I", values.ndim) + b"".join(struct.pack("<Q", size) for size in reversed(values.shape)) + struct.pack("<IQ", kind, len(data))
        data += body
        data += bytes(-len(data) % ALIGNMENT)
        count += 1
    head = b"GGUF" + struct.pack("<IQQ", 3, count, len(entries)) + b"".join(pack_entry(*entry) for entry in entries) + infos
    head += bytes(-len(head) % ALIGNMENT)
    Path(path).write_bytes(head + data)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--tokenizer", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    saved = torch.load(options.checkpoint, map_location="cpu")
    shape = Shape(**saved["shape"])
    write_gguf(options.out, metadata(shape, options.out.stem, Tokenizer(options.tokenizer)), list(tensors_of(saved["model"], shape)))
    digest = hashlib.sha256(options.out.read_bytes()).hexdigest()
    (options.out.parent / "SHA256SUMS").write_text(f"{digest}  {options.out.name}\n")
    print(f"wrote {options.out}: {options.out.stat().st_size / 1e6:.1f} MB, sha256 {digest}")


if __name__ == "__main__":
    main()
