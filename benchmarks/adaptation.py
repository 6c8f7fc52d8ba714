"""Compare three ways to a model of one text: from scratch, continued from a MODEL, continued with new words.

    python benchmarks/adaptation.py MODEL SOURCE --general-text FILE [--minutes 5] [--add-words 100]
        [--ways scratch,continued,new-words] [--option name=value] [--out DIR] [--json FILE]

SOURCE is prepared with the tokenizer of MODEL, as it is and with `--add-words`. Each way then trains for the same time,
one after the other, in its own process:

scratch     `pretrain STORE`: everything is learned from SOURCE; `pretrain` chooses the size.
continued   `pretrain STORE --from MODEL`.
new-words   the same with new words in the vocabulary.

Each run is measured on the held-out part of SOURCE and on the general text, before, during and after training. Losses
per token depend on the tokenizer; nats per word (loss times tokens per word of the held-out part) are comparable
between all three. A MODEL without an MLM head starts at the loss of word frequencies.

Finished runs are kept as JSON in --out and not repeated; curves.svg shows all of them.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import contestants
from contestants import Bertsmith

LOSS = "mlm_nats_per_masked_token"
WAYS = {"scratch": "from scratch", "continued": "continued", "new-words": "continued, new words"}
HEAD = [
    "way", "parameters", "updates", "tokens per word", "held-out before", "after", "unigram", "per word, after",
    "general before", "after", "next sentence", "others' cores",
]  # fmt: skip
Record = dict[str, Any]


def main() -> None:
    """Make the STOREs and runs that are missing, print the table, draw the curves."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("source", type=Path)
    parser.add_argument("--general-text", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--add-words", type=int, default=100)
    parser.add_argument("--ways", type=lambda text: text.split(","), default=list(WAYS))
    parser.add_argument("--option", action="append", default=[], help="of `pretrain`, for all runs, as name=value")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    records = {}
    with tempfile.TemporaryDirectory(prefix="adaptation-") as folder:
        place = (options.out or Path(folder) / "out").resolve()
        place.mkdir(parents=True, exist_ok=True)
        for way in options.ways:
            job = partial(run, options, way, place, Path(folder) / "work")
            records[way] = contestants.once(place / f"{way}.json", job)
            print("  ".join(cells(way, records[way])), flush=True)
        (place / "curves.svg").write_text(drawn(records), encoding="utf-8")
    print()
    contestants.show(HEAD, [cells(way, record) for way, record in records.items()])
    if options.json is not None:
        contestants.write_json(options.json, records)


def store_of(options: argparse.Namespace, way: str, place: Path) -> Path:
    """Return the STORE of a way; make it if it is missing."""
    words = options.add_words if way == "new-words" else 0
    store = place / f"store-{words}"
    if not (store / "manifest.json").is_file():
        more = ["--add-words", str(words)] if words else []
        contestants.run_quietly([
            sys.executable, "-m", "bertsmith", "prepare", str(options.source), "--out", str(store),
            "--tokenizer", options.model, "--overwrite", *more,
        ])  # fmt: skip
    return store


def run(options: argparse.Namespace, way: str, place: Path, work: Path) -> Record:
    """Train one way and return its figures."""
    store = store_of(options, way, place)
    given = dict(word.split("=", 1) for word in options.option)
    from_scratch = way == "scratch"
    arguments = contestants.pretrain_options(
        store, general_text=options.general_text.resolve(), minutes=options.minutes, save_every=contestants.NEVER,
        **{"from": None if from_scratch else options.model}, **given,
    )  # fmt: skip
    record = contestants.run(Bertsmith(arguments, str(work), peak_seconds=0))
    model = json.loads((work / "run" / "run.json").read_text(encoding="utf-8"))["model"]
    shutil.rmtree(work)
    result = record["result"]
    return {
        "model": model,
        "seconds": sum(record["seconds"]),
        "updates": result["steps"],
        "tokens_per_word": tokens_per_word(store),
        "curve": record["curve"],
        "busy_cores": record["busy_cores"],
        **{name: result[name] for name in (
            "evaluation_before", "evaluation", "general_evaluation_before", "general_evaluation",
        )},
    }  # fmt: skip


def tokens_per_word(store: Path) -> float:
    """Return the tokens of the held-out part per word."""
    from bertsmith.corpus.store import HELD_OUT, TokenStore
    from bertsmith.tokenization.folder import load_tokenizer

    opened = TokenStore(store)
    part = opened.part(HELD_OUT)
    names = load_tokenizer(str(opened.tokenizer_folder)).convert_ids_to_tokens(
        [int(number) for number in part.tokens(0, part.num_tokens)]
    )
    return len(names) / sum(not name.startswith("##") for name in names)


def cells(way: str, record: Record) -> list[str]:
    """Format the figures of a way for the table."""
    before, after = record["evaluation_before"], record["evaluation"]
    sentences = after.get("next_sentence_accuracy")
    return [
        WAYS[way],
        f"{record['model']['parameters'] / 1e6:.1f} M",
        f"{record['updates']:,}",
        f"{record['tokens_per_word']:.3f}",
        f"{before[LOSS]:.3f}",
        f"{after[LOSS]:.3f}",
        f"{after['unigram_nats_per_token']:.3f}",
        f"{after[LOSS] * record['tokens_per_word']:.3f}",
        f"{record['general_evaluation_before'][LOSS]:.3f}",
        f"{record['general_evaluation'][LOSS]:.3f}",
        "-" if sentences is None else f"{sentences:.1%}",
        f"{record['busy_cores']['others']:.1f}",
    ]


def drawn(records: dict[str, Record]) -> str:
    """Draw nats per word of the held-out part against training seconds."""
    lines = {}
    for way, record in records.items():
        ends = [(0.0, record["evaluation_before"]), (record["seconds"], record["evaluation"])]
        points = [ends[0], *((point["seconds"], point) for point in record["curve"]), ends[1]]
        lines[WAYS[way]] = [(seconds, figures[LOSS] * record["tokens_per_word"]) for seconds, figures in points]
    first = next(iter(records.values()))
    return contestants.picture(
        lines,
        reference=("unigram", first["evaluation"]["unigram_nats_per_token"] * first["tokens_per_word"]),
        title="Held-out loss against training time",
        x_label="seconds of training",
        y_label="held-out loss, nats per word",
    )


if __name__ == "__main__":
    main()
