"""Examples of grounded question answering: documents, a question, and the answer that quotes them.

    python3 corpus.py --count 8 --seed 1        prints examples

An answer quotes units of the documents whole and cites them: "Bulbs are planted in autumn. [2]". What cannot be answered gets
UNANSWERABLE. Every character of an answer that is a quotation knows where in the documents it comes from; the trainer uses this
(signposts.py).
"""
import argparse
import random
from dataclasses import dataclass, field

from helpcentre import KINDS, help_document
from openworld import OpenWorld
from prompt import cut
from words import content_stems

UNANSWERABLE = "The documents do not say."
NO_DOCUMENTS = "There are no documents to answer from."
ABOUT = "The documents are about:"
CATEGORIES = ("single", "two", "summary", "which", "unanswerable", "other")
SHARES = (0.46, 0.25, 0.10, 0.05, 0.125, 0.015)
WHICH_QUESTIONS = ["What are the documents about?", "List the topics of the documents.", "Which documents do you have?", "What documents do you have?", "Which topics are there?", "List the documents.", "What can I ask you about?",
                   "What are the titles?", "Show me the documents."]
GREETINGS = ["Hello", "Hi", "Hi there!", "Good morning", "hello", "hey", "Thanks", "Thank you!", "test", "How are you?", "Who are you?", "What can you do?"]
PREAMBLES = ["Documents:", "Context:", "You are a helpful assistant.", "You are a helpful assistant. Answer from the documents.", "Use the following documents to answer.", "Answer the question from the text below and cite it.", "Sources:",
             "You answer questions about our documents. Be brief.", "Here are the search results:"]
WRAPPERS = ["Can you tell me: {}", "Please tell me: {}", "I want to know: {}", "Hi, {}", "Hello! {}", "According to the documents, {}", "Quick question: {}", "{} Please answer briefly.", "{} Thanks!", "I have a question. {}"]


@dataclass
class Piece:
    """A run of characters of the answer; `source` is where it stands in the context, if it is a quotation; `unit` says in which unit.
    A citation ("[2]") has a source too, but is written without the mark that stands there. `whole`: the text goes to the end of its
    document, and the answer says so (prompt.CLOSE)."""
    text: str
    source: int = None
    unit: int = None
    citation: bool = False
    whole: bool = False


@dataclass
class Example:
    question: str
    context: str
    pieces: list
    category: str
    passages: int
    units: list = field(default_factory=list)      # (start, end) in the context of every unit
    wanted: tuple = ()                             # indices of the units the answer quotes; None where that says nothing

    @property
    def answer(self):
        return "".join(piece.text for piece in self.pieces)


class Corpus:
    """Draws examples. `open_share` of the documents are about anything, the others come from the help centre."""

    def __init__(self, open_share=0.75):
        self.world = OpenWorld()
        self.open_share = open_share

    # ---- documents -----------------------------------------------------------------------------------------------------------
    def documents(self, rng, count):
        if rng.random() < self.open_share:
            documents = [self.world.document(rng) for _ in range(count)]
            if count > 1 and rng.random() < 0.1:
                documents[rng.randrange(count)] = help_document(rng)
            return documents
        kind = rng.choice(KINDS) if rng.random() < 0.3 else None
        return [help_document(rng, kind) for _ in range(count)]

    def lay_out(self, rng, documents):
        """The context as the model reads it, and the place of each header, title and unit in it."""
        headed = not (len(documents) == 1 and rng.random() < 0.05)
        context = rng.choice(PREAMBLES) + "\n\n" if rng.random() < 0.12 else ""
        headers, titles, units, owners = [], [], [], []
        for k, document in enumerate(documents):
            if k:
                context += "\n\n"
            headers.append(len(context) if headed else None)
            untitled = not headed or rng.random() < 0.04
            context += f"[{k + 1}]" if headed else ""
            if not untitled:
                context += " "
                titles.append((len(context), document.title))
                context += document.title
            else:
                titles.append(None)
            context += "\n" if headed else ""
            body, starts = document.layout()
            for unit, start in zip(document.units, starts):
                units.append((len(context) + start, len(context) + start + len(unit.text)))
                owners.append((k, unit))
            context += body
        return context, headers, titles, units, owners

    # ---- questions -----------------------------------------------------------------------------------------------------------
    def ask(self, rng, owners, documents, index):
        """A question that unit `index` answers and no other unit does; None if none was found."""
        k, unit = owners[index]
        for _ in range(4):
            own = unit.questions and rng.random() < (0.85 if unit.frame not in ("prose", "list") else 0.6)
            if own:
                question = rng.choice(unit.questions)
                if any(question in other.questions for i, (_, other) in enumerate(owners) if i != index):
                    continue
                asked = set(content_stems(question))
                if unit.frame in ("list", "definition", "story") and self._rivals(asked, owners, index, 0, ties_at_one=True):
                    continue
            else:
                question = rng.choice(self.world.questions_from_words(rng, unit.text, 1))
                asked = set(content_stems(question))
                if not asked or self._rivals(asked, owners, index, 1 if len(asked) > 2 else 0):
                    continue
            return question
        return None

    def _rivals(self, asked, owners, index, margin, ties_at_one=False):
        """Whether another unit shares as many words with the question as unit `index` does, or only `margin` fewer."""
        own = len(asked & set(content_stems(owners[index][1].text)))
        if own == 0:
            return True
        most = 1 if own == 1 and ties_at_one else max(0, own - 1 - margin)
        return any(len(asked & set(content_stems(other.text))) > most for i, (_, other) in enumerate(owners) if i != index)

    def dress(self, rng, question):
        """The question as people type it."""
        if rng.random() < 0.08:
            wrapper = rng.choice(WRAPPERS)
            question = wrapper.format(question if wrapper.startswith("{}") or rng.random() < 0.5 else question[0].lower() + question[1:])
        if rng.random() < 0.12:
            question = question.lower()
        if rng.random() < 0.1:
            question = question.rstrip("?.")
        return question

    # ---- examples ------------------------------------------------------------------------------------------------------------
    def example(self, rng, max_passages=4, category=None, passages=None):
        while True:
            count = passages or rng.randint(1, max_passages)
            kind = category or rng.choices(CATEGORIES, SHARES)[0]
            drawn = self._try(rng, count, kind)
            if drawn and len(drawn.context) < 4000 and self._begins_at_marks(drawn):
                return drawn

    def _begins_at_marks(self, example):
        """Whether every quotation begins where the prompt has a mark (prompt.cut)."""
        starts, at = set(), 0
        for part in cut(example.context):
            starts.add(at)
            at += len(part)
        return all(piece.source in starts for piece in example.pieces if piece.source is not None)

    def _try(self, rng, count, category):
        if category == "other":
            return self._other(rng, count)
        documents = self.documents(rng, count)
        context, headers, titles, units, owners = self.lay_out(rng, documents)

        def quoted(index):
            k = owners[index][0]
            start, end = units[index]
            return [Piece(context[start:end], start, index)] + cited(k, index)

        def cited(k, unit=None):
            return [Piece(" ", None, unit), Piece(f"[{k + 1}]", headers[k], unit, True)] if headers[k] is not None else []

        wanted = None
        if category == "single":
            index = rng.randrange(len(owners))
            question = self.ask(rng, owners, documents, index)
            if not question:
                return None
            pieces, wanted = quoted(index), (index,)
        elif category == "two":
            if len(owners) < 2:
                return None
            first, second = rng.sample(range(len(owners)), 2)
            same = [i for i in range(len(owners)) if i != first and owners[i][0] == owners[first][0]]
            if same and rng.random() < 0.6:
                second = rng.choice(same)
            a, b = self.ask(rng, owners, documents, first), self.ask(rng, owners, documents, second)
            if not a or not b or a == b:
                return None
            lower = b[0].lower() + b[1:] if b.split()[0] in ("What", "When", "Where", "Who", "Why", "How", "Which", "Is", "Does", "Can", "May") else b
            if owners[first][0] == owners[second][0] and documents[owners[first][0]].name and rng.random() < 0.3:
                name = documents[owners[first][0]].name
                b, lower = b.replace(name, "it"), lower.replace(name, "it")
            question = rng.choice([f"{a} {b}", f"{a} And {lower}", f"{a.rstrip('?.')} and {lower}", f"{a} Also, {lower}"])
            pieces, wanted = quoted(first) + [Piece(" ", None, second)] + quoted(second), (first, second)
        elif category == "summary":
            k = rng.randrange(count)
            if not documents[k].wholes or (documents[k].name == "" and titles[k] is None) or len(documents[k].units) > 8:
                return None
            question = rng.choice(documents[k].wholes) if count > 1 or rng.random() < 0.8 else rng.choice(["Summarise the document.", "Give me a summary.", "What does the document say?", "Summarize this.", "Summarize the text."])
            mine = [i for i, (owner, _) in enumerate(owners) if owner == k]
            start, end = units[mine[0]][0], units[mine[-1]][1]
            pieces = [Piece(context[start:end], start, whole=True)] + cited(k)
        elif category == "which":
            if any(h is None for h in headers) or any(t is None for t in titles):
                return None
            question = rng.choice(WHICH_QUESTIONS)
            pieces = [Piece(ABOUT)]
            for k in range(count):
                pieces += [Piece("\n"), Piece(f"[{k + 1}] {titles[k][1]}", headers[k])]
        else:
            question = self._foreign_question(rng, documents, owners, context)
            if not question:
                return None
            pieces, wanted = [Piece(UNANSWERABLE)], ()
        return Example(self.dress(rng, question), context, pieces, category, count, units, wanted)

    def _foreign_question(self, rng, documents, owners, context):
        """A question that the documents do not answer: about something else, or something else about their subject."""
        if rng.random() < 0.25 and documents[0].name and owners[0][1].frame != "intro":
            present = {unit.frame for _, unit in owners}
            absent = [i for i in range(len(self.world.frames)) if str(i) not in present]
            unit = self.world.frame_unit(rng, rng.choice(absent), documents[0].name)
            return rng.choice([q for q in unit.questions if documents[0].name in q] or [None])
        other = self.documents(rng, 1)[0]
        unit = rng.choice(other.units)
        questions = unit.questions or other.wholes
        question = rng.choice(questions) if rng.random() < 0.8 else rng.choice(other.wholes)
        asked = set(content_stems(question))
        present = set(content_stems(context))
        return question if asked and len(asked & present) <= len(asked) * 0.4 else None

    def _other(self, rng, count):
        if rng.random() < 0.5:
            question = rng.choice(GREETINGS) if rng.random() < 0.5 else rng.choice((self.documents(rng, 1)[0].units[-1].questions or ["Hello"]))
            context = rng.choice(PREAMBLES[2:]) if rng.random() < 0.3 else ""
            return Example(question, context, [Piece(NO_DOCUMENTS)], "other", 0)
        documents = self.documents(rng, count)
        context, _, _, units, _ = self.lay_out(rng, documents)
        return Example(rng.choice(GREETINGS), context, [Piece("Ask me about the documents.")], "other", count, units, ())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=8)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    corpus, rng = Corpus(), random.Random(options.seed)
    for _ in range(options.count):
        example = corpus.example(rng)
        print(f"{example.context}\n\n({example.category}) {example.question}\n>>> {example.answer}\n{'-' * 80}")


if __name__ == "__main__":
    main()
