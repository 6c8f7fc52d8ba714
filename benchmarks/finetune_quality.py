"""Measure fine-tuning on real data sets: `bertsmith finetune`, stock transformers, and models of your own.

    python benchmarks/finetune_quality.py --model MODEL --data DATA --out DIR [--tasks mrpc wnut ...] [--seeds 3]
        [--side ours|ours-last|stock|stock-defaults|both] [--encoder NAME=RUN] [--from-scratch NAME=RUN] [--smoke]
        [--summary]

DATA holds glue/, classification/, ner/, multiple-choice/ and squad/. A set is trained on the first rows of a fixed
permutation (TASKS: at most 3,000; all of MRPC; 10,000 of SST-2 and one epoch), which are written to DIR/data. Figures
are measured on the development set, or on a fixed split if there is none. Each of these runs in its own process:

ours            `bertsmith finetune` with its defaults and the options that the task needs; `bertsmith evaluate` for the
                predictions. The best epoch is chosen on the development set.
ours-last       the same with the weights at the end of training, as stock.
stock           transformers.Trainer with the settings of its examples: run_glue.py's README (2e-5, 32 texts padded to
                128, 3 epochs), run_ner.py (5e-5, 8 sentences, 3 epochs); bf16=True, our allocator setting, the weights
                at the end of training.
stock-defaults  the same with the defaults of run_glue.py: 5e-5, 8 texts.
NAME            `--encoder`: ours from another MODEL, on polarity and trec.
NAME-scratch    `--from-scratch`: ours from that MODEL's architecture and tokenizer, with random weights for each seed.

mrpc-recipe is MRPC with configs/mrpc.yaml for ours and the same settings for stock. In tasks that end in -1000, both
have the same 1,000 rows. Finished runs are kept as JSON in DIR/results and not repeated; each prints a JSON line.

`--summary` runs nothing. It prints means over seeds with 95% intervals (Student's t), then differences of paired
contestants with 95% intervals (examples resampled, sentences for entities; seeds averaged).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import contestants
import finetune_contestants
from finetune_contestants import Stock
from finetune_sets import PERMUTATION, Source, codah, conll, glue, polarity, squad, squad_file, trec

Record = dict[str, Any]
Ints = npt.NDArray[np.int64]

ROWS = 3_000
RESAMPLES = 2_000
SMOKE = 64
OWN_TASKS = ("polarity", "trec")
SIDES = ("ours", "ours-last", "stock", "stock-defaults")
CONFIGS = Path(__file__).resolve().parents[1] / "configs"

README = {"batch_size": 32, "learning_rate": 2e-5}
RECIPE = {"batch_size": 16, "eval_batch_size": 64, "learning_rate": 2e-5, "weight_decay": 0.01, "evaluate": True}
"""The settings of configs/mrpc.yaml, and the defaults of `finetune` for all others."""
GLUE_STOCK: dict[str, dict[str, Any]] = {"stock": README, "stock-defaults": {}}


# Tasks.


@dataclass(frozen=True)
class Task:
    """A data set, how models are trained on it, and its metrics.

    Attributes:
        reading: options of `finetune` and `evaluate` for its files.
        options: further options of `finetune`.
        metrics: the main one first.
        stock: the stock contestants and their settings; empty if they do not take part.
        rows: limit of training rows; None is all.
        seeds: limit of seeds.
    """

    read: Callable[[Path], Source]
    metrics: tuple[str, ...]
    head: str = "sequence-classification"
    ending: str = ".jsonl"
    reading: dict[str, Any] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    stock: dict[str, dict[str, Any]] = field(default_factory=dict)
    rows: int | None = ROWS
    seeds: int | None = None


TAGS: dict[str, Any] = {"head": "token-classification", "ending": ".conll", "metrics": ("f1",)}
PAIR_COLUMNS = {"sentence1": 1, "sentence2": 2, "label": 3}
MRPC = partial(glue, name="MRPC", columns={"#1 String": 3, "#2 String": 4, "Quality": 0})
MRPC_COLUMNS = {"text_column": "#1 String", "pair_column": "#2 String", "label_column": "Quality"}
WNUT = partial(conll, train="wnut17/wnut17train.conll", dev="wnut17/emerging.dev.conll")
TASKS = {
    "mrpc": Task(MRPC, ("accuracy", "f1"), reading=MRPC_COLUMNS, stock=GLUE_STOCK, rows=None),
    "mrpc-recipe": Task(
        MRPC, ("accuracy", "f1"), reading=MRPC_COLUMNS, options={"config": CONFIGS / "mrpc.yaml"},
        stock={"stock": RECIPE}, rows=None,
    ),
    "rte": Task(partial(glue, name="RTE", columns=PAIR_COLUMNS), ("accuracy",)),
    "stsb": Task(
        partial(glue, name="STS-B", columns={"sentence1": 7, "sentence2": 8, "label": 9}), ("pearson", "spearman"),
        options={"problem_type": "regression"},
    ),
    "cola": Task(partial(glue, name="CoLA", columns={"text": 3, "label": 1}, header=False), ("matthews", "accuracy"),
                 options={"metric": "matthews"}),
    "sst2": Task(
        partial(glue, name="SST-2", columns={"text": 0, "label": 1}, train="train.tsv.gz"), ("accuracy",),
        options={"epochs": 1}, rows=10_000,
    ),
    "polarity": Task(polarity, ("accuracy",)),
    "polarity-1000": Task(polarity, ("accuracy",), stock=GLUE_STOCK, rows=1_000),
    "trec": Task(trec, ("accuracy",)),
    "wnut": Task(WNUT, **TAGS),
    "wnut-1000": Task(WNUT, **TAGS, stock={"stock": {}}, rows=1_000),
    "ncbi": Task(partial(conll, train="ncbi-disease/train.tsv", dev="ncbi-disease/devel.tsv"), **TAGS),
    "codah": Task(
        codah, ("accuracy",), "multiple-choice", ".tsv",
        reading={"no_header": True, "text_column": 1, "choice_columns": "2,3,4,5", "label_column": 6},
    ),
    "squad": Task(
        squad, ("exact_match", "f1"), "question-answering", ".json", reading={"max_length": 384}, seeds=1,
    ),
}  # fmt: skip


def write_data(name: str, data: Path, out: Path, *, rows: int | None, dev_rows: int | None = None) -> Record:
    """Write the files of a task once; return them and the facts about them."""
    task, known = TASKS[name], out / "data" / f"{name}.json"
    if known.exists():
        found: Record = json.loads(known.read_text(encoding="utf-8"))
        return found
    known.parent.mkdir(parents=True, exist_ok=True)
    source = task.read(data)
    order = np.random.default_rng(PERMUTATION).permutation(len(source.train))[:rows]
    parts = {"train": [source.train[place] for place in order], "dev": source.dev[:dev_rows]}
    found = {}
    for part, units in parts.items():
        file = out / "data" / f"{name}.{part}{task.ending}"
        content = squad_file(units) if task.ending == ".json" else "".join(f"{unit}\n" for unit in units)
        aside = file.with_name(f".{file.name}.partial")
        aside.write_text(content, encoding="utf-8", newline="")
        aside.replace(file)
        found[part] = {"file": str(file), "rows": len(units), "sha256": hashlib.sha256(content.encode()).hexdigest()}
    constant = Counter(source.labels[place] for place in order).most_common(1)[0][0] if source.labels else None
    contestants.write_json(known, found | {"constant": constant})
    return found | {"constant": constant}


# Contestants.


def words_of(options: dict[str, Any]) -> list[str]:
    """Return options as words of a command line."""
    words: list[str] = []
    for name, value in options.items():
        words += [f"--{name.replace('_', '-')}", *([] if value is True else [str(value)])]
    return words


def bertsmith(*words: str) -> Record:
    """Run a verb on the command line and return its answer."""
    printed = contestants.run_quietly([sys.executable, "-m", "bertsmith", *words, "--json"])
    answer: Record = json.loads(printed.splitlines()[-1])
    return answer


def ours(task: Task, model: str, data: Record, seed: int, work: Path, more: dict[str, Any]) -> Record:
    """Fine-tune on the command line and predict the development set."""
    run, answers = work / "run", work / "answers"
    train, dev = data["train"]["file"], data["dev"]["file"]
    given = task.reading | task.options | more | {"seed": seed}
    others, start = contestants.Others(), time.perf_counter()
    result = bertsmith(
        "finetune", task.head, "--model", model, "--train", train, "--dev", dev, "--out", str(run), *words_of(given)
    )
    seconds, cores = time.perf_counter() - start, others.cores()
    reading = words_of(task.reading)
    bertsmith("evaluate", str(run), dev, "--precision", "auto", "--predictions", str(answers), *reading)
    record = json.loads((run / "run.json").read_text(encoding="utf-8"))
    lines = finetune_contestants.read_json_lines(run / "metrics.jsonl")
    gold, predictions = read_answers(task, answers)
    return {
        "seconds": sum(contestants.update_seconds(lines)),
        "command_seconds": seconds,
        "updates": max(line["step"] for line in lines),
        "metrics": result["metrics"],
        "baseline": result["baseline"],
        "best_step": json.loads((run / "seeds" / f"seed-{seed}" / "result.json").read_text("utf-8"))["best_step"],
        "predictions": predictions,
        "gold": gold,
        "busy_cores": cores,
        "settings": record["options"],
        "choices": record["choices"],
        "versions": record["versions"],
    }


def read_answers(task: Task, file: Path) -> tuple[list[Any] | None, Any]:
    """Read labels and predictions from a file of `evaluate --predictions`."""
    if task.ending == ".json":
        return None, json.loads(file.read_text(encoding="utf-8"))
    if task.ending == ".conll":
        rows = [
            [line.split("\t") for line in block.split("\n")]
            for block in file.read_text(encoding="utf-8").rstrip("\n").split("\n\n")
        ]
        return [[row[1] for row in block] for block in rows], [[row[2] for row in block] for block in rows]
    found = finetune_contestants.read_json_lines(file)
    if "value" in found[0]:
        return [float(row["gold"]) for row in found], [row["value"] for row in found]
    answer = "index" if task.head == "multiple-choice" else "label"
    return [str(row["gold"]) for row in found], [str(row[answer]) for row in found]


def columns_of(task: Task) -> tuple[str, str | None, str]:
    """Return the columns of text, pair and label in JSON lines."""
    given = task.reading
    return given.get("text_column", "text"), given.get("pair_column"), given.get("label_column", "label")


def stock(task: Task, contestant: str, model: str, data: Record, seed: int, work: Path, smoke: bool) -> Record:
    """Fine-tune with transformers' Trainer."""
    given = task.stock[contestant] | ({"epochs": 1.0} if smoke else {})
    job = Stock(model, data["train"]["file"], data["dev"]["file"], str(work), seed, columns_of(task), **given)
    return finetune_contestants.run(job)


def fresh(model: str, folder: Path, seed: int) -> str:
    """Make a MODEL of the same architecture and tokenizer with random weights."""
    from transformers import AutoConfig, AutoModel, AutoTokenizer, set_seed

    set_seed(seed)
    AutoModel.from_config(AutoConfig.from_pretrained(model)).save_pretrained(folder)
    AutoTokenizer.from_pretrained(model).save_pretrained(folder)
    return str(folder)


def done(name: str, contestant: str, seed: int, model: str, options: argparse.Namespace) -> Record:
    """Do one run; its folder is emptied before and removed after."""
    task = TASKS[name]
    rows, dev_rows = (SMOKE, SMOKE) if options.smoke else (task.rows, None)
    data = write_data(name, options.data, options.out, rows=rows, dev_rows=dev_rows)
    work = options.out / "work" / f"{name}.{contestant}.{seed}"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    start = time.perf_counter()
    if contestant in task.stock:
        record = stock(task, contestant, model, data, seed, work, options.smoke)
    else:
        origin = fresh(model, work / "fresh", seed) if contestant.endswith("-scratch") else model
        more: dict[str, Any] = {"epochs": 1} if options.smoke else {}
        more |= {"eval_every": contestants.NEVER} if contestant == "ours-last" else {}
        record = ours(task, origin, data, seed, work, more)
    shutil.rmtree(work)
    head = {"task": name, "contestant": contestant, "seed": seed, "figures": figures(task, record)}
    return head | {"wall_seconds": time.perf_counter() - start, "data": data, **record}


# Figures.

Measure = Callable[[Ints], float]


def measure(metric: str, gold: list[Any], predicted: list[Any]) -> Measure:
    """Return a metric as a function of the counted examples, which may repeat."""
    from bertsmith.metrics import classification, entities

    if isinstance(gold[0], list):
        table = np.zeros((len(gold), 3))
        for row, types in enumerate(entities.count(gold, predicted)):
            for counts in types.values():
                table[row] += counts

        def entity_f1(chosen: Ints) -> float:
            right, guessed, true = table[chosen].sum(axis=0)
            return float(2 * right / max(guessed + true, 1))

        return entity_f1
    if metric in ("pearson", "spearman"):
        sides = [np.array(side, dtype=np.float64) for side in (gold, predicted)]
    else:
        number = {label: place for place, label in enumerate(sorted({*gold, *predicted, "0", "1"}))}
        if metric == "f1":
            number = dict.fromkeys(number, 0) | {"1": 1}
        sides = [np.array([number[label] for label in side]) for side in (gold, predicted)]
    function = classification.binary_f1 if metric == "f1" else getattr(classification, metric)
    return lambda chosen: float(function(sides[0][chosen], sides[1][chosen]))


def figures(task: Task, record: Record) -> dict[str, float]:
    """Return the metrics of one run; question answering as the product reports it."""
    if record["gold"] is None:
        return {metric: record["metrics"][metric]["mean"] for metric in task.metrics}
    everything = np.arange(len(record["gold"]))
    return {
        metric: measure(metric, record["gold"], record["predictions"])(everything) for metric in task.metrics
    }  # fmt: skip


def baseline(task: Task, metric: str, record: Record) -> float | None:
    """Return the figure of the most frequent class of the training rows; 0 for entities and correlations."""
    if record["gold"] is None:
        value: float | None = record["baseline"].get(metric)
        return value
    constant = record["data"]["constant"]
    if task.ending == ".conll" or metric in ("pearson", "spearman"):
        return 0.0
    return measure(metric, record["gold"], [constant] * len(record["gold"]))(np.arange(len(record["gold"])))


def difference(metric: str, left: list[Record], right: list[Record]) -> tuple[float, float, float]:
    """Return the mean difference of paired runs and the ends of its 95% interval."""
    from bertsmith.metrics.resampling import interval

    gold = left[0]["gold"]
    if any(record["gold"] != gold for record in [*left, *right]):
        raise SystemExit(f"{left[0]['task']}: the runs were not measured on the same examples; remove what is old")
    sides = [[measure(metric, gold, record["predictions"]) for record in side] for side in (left, right)]

    def value(chosen: Ints) -> float:
        ours, theirs = (float(np.mean([one(chosen) for one in side])) for side in sides)
        return ours - theirs

    draw = np.random.default_rng(0)
    resampled = [value(draw.integers(0, len(gold), len(gold))) for _ in range(RESAMPLES)]
    found = interval(value(np.arange(len(gold))), np.array(resampled))
    return found.value, found.low, found.high


def best_epochs(task: Task, records: list[Record]) -> list[Record]:
    """Return stock runs with the predictions of the epoch that is best by the main metric."""

    def value(record: Record) -> float:
        return figures(task, record)[task.metrics[0]]

    chosen = [
        max((record | {"predictions": answers} for answers in record["each_epoch"]), key=value) for record in records
    ]
    return [record | {"figures": figures(task, record)} for record in chosen]


def summary(out: Path) -> None:
    """Print the figures of each contestant, then the differences."""
    from bertsmith.metrics.classification import over_seeds

    found: dict[tuple[str, str], list[Record]] = {}
    for file in sorted((out / "results").glob("*.json")):
        record = json.loads(file.read_text(encoding="utf-8"))
        found.setdefault((record["task"], record["contestant"]), []).append(record)
    for (name, contestant), records in list(found.items()):
        if records[0].get("each_epoch"):
            found[name, f"{contestant}, best epoch"] = best_epochs(TASKS[name], records)
    rows, pairs = [], []
    for name, task in TASKS.items():
        present = {contestant: records for (known, contestant), records in found.items() if known == name}
        for metric in task.metrics:
            for contestant, records in present.items():
                mean = over_seeds([record["figures"][metric] for record in records])
                base = baseline(task, metric, records[0])
                rows.append([
                    name, metric, contestant, str(len(records)),
                    f"{mean.value:.4f}", f"{mean.low:.4f} to {mean.high:.4f}",
                    "-" if base is None else f"{base:.4f}",
                    f"{np.mean([record['seconds'] for record in records]):.0f}",
                ])  # fmt: skip
            for left, right in paired(present):
                mean_difference, low, high = difference(metric, present[left], present[right])
                pairs.append([
                    name, metric, f"{left} - {right}", f"{mean_difference:+.4f}", f"{low:+.4f} to {high:+.4f}",
                    f"{high - low:.4f}", "yes" if mean_difference > -0.01 else "NO", "yes" if high >= 0 else "NO",
                ])  # fmt: skip
    head = ["task", "metric", "who", "seeds", "mean", "95% interval", "baseline", "training s"]
    contestants.show(head, rows)
    if pairs:
        print()
        head = ["task", "metric", "difference", "mean", "95% interval", "width", "mean above -0.01",
                "interval not entirely below 0"]  # fmt: skip
        contestants.show(head, pairs)


def paired(present: dict[str, list[Record]]) -> list[tuple[str, str]]:
    """Return the pairs of contestants of a task."""
    sides = [(left, right) for right in SIDES[2:] for left in SIDES[:2]]
    known = [*sides, ("ours", "stock, best epoch"), *((name, f"{name}-scratch") for name in present)]
    return [(left, right) for left, right in known if left in present and right in present]


def named(text: str) -> tuple[str, str]:
    """Parse NAME=FOLDER."""
    name, equals, folder = text.partition("=")
    if not equals or not name or name in SIDES:
        raise argparse.ArgumentTypeError(f"found {text!r}, expected NAME=FOLDER")
    return name, folder


def main() -> None:
    """Do the missing runs, or print the summary."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", help="the MODEL that both sides fine-tune")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--tasks", nargs="+", choices=list(TASKS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--side", choices=[*SIDES, "both"], default="both")
    parser.add_argument("--encoder", action="append", default=[], type=named, help="NAME=FOLDER, instead of --side")
    parser.add_argument("--from-scratch", action="append", default=[], type=named, help="NAME=FOLDER, the same")
    parser.add_argument("--smoke", action="store_true", help=f"{SMOKE} rows, one epoch, in DIR/smoke")
    parser.add_argument("--summary", action="store_true")
    options = parser.parse_args()
    options.out = (options.out / "smoke" if options.smoke else options.out).resolve()
    if options.summary:
        summary(options.out)
        return
    models = dict(options.encoder) | {f"{name}-scratch": folder for name, folder in options.from_scratch}
    if options.data is None or (options.model is None and not models):
        parser.error("--data is needed, and --model or --encoder or --from-scratch")
    options.data = options.data.resolve()
    if not models:
        models = dict.fromkeys(["ours", "stock"] if options.side == "both" else [options.side], options.model)
    names = options.tasks or (list(TASKS) if options.model else OWN_TASKS)
    (options.out / "results").mkdir(parents=True, exist_ok=True)
    for name in names:
        for seed in range(min(options.seeds, TASKS[name].seeds or options.seeds)):
            for contestant, model in models.items():
                if contestant.startswith("stock") and contestant not in TASKS[name].stock:
                    continue
                file = options.out / "results" / f"{name}.{contestant}.{seed}.json"
                record = contestants.once(file, partial(done, name, contestant, seed, model, options))
                line = {key: record[key] for key in ("task", "contestant", "seed", "figures", "seconds")}
                print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
