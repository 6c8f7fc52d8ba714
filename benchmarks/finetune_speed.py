"""Measure fine-tuning on MRPC: `bertsmith finetune` and stock transformers, by turns in one run.

    python benchmarks/finetune_speed.py --model MODEL --data DATA [--rows 3668] [--epochs 1] [--rounds 2]
        [--stock-batch-sizes 8 32] [--contestants bertsmith stock-bf16 ...] [--json FILE]

stock-fp32            transformers.Trainer with the defaults of run_glue.py: float32, 8 pairs per update padded to 128,
                      no evaluation, no checkpoints
stock-bf16            the same with bf16=True
stock-bf16-allocator  the same with glibc keeping freed memory, as `bertsmith` sets it
bertsmith             `bertsmith finetune sequence-classification` with its defaults: 32 pairs per update

All train on the same rows for the same number of epochs, each in its own process. The figure is the seconds from the
first batch to the last update, without imports, loading and tokenizing, and without our evaluations after each epoch.
`--stock-batch-sizes 8 32` also gives stock our batch size. A ratio compares a stock contestant with ours in the same
round; every second round runs backwards. Each run prints a JSON line. "Others' cores" are the cores that other programs
used meanwhile: stock's threads spin while they wait, so trust a round only if they are near 0.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from pathlib import Path
from typing import Any

import contestants
import finetune_quality
from finetune_contestants import Stock, run

STOCK: dict[str, dict[str, Any]] = {
    "stock-fp32": {"bf16": False, "allocator": False},
    "stock-bf16": {"bf16": True, "allocator": False},
    "stock-bf16-allocator": {"bf16": True, "allocator": True},
}
OURS = "bertsmith"
Record = dict[str, Any]


def main() -> None:
    """Run the rounds, print each run and the medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--rows", type=int, help="training pairs (default: all, 3,668)")
    parser.add_argument("--epochs", type=float, default=1.0)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--stock-batch-sizes", type=int, nargs="+", default=[8])
    parser.add_argument("--contestants", nargs="+", choices=[OURS, *STOCK], default=[OURS, *STOCK])
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    names = [
        (name, None if name == OURS else size)
        for name in options.contestants
        for size in (options.stock_batch_sizes if name != OURS else [0])
    ]
    rounds: list[dict[str, Record]] = []
    for number in range(options.rounds):
        found: dict[str, Record] = {}
        for name, size in names if number % 2 == 0 else names[::-1]:
            label = name if size is None else f"{name}, {size}"
            with tempfile.TemporaryDirectory(prefix="finetune-speed-") as folder:
                found[label] = measured(name, size, options, Path(folder))
            print(json.dumps({"round": number + 1, "contestant": label} | found[label]), flush=True)
        rounds.append(found)
        if options.json is not None:
            settings = {name: str(value) for name, value in vars(options).items()}
            contestants.write_json(options.json, {"settings": settings, "rounds": rounds})
    report(rounds)


def measured(name: str, size: int | None, options: argparse.Namespace, place: Path) -> Record:
    """Return the seconds of a contestant's training, its updates, and disturbances by other programs."""
    data = finetune_quality.write_data("mrpc", options.data, place, rows=options.rows)
    task = finetune_quality.TASKS["mrpc"]
    work = place / "work"
    work.mkdir()
    if size is None:
        record = finetune_quality.ours(task, options.model, data, 0, work, {"epochs": options.epochs})
    else:
        given = STOCK[name] | {"batch_size": size, "epochs": options.epochs, "predict": False}
        columns = finetune_quality.columns_of(task)
        record = run(
            Stock(options.model, data["train"]["file"], data["dev"]["file"], str(work), 0, columns, **given)
        )  # fmt: skip
    return {key: record[key] for key in ("seconds", "updates", "busy_cores")}


def report(rounds: list[dict[str, Record]]) -> None:
    """Print one line per contestant: its seconds by round, and the ratios to ours."""
    rows = []
    for label in sorted(rounds[0], key=lambda label: (label != OURS, label)):
        seconds = [each[label]["seconds"] for each in rounds]
        ratios = [each[label]["seconds"] / each[OURS]["seconds"] for each in rounds] if OURS in rounds[0] else []
        rows.append([
            label,
            str(rounds[0][label]["updates"]),
            ", ".join(f"{value:.1f}" for value in seconds),
            ", ".join(f"{value:.2f}" for value in ratios) if label != OURS else "-",
            f"{statistics.median(ratios):.2f}" if ratios and label != OURS else "-",
            ", ".join(f"{each[label]['busy_cores']['others']:.1f}" for each in rounds),
        ])  # fmt: skip
    print()
    head = ["contestant, batch", "updates", "seconds by rounds", "times ours by rounds", "median", "others' cores"]
    contestants.show(head, rows)


if __name__ == "__main__":
    main()
