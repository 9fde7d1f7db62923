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

import torch
import torch.nn as nn
import torch.nn.functional as F

PIECE, START = (0, 2), (0, 3)                # (layer, head)
MATCH, HEADER, PREVIOUS = (1, 0), (1, 2), (1, 3)
GATHER, POOL, ORIGIN, POINT = (2, 0), (2, 1), (3, 0), (4, 2)
COPY = ((4, 0), (4, 1))
RELEVANCE_LAYER = 3
BEGIN = 1                      # id of <s>
EMBEDDING_STD = 0.1            # large beside what the layers add: rare words, seldom updated, must stay as visible as common ones
ROPE_BASE = 1e6
NORM_EPS = 1e-5


@dataclass
class Shape:
    """Sizes of the model."""
    vocabulary: int = 6144
    width: int = 256
    layers: int = 6
    feed_forward: int = 768
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
    def _build_circuit(self, marks, fresh):
        """Heads by construction (see above); training goes on from there.

        The residual stream is seen in a random orthonormal basis: an embedding's first 64 coordinates in it are "this token"; heads
        write what they find to other coordinates, where later heads read it. Comparing uses the 32 slowest RoPE coordinates of a
        head, which hardly turn within a prompt; looking at a distance uses constant queries and keys.
        """
        width, head_width = self.shape.width, self.shape.head_width
        half = head_width // 2
        basis = torch.linalg.qr(torch.randn(width, width))[0].T.contiguous()
        this, before, ended, own_mark, word = basis[0:64], basis[64:128], basis[128:160], basis[160:192], basis[192:240]
        frequency = 1.0 / (ROPE_BASE ** (torch.arange(0, head_width, 2).float() / head_width))
        slow = torch.cat((torch.arange(half // 2, half - 1), torch.arange(half + half // 2, 2 * half - 1)))
        flag = half - 1                             # a coordinate that hardly turns at all: for what is so or is not
        loudness = EMBEDDING_STD / 0.02
        is_mark, is_fresh, in_document, unmatched = basis[240:244]
        self.embedding.weight[marks] += 1.5 * is_mark
        self.embedding.weight[fresh] += is_fresh

        def rows(part, head):                       # rows of qkv: part 0 q, 1 k, 2 v
            return slice(part * width + head * head_width, part * width + (head + 1) * head_width)

        def carry(place, read, write, strength):
            """What the head reads from where it looks, and where it writes it."""
            layer, head = place
            first, count = head * head_width, min(len(read), len(write))
            self.blocks[layer].qkv.weight[2 * width + first:2 * width + first + count] = read[:count]
            self.blocks[layer].attention_out.weight[:, first:first + count] = strength * write[:count].T

        def prefer_distance(place, distance, amplitudes):
            """Scores sum to amplitude * cos(frequency * (how far back - distance)), per pair."""
            layer, head = place
            qkv, root = self.blocks[layer].qkv, amplitudes.abs().sqrt() * head_width ** 0.25
            for part in (0, 1):
                qkv.weight[rows(part, head)] *= 0.1
            qkv.bias[rows(1, head)] = torch.cat((root, torch.zeros(half)))
            query = root * amplitudes.sign()
            qkv.bias[rows(0, head)] = torch.cat((query * torch.cos(frequency * distance), -query * torch.sin(frequency * distance)))

        def compare(place, query_basis, key_basis, where=slow):
            layer, head = place
            for part, wanted in ((0, query_basis), (1, key_basis)):
                block = self.blocks[layer].qkv.weight[rows(part, head)]
                block *= 0.1
                block[where] = 1.94 * wanted[:len(where)]

        def want(place, amount, *wanted):
            """A constant query meets directions of the stream: wanted, or not wanted where the factor is negative."""
            layer, head = place
            self.blocks[layer].qkv.bias[rows(0, head)][flag] = amount
            self.blocks[layer].qkv.weight[rows(1, head)][flag] = sum(factor * direction for factor, direction in wanted)

        def tell(place, read, write, strength):
            """The head writes a single thing besides what it carries."""
            layer, head = place
            self.blocks[layer].qkv.weight[2 * width + (head + 1) * head_width - 1] = read
            self.blocks[layer].attention_out.weight[:, (head + 1) * head_width - 1] = strength * write

        sharp = torch.full((half,), 60.0 / 8)
        prefer_distance((0, 0), 1, sharp)
        prefer_distance((0, 1), 2, sharp)
        carry((0, 0), this, before, 0.08 * loudness)
        first = F.normalize(self.embedding.weight[BEGIN], dim=0)
        nearby = torch.zeros(half)
        nearby[:11] = 60.0 / 8
        prefer_distance(PIECE, 1, nearby)
        layer, head = PIECE
        self.blocks[layer].qkv.weight[rows(0, head)][flag] = 3.0 * is_fresh
        self.blocks[layer].qkv.weight[rows(1, head)][flag] = 2.2 * first
        carry(PIECE, this, word, 0.08 * loudness)
        recent = torch.zeros(half)
        recent[4:11] = 4.0
        prefer_distance(START, 0, recent)
        want(START, 12.0, (1.2, is_mark))
        carry(START, this, own_mark, 0.3)
        tell(START, 0.3 * is_mark, in_document, 0.4)
        compare(MATCH, this, this, slow[0::2])
        for part in (0, 1):
            self.blocks[MATCH[0]].qkv.weight[rows(part, MATCH[1])][slow[1::2]] = 1.94 * word[:len(slow[1::2])]
        want(MATCH, 12.0, (-1.0, in_document))
        tell(MATCH, 0.2 * first, unmatched, 0.4)
        not_self = recent.clone()
        not_self[0:5] = -6.0
        prefer_distance(PREVIOUS, 0, not_self)
        want(PREVIOUS, 12.0, (1.2, is_mark))
        carry(PREVIOUS, this, ended, 0.3)
        compare(GATHER, ended, own_mark)
        want(GATHER, 12.0, (-1.0, unmatched))
        compare(POOL, ended, own_mark)
        compare(ORIGIN, own_mark, this)
        carry(POINT, ended, this, 0.22 * loudness)
        compare(COPY[0], this, before)
        compare(COPY[1], this, before, slow[0::2])
        compare_mark = slow[1::2]
        for part in (0, 1):
            self.blocks[COPY[1][0]].qkv.weight[rows(part, COPY[1][1])][compare_mark] = 1.94 * own_mark[:len(compare_mark)]
        carry(COPY[0], basis[128:192], basis[128:192], 0.22 * loudness)
        carry(COPY[1], this, this, 0.22 * loudness)
        self.norm.weight.fill_(4.0 / loudness)
