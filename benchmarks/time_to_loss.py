"""How long `bertsmith pretrain` trains until its held-out loss is that of stock transformers after a whole run.

    python benchmarks/time_to_loss.py STORE-or-SOURCE [--minutes 10] [--size mini] [--vocab-size 8192]
        [--sequence-length 128] [--learning-rates 5e-5,2e-4,5e-4,1e-3] [--ours-minutes 0.67,1.25,10] [--out DIR]
        [--json FILE]

One after the other, each in a process of its own (contestants.py):

stock-RATE         transformers.Trainer with bf16, all else as it comes (linear schedule, its own collator), dropout
                   0.1, on the examples that ours trains on. Its schedule goes by updates: a few are timed before each
                   run, and it is planned to end at the time limit, where it is stopped in any case.
bertsmith-MINUTES  `bertsmith pretrain STORE --minutes MINUTES` with its defaults, for each of --ours-minutes: early in
                   a longer run the loss is above that of a short run, whose learning rate has fallen by then.

The loss is nats a masked token of the held-out part on frozen masks, the same for all (FixedMaskEvaluation): over 1,024
examples (or all) at the end, over the 128 that `bertsmith pretrain` takes along the way. Training time excludes
evaluations on both sides; the limit of ours includes them (its clock goes on), so it trains a little less than it may.
On a machine that is not quiet stock, whose threads spin, loses more than ours: see "others' cores". Reported are

- the second from which on our longest run is at stock's final loss or below (along the way, between two evaluations on
  a straight line), and
- the shortest of our runs that ends at it or below (over the 1,024).

A contestant that is finished has a JSON in --out, is not run again, and curves.svg shows all of them. The RUNs of ours
stay there too, as NAME-run.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import contestants
from contestants import Bertsmith, Stock

SNAPSHOTS = 24
"""Evaluations of a stock run, denser at its start."""
EVALUATIONS = 40
"""Evaluations of our longest run, evenly spread; the shorter ones are evaluated at the end alone."""
LOSS = "mlm_nats_per_masked_token"
Record = dict[str, Any]
Curve = list[tuple[float, float]]


def main() -> None:
    """Run the contestants that are not finished, print the table, draw the curves."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, help="a STORE, or what `bertsmith prepare` reads")
    parser.add_argument("--minutes", type=float, default=10, help="of a stock run")
    parser.add_argument("--size", default="mini")
    parser.add_argument("--vocab-size", type=int, default=8192, help="where the STORE is made here")
    parser.add_argument("--sequence-length", type=int, default=128)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--learning-rates", type=numbers, default=numbers("5e-5,2e-4,5e-4,1e-3"), help="of stock")
    parser.add_argument("--ours-minutes", type=numbers, help="default: a fifteenth, an eighth, and all of --minutes")
    parser.add_argument("--trial-updates", type=int, default=12, help="what is timed before a stock run")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    options.ours_minutes = options.ours_minutes or [options.minutes / 15, options.minutes / 8, options.minutes]
    with tempfile.TemporaryDirectory(prefix="time-to-loss-") as folder:
        place = (options.out or Path(folder) / "out").resolve()
        place.mkdir(parents=True, exist_ok=True)
        store = store_of(options, place)
        check_settings(options, place)
        jobs: dict[str, Callable[[str, Path], Record]] = {}
        for rate in options.learning_rates:
            jobs[f"stock-{rate:g}"] = lambda name, work, rate=rate: run_stock(options, store, work, rate)  # type: ignore[misc]
        for minutes in sorted(options.ours_minutes):
            jobs[f"bertsmith-{minutes:.3g}"] = lambda name, work, minutes=minutes: run_ours(  # type: ignore[misc]
                options, store, work, minutes
            )
        records = {name: result_of(name, job, place, Path(folder) / name) for name, job in jobs.items()}
        content = {"records": records, "table": report(records)}
        (place / "curves.svg").write_text(drawn(records), encoding="utf-8")
    if options.json is not None:
        contestants.write_json(options.json, content)


def numbers(text: str) -> list[float]:
    """Numbers between commas."""
    return [float(part) for part in text.split(",")]


def store_of(options: argparse.Namespace, place: Path) -> Path:
    """The STORE that is given, or one that is made of the SOURCE, once."""
    if (options.source / "manifest.json").is_file():
        return Path(options.source.resolve())
    store = place / "store"
    if not (store / "manifest.json").is_file():
        print(f"preparing {options.source}", flush=True)
        contestants.run_quietly([
            sys.executable, "-m", "bertsmith", "prepare", str(options.source), "--out", str(store),
            "--vocab-size", str(options.vocab_size), "--overwrite",
        ])  # fmt: skip
    return store


def check_settings(options: argparse.Namespace, place: Path) -> None:
    """What is finished in a folder stays comparable with what comes."""
    names = ("source", "minutes", "size", "vocab_size", "sequence_length", "batch_size")
    settings = {name: str(getattr(options, name)) for name in names}
    file = place / "settings.json"
    if file.exists() and json.loads(file.read_text(encoding="utf-8")) != settings:
        raise SystemExit(f"{file}: other settings than {settings}; give another --out")
    contestants.write_json(file, settings)


def result_of(name: str, job: Callable[[str, Path], Record], place: Path, work: Path) -> Record:
    """The record of a contestant, as it is kept or as it comes out now."""
    file = place / f"{name}.json"
    kept = file.exists()
    if not kept:
        contestants.write_json(file, job(name, work))
        if (work / "run" / "run.json").is_file():
            shutil.rmtree(place / f"{name}-run", ignore_errors=True)
            shutil.move(work / "run", place / f"{name}-run")
        shutil.rmtree(work)
    record: Record = json.loads(file.read_text(encoding="utf-8"))
    print(
        f"{name}: {record['final'][LOSS]:.3f} after {record['updates']:,} updates in {record['seconds']:.0f} s"
        + (", kept" if kept else ""),
        flush=True,
    )
    return record


def run_stock(options: argparse.Namespace, store: Path, work: Path, rate: float) -> Record:
    """Time a few updates, plan the run, make it, evaluate its snapshots."""
    contestants.write_config(store, options.size, work / "model")
    limit = 60 * options.minutes

    def job(out: str, updates: int, **more: Any) -> Record:
        count = updates * options.batch_size
        contestants.write_examples(store, count, options.sequence_length, work / "examples.npz")
        return contestants.run(Stock(
            str(work / "examples.npz"), str(work / "model"), str(store / "tokenizer"), str(work / out), updates,
            options.batch_size, rate, **more,
        ))  # fmt: skip

    pace = statistics.fmean(job("trial", options.trial_updates)["seconds"][2:])
    planned = max(1, round(limit / pace))
    moments = tuple(limit * (part / SNAPSHOTS) ** 1.5 for part in range(1, SNAPSHOTS + 1))
    record = job("run", planned, limit=limit, snapshots=moments)
    during, final = evaluated(options, store, [each["folder"] for each in record["snapshots"]])
    return {
        "kind": "stock",
        "learning_rate": rate,
        "seconds": sum(record["seconds"]),
        "updates": len(record["seconds"]),
        "planned_updates": planned,
        "curve": [
            {"seconds": each["seconds"], "step": each["step"], **figures}
            for each, figures in zip(record["snapshots"], during, strict=True)
        ],
        "final": final,
        "peak": record["peak"],
        "busy_cores": record["busy_cores"],
    }


def evaluated(options: argparse.Namespace, store: Path, folders: list[str]) -> tuple[list[Record], Record]:
    """The figures of saved models over few examples, and those of the last one over many, as the verb takes them."""
    from importlib import import_module

    verb = import_module("bertsmith.verbs.pretrain")
    from bertsmith.corpus.store import HELD_OUT, TokenStore
    from bertsmith.evaluation.language_model import FixedMaskEvaluation
    from bertsmith.models.loading import load_bert, on_device
    from bertsmith.objectives.masks import Vocabulary
    from bertsmith.runtime.machine import choose_attention, choose_device, choose_precision, prepare_process
    from bertsmith.tokenization.folder import load_tokenizer

    prepare_process()
    opened, device = TokenStore(store), choose_device().value
    precision, attention = choose_precision("auto", device).value, choose_attention("auto", device).value
    vocabulary = Vocabulary.of(load_tokenizer(str(opened.tokenizer_folder)))

    def figures(folder: str, examples: int) -> Record:
        evaluation = FixedMaskEvaluation(
            opened.part(HELD_OUT), vocabulary, objective="mlm+nsp", sequence_length=options.sequence_length,
            batch_size=64, unigram_counts=opened.unigram_counts(), max_examples=examples,
        )  # fmt: skip
        model = load_bert(folder, attn_implementation=attention).model
        on_device(model, device)
        return evaluation(model, precision=precision).to_dict()

    during = [figures(folder, verb.EXAMPLES_DURING) for folder in folders]
    return during, figures(folders[-1], verb.EXAMPLES_AROUND)


def run_ours(options: argparse.Namespace, store: Path, work: Path, minutes: float) -> Record:
    """Run the verb; the longest run is evaluated along the way."""
    shape = {"size": options.size, "sequence_length": options.sequence_length, "batch_size": options.batch_size}
    given = contestants.pretrain_options(store, minutes=minutes, **shape)
    every = contestants.NEVER
    if minutes == max(options.ours_minutes):
        pace = contestants.dry_run(given)["seconds_per_update"]
        every = str(max(1, round(60 * minutes / pace / EVALUATIONS)))
    arguments = (*given, "--eval-every", every, "--save-every", contestants.NEVER)
    record = contestants.run(Bertsmith(arguments, str(work)))
    return {
        "kind": "bertsmith",
        "learning_rate": record["learning_rate"],
        "minutes": minutes,
        "seconds": sum(record["seconds"]),
        "updates": len(record["seconds"]),
        "curve": record["curve"],
        "before": record["result"]["evaluation_before"],
        "final": record["result"]["evaluation"],
        "peak": record["peak"],
        "busy_cores": record["busy_cores"],
    }


def curve(record: Record) -> Curve:
    """Training seconds and loss along the way."""
    return [(point["seconds"], point[LOSS]) for point in record["curve"]]


def passing(points: Curve, loss: float) -> tuple[float, str] | None:
    """The second from which on a curve is at this loss or below; None where it does not end so."""
    behind = next((number for number in range(len(points), 0, -1) if points[number - 1][1] > loss), 0)
    if behind == len(points):
        return None
    if behind == 0:
        return points[0][0], "at most "
    (start, above), (stop, below) = points[behind - 1], points[behind]
    return start + (stop - start) * (above - loss) / (above - below), ""


def report(records: dict[str, Record]) -> list[Record]:
    """Print the runs, and ours beside each of stock's."""
    head = ["run", "updates", "of planned", "training s", "final loss", "unigram", "next sentence", "others' cores"]
    rows = [
        [
            name,
            f"{record['updates']:,}",
            f"{record['updates'] / record['planned_updates']:.0%}" if "planned_updates" in record else "-",
            f"{record['seconds']:.0f}",
            f"{record['final'][LOSS]:.3f}",
            f"{record['final']['unigram_nats_per_token']:.3f}",
            f"{record['final']['next_sentence_accuracy']:.1%}",
            f"{record['busy_cores']['others']:.1f}",
        ]
        for name, record in records.items()
    ]
    print()
    contestants.show(head, rows)
    ours = sorted((each for each in records.values() if each["kind"] == "bertsmith"), key=lambda each: each["minutes"])
    table = []
    for name, record in records.items():
        if record["kind"] != "stock":
            continue
        loss, seconds = curve(record)[-1][1], record["seconds"]
        passed = passing(curve(ours[-1]), loss)
        shortest = next((each for each in ours if each["final"][LOSS] <= record["final"][LOSS]), None)
        table.append({
            "run": name,
            "seconds": seconds,
            "passed_after": passed[0] if passed else None,
            "times_sooner": seconds / passed[0] if passed else None,
            "shortest_run_below": shortest["seconds"] if shortest else None,
            "times_shorter": seconds / shortest["seconds"] if shortest else None,
            "best": record["final"][LOSS] == min(e["final"][LOSS] for e in records.values() if e["kind"] == "stock"),
            "note": passed[1] if passed else "",
        })  # fmt: skip

    def cell(row: Record, after: str, times: str, note: str = "") -> str:
        return f"{note}{row[after]:.1f} s, {row[times]:.1f} times" if row[after] is not None else "not reached"

    print(f"\nour longest run and our shortest one, {ours[-1]['minutes']:.3g} to {ours[0]['minutes']:.3g} minutes\n")
    contestants.show(
        ["stock", "training s", "longest passes it after", "shortest that ends below"],
        [
            [
                row["run"] + (" (best)" if row["best"] else ""),
                f"{row['seconds']:.0f}",
                cell(row, "passed_after", "times_sooner", row["note"]),
                cell(row, "shortest_run_below", "times_shorter"),
            ]
            for row in table
        ],
    )
    return table


def drawn(records: dict[str, Record]) -> str:
    """Loss against training seconds."""
    ends = [
        (record["seconds"], record["final"][LOSS])
        for record in records.values()
        if record["kind"] == "bertsmith" and len(record["curve"]) <= 1
    ]
    return contestants.picture(
        {name: curve(record) for name, record in records.items() if len(record["curve"]) > 1},
        points={"bertsmith, shorter runs": ends},
        reference=("unigram", next(iter(records.values()))["final"]["unigram_nats_per_token"]),
        title="Held-out loss against training time",
        x_label="seconds of training",
    )


if __name__ == "__main__":
    main()
