"""How a prompt looks: the chat template, the same in Python for training, and the tokenizer that goes with it.

The question stands before the documents as well as after them: attention looks back only, so a sentence can be compared with the
question while it is read. And every sentence of the documents stands behind a mark of its own (<|s0|>, <|s1|>, …): an answer first
writes the mark of the sentence that it quotes and then the sentence. <|close|> stands where a document is over, and in an answer
behind a document that it quotes as a whole. Marks are control tokens: nobody sees them in the answer. The template makes this form
out of any conversation; see CHAT_TEMPLATE.
"""
import re
from pathlib import Path

import sentencepiece

USER, ASSISTANT, END, DOCUMENTS, QUESTION, CLOSE = SPECIAL_TOKENS = ["<|user|>", "<|assistant|>", "<|end|>", "<|documents|>", "<|question|>", "<|close|>"]
BEGIN = 1      # id of <s>
MARKS = [f"<|s{i}|>" for i in range(100)]      # one before every sentence, line or list item of the documents, counted round
ABBREVIATIONS = ["Dr.", "Mr.", "Mrs.", "Ms.", "St.", "No.", "Art.", "e.g.", "i.e.", "vs.", "approx.", "Prof."]
SENTENCE_ENDS = [". ", "? ", "! ", '." ', '?" ', '!" ', ".) "]
BULLETS = ["- ", "* ", "\u2022 "]
CUT = "\u241e"      # where a mark will stand

# The question is the last line of the last user message (without "Question:"), or its first line if that alone ends with a question
# mark. The documents are the variable `documents`, if there is one; whatever else the user and system messages hold stands before
# them. Earlier answers, and earlier messages of one line, are left out: every question is answered from the documents alone.
CHAT_TEMPLATE = """
{%- set ns = namespace(question='', context='', content='') -%}
{%- for message in messages -%}
{%- if message.role != 'assistant' and message.content -%}
{%- if message.content is string -%}
{%- set ns.content = message.content -%}
{%- else -%}
{%- set ns.content = '' -%}
{%- for part in message.content -%}{%- if part.text -%}{%- set ns.content = ns.content + part.text + '\\n' -%}{%- endif -%}{%- endfor -%}
{%- endif -%}
{%- set lines = ns.content.strip().split('\\n') -%}
{%- if message.role != 'user' -%}
{%- set text = lines | join('\\n') -%}
{%- elif lines[0].strip()[-1:] == '?' and lines[-1].strip()[-1:] != '?' -%}
{%- set ns.question = lines[0].replace('Question:', '').strip() -%}
{%- set text = lines[1:] | join('\\n') -%}
{%- else -%}
{%- set ns.question = lines[-1].replace('Question:', '').strip() -%}
{%- set text = lines[:-1] | join('\\n') -%}
{%- endif -%}
{%- if text.strip() -%}
{%- if ns.context -%}{%- set ns.context = ns.context + '\\n\\n' -%}{%- endif -%}
{%- set ns.context = ns.context + text.strip() -%}
{%- endif -%}
{%- endif -%}
{%- endfor -%}
{%- if documents -%}
{%- for document in documents -%}
{%- if ns.context -%}{%- set ns.context = ns.context + '\\n\\n' -%}{%- endif -%}
{%- set ns.context = ns.context + '[' + loop.index | string + ']' -%}
{%- if document.title -%}{%- set ns.context = ns.context + ' ' + document.title -%}{%- endif -%}
{%- set ns.context = ns.context + '\\n' + (document.text or document.content or '').strip() -%}
{%- endfor -%}
{%- endif -%}
{%- set ns.context = ns.context.replace('\\n\\n[', '<|close|>\\n\\n[').replace('\\n\\n', '␟').replace('\\n', '\\n␞').replace('␟', '\\n\\n␞') -%}
{%- for bullet in BULLETS_HERE -%}{%- set ns.context = ns.context.replace('␞' + bullet, bullet + '␞') -%}{%- endfor -%}
{%- for end in ENDS_HERE -%}{%- set ns.context = ns.context.replace(end, end + '␞') -%}{%- endfor -%}
{%- for word in ABBREVIATIONS_HERE -%}{%- set ns.context = ns.context.replace(word + ' ␞', word + ' ') -%}{%- endfor -%}
{{ '<|user|>\\n' + ns.question + '\\n<|documents|>\\n' }}
{%- for part in ns.context.split('␞') -%}{{ '<|s' + (loop.index0 % 100) | string + '|>' + part }}{%- endfor -%}
{{ '<|close|>\\n<|question|>\\n' + ns.question + '\\n' }}
{%- if add_generation_prompt -%}{{ '<|assistant|>\\n' }}{%- endif -%}
""".strip().replace("BULLETS_HERE", repr(BULLETS)).replace("ENDS_HERE", repr(SENTENCE_ENDS)).replace("ABBREVIATIONS_HERE", repr(ABBREVIATIONS))


def cut(context):
    """The context in parts: sentences, lines, list items. The template does the same."""
    context = context.replace("\n\n", "␟").replace("\n", "\n" + CUT).replace("␟", "\n\n" + CUT)
    for bullet in BULLETS:
        context = context.replace(CUT + bullet, bullet + CUT)
    for end in SENTENCE_ENDS:
        context = context.replace(end, end + CUT)
    for word in ABBREVIATIONS:
        context = context.replace(word + " " + CUT, word + " ")
    return context.split(CUT)


def mark(parts, first=0):
    """The context with its marks, and CLOSE where a document is over."""
    text = "".join(MARKS[(first + i) % len(MARKS)] + part for i, part in enumerate(parts))
    return re.sub(r"\n\n(?=<\|s\d+\|>\[)", CLOSE + "\n\n", text) + CLOSE


def render(question, context, first=0):
    """The prompt as the template renders it; `first` is the first mark's number (the template's is 0)."""
    return f"{USER}\n{question}\n{DOCUMENTS}\n{mark(cut(context), first)}\n{QUESTION}\n{question}\n{ASSISTANT}\n"


def train_tokenizer(texts, path, size):
    """SentencePiece BPE with byte fallback.

    Capitalised words are put on lines of their own for the training, so that no piece holds a space and a capital: "The" at the
    start of an answer and " The" within a document then share their tokens, and quoting is copying.
    """
    lines = Path(path).with_suffix(".txt")
    with lines.open("w") as file:
        for text in texts:
            file.write(re.sub(r" +(?=[\"'(\[`#-]*[A-Z])", "\n", text) + "\n")
    sentencepiece.SentencePieceTrainer.train(
        input=str(lines), model_prefix=str(Path(path).with_suffix("")), vocab_size=size, model_type="bpe", byte_fallback=True, split_digits=True,
        normalization_rule_name="identity", add_dummy_prefix=False, remove_extra_whitespaces=False, allow_whitespace_only_pieces=True,
        user_defined_symbols=SPECIAL_TOKENS + MARKS + ["\n"], unk_id=0, bos_id=BEGIN, eos_id=2, pad_id=-1, character_coverage=0.9999,
        num_threads=2, minloglevel=2, max_sentence_length=20000)
    lines.unlink()


class Tokenizer:
    """SentencePiece with the place of every token in the text."""

    def __init__(self, path):
        self.pieces = sentencepiece.SentencePieceProcessor(model_file=str(path))
        self.marks = {self.pieces.piece_to_id(name) for name in MARKS}
        self.end = self.pieces.piece_to_id(END)
        self.lengths = []
        self.fresh = set()         # pieces that cannot go on with a word
        for i in range(len(self.pieces)):
            piece = self.pieces.id_to_piece(i)
            self.lengths.append(1 if self.pieces.is_byte(i) else len(piece.encode()) - 2 * piece.count("\u2581"))
            if not (self.pieces.is_byte(i) or piece[0].isalnum()):
                self.fresh.add(i)

    def __len__(self):
        return len(self.pieces)

    def encode(self, text):
        return self.pieces.encode(text)

    def encode_with_places(self, text):
        """Token ids and the byte at which each begins."""
        ids, places, at = self.pieces.encode(text), [], 0
        for i in ids:
            places.append(at)
            at += self.lengths[i]
        return ids, places

    def decode(self, ids):
        return self.pieces.decode(ids)
