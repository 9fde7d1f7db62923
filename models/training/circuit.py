"""Attention heads by construction: what they compare, which distance they prefer, what they carry.

The residual stream is seen in a random orthonormal basis: an embedding's first coordinates in it are "this token"; heads write what
they find to other coordinates, where later heads read it. Comparing uses the slowest RoPE coordinates of a head, which hardly turn
within a prompt; looking at a distance uses constant queries and keys.
"""
import torch

ROPE_BASE = 1e6


def rope_frequencies(head_width):
    return 1.0 / (ROPE_BASE ** (torch.arange(0, head_width, 2).float() / head_width))


class Circuit:
    """Writes heads into the weights of a model; a place is (layer, head)."""

    def __init__(self, model):
        shape = model.shape
        self.blocks, self.head_width, self.inner = model.blocks, shape.head_width, shape.heads * shape.head_width
        self.half = half = shape.head_width // 2
        self.basis = torch.linalg.qr(torch.randn(shape.width, shape.width))[0].T.contiguous()
        self.frequency = rope_frequencies(shape.head_width)
        self.slow = torch.cat((torch.arange(half // 2, half - 1), torch.arange(half + half // 2, 2 * half - 1)))
        self.flag = half - 1                        # a coordinate that hardly turns at all: for what is so or is not

    def _rows(self, part, head):
        first = part * self.inner + head * self.head_width
        return slice(first, first + self.head_width)

    def queries(self, place):
        """The rows of qkv that make a head's queries; keys() its keys."""
        return self.blocks[place[0]].qkv.weight[self._rows(0, place[1])]

    def keys(self, place):
        return self.blocks[place[0]].qkv.weight[self._rows(1, place[1])]

    def amplitudes(self, size, first=0, last=None):
        """One for each pair of RoPE coordinates: `size` from pair `first` to before pair `last`, else 0."""
        sizes = torch.zeros(self.half)
        sizes[first:last] = size
        return sizes

    def carry(self, place, read, write, strength):
        """What the head reads from where it looks, and where it writes it."""
        layer, head = place
        first, count = head * self.head_width, min(len(read), len(write))
        self.blocks[layer].qkv.weight[2 * self.inner + first:2 * self.inner + first + count] = read[:count]
        self.blocks[layer].attention_out.weight[:, first:first + count] = strength * write[:count].T

    def prefer_distance(self, place, distance, amplitudes):
        """Scores sum to amplitude * cos(frequency * (how far back - distance)), per pair."""
        layer, head = place
        qkv, root = self.blocks[layer].qkv, amplitudes.abs().sqrt() * self.head_width ** 0.25
        self.queries(place)[:] *= 0.1
        self.keys(place)[:] *= 0.1
        qkv.bias[self._rows(1, head)] = torch.cat((root, torch.zeros(self.half)))
        query = root * amplitudes.sign()
        qkv.bias[self._rows(0, head)] = torch.cat((query * torch.cos(self.frequency * distance), -query * torch.sin(self.frequency * distance)))

    def look_back(self, place, distance):
        """The head looks so many tokens back, at nothing else."""
        self.prefer_distance(place, distance, self.amplitudes(60.0 / 8))

    def compare(self, place, query_basis, key_basis, where=None):
        """The head looks where what stands in `key_basis` is what stands in `query_basis` here."""
        where = self.slow if where is None else where
        for rows, wanted in ((self.queries(place), query_basis), (self.keys(place), key_basis)):
            rows *= 0.1
            rows[where] = 1.94 * wanted[:len(where)]

    def also_compare(self, place, basis, where):
        """Besides, what stands in `basis` should be the same."""
        for rows in (self.queries(place), self.keys(place)):
            rows[where] = 1.94 * basis[:len(where)]

    def want(self, place, amount, *wanted):
        """A constant query meets directions of the stream: wanted, or not wanted where the factor is negative."""
        layer, head = place
        self.blocks[layer].qkv.bias[self._rows(0, head)][self.flag] = amount
        self.keys(place)[self.flag] = sum(factor * direction for factor, direction in wanted)

    def tell(self, place, read, write, strength):
        """The head writes a single thing besides what it carries."""
        layer, head = place
        self.blocks[layer].qkv.weight[2 * self.inner + (head + 1) * self.head_width - 1] = read
        self.blocks[layer].attention_out.weight[:, (head + 1) * self.head_width - 1] = strength * write
