"""Compare forecast and measurement of `bertsmith pretrain` by size and length: seconds per update, and memory.

    python benchmarks/scale.py STORE [--sizes tiny,mini,small,medium,base] [--lengths 128,256,512] [--tokens 4096]
        [--updates 4] [--dropout 0] [--evaluation-examples 8] [--out DIR] [--json FILE]

For each size and length, a batch of `--tokens` tokens at once: first the forecast of `--dry-run`, then a run of a few
updates in its own process. Measured are the median seconds per update without the first two, and the peak of the
resident set (VmHWM) above what the process held after its imports. The forecast (bertsmith/training/step_forecast.py)
is what training takes beyond that, so the STORE's mapped tokens and the plan of an epoch count as an error. An error is
forecast / measured - 1.

The evaluations around the run take few examples here. Real ones take batches of 64, which need more memory than the
updates at large lengths: `--evaluation-examples 64` includes them in the peak.

Finished rows are kept as JSON in --out and not repeated. Memory is measured on Linux, for a run on the CPU.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import contestants
from contestants import Bertsmith

LEFT_OUT = 2
Row = dict[str, Any]
HEAD = [
    "size", "length", "batch", "parameters", "forecast s", "measured s", "error", "tokens/s", "of peak", "forecast MB",
    "measured MB", "error", "others' cores",
]  # fmt: skip


def main() -> None:
    """Measure the missing rows and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("store", type=Path)
    parser.add_argument(
        "--sizes", type=lambda text: text.split(","), default=["tiny", "mini", "small", "medium", "base"]
    )
    parser.add_argument("--lengths", type=lambda text: [int(part) for part in text.split(",")], default=[128, 256, 512])
    parser.add_argument("--tokens", type=int, default=4096, help="tokens per batch, computed at once")
    parser.add_argument("--updates", type=int, default=4)
    parser.add_argument("--dropout", type=float, default=0)
    parser.add_argument("--evaluation-examples", type=int, default=8)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if options.updates <= LEFT_OUT:
        parser.error(f"the first {LEFT_OUT} updates do not count: give more")
    options.store = options.store.resolve()
    rows = []
    with tempfile.TemporaryDirectory(prefix="scale-") as folder:
        place = (options.out or Path(folder) / "out").resolve()
        place.mkdir(parents=True, exist_ok=True)
        check_settings(options, place)
        for size in options.sizes:
            for length in options.lengths:
                file = place / f"{size}-{length}.json"
                rows.append(contestants.once(file, partial(measure, options, size, length, Path(folder) / "work")))
                print(
                    "  ".join(f"{name} {value}" for name, value in zip(HEAD, cells(rows[-1]), strict=True)), flush=True
                )
    print()
    contestants.show(HEAD, [cells(row) for row in rows])
    if options.json is not None:
        contestants.write_json(options.json, rows)


def check_settings(options: argparse.Namespace, place: Path) -> None:
    """Exit if finished results in a folder had other settings."""
    names = ("store", "tokens", "updates", "dropout", "evaluation_examples")
    settings = {name: str(getattr(options, name)) for name in names}
    file = place / "settings.json"
    if file.exists() and json.loads(file.read_text(encoding="utf-8")) != settings:
        raise SystemExit(f"{file}: other settings than {settings}; give another --out")
    contestants.write_json(file, settings)


def measure(options: argparse.Namespace, size: str, length: int, work: Path) -> Row:
    """Return the forecast of a row, and its run."""
    batch = max(1, options.tokens // length)
    arguments = contestants.pretrain_options(
        options.store, size=size, sequence_length=length, batch_size=batch, steps=options.updates,
        dropout=options.dropout, learning_rate=1e-4, eval_every=contestants.NEVER, save_every=contestants.NEVER,
    )  # fmt: skip
    forecast = contestants.dry_run(arguments)
    examples = options.evaluation_examples
    record = contestants.run(Bertsmith(arguments, str(work), evaluation_examples=examples, peak_seconds=0))
    shutil.rmtree(work)
    seconds = statistics.median(record["seconds"][LEFT_OUT:])
    grown = record["memory"]["peak"] - record["memory"]["before"]
    return {
        "size": size,
        "length": length,
        "batch": batch,
        "forecast": forecast,
        "seconds": seconds,
        "tokens_per_second": batch * length / seconds,
        "peak_share": record["result"]["peak_share"],
        "memory": grown,
        "resident_before": record["memory"]["before"],
        "seconds_error": forecast["seconds_per_update"] / seconds - 1,
        "memory_error": forecast["memory_bytes"] / grown - 1,
        "busy_cores": record["busy_cores"],
    }


def cells(row: Row) -> list[str]:
    """Format a row for the table."""
    forecast = row["forecast"]
    return [
        row["size"],
        str(row["length"]),
        str(row["batch"]),
        f"{forecast['parameters'] / 1e6:.1f} M",
        f"{forecast['seconds_per_update']:.3f}",
        f"{row['seconds']:.3f}",
        f"{row['seconds_error']:+.0%}",
        f"{row['tokens_per_second']:,.0f}",
        f"{row['peak_share'] or 0:.0%}",
        f"{forecast['memory_bytes'] / 1e6:,.0f}",
        f"{row['memory'] / 1e6:,.0f}",
        f"{row['memory_error']:+.0%}",
        f"{row['busy_cores']['others']:.1f}",
    ]


if __name__ == "__main__":
    main()
