"""Measure how fast masked batches are made from a STORE, on one thread, by objective and mask unit.

    python benchmarks/loader_speed.py STORE [--batch-size 32] [--sequence-length 128] [--seconds 2] [--json]

Each row makes the batches of an epoch one after the other, as training does, for `--seconds`. It reports the fastest
batch, which other programs disturb least, and the median. Tokens are positions, padding included.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time

import torch

from bertsmith.config.pretrain import PretrainOptions
from bertsmith.corpus.store import TRAIN, TokenPart, TokenStore
from bertsmith.objectives.masks import SPAN, TOKEN, WORD, Vocabulary
from bertsmith.pretraining.example_batches import PretrainingBatches
from bertsmith.tokenization.folder import load_tokenizer

OBJECTIVES = "mlm+nsp", "mlm"
UNITS = TOKEN, WORD, SPAN


def main() -> None:
    """Measure each pair of objective and unit and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("store")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--sequence-length", type=int, default=128)
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    store = TokenStore(options.store)
    part, vocabulary = store.part(TRAIN), Vocabulary.of(load_tokenizer(str(store.tokenizer_folder)))
    tokens, rows = options.batch_size * options.sequence_length, []
    if not options.json:
        print(f"{part.num_tokens:,} tokens, batches of {options.batch_size} x {options.sequence_length}, one thread\n")
        print(
            "| objective | unit | ms per batch | median | M tokens/s | median |\n| --- | --- | --- | --- | --- | --- |"
        )
    for objective in OBJECTIVES:
        for unit in UNITS:
            times = measure(part, vocabulary, objective, unit, options)
            least, median = min(times), statistics.median(times)
            rows.append(
                {
                    "objective": objective,
                    "unit": unit,
                    "batches": len(times),
                    "ms": 1e3 * least,
                    "median_ms": 1e3 * median,
                    "tokens_per_second": tokens / least,
                    "median_tokens_per_second": tokens / median,
                }
            )
            if not options.json:
                print(
                    f"| {objective} | {unit} | {1e3 * least:.3f} | {1e3 * median:.3f} | {tokens / least / 1e6:.2f} "
                    f"| {tokens / median / 1e6:.2f} |",
                    flush=True,
                )
    if options.json:
        print(json.dumps(rows, indent=2))


def measure(
    part: TokenPart, vocabulary: Vocabulary, objective: str, unit: str, options: argparse.Namespace
) -> list[float]:
    """Return the seconds of each batch of the first epoch; planning it is not counted."""
    size = options.batch_size
    given = PretrainOptions.build({"store": "unused", "out": "unused", "objective": objective, "mask_unit": unit})
    length = options.sequence_length
    batches = PretrainingBatches(part, vocabulary, given, sequence_length=length, mask_rate=0.15)
    last = max(1, batches.plan.size - size)
    times, start, stop = list[float](), 0, time.perf_counter() + options.seconds
    while not times or time.perf_counter() < stop:
        numbers = range(start % last, start % last + size)
        began = time.perf_counter()
        batches(numbers)
        times.append(time.perf_counter() - began)
        start += size
    return times


if __name__ == "__main__":
    main()
