"""A draft model for the model: the same tokens, two narrow layers, and as much of the circuit as two layers hold.

    layer 0   heads 0 and 1 look at the token before and the one before that (built in); START: at the mark of the sentence (built in)
    layer 1   COPY: at the token to be written next (induction, the second within the marked sentence; built in)

Which sentence is to be quoted takes more layers; how it goes on once it is begun does not.
"""
import torch

from circuit import Circuit
from model import EMBEDDING_STD, Model, Shape

START, COPY = (0, 2), ((1, 0), (1, 1))
SHAPE = dict(width=128, layers=2, feed_forward=256)


def draft_shape(vocabulary):
    return Shape(vocabulary, **SHAPE)


class DraftModel(Model):
    """The small model; its layers cost a fifth of what those of the large one do."""

    signposts = {"start": ((START,), 0.1), "copy": (COPY, 0.5)}

    @torch.no_grad()
    def _build_circuit(self, marks, fresh):
        circuit = Circuit(self)
        basis, loudness = circuit.basis, EMBEDDING_STD / 0.02
        this, before, own_mark, is_mark = basis[0:48], basis[48:80], basis[80:112], basis[112]
        self.embedding.weight[marks] += 1.5 * is_mark
        circuit.look_back((0, 0), 1)
        circuit.look_back((0, 1), 2)
        circuit.carry((0, 0), this, before, 0.08 * loudness)
        circuit.prefer_distance(START, 0, circuit.amplitudes(4.0, 4, 11))
        circuit.want(START, 12.0, (1.2, is_mark))
        circuit.carry(START, this, own_mark, 0.3)
        circuit.compare(COPY[0], this, before)
        circuit.compare(COPY[1], this, before, circuit.slow[0::2])
        circuit.also_compare(COPY[1], own_mark, circuit.slow[1::2])
        for place in COPY:
            circuit.carry(place, this, this, 0.22 * loudness)
        self.norm.weight.fill_(4.0 / loudness)
