"""The model: llama's architecture with q/k/v biases, small, with part of its circuit built in before training.

Which layer is meant to do what (train.py gives the attention of the heads named here a target, see "signposts"):

    layer 0   heads 0 and 1 look at the token before and the one before that (built in)
    layer 1   MATCH: a word of a document looks at the same word in the question (begun by construction); START: a token looks at
              the start of its sentence; HEADER: a token looks at the number of its document
    layer 2   GATHER: the end of a sentence looks at its words that were matched
    layer 3   after it, sentence ends know whether they are wanted (RELEVANCE_LAYER)
    layer 4   POINT: the answer looks at the end of the sentence that it quotes
    layer 5   COPY: the answer looks at the token to be written next (induction, built in)
    layer 6   what remains
"""
import math
from dataclasses import asdict, dataclass

import torch
import torch.nn as nn
import torch.nn.functional as F

MATCH, START, HEADER, GATHER, POINT = (1, 0), (1, 1), (1, 2), (2, 0), (4, 0)      # (layer, head)
COPY = ((5, 0), (5, 1))
RELEVANCE_LAYER = 3
EMBEDDING_STD = 0.1            # large beside what the layers add: rare words, seldom updated, must stay as visible as common ones
ROPE_BASE = 1e6
NORM_EPS = 1e-5


@dataclass
class Shape:
    """Sizes of the model."""
    vocabulary: int = 6144
    width: int = 256
    layers: int = 7
    feed_forward: int = 512
    head_width: int = 64

    @property
    def heads(self):
        return self.width // self.head_width

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
    frequency = 1.0 / (ROPE_BASE ** (torch.arange(0, head_width, 2).float() / head_width))
    angle = torch.arange(length).float()[:, None] * frequency[None]
    return angle.cos(), angle.sin()


def rotate(x, cos, sin):
    """Rotary embedding of the pairs (i, i + half); export.py brings them side by side, as llama.cpp's `llama` wants them."""
    a, b = x.chunk(2, -1)
    return torch.cat((a * cos - b * sin, a * sin + b * cos), -1)


class Block(nn.Module):
    def __init__(self, shape):
        super().__init__()
        self.shape = shape
        width = shape.width
        self.attention_norm, self.feed_norm = RMSNorm(width), RMSNorm(width)
        self.qkv = nn.Linear(width, 3 * width, bias=True)
        self.attention_out = nn.Linear(width, width, bias=False)
        self.gate_up = nn.Linear(width, 2 * shape.feed_forward, bias=False)
        self.down = nn.Linear(shape.feed_forward, width, bias=False)

    def forward(self, x, cos, sin, mask):
        """Returns the new residual stream and the attention weights."""
        batch, length, width = x.shape
        q, k, v = (t.view(batch, length, self.shape.heads, -1).transpose(1, 2) for t in self.qkv(self.attention_norm(x)).split(width, -1))
        q, k = rotate(q, cos, sin), rotate(k, cos, sin)
        weights = F.softmax((q * self.shape.head_width ** -0.5) @ k.transpose(-1, -2) + mask, -1)
        mixed = (weights.to(v.dtype) @ v).transpose(1, 2).reshape(batch, length, width)
        x = x + self.attention_out(mixed)
        gate, up = self.gate_up(self.feed_norm(x)).split(self.shape.feed_forward, -1)
        return x + self.down(F.silu(gate) * up), weights


class Model(nn.Module):
    """The language model; `relevance` is a probe used in training only."""

    def __init__(self, shape):
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
        self._build_circuit()

    def forward(self, tokens):
        """Returns the normed final stream, the attention weights of every layer and the relevance of every position."""
        length = tokens.shape[1]
        cos, sin = (t.bfloat16() for t in rope_table(length, self.shape.head_width))
        mask = torch.full((length, length), float("-inf")).triu(1).bfloat16()
        x = self.embedding(tokens).bfloat16()
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
    def _build_circuit(self):
        """Previous-token heads, a same-token head and induction heads by construction; training goes on from there.

        The residual stream is seen in a random orthonormal basis: an embedding's first 64 coordinates in it are "this token"; the
        previous-token head writes them to coordinates 64–127, where the copy heads find "the token before me". Matching uses the
        32 slowest RoPE coordinates of a head, which hardly turn within a prompt.
        """
        width, half = self.shape.width, self.shape.head_width // 2
        basis = torch.linalg.qr(torch.randn(width, width))[0].T.contiguous()
        this, before = basis[0:64], basis[64:128]
        frequency = 1.0 / (ROPE_BASE ** (torch.arange(0, 64, 2).float() / 64))
        slow = torch.cat((torch.arange(half // 2, half), torch.arange(half + half // 2, 2 * half)))
        loudness = EMBEDDING_STD / 0.02
        write, match = 0.08 * loudness, 1.94

        def rows(part, head):                       # rows of qkv: part 0 q, 1 k, 2 v
            return slice(part * width + head * 64, part * width + head * 64 + 64)

        def look_back(head, distance, target, strength):
            qkv, out, sharp = self.blocks[0].qkv, self.blocks[0].attention_out, 60 ** 0.5
            qkv.weight[rows(0, head)] *= 0.1
            qkv.weight[rows(1, head)] *= 0.1
            key = qkv.bias[rows(1, head)]
            key[:half] = sharp
            query = qkv.bias[rows(0, head)]
            query[:half] = sharp * torch.cos(frequency * distance)
            query[half:] = -sharp * torch.sin(frequency * distance)
            qkv.weight[rows(2, head)] = this
            out.weight[:, head * 64:head * 64 + 64] = strength * target.T

        def same_token(place, key_basis):
            layer, head = place
            weight = self.blocks[layer].qkv.weight
            for part, wanted in ((0, this), (1, key_basis)):
                block = weight[rows(part, head)]
                block *= 0.1
                block[slow] = match * wanted[:half]

        look_back(0, 1, before, write)
        look_back(1, 2, basis[192:256], 0.5 * write)
        same_token(MATCH, this)
        for (layer, head), copied in zip(COPY, (basis[128:192], this)):
            same_token((layer, head), before)
            self.blocks[layer].qkv.weight[rows(2, head)] = copied
            self.blocks[layer].attention_out.weight[:, head * 64:head * 64 + 64] = 0.22 * loudness * copied.T
        self.norm.weight.fill_(4.0 / loudness)
