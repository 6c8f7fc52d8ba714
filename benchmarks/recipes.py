"""What single options of `bertsmith pretrain` reach in the same time, or over the same number of updates.

    python benchmarks/recipes.py STORE --minutes 2 --recipe size=tiny --recipe "size=mini mask-rate=0.25" ...
        [--out DIR] [--json FILE]

Each recipe is one run, in a process of its own, of the options that stand in it (`name=value`, blanks between them)
beside the defaults, and of `--minutes` where it names no steps. The losses are over 1,024 held-out examples on frozen
masks of 15%, so they can be compared whatever a recipe masks. With `--minutes` nothing else should run beside it, or
the later recipes get less done; recipes of equal steps may run two at a time, each by `taskset` on cores of its own.

A recipe that is finished has a JSON in --out and is not run again; curves.svg shows all that are there.
"""

from __future__ import annotations

import argparse
import re
import shutil
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import contestants
from contestants import Bertsmith

LOSS = "mlm_nats_per_masked_token"
HEAD = ["recipe", "updates", "tokens", "training s", "loss", "unigram", "next sentence", "of peak", "others' cores"]
Record = dict[str, Any]


def main() -> None:
    """Run the recipes that are not finished, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("store", type=Path)
    parser.add_argument("--recipe", action="append", required=True, help="options as name=value; may be repeated")
    parser.add_argument("--minutes", type=float, default=2)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    records = {}
    with tempfile.TemporaryDirectory(prefix="recipes-") as folder:
        place = (options.out or Path(folder) / "out").resolve()
        place.mkdir(parents=True, exist_ok=True)
        for recipe in options.recipe:
            words = dict(word.split("=", 1) for word in recipe.split())
            if "steps" not in words:
                words["minutes"] = f"{options.minutes:g}"
            file = place / (re.sub(r"[^\w.=-]+", "_", " ".join(f"{k}={v}" for k, v in words.items())) + ".json")
            job = partial(run, options.store.resolve(), words, Path(folder) / "work")
            records[recipe] = contestants.once(file, job)
            print("  ".join(cells(recipe, records[recipe])), flush=True)
        (place / "curves.svg").write_text(drawn(records), encoding="utf-8")
    print()
    contestants.show(HEAD, [cells(recipe, record) for recipe, record in records.items()])
    if options.json is not None:
        contestants.write_json(options.json, records)


def run(store: Path, words: dict[str, str], work: Path) -> Record:
    """One run and what it reached."""
    arguments = (*contestants.pretrain_options(store, **words), "--save-every", contestants.NEVER)
    record = contestants.run(Bertsmith(arguments, str(work), peak_seconds=0))
    shutil.rmtree(work)
    result = record["result"]
    return {
        "options": words,
        "seconds": sum(record["seconds"]),
        "updates": result["steps"],
        "tokens": result["tokens_seen"],
        "learning_rate": record["learning_rate"],
        "curve": record["curve"],
        "final": result["evaluation"],
        "peak_share": result["peak_share"],
        "busy_cores": record["busy_cores"],
    }


def cells(recipe: str, record: Record) -> list[str]:
    """A recipe as it is printed."""
    final = record["final"]
    sentences = final.get("next_sentence_accuracy")
    return [
        recipe,
        f"{record['updates']:,}",
        f"{record['tokens'] / 1e6:.2f} M",
        f"{record['seconds']:.0f}",
        f"{final[LOSS]:.3f}",
        f"{final['unigram_nats_per_token']:.3f}",
        "-" if sentences is None else f"{sentences:.1%}",
        f"{record['peak_share'] or 0:.0%}",
        f"{record['busy_cores']['others']:.1f}",
    ]


def drawn(records: dict[str, Record]) -> str:
    """Loss against training seconds: the evaluations along the way, and the end."""
    lines = {}
    for recipe, record in records.items():
        along = [(point["seconds"], point[LOSS]) for point in record["curve"]]
        lines[recipe] = [*along, (record["seconds"], record["final"][LOSS])]
    return contestants.picture(
        lines,
        reference=("unigram", next(iter(records.values()))["final"]["unigram_nats_per_token"]),
        title="Held-out loss against training time",
        x_label="seconds of training",
    )


if __name__ == "__main__":
    main()
