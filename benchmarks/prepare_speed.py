"""Measure text to token ids: `bertsmith prepare` and the usual way in one run, and the training of the tokenizer.

    python benchmarks/prepare_speed.py FILE.jsonl.zst ... [--megabytes 128] [--pairs 3] [--processes 2]

The usual way is that of transformers' run_mlm example: `datasets.map` with an `AutoTokenizer` per line
(`return_special_tokens_mask`), then `datasets.map` that joins and cuts to rows of 128, both with `--processes`. Ours,
from the same text as JSON lines, one document each: the whole of `prepare --tokenizer ... --clean none` (Python's
start, reading, sentences, ids, a STORE with checksums), and tokenizing only (cleaned shards to the STORE's files). Each
pair runs one after the other; the ratio is the median of the pairs.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

USUAL = """
import sys
from itertools import chain
import datasets
from transformers import AutoTokenizer
datasets.disable_progress_bars()
text, tokenizer, out, processes = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
tokenizer = AutoTokenizer.from_pretrained(tokenizer)
data = datasets.load_dataset("text", data_files=text, split="train", cache_dir=out)

def tokenize(batch):
    lines = [line for line in batch["text"] if line and not line.isspace()]
    return tokenizer(lines, truncation=False, return_special_tokens_mask=True)

def group(batch):
    joined = {name: list(chain(*batch[name])) for name in batch}
    total = len(joined["input_ids"]) // 128 * 128
    return {name: [row[start : start + 128] for start in range(0, total, 128)] for name, row in joined.items()}

tokenized = data.map(tokenize, batched=True, num_proc=processes, remove_columns=["text"])
grouped = tokenized.map(group, batched=True, num_proc=processes)
print(len(grouped) * 128)
"""

OURS = """
import sys, json
import bertsmith
settings = {"clean": "none", "held_out": 0.02, "workers": int(sys.argv[4])}
result = bertsmith.prepare(sys.argv[1], out=sys.argv[3], tokenizer=sys.argv[2], **settings)
print(json.dumps({"tokens": result.tokens, "stages": result.stages}))
"""


def main() -> None:
    """Make the text and the tokenizer, run the pairs, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+")
    parser.add_argument("--megabytes", type=float, default=128)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="prepare-speed-") as folder:
        place = Path(folder)
        size = write_text(options.files, place / "text.txt", options.megabytes)
        print(f"{size:.1f} MB of text, {options.processes} processes\n")
        train(place, options.processes)
        compare(place, size, options.pairs, options.processes)


def write_text(files: list[str], path: Path, megabytes: float) -> float:
    """Write paragraphs as lines, and documents as JSON lines, up to the size; return the megabytes."""
    from bertsmith.corpus.reading import ReadingNotes, ReadingOptions, find_files, read_documents

    written = 0
    with path.open("w", encoding="utf-8") as lines, path.with_suffix(".jsonl").open("w", encoding="utf-8") as records:
        for file in find_files(tuple(files)):
            for document in read_documents(file, ReadingOptions(), ReadingNotes()):
                text = "\n".join(document.paragraphs) + "\n"
                lines.write(text)
                records.write(json.dumps({"id": document.id, "text": text}, ensure_ascii=False) + "\n")
                written += len(text.encode())
                if written >= megabytes * 1e6:
                    return written / 1e6
    return written / 1e6


def train(place: Path, processes: int) -> None:
    """Train a tokenizer of 16,384 entries with ours and with `WordPieceTrainer` on the same lines."""
    started = time.perf_counter()
    run([sys.executable, "-m", "bertsmith", "train-tokenizer", str(place / "text.jsonl"), "--out", str(place / "tok"),
         "--vocab-size", "16384", "--workers", str(processes)])  # fmt: skip
    ours = time.perf_counter() - started
    code = (
        "import sys; from tokenizers import BertWordPieceTokenizer as T; t = T(lowercase=True);"
        "t.train([sys.argv[1]], vocab_size=16384, show_progress=False); print(t.get_vocab_size())"
    )
    started = time.perf_counter()
    run([sys.executable, "-c", code, str(place / "text.txt")])
    stock = time.perf_counter() - started
    print(f"training a tokenizer of 16,384: ours, from the file, {ours:.1f} s; WordPieceTrainer {stock:.1f} s; ")
    print(f"  ratio {stock / ours:.2f}\n")


def compare(place: Path, size: float, pairs: int, processes: int) -> None:
    """Run the pairs; print each and the medians."""
    whole, alone, ratios, ratios_alone = [], [], [], []
    texts = {"usual": "text.txt", "ours": "text.jsonl"}
    for number in range(pairs):
        times = {}
        for name, code in (("usual", USUAL), ("ours", OURS)):
            out = place / name
            shutil.rmtree(out, ignore_errors=True)
            started = time.perf_counter()
            printed = run([sys.executable, "-c", code, str(place / texts[name]), str(place / "tok"), str(out),
                           str(processes)])  # fmt: skip
            times[name] = time.perf_counter() - started
        stages = json.loads(printed.splitlines()[-1])["stages"]
        whole.append(size / times["ours"])
        alone.append(size / stages["encode"])
        ratios.append(times["usual"] / times["ours"])
        ratios_alone.append(times["usual"] / stages["encode"])
        print(
            f"pair {number + 1}: usual {times['usual']:.1f} s ({size / times['usual']:.2f} MB/s), ours "
            f"{times['ours']:.1f} s ({whole[-1]:.1f} MB/s, ratio {ratios[-1]:.1f}), of which tokenising "
            f"{stages['encode']:.1f} s ({alone[-1]:.1f} MB/s, ratio {ratios_alone[-1]:.1f}); stages {stages}",
            flush=True,
        )
    print(
        f"\nmedian: text to STORE {statistics.median(whole):.1f} MB/s, {statistics.median(ratios):.1f} times the usual "
        f"way; tokenising alone {statistics.median(alone):.1f} MB/s, {statistics.median(ratios_alone):.1f} times"
    )


def run(command: list[str]) -> str:
    """Run a command and return its output."""
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    if "WordPiece" in " ".join(command):
        del environment["TOKENIZERS_PARALLELISM"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    return done.stdout


if __name__ == "__main__":
    main()
