"""Regenerates the embedded model: tokenizer, data, training, GGUF, checksum.

    python3 make.py --work build --hours 3.9        (--resume goes on after an interruption)

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
    subprocess.run(train + (["--resume"] if options.resume else []), check=True, env=environment)
    subprocess.run([sys.executable, HERE / "export.py", "--checkpoint", options.work / "checkpoint.pt", "--tokenizer", tokenizer, "--out", HERE.parent / "lookahead-qa.gguf"], check=True)


if __name__ == "__main__":
    main()
