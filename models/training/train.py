"""Trains the model on the CPU.

    python3 train.py --out run --hours 1.2             writes run/checkpoint.pt and run/best.pt; --resume goes on

Signposts: a quotation knows where it comes from, so besides the words of the answer a few attention heads are told where to look
(model.py lists them), and sentence ends whether their sentence is wanted. A circuit that a small model would find after many hours,
if at all, is there within minutes; the weight of the signposts falls as the training goes on.
"""
import argparse
import bisect
import math
import os
import random
import time
from pathlib import Path

import numpy as np
import torch
import torch.multiprocessing as multiprocessing
import torch.nn.functional as F

from corpus import CATEGORIES, Corpus
from model import COPY, GATHER, HEADER, MATCH, ORIGIN, PIECE, POINT, PREVIOUS, START, Model, Shape
from prompt import BEGIN, DOCUMENTS, END, MARKS, USER, Tokenizer, cut, render, train_tokenizer
from words import STOP_WORDS, WORD, stem

LONGEST = 1280                 # tokens of an example
LONGEST_PAUSE = 8.0            # seconds: a longer step was a pause and does not count as training time
PROMPT_WEIGHT, PROMPT_SHARE = 0.05, 0.08
SIGNPOSTS = {                  # name -> (heads, weight)
    "piece": ((PIECE,), 0.1), "match": ((MATCH,), 0.3), "start": ((START,), 0.1), "header": ((HEADER,), 0.1), "previous": ((PREVIOUS,), 0.2), "gather": ((GATHER,), 0.2),
    "origin": ((ORIGIN,), 0.2), "point": ((POINT,), 0.5), "copy": (COPY, 0.5),
}
RELEVANCE_WEIGHT = 0.5


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
        self.part_starts, self.mark_bytes, at, extra = [], [], 0, 0
        for name, part in zip(names, parts):
            self.part_starts.append(at)
            self.mark_bytes.append(self.base + len(example.context[:at].encode()) + extra)
            at += len(part)
            extra += len(name)
        self.extra = [len(name) for name in names]
        self.marks = [self.position_at[byte] for byte in self.mark_bytes]               # position of every part's mark
        last = self.position_at[self.base + len(example.context.encode()) + extra + 1]
        self.ends = self.marks[1:] + [last]                                              # where every part is over: the next mark
        self.signposts = {name: [] for name in SIGNPOSTS}
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


def make_tokenizer(corpus, path, size):
    """Trains the tokenizer on examples and on WordNet's example sentences."""
    rng = random.Random(123)
    texts = [f"{e.context}\n{e.question}\n{e.answer}" for e in (corpus.example(rng, 2) for _ in range(12000))]
    train_tokenizer(texts + rng.sample(corpus.world.words.examples, 20000), path, size)


class Batches:
    """Batches of examples of similar length, about `tokens` tokens each."""

    def __init__(self, corpus, tokenizer, seed, tokens):
        self.corpus, self.tokenizer, self.tokens = corpus, tokenizer, tokens
        self.rng = random.Random(seed)
        self.max_passages = 1

    def first_mark(self):
        """Where the counting of the marks starts: at 0 as in use, or anywhere, so that all marks are learned."""
        return 0 if self.rng.random() < 0.5 else self.rng.randrange(len(MARKS))

    def __iter__(self):
        while True:
            pool = sorted((Encoded(self.corpus.example(self.rng, self.max_passages), self.tokenizer, self.first_mark()) for _ in range(256)), key=lambda e: len(e.ids))
            groups, group = [], []
            for encoded in pool:
                if group and len(encoded.ids) * (len(group) + 1) > self.tokens:
                    groups.append(group)
                    group = []
                group.append(encoded)
            groups.append(group)
            self.rng.shuffle(groups)
            yield from groups


def to_tensors(group):
    """Tokens and loss weights of a batch."""
    length = max(len(encoded.ids) for encoded in group)
    tokens = np.zeros((len(group), length), np.int64)
    weights = np.zeros((len(group), length), np.float32)
    for row, encoded in enumerate(group):
        count = len(encoded.ids)
        tokens[row, :count] = encoded.ids
        weights[row, 1:encoded.prompt_length] = PROMPT_WEIGHT * (np.random.random(encoded.prompt_length - 1) < PROMPT_SHARE)
        weights[row, encoded.prompt_length:count] = 1.0
    return torch.from_numpy(tokens), torch.from_numpy(weights)


def signpost_losses(group, attention, relevance):
    """How far the heads with a target look elsewhere, and how well sentence ends know whether they are wanted."""
    losses = {}
    for name, (places, _) in SIGNPOSTS.items():
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
    if triples:
        row, at, wanted = (torch.tensor(column) for column in zip(*triples))
        losses["relevance"] = F.binary_cross_entropy_with_logits(relevance[row, at, 0].float(), wanted)
    return losses


@torch.no_grad()
def exact_matches(model, examples):
    """Share of examples whose whole answer greedy decoding would write, by category: every token must be the likeliest one."""
    right = {}
    for encoded in examples:
        tokens = torch.tensor([encoded.ids])
        with torch.autocast("cpu", dtype=torch.bfloat16):
            hidden = model(tokens[:, :-1])[0]
            best = model.logits(hidden[0, encoded.prompt_length - 1:]).argmax(-1)
        hit = bool((best == tokens[0, encoded.prompt_length:]).all())
        right.setdefault(encoded.category, []).append(hit)
    return {category: sum(hits) / len(hits) for category, hits in right.items()}


class SharedAdamW:
    """AdamW over parameters in shared memory: several processes, one thread each, update them in turn without waiting for one another.

    Gradients may be a step old, which does no harm with a few workers; what is gained is that no barrier makes a free core wait for
    a busy one.
    """

    def __init__(self, parameters, betas=(0.9, 0.98), decay=0.05, epsilon=1e-8):
        self.parameters = list(parameters)
        self.betas, self.decay, self.epsilon = betas, decay, epsilon
        self.mean = [torch.zeros_like(p).share_memory_() for p in self.parameters]
        self.square = [torch.zeros_like(p).share_memory_() for p in self.parameters]
        self.steps = multiprocessing.Value("l", 0)
        self.lock = multiprocessing.Lock()

    @torch.no_grad()
    def step(self, rate):
        present = [i for i, p in enumerate(self.parameters) if p.grad is not None]
        gradients = [self.parameters[i].grad for i in present]
        pick = lambda tensors: [tensors[i] for i in present]
        with self.lock:
            self.steps.value += 1
            first, second = (1 - beta ** self.steps.value for beta in self.betas)
            torch._foreach_mul_(pick(self.mean), self.betas[0])
            torch._foreach_add_(pick(self.mean), gradients, alpha=1 - self.betas[0])
            torch._foreach_mul_(pick(self.square), self.betas[1])
            torch._foreach_addcmul_(pick(self.square), gradients, gradients, 1 - self.betas[1])
            scale = torch._foreach_sqrt(pick(self.square))
            torch._foreach_div_(scale, math.sqrt(second))
            torch._foreach_add_(scale, self.epsilon)
            torch._foreach_mul_([self.parameters[i] for i in present if self.parameters[i].dim() > 1], 1 - rate * self.decay)
            torch._foreach_addcdiv_(pick(self.parameters), pick(self.mean), scale, -rate / first)

    def state(self):
        return {"mean": self.mean, "square": self.square, "steps": self.steps.value}

    def restore(self, state):
        for ours, theirs in ((self.mean, state["mean"]), (self.square, state["square"])):
            for tensor, saved in zip(ours, theirs):
                tensor.copy_(saved)
        self.steps.value = state["steps"]


class Progress:
    """What the workers share: how far the schedule is, and the tokens seen."""

    def __init__(self):
        self.fraction = multiprocessing.Value("d", 0.0)
        self.seen = multiprocessing.Value("l", 0)


def learn(model, optimizer, group, progress, top_rate):
    """One step on one batch. Returns the losses by name."""
    fraction = progress.fraction.value
    warm_up = min(1.0, (optimizer.steps.value + 1) / 200)
    rate = top_rate * warm_up * min(1.0, 0.02 + (1 - fraction) / 0.45)         # level, then straight down
    signposts = 1.0 if fraction < 0.4 else max(0.2, 1.0 - 2.7 * (fraction - 0.4))
    tokens, weights = to_tensors(group)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        hidden, attention, relevance = model(tokens[:, :-1])
        kept = weights[:, 1:] > 0
        misses = F.cross_entropy(model.logits(hidden[kept]).float(), tokens[:, 1:][kept], reduction="none")
    kept_weights = weights[:, 1:][kept]
    answer_loss = (misses * kept_weights).sum() / kept_weights.sum()
    losses = signpost_losses(group, attention, relevance)
    loss = answer_loss + signposts * sum((SIGNPOSTS[name][1] if name in SIGNPOSTS else RELEVANCE_WEIGHT) * value for name, value in losses.items())
    for parameter in model.parameters():
        parameter.grad = None
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step(rate)
    progress.seen.value += tokens.numel()
    losses["answer"] = misses[kept_weights == 1].mean()
    losses["prompt"] = misses[kept_weights < 1].mean()
    return {name: float(value) for name, value in losses.items()}


def passages_at(fraction):
    """Short prompts first."""
    return 1 if fraction < 0.15 else 2 if fraction < 0.45 else 3 if fraction < 0.7 else 4


def batch_tokens_at(fraction, tokens):
    """Small batches first: many steps while every step still teaches something new."""
    return int(tokens * (0.5 + fraction))


def paused(pid):
    """Whether a process has been stopped by a signal."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "Tt"


def help_along(model, optimizer, progress, corpus, tokenizer, seed, tokens, rate, parent):
    """A further worker: learns for as long as its parent lives, and rests while the parent is stopped."""
    torch.set_num_threads(1)
    np.random.seed(seed)
    batches = Batches(corpus, tokenizer, seed, tokens)
    for group in batches:
        while paused(parent):
            time.sleep(0.2)
        if os.getppid() != parent:
            return
        batches.max_passages = passages_at(progress.fraction.value)
        batches.tokens = batch_tokens_at(progress.fraction.value, tokens)
        learn(model, optimizer, group, progress, rate)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder for the tokenizer and the checkpoints")
    parser.add_argument("--hours", type=float, default=1.2, help="training time; pauses do not count")
    parser.add_argument("--vocabulary", type=int, default=6144)
    parser.add_argument("--width", type=int, default=256)
    parser.add_argument("--layers", type=int, default=6)
    parser.add_argument("--feed-forward", type=int, default=768)
    parser.add_argument("--rate", type=float, default=4e-4, help="highest learning rate")
    parser.add_argument("--tokens", type=int, default=2048, help="tokens of a batch, on average over the training")
    parser.add_argument("--workers", type=int, default=2, help="processes, one thread each")
    parser.add_argument("--open-share", type=float, default=0.75, help="share of documents about anything; the others are of the help centre")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--resume", action="store_true", help="go on from OUT/checkpoint.pt")
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    np.random.seed(options.seed)
    torch.set_num_threads(1)
    options.out.mkdir(parents=True, exist_ok=True)
    corpus = Corpus(options.open_share)
    tokenizer_path = options.out / "tokenizer.model"
    if not tokenizer_path.exists():
        make_tokenizer(corpus, tokenizer_path, options.vocabulary)
    tokenizer = Tokenizer(tokenizer_path)
    held_out_rng = random.Random(987654321)
    held_out = [Encoded(corpus.example(held_out_rng, 4, category), tokenizer) for category in CATEGORIES[:5] for _ in range(30)]

    model = Model(Shape(len(tokenizer), options.width, options.layers, options.feed_forward), sorted(tokenizer.marks), sorted(tokenizer.fresh)).share_memory()
    optimizer, progress = SharedAdamW(model.parameters()), Progress()
    trained, best = 0.0, 0.0
    checkpoint = options.out / "checkpoint.pt"
    if options.resume and checkpoint.exists():
        state = torch.load(checkpoint)
        model.load_state_dict(state["model"])
        optimizer.restore(state["optimizer"])
        trained, best, progress.seen.value = state["trained"], state["best"], state["seen"]
    print(f"{sum(p.numel() for p in model.parameters()):,} parameters, vocabulary {len(tokenizer)}", flush=True)

    def save(path):
        state = {"model": model.state_dict(), "optimizer": optimizer.state(), "shape": model.shape.as_dict(), "trained": trained, "seen": progress.seen.value, "best": best, "options": vars(options)}
        torch.save(state, path.with_suffix(".new"))
        path.with_suffix(".new").replace(path)

    progress.fraction.value = trained / (options.hours * 3600)
    seed = options.seed * 1000003 + optimizer.steps.value
    for worker in range(1, options.workers):
        arguments = (model, optimizer, progress, corpus, tokenizer, seed + worker, options.tokens, options.rate, os.getpid())
        multiprocessing.Process(target=help_along, args=arguments, daemon=True).start()

    batches = Batches(corpus, tokenizer, seed, options.tokens)
    running, clock = {}, time.time()
    last_print = last_check = trained
    seen_then = progress.seen.value
    for group in batches:
        now = time.time()
        trained += min(now - clock, LONGEST_PAUSE)
        clock = now
        progress.fraction.value = trained / (options.hours * 3600)
        if progress.fraction.value >= 1:
            break
        batches.max_passages = passages_at(progress.fraction.value)
        batches.tokens = batch_tokens_at(progress.fraction.value, options.tokens)
        for name, value in learn(model, optimizer, group, progress, options.rate).items():
            running.setdefault(name, []).append(value)
        if trained - last_print > 30:
            parts = " ".join(f"{name} {sum(values) / len(values):.3f}" for name, values in running.items())
            pace = (progress.seen.value - seen_then) / (trained - last_print)
            print(f"{trained / 60:.1f} min step {optimizer.steps.value} {progress.seen.value / 1e6:.2f} M tokens {pace:.0f}/s passages {batches.max_passages} | {parts}", flush=True)
            running, last_print, seen_then = {}, trained, progress.seen.value
        if trained - last_check > 300:
            last_check = trained
            scores = exact_matches(model, held_out)
            mean = sum(scores.values()) / len(scores)
            print("   exact: " + " ".join(f"{category} {score:.0%}" for category, score in scores.items()), flush=True)
            save(checkpoint)
            if mean >= best:
                best = mean
                save(options.out / "best.pt")
    save(checkpoint)
    print("   final: " + " ".join(f"{category} {score:.0%}" for category, score in exact_matches(model, held_out).items()), flush=True)


if __name__ == "__main__":
    main()
