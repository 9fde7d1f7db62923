"""What the generators make: documents out of quotable units."""
from dataclasses import dataclass, field


@dataclass
class Unit:
    """One quotable piece of a document (a sentence, a list item, a table row) and the questions it answers."""
    text: str
    questions: list = field(default_factory=list)
    frame: str = ""       # where it comes from: two units of one frame answer the same kind of question
    before: str = " "     # what separates it from the unit before: " ", "\n", "\n- ", "\n2. ", …


@dataclass
class Document:
    """A titled document; `name` is how a question calls its subject, `wholes` are questions that its whole body answers."""
    title: str
    units: list
    name: str = ""
    wholes: list = field(default_factory=list)

    def layout(self):
        """The body, and where in it each unit starts."""
        body, starts = "", []
        for i, unit in enumerate(self.units):
            body += unit.before if i else unit.before.lstrip("\n ")
            starts.append(len(body))
            body += unit.text
        return body, starts


WHOLE_QUESTIONS = ["Tell me about {}.", "What do you know about {}?", "Give me a summary of {}.", "Summarise the document about {}.", "Please describe {}.",
                   "Summarize {}.", "What does the document say about {}?", "Tell me everything about {}."]


def whole_questions(name):
    return [question.format(name) for question in WHOLE_QUESTIONS]
