"""Regenerates the embedded model: tokenizer, data, training, GGUF, checksum.

    python3 make.py --work build --hours 3.9                    (--resume goes on after an interruption)
    python3 make.py --work build-draft --draft --hours 0.5      a draft model for it, build-draft/lookahead-qa-draft.gguf

Needs Debian's python3-torch, python3-numpy, python3-sentencepiece, libopenblas0-pthread, wordnet-base and dict-jargon, and runs
faster with libtcmalloc-minimal4. The data are drawn while training; nothing is downloaded.
"""
import argparse
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
FAST_MALLOC = Path("/usr/lib/x86_64-linux-gnu/libtcmalloc_minimal.so.4")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="folder for checkpoints, outside the repository")
    parser.add_argument("--hours", type=float, default=3.9)
    parser.add_argument("--draft", action="store_true", help="make the draft model (draft.py), of the same tokenizer and data")
    parser.add_argument("--rate", type=float, help="highest learning rate (default: 4e-4, of the draft model 1.5e-3)")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--new-tokenizer", action="store_true", help="train the tokenizer too, instead of taking tokenizer.model beside this file")
    parser.add_argument("--resume", action="store_true")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    tokenizer = options.work / "tokenizer.model"
    if not options.new_tokenizer and not tokenizer.exists():
        tokenizer.write_bytes((HERE / "tokenizer.model").read_bytes())
    environment = dict(os.environ)
    if FAST_MALLOC.exists():
        environment["LD_PRELOAD"] = str(FAST_MALLOC)
    train = [sys.executable, HERE / "train.py", "--out", options.work, "--hours", str(options.hours), "--workers", str(options.workers)]
    train += ["--rate", str(options.rate or (1.5e-3 if options.draft else 4e-4))]
    subprocess.run(train + ["--draft"] * options.draft + ["--resume"] * options.resume, check=True, env=environment)
    out = options.work / "lookahead-qa-draft.gguf" if options.draft else HERE.parent / "lookahead-qa.gguf"
    subprocess.run([sys.executable, HERE / "export.py", "--checkpoint", options.work / "checkpoint.pt", "--tokenizer", tokenizer, "--out", out], check=True)


if __name__ == "__main__":
    main()
