"""The model: llama's architecture with q/k/v biases, small, with part of its circuit built in before training.

Which layer is meant to do what (signposts.py gives the attention of the heads named here a target):

    layer 0   heads 0 and 1 look at the token before and the one before that (built in); PIECE: a piece that can go on with a word
              looks at the piece before it, any other at the first token, that is, at nothing (built in); START: a token looks at the
              mark of its sentence and so knows that it is part of a document (built in)
    layer 1   MATCH: a word of a document looks at the same word in the question, or at nothing (built in); HEADER: at the number of its
              document; PREVIOUS: a mark looks at the mark before it (built in), being the end of that sentence
    layer 2   GATHER: the end of a sentence looks at its words that were matched (built in); POOL: at all of them (built in, no target)
    layer 3   after it, ends know whether their sentence is wanted (RELEVANCE_LAYER); ORIGIN: an answer looks at the mark, in the
              documents, of the sentence that it quotes
    layer 4   POINT: the answer looks at the end of the sentence to be quoted and so knows its mark; COPY: at the token to be written
              next (induction within the marked sentence, built in)
    layer 5   what remains
"""
import math
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
import torch.nn as nn
import torch.nn.functional as F

from circuit import Circuit, rope_frequencies

PIECE, START = (0, 2), (0, 3)                # (layer, head)
MATCH, HEADER, PREVIOUS = (1, 0), (1, 2), (1, 3)
GATHER, POOL, ORIGIN, POINT = (2, 0), (2, 1), (3, 0), (4, 2)
COPY = ((4, 0), (4, 1))
RELEVANCE_LAYER = 3
BEGIN = 1                      # id of <s>
EMBEDDING_STD = 0.1            # large beside what the layers add: rare words, seldom updated, must stay as visible as common ones
NORM_EPS = 1e-5
# Half precision is fast where the processor has a unit for it, and ten times as slow as single where it has none.
PRECISION = torch.bfloat16 if "amx_bf16" in Path("/proc/cpuinfo").read_text() else torch.float32


@dataclass
class Shape:
    """Sizes of the model."""
    vocabulary: int = 6144
    width: int = 256
    layers: int = 6
    feed_forward: int = 768
    head_width: int = 64
    heads: int = 4

    as_dict = asdict


def unit_rms(x):
    """Scales every vector to a root mean square of 1."""
    return x * torch.rsqrt(x.float().pow(2).mean(-1, keepdim=True) + NORM_EPS).to(x.dtype)


class RMSNorm(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x):
        return unit_rms(x) * self.weight.to(x.dtype)


def rope_table(length, head_width):
    angle = torch.arange(length).float()[:, None] * rope_frequencies(head_width)[None]
    return angle.cos(), angle.sin()


def rotate(x, cos, sin):
    """Rotary embedding of the pairs (i, i + half); export.py brings them side by side, as llama.cpp's `llama` wants them."""
    a, b = x.chunk(2, -1)
    return torch.cat((a * cos - b * sin, a * sin + b * cos), -1)


class Block(nn.Module):
    def __init__(self, shape):
        super().__init__()
        self.shape = shape
        width, inner = shape.width, shape.heads * shape.head_width
        self.attention_norm, self.feed_norm = RMSNorm(width), RMSNorm(width)
        self.qkv = nn.Linear(width, 3 * inner, bias=True)
        self.attention_out = nn.Linear(inner, width, bias=False)
        self.gate_up = nn.Linear(width, 2 * shape.feed_forward, bias=False)
        self.down = nn.Linear(shape.feed_forward, width, bias=False)

    def forward(self, x, cos, sin, mask):
        """Returns the new residual stream and the attention weights."""
        batch, length, _ = x.shape
        q, k, v = (t.view(batch, length, self.shape.heads, -1).transpose(1, 2) for t in self.qkv(self.attention_norm(x)).chunk(3, -1))
        q, k = rotate(q, cos, sin), rotate(k, cos, sin)
        weights = F.softmax((q * self.shape.head_width ** -0.5) @ k.transpose(-1, -2) + mask, -1)
        mixed = (weights.to(v.dtype) @ v).transpose(1, 2).reshape(batch, length, -1)
        x = x + self.attention_out(mixed)
        gate, up = self.gate_up(self.feed_norm(x)).split(self.shape.feed_forward, -1)
        return x + self.down(F.silu(gate) * up), weights


class Model(nn.Module):
    """The language model; `relevance` is a probe used in training only."""

    signposts = {                  # name -> (heads that have it as their target, weight)
        "piece": ((PIECE,), 0.1), "match": ((MATCH,), 0.3), "start": ((START,), 0.1), "header": ((HEADER,), 0.1), "previous": ((PREVIOUS,), 0.2), "gather": ((GATHER,), 0.2),
        "origin": ((ORIGIN,), 0.2), "point": ((POINT,), 0.5), "copy": (COPY, 0.5),
    }

    def __init__(self, shape, marks=(), fresh=()):
        """`marks`: tokens that stand before sentences; `fresh`: tokens that cannot go on with a word."""
        super().__init__()
        self.shape = shape
        self.embedding = nn.Embedding(shape.vocabulary, shape.width)
        self.blocks = nn.ModuleList(Block(shape) for _ in range(shape.layers))
        self.norm = RMSNorm(shape.width)
        self.relevance = nn.Linear(shape.width, 1)
        for parameter in self.parameters():
            if parameter.dim() > 1:
                nn.init.normal_(parameter, std=0.02)
        nn.init.normal_(self.embedding.weight, std=EMBEDDING_STD)
        for block in self.blocks:
            nn.init.zeros_(block.qkv.bias)
            nn.init.normal_(block.attention_out.weight, std=0.02 / math.sqrt(2 * shape.layers))
            nn.init.normal_(block.down.weight, std=0.02 / math.sqrt(2 * shape.layers))
        self._build_circuit(marks, fresh)

    def forward(self, tokens):
        """Returns the normed final stream, the attention weights of every layer and the relevance of every position."""
        length = tokens.shape[1]
        cos, sin = (t.to(PRECISION) for t in rope_table(length, self.shape.head_width))
        mask = torch.full((length, length), float("-inf")).triu(1).to(PRECISION)
        x = self.embedding(tokens).to(PRECISION)
        weights, relevance = [], None
        for i, block in enumerate(self.blocks):
            x, attention = block(x, cos, sin, mask)
            weights.append(attention)
            if i == RELEVANCE_LAYER:
                relevance = self.relevance(unit_rms(x))
        return self.norm(x), weights, relevance

    def logits(self, hidden):
        return F.linear(hidden, self.embedding.weight)

    @torch.no_grad()
    def _build_circuit(self, marks, fresh):
        """Heads by construction (see above); training goes on from there."""
        circuit = Circuit(self)
        basis, loudness = circuit.basis, EMBEDDING_STD / 0.02
        this, before, ended, own_mark, word = basis[0:64], basis[64:128], basis[128:160], basis[160:192], basis[192:240]
        is_mark, is_fresh, in_document, unmatched = basis[240:244]
        self.embedding.weight[marks] += 1.5 * is_mark
        self.embedding.weight[fresh] += is_fresh
        first = F.normalize(self.embedding.weight[BEGIN], dim=0)

        circuit.look_back((0, 0), 1)
        circuit.look_back((0, 1), 2)
        circuit.carry((0, 0), this, before, 0.08 * loudness)
        circuit.prefer_distance(PIECE, 1, circuit.amplitudes(60.0 / 8, 0, 11))
        circuit.queries(PIECE)[circuit.flag] = 3.0 * is_fresh
        circuit.keys(PIECE)[circuit.flag] = 2.2 * first
        circuit.carry(PIECE, this, word, 0.08 * loudness)
        circuit.prefer_distance(START, 0, circuit.amplitudes(4.0, 4, 11))
        circuit.want(START, 12.0, (1.2, is_mark))
        circuit.carry(START, this, own_mark, 0.3)
        circuit.tell(START, 0.3 * is_mark, in_document, 0.4)
        circuit.compare(MATCH, this, this, circuit.slow[0::2])
        circuit.also_compare(MATCH, word, circuit.slow[1::2])
        circuit.want(MATCH, 12.0, (-1.0, in_document))
        circuit.tell(MATCH, 0.2 * first, unmatched, 0.4)
        not_self = circuit.amplitudes(4.0, 4, 11)
        not_self[0:5] = -6.0
        circuit.prefer_distance(PREVIOUS, 0, not_self)
        circuit.want(PREVIOUS, 12.0, (1.2, is_mark))
        circuit.carry(PREVIOUS, this, ended, 0.3)
        circuit.compare(GATHER, ended, own_mark)
        circuit.want(GATHER, 12.0, (-1.0, unmatched))
        circuit.compare(POOL, ended, own_mark)
        circuit.compare(ORIGIN, own_mark, this)
        circuit.carry(POINT, ended, this, 0.22 * loudness)
        circuit.compare(COPY[0], this, before)
        circuit.compare(COPY[1], this, before, circuit.slow[0::2])
        circuit.also_compare(COPY[1], own_mark, circuit.slow[1::2])
        circuit.carry(COPY[0], basis[128:192], basis[128:192], 0.22 * loudness)
        circuit.carry(COPY[1], this, this, 0.22 * loudness)
        self.norm.weight.fill_(4.0 / loudness)
