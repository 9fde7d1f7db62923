"""Measures a GGUF on held-out draws and on hand-written documents, in llama.cpp, as users run it.

    python3 evaluate.py --gguf ../lookahead-qa.gguf --libraries …/node_modules/@node-llama-cpp/linux-x64/bins/linux-x64

prints exact match of the whole greedy answer by kind of question and number of passages, and writes the answers to the hand-written
documents (samples.json) to samples.md.
"""
import argparse
import json
import random
from pathlib import Path

from corpus import CATEGORIES, Corpus
from llama_cpp import LlamaCpp
from prompt import render

HELD_OUT_SEED = 20260101        # no training run draws from it
ROWS = {"single": "single fact", "two": "two facts", "summary": "summary", "which": "which documents", "unanswerable": "unanswerable"}
MODELS = Path(__file__).parent.parent


def held_out_table(model, count, show):
    """Exact match by kind of question, domain and number of passages, as a Markdown table."""
    lines = ["| | 1 passage | 2 | 3 | 4 | all |", "|---|---|---|---|---|---|"]
    for domain, share in (("help centre", 0.0), ("anything", 1.0)):
        corpus = Corpus(share)
        for category in CATEGORIES[:5]:
            rng = random.Random(f"{HELD_OUT_SEED} {domain} {category}")
            cells, right, asked = [], 0, 0
            for passages in (1, 2, 3, 4):
                hits = 0
                for _ in range(count):
                    example = corpus.example(rng, category=category, passages=passages)
                    answer = model.generate(render(example.question, example.context))
                    hits += answer == example.answer
                    if show and answer != example.answer:
                        print(f"[{category}, {passages}] {example.question}\n  want: {example.answer}\n  got:  {answer}\n")
                cells.append(f"{hits / count:.0%}")
                right, asked = right + hits, asked + count
            lines.append(f"| {domain}: {ROWS[category]} | {' | '.join(cells)} | **{right / asked:.0%}** |")
            print(lines[-1], flush=True)
    return "\n".join(lines)


def context_of(documents):
    return "\n\n".join(f"[{i + 1}] {document['title']}\n{document['text']}" for i, document in enumerate(documents))


def samples(model, path):
    """Answers to the hand-written documents. Returns the Markdown page and how many answers are the expected ones."""
    page, right, asked = [], 0, 0
    for entry in json.loads(path.read_text()):
        page.append(f"## {entry['domain'][0].upper() + entry['domain'][1:]}\n")
        context = context_of(entry["documents"])
        page.append("```text\n" + context + "\n```\n")
        for question, expected in entry["questions"]:
            answer = model.generate(render(question, context))
            sources = [f" [{i + 1}]" for i, document in enumerate(entry["documents"]) if expected in document["text"]] or [""]
            hit = any(answer == expected + source for source in sources)
            right, asked = right + hit, asked + 1
            verdict = "" if hit else f" ✗ (expected: {expected})"
            page.append(f"- **{question}**  \n  {answer}{verdict}")
        page.append("")
    head = ("# Hand-written documents and what the model answers\n\nNone of these documents comes from the training's generator. Greedy decoding, Q8_0, as printed; a cross marks every answer "
            f"that is not the sentence a person would quote. {right} of {asked} are.\n\n")
    return head + "\n".join(page), right, asked


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gguf", type=Path, default=MODELS / "lookahead-qa.gguf")
    parser.add_argument("--libraries", type=Path, required=True, help="folder with llama.cpp's shared libraries")
    parser.add_argument("--count", type=int, default=25, help="examples for every kind of question and number of passages")
    parser.add_argument("--show", action="store_true", help="print the wrong answers")
    parser.add_argument("--only-samples", action="store_true")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    model = LlamaCpp(options.libraries, options.gguf, threads=options.threads)
    page, right, asked = samples(model, MODELS / "samples.json")
    (MODELS / "samples.md").write_text(page)
    print(f"hand-written documents: {right} of {asked} answers as expected (samples.md)\n", flush=True)
    if not options.only_samples:
        held_out_table(model, options.count, options.show)


if __name__ == "__main__":
    main()
