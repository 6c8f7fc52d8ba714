"""Measure one update of pre-training: `bertsmith pretrain` and stock transformers, by turns in one run.

    python benchmarks/pretrain_speed.py STORE [--size mini] [--batch-size 32] [--sequence-length 128] [--updates 12]
        [--stock-updates 8] [--pairs 3] [--dropout 0.1] [--contestants stock-bf16 bertsmith ...] [--json FILE]

stock-fp32            transformers.Trainer, BertForPreTraining and DataCollatorForLanguageModeling, unchanged
stock-bf16            the same with bf16=True
stock-bf16-allocator  the same with glibc keeping freed memory, as `bertsmith` sets it
bertsmith             the command line `bertsmith pretrain STORE --steps N` with its automatic choices

All train on the same examples, with the same batch size, learning rate and dropout, with AdamW, one thread per core,
each in its own process (contestants.py), without evaluations or checkpoints between updates. The figure is the median
seconds per update, including fetching and masking, without the first updates (2 of stock, 3 of ours). A ratio compares
a stock contestant with ours in the same round; every second round runs backwards.

The share of the peak is the arithmetic of an update (bertsmith.training.step_forecast.flops_per_example: the MLM head
on predicted positions, for all contestants) at the bfloat16 peak that the same process measured, divided by the time of
the update: for the fastest product, and for the median one. "Others' cores" are the cores that other programs used
meanwhile: stock's threads spin while they wait, so stock loses more on a busy machine; trust a round only if they are
near 0. (OMP_WAIT_POLICY=passive in the environment makes stock's threads sleep, too.)
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path
from typing import Any

import contestants
from contestants import Bertsmith, Stock

STOCK: dict[str, dict[str, Any]] = {
    "stock-fp32": {"bf16": False},
    "stock-bf16": {"bf16": True},
    "stock-bf16-allocator": {"bf16": True, "allocator": True},
}
OURS = "bertsmith"
CONTESTANTS = [*STOCK, OURS]
LEFT_OUT = {OURS: 3} | dict.fromkeys(STOCK, 2)
"""The number of first updates that do not count."""
MASK_RATE = 0.15
"""The mask rate of both sides."""


def main() -> None:
    """Run the rounds; print each and the medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("store", type=Path)
    parser.add_argument("--size", default="mini")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--sequence-length", type=int, default=128)
    parser.add_argument("--updates", type=int, default=12)
    parser.add_argument("--stock-updates", type=int, help="updates of the stock contestants (default: --updates)")
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--dropout", type=float, default=0.1)
    parser.add_argument("--learning-rate", type=float, default=1e-4)
    parser.add_argument("--contestants", nargs="+", choices=CONTESTANTS, default=CONTESTANTS)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    options.store = options.store.resolve()
    options.stock_updates = options.stock_updates or options.updates
    if options.updates <= LEFT_OUT[OURS] or options.stock_updates <= min(LEFT_OUT.values()):
        parser.error("the first 3 updates of ours and 2 of stock do not count: give more")
    flops = options.batch_size * flops_per_example(options.store, options.size, options.sequence_length)
    rounds: list[dict[str, dict[str, Any]]] = []
    for number in range(options.pairs):
        order = options.contestants if number % 2 == 0 else options.contestants[::-1]
        with tempfile.TemporaryDirectory(prefix="pretrain-speed-") as folder:
            place = Path(folder)
            prepare(options, place)
            rounds.append({name: measured(name, options, place, flops) for name in order})
        print(f"round {number + 1}: " + "; ".join(line(name, rounds[-1]) for name in options.contestants), flush=True)
        if options.json is not None:
            settings = {name: str(value) for name, value in vars(options).items()}
            content = {"settings": settings, "flops": flops, "rounds": rounds, "ratios": ratios(rounds)}
            contestants.write_json(options.json, content)
    report(options.contestants, rounds)


def flops_per_example(store: Path, size: str, sequence_length: int) -> float:
    """Return the floating point operations of an example, forward and backward, as `pretrain` counts them."""
    from bertsmith.models.sizes import bert_shape, make_config
    from bertsmith.objectives.masks import MaskingRule
    from bertsmith.tokenization.folder import load_tokenizer
    from bertsmith.training import step_forecast

    config = make_config(bert_shape(size), len(load_tokenizer(str(store / "tokenizer"))), 0)
    predictions = MaskingRule(MASK_RATE, (80, 10, 10)).max_predictions(sequence_length)
    return step_forecast.flops_per_example(config, sequence_length, predictions)


def prepare(options: argparse.Namespace, place: Path) -> None:
    """Write the files that stock trains on."""
    count = options.stock_updates * options.batch_size
    contestants.write_examples(options.store, count, options.sequence_length, place / "examples.npz")
    contestants.write_config(options.store, options.size, place / "model", options.dropout)


def measured(name: str, options: argparse.Namespace, place: Path, flops: float) -> dict[str, Any]:
    """Return the record of a contestant with its median and minimum seconds and its shares of the peak."""
    job: Stock | Bertsmith
    if name == OURS:
        arguments = contestants.pretrain_options(
            options.store, size=options.size, steps=options.updates, batch_size=options.batch_size,
            sequence_length=options.sequence_length, dropout=options.dropout, learning_rate=options.learning_rate,
            mask_rate=MASK_RATE, precision="auto", eval_every=contestants.NEVER, save_every=contestants.NEVER,
        )  # fmt: skip
        job = Bertsmith(arguments, str(place / name))
    else:
        job = Stock(
            str(place / "examples.npz"), str(place / "model"), str(options.store / "tokenizer"), str(place / name),
            options.stock_updates, options.batch_size, options.learning_rate, **STOCK[name],
        )  # fmt: skip
    record = contestants.run(job)
    counted = record["seconds"][LEFT_OUT[name] :]
    median = statistics.median(counted)
    peaks = {
        kind: max(record["peak"]["before"][kind], record["peak"]["after"][kind]) if kind == "best"
        else statistics.fmean([record["peak"]["before"][kind], record["peak"]["after"][kind]])
        for kind in ("best", "median")
    }  # fmt: skip
    shares = {kind: flops / median / peak for kind, peak in peaks.items()}
    return record | {"median": median, "fewest": min(counted), "peaks": peaks, "shares": shares}


def ratios(rounds: list[dict[str, dict[str, Any]]]) -> dict[str, list[float]]:
    """Return the ratios of each stock contestant to ours, by round."""
    if OURS not in rounds[0]:
        return {}
    return {
        name: [each[name]["median"] / each[OURS]["median"] for each in rounds] for name in STOCK if name in rounds[0]
    }


def line(name: str, records: dict[str, dict[str, Any]]) -> str:
    """Format a contestant of a round."""
    record = records[name]
    ratio = f", ratio {record['median'] / records[OURS]['median']:.2f}" if name != OURS and OURS in records else ""
    return f"{name} {record['median']:.3f} s{ratio}"


def report(names: list[str], rounds: list[dict[str, dict[str, Any]]]) -> None:
    """Print one line per contestant: medians over the rounds."""
    found, rows = ratios(rounds), []
    for name in names:
        records = [each[name] for each in rounds]
        pairs = found.get(name, [])
        ratio = f"{statistics.median(pairs):.2f} ({min(pairs):.2f} to {max(pairs):.2f})" if pairs else "-"
        peaks = [statistics.median(record["peaks"][kind] for record in records) / 1e9 for kind in ("best", "median")]
        shares = [statistics.median(record["shares"][kind] for record in records) for kind in ("best", "median")]
        rows.append([
            name,
            f"{statistics.median(record['median'] for record in records):.3f}",
            f"{min(record['fewest'] for record in records):.3f}",
            ratio,
            " / ".join(f"{peak:,.0f}" for peak in peaks),
            " / ".join(f"{share:.1%}" for share in shares),
            f"{statistics.median(record['busy_cores']['others'] for record in records):.1f}",
        ])  # fmt: skip
    print()
    head = ["contestant", "median s", "fewest s", "median ratio (range)", "peak GFLOP/s best / median", "share of it",
            "others' cores"]  # fmt: skip
    contestants.show(head, rows)
    ours = [each[OURS] for each in rounds if OURS in each]
    if ours:
        own = statistics.median(record["result"]["peak_share"] or 0.0 for record in ours)
        peak = statistics.median(record["own_peak"] for record in ours) / 1e9
        precision = ours[0]["precision"]
        print(f"\nbertsmith itself reports {own:.0%} of its own {precision} peak of {peak:,.0f} GFLOP/s")


if __name__ == "__main__":
    main()
