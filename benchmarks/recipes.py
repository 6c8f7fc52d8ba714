"""Compare options of `bertsmith pretrain` after the same time, or the same number of updates.

    python benchmarks/recipes.py STORE --minutes 2 --recipe size=tiny --recipe "size=mini mask-rate=0.25" ...
        [--out DIR] [--json FILE]

A recipe is one run in its own process with these options (`name=value`, separated by blanks), defaults for all others,
and `--minutes` unless it names steps. Losses are over 1,024 held-out examples with 15% masked, so they are comparable
whatever a recipe masks. With `--minutes`, run nothing else at the same time; recipes of equal steps may run two at a
time, each on its own cores with `taskset`.

Finished recipes are kept as JSON in --out and not repeated; curves.svg shows all of them.
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
    """Run the missing recipes and print the table."""
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
    """Run one recipe and return its figures."""
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
    """Format a recipe for the table."""
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
    """Draw loss against training seconds: the evaluations along the way, and the end."""
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
