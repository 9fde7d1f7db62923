"""Examples as tokens, with signposts: where attention heads are to look.

A quotation knows where it comes from, so besides the words of the answer a few attention heads are told where to look (model.py lists
them), and sentence ends whether their sentence is wanted. A circuit that a small model would find after many hours, if at all, is there
within minutes.
"""
import bisect

import torch
import torch.nn.functional as F

from prompt import BEGIN, CLOSE, DOCUMENTS, END, MARKS, USER, cut, render
from words import STOP_WORDS, WORD, stem

LONGEST = 1280                 # tokens of an example
NAMES = ("piece", "match", "start", "header", "previous", "gather", "origin", "point", "copy")


class Encoded:
    """An example as tokens, with its signposts: lists of (position, target position) by name."""

    def __init__(self, example, tokenizer, first_mark=0):
        parts = cut(example.context)
        names = [MARKS[(first_mark + i) % len(MARKS)] for i in range(len(parts))]
        prompt = render(example.question, example.context, first_mark)
        ids, places = tokenizer.encode_with_places(prompt)
        self.category, self.passages = example.category, example.passages
        self.prompt_length = 1 + len(ids)
        self.position_at = {byte: 1 + i for i, byte in enumerate(places)}              # byte of the prompt -> position
        self.position_ending = {byte: i for i, byte in enumerate(places) if i} | {len(prompt.encode()): len(ids)}
        self.context, self.base = example.context, len(f"{USER}\n{example.question}\n{DOCUMENTS}\n".encode())
        self.part_starts, self.extra, mark_bytes, close_bytes, at, extra = [], [], [], {}, 0, 0      # extra: bytes of control tokens
        for i, (name, part) in enumerate(zip(names, parts)):
            byte = self.base + len(example.context[:at].encode()) + extra
            closed = i > 0 and part.startswith("[") and parts[i - 1].endswith("\n\n")
            if closed:
                close_bytes[i - 1] = byte - len("\n\n")
            self.part_starts.append(at)
            self.extra.append(len(name) + (len(CLOSE) if closed else 0))
            mark_bytes.append(byte + (len(CLOSE) if closed else 0))
            at += len(part)
            extra += self.extra[-1]
        close_bytes[len(parts) - 1] = self.base + len(example.context.encode()) + extra
        self.marks = [self.position_at[byte] for byte in mark_bytes]                    # position of every part's mark
        self.closes = {part: self.position_at[byte] for part, byte in close_bytes.items()}
        last = self.position_at[close_bytes[len(parts) - 1] + len(CLOSE) + 1]
        self.ends = self.marks[1:] + [last]                                              # where every part is over: the next mark
        self.signposts = {name: [] for name in NAMES}
        self.relevance = []
        answer_ids = self._answer(example, names, tokenizer, ids)
        self.ids = [BEGIN] + ids + answer_ids
        self._parts(example)
        self._pieces(tokenizer, 1 + len(ids))
        self._matches(example)
        if len(self.ids) > LONGEST:
            self.ids = self.ids[:LONGEST]
            for name, pairs in self.signposts.items():
                self.signposts[name] = [(a, b) for a, b in pairs if a < LONGEST and b < LONGEST]
            self.relevance = [(a, b) for a, b in self.relevance if a < LONGEST]

    def part_of(self, char):
        return bisect.bisect_right(self.part_starts, char) - 1

    def byte_of(self, char):
        """Where a character of the context stands in the prompt."""
        return self.base + len(self.context[:char].encode()) + sum(self.extra[:self.part_of(char) + 1])

    def _answer(self, example, names, tokenizer, prompt_ids):
        """The answer's tokens, marks included, and where they come from."""
        ids = []

        def write(text, source=None):
            """Appends tokens; `source` is the byte of the prompt where the text stands."""
            new, places = tokenizer.encode_with_places(text)
            for token, place in zip(new, places):
                position = self.position_at.get(source + place) if source is not None else None
                if position is not None and prompt_ids[position - 1] == token:
                    self.signposts["copy"].append((self.prompt_length + len(ids) - 1, position))
                ids.append(token)

        mark_here, part = None, None
        pending = ""                                  # plain text waits, so that it is cut into tokens as a whole
        for piece in example.pieces:
            if piece.source is None or piece.citation:
                if piece.citation:
                    digit = self.position_at.get(self.byte_of(piece.source) + 1)
                    before = len(ids) + len(tokenizer.encode(pending + "["))
                    self.signposts["copy"].append((self.prompt_length + before - 1, digit))
                pending += piece.text
                continue
            if pending:
                self._follow(ids, tokenizer, pending, mark_here, part)
                pending = ""
            char, until = piece.source, piece.source + len(piece.text)
            while char < until:
                part = self.part_of(char)
                stop = min(until, self.part_starts[part + 1] if part + 1 < len(self.part_starts) else until)
                writer = self.prompt_length + len(ids) - 1
                if char == piece.source:
                    self.signposts["point"].append((writer, self.ends[part]))
                else:
                    self.signposts["copy"].append((writer, self.marks[part]))
                mark_here = self.prompt_length + len(ids)
                ids += tokenizer.encode(names[part])
                before = len(ids)
                write(self.context[char:stop], self.byte_of(char))
                self._belongs(before - 1, len(ids), mark_here, part)
                char = stop
            if piece.whole:
                self.signposts["copy"].append((self.prompt_length + len(ids) - 1, self.closes[part]))
                self._follow(ids, tokenizer, CLOSE, mark_here, part)
        self._follow(ids, tokenizer, pending + END, mark_here, part)
        return ids

    def _follow(self, ids, tokenizer, text, mark_here, part):
        """Plain text of the answer (a citation, say) still belongs to the sentence before it."""
        before = len(ids)
        ids += tokenizer.encode(text)
        if mark_here is not None:
            self._belongs(before, len(ids), mark_here, part)

    def _belongs(self, first, until, mark_here, part):
        for i in range(first, until):
            position = self.prompt_length + i
            self.signposts["start"].append((position, mark_here))
            self.signposts["origin"].append((position, self.marks[part]))

    def _parts(self, example):
        """Every token of the documents looks at its mark and at its document's number; ends look at the mark before."""
        for mark, end in zip(self.marks, self.ends):
            self.signposts["start"] += [(position, mark) for position in range(mark, end)]
            self.signposts["previous"].append((end, mark))
        if example.wanted is not None:
            wanted = {self.part_of(example.units[index][0]) for index in example.wanted}
            self.relevance = [(end, float(i in wanted)) for i, end in enumerate(self.ends)]
        number, digit = 0, None
        for start, mark, end in zip(self.part_starts, self.marks, self.ends):
            if self.context.startswith(f"[{number + 1}]", start):
                number += 1
                digit = self.position_at.get(self.byte_of(start) + 1)
            if digit is not None:
                self.signposts["header"] += [(position, digit) for position in range(max(mark, digit + 1), end)]

    def _pieces(self, tokenizer, until):
        """A piece that can go on with a word looks at the one before it; all others at the first token."""
        for i in range(1, until):
            self.signposts["piece"].append((i, 0 if self.ids[i] in tokenizer.fresh else i - 1))

    def _matches(self, example):
        """Words of the context that occur in the question; ends look at those of their part, and at the first token.

        What the first token gets of an end's attention, 1 / (n + 1), tells the number n of matched words.
        """
        question_at = len(f"{USER}\n".encode())
        asked = {}
        for word in WORD.finditer(example.question):
            if word.group().lower() not in STOP_WORDS:
                position = self.position_ending.get(question_at + len(example.question[:word.end()].encode()))
                if position is not None:
                    asked[stem(word.group())] = position
        matched = [[] for _ in self.ends]
        for word in WORD.finditer(self.context):
            if word.group().lower() in STOP_WORDS:
                continue
            position = self.position_ending.get(self.byte_of(word.end() - 1) + 1)
            if position is None:
                continue
            target = asked.get(stem(word.group()), 0)
            self.signposts["match"].append((position, target))
            if target:
                matched[self.part_of(word.start())].append(position)
        for end, positions in zip(self.ends, matched):
            self.signposts["gather"] += [(end, position) for position in positions + [0]]


def signpost_losses(group, signposts, attention, relevance):
    """How far the heads with a target look elsewhere, and how well sentence ends know whether they are wanted."""
    losses = {}
    for name, (places, _) in signposts.items():
        triples = [(row, at, to) for row, encoded in enumerate(group) for at, to in encoded.signposts[name] if at < attention[0].shape[-1]]
        if not triples:
            continue
        row, at, to = torch.tensor(triples).T
        total = 0
        for layer, head in places:
            miss = -torch.log(attention[layer][row, head, at, to].float() + 1e-5)
            weight = torch.where(to > 0, 1.0, 0.1) if name == "match" else torch.ones(len(to))
            total = total + (miss * weight).sum() / weight.sum()
        losses[name] = total / len(places)
    triples = [(row, at, wanted) for row, encoded in enumerate(group) for at, wanted in encoded.relevance]
    if triples and relevance is not None:
        row, at, wanted = (torch.tensor(column) for column in zip(*triples))
        losses["relevance"] = F.binary_cross_entropy_with_logits(relevance[row, at, 0].float(), wanted)
    return losses
