"""finetune glue: each task is an ordinary RUN, what is done is kept, and the table says what its figures are."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import datasets
import pytest
import torch
from huggingface_hub import ModelCard
from safetensors.torch import load_file

import bertsmith
from bertsmith.errors import DataError, DivergedError, Interrupted, OptionError, OutputError
from bertsmith.finetuning import seed_training
from bertsmith.finetuning.glue.average import average, with_table_figures
from bertsmith.finetuning.glue.tasks import NAMES
from bertsmith.records.finetuning import MeanFigure
from bertsmith.records.suite import OverSeeds, SuiteProtocol, SuiteTask, TableFigure
from bertsmith.reporting.numbers import format_metric
from bertsmith.verbs.evaluate import evaluate
from bertsmith.verbs.finetune import finetune
from bertsmith.verbs.finetune_glue import GlueResult, finetune_glue

Glue = Callable[..., Path]
Signalled = Callable[..., AbstractContextManager[None]]
Answers = Callable[..., Any]
QUICK: dict[str, Any] = {
    "precision": "fp32",
    "max_length": 32,
    "learning_rate": 3e-3,
    "batch_size": 16,
    "epochs": 1,
}
WORDS = [word for name, value in QUICK.items() for word in (f"--{name.replace('_', '-')}", str(value))]
"""The same on the command line."""


@pytest.fixture(scope="module")
def done(
    run: Path,
    glue_file: Callable[..., Path],
    tmp_path_factory: pytest.TempPathFactory,
    seed_models_kept: Callable[[], AbstractContextManager[None]],
) -> tuple[Path, GlueResult]:
    """Five tasks with two seeds, whose models are kept; the data, and what came out."""
    place = tmp_path_factory.mktemp("suite")
    for task in ("CoLA", "MRPC", "STS-B", "RTE"):
        for part, first in (("train", 0), ("dev", 1000)):
            glue_file(place / "glue" / task / f"{part}.tsv", task, 24, first=first)
    for part, first in (("train", 0), ("dev_matched", 1000), ("dev_mismatched", 2000)):
        glue_file(place / "glue" / "MNLI" / f"{part}.tsv", "MNLI", 24, first=first)
    lines = ["Lexical Semantics\tPremise\tHypothesis\tLabel"]
    lines += [f"\ta cat sat {number}.\tno cat sat.\t{('contradiction', 'neutral')[number % 2]}" for number in range(8)]
    (place / "glue" / "MNLI" / "diagnostic-full.tsv").write_text("\n".join(lines) + "\n")
    with seed_models_kept():
        return place / "glue", finetune_glue(model=run, data=place / "glue", out=place / "out", seeds=2, **QUICK)


def test_the_json(done: tuple[Path, GlueResult]) -> None:
    _, result = done
    answer = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    assert set(answer) == {"out", "tasks", "average", "missing", "failures", "report"}
    metrics = {name: list(entry["metrics"]) for name, entry in answer["tasks"].items()}
    assert metrics == {
        "CoLA": ["matthews"],
        "MRPC": ["accuracy", "f1"],
        "STS-B": ["pearson", "spearman"],
        "MNLI": ["accuracy"],
        "MNLI-mm": ["accuracy"],
        "AX": ["matthews"],
        "RTE": ["accuracy"],
    }
    assert answer["missing"] == ["SST-2", "QQP", "QNLI", "WNLI"]
    assert answer["failures"] == {}
    for entry in answer["tasks"].values():
        for metric in entry["metrics"].values():
            assert set(metric) == {"mean", "low", "high", "seeds"} and len(metric["seeds"]) == 2
        assert entry["score"] == pytest.approx(
            sum(m["mean"] for m in entry["metrics"].values()) / len(entry["metrics"])
        )
        assert set(entry["baseline"]) == set(entry["metrics"])
        assert entry["protocol"]["over_seeds"] == "mean" and entry["protocol"]["seeds"] == 2
    assert json.loads((result.out / "suite.json").read_text())["status"] == "finished"


def test_the_protocol_is_that_of_each_figure(done: tuple[Path, GlueResult]) -> None:
    _, result = done
    assert result.tasks["RTE"]["protocol"] == {
        "figures_of": "dev.tsv",
        "chosen_on": "dev.tsv",
        "selected_on_reported_data": True,
        "over_seeds": "mean",
        "seeds": 2,
    }
    assert result.tasks["RTE"]["seeds"] == [0, 1]
    mismatched = result.tasks["MNLI-mm"]["protocol"]
    assert (mismatched["figures_of"], mismatched["chosen_on"]) == ("dev_mismatched.tsv", "dev_matched.tsv")
    assert not mismatched["selected_on_reported_data"]


def test_each_task_is_the_run_that_finetune_makes(done: tuple[Path, GlueResult], run: Path, tmp_path: Path) -> None:
    """The same command by hand: the same figures, the same weights."""
    data, result = done
    record = json.loads((result.out / "CoLA" / "run.json").read_text())
    assert record["kind"] == "finetuning" and record["status"] == "finished"
    assert record["options"]["metric"] == "matthews", "CoLA's checkpoints are chosen by its own figure"
    alone = finetune(
        "sequence-classification",
        model=run,
        train=data / "CoLA" / "train.tsv",
        dev=data / "CoLA" / "dev.tsv",
        out=tmp_path / "alone",
        no_header=True,
        text_column="3",
        label_column="1",
        metric="matthews",
        seeds=2,
        **QUICK,
    )
    assert alone.metrics["matthews"] == result.tasks["CoLA"]["metrics"]["matthews"]
    assert alone.baseline["matthews"] == result.tasks["CoLA"]["baseline"]["matthews"] == 0
    first, second = (load_file(path / "model.safetensors") for path in (alone.run, result.out / "CoLA"))
    assert all(torch.equal(first[name], second[name]) for name in first)
    for name in ("CoLA", "MRPC", "STS-B", "MNLI", "RTE"):
        assert (result.out / name / "report.html").is_file()
        assert bertsmith.load(result.out / name).classify("A bell.", None if name in ("CoLA", "SST-2") else "A boat.")
    assert not (result.out / "MNLI-mm").exists()


def test_mismatched_and_diagnostics_are_measured_with_the_models_of_mnli(done: tuple[Path, GlueResult]) -> None:
    data, result = done
    columns = {"text_column": "sentence1", "pair_column": "sentence2", "label_column": "gold_label"}
    for seed in (0, 1):
        folder = result.out / "MNLI" / "seeds" / f"seed-{seed}"
        figures = evaluate(folder, data / "MNLI" / "dev_mismatched.tsv", max_length=32, **columns)
        expected = figures.to_dict()["metrics"]["accuracy"]["value"]
        assert result.tasks["MNLI-mm"]["metrics"]["accuracy"]["seeds"][seed] == expected
    assert result.tasks["MNLI-mm"]["baseline"]["accuracy"] == 8 / 24
    assert result.tasks["AX"]["num_examples"] == 8


def test_the_average_by_hand(done: tuple[Path, GlueResult]) -> None:
    _, result = done
    assert result.average is not None
    scores = {name: entry["score"] for name, entry in result.tasks.items()}
    mnli = (scores["MNLI"] + scores["MNLI-mm"]) / 2
    by_hand = (scores["CoLA"] + scores["MRPC"] + scores["STS-B"] + mnli + scores["RTE"]) / 5
    assert result.average["mean"] == pytest.approx(by_hand)
    assert result.average["partial"] is True
    assert result.average["tasks"] == ["CoLA", "MRPC", "STS-B", "MNLI", "RTE"]
    assert result.average["low"] < result.average["mean"] < result.average["high"]


def figures(*values: float) -> MeanFigure:
    return MeanFigure(mean=sum(values) / len(values), low=0, high=1, seeds=list(values))


def entry(over_seeds: OverSeeds = "mean", best_seed: int = 0, **metrics: MeanFigure) -> SuiteTask:
    """A task whose seeds are 0, 1, 2 ..., as the table takes it."""
    seeds = list(range(len(next(iter(metrics.values())).seeds)))
    protocol = SuiteProtocol(figures_of="dev.tsv", chosen_on="dev.tsv", selected_on_reported_data=True)
    one = SuiteTask(
        metrics=metrics,
        seeds=seeds,
        best_seed=best_seed,
        protocol=protocol,
        baseline={},
        num_examples=9,
        run="run",
        figures={},
        score=0.0,
    )
    return with_table_figures(one, over_seeds)


def test_the_figures_of_another_protocol_have_no_interval_of_the_mean() -> None:
    """MRPC with seeds 0 to 2, of which 1 is best by accuracy: the best one's own F1 stands beside, not the highest."""
    metrics = {"accuracy": figures(0.6, 0.9, 0.7), "f1": figures(0.8, 0.75, 0.9)}
    best = entry("best", 1, **metrics)
    assert best.figures["accuracy"] == TableFigure(value=0.9, low=None, high=None)
    assert best.figures["f1"].value == 0.75 and best.score == pytest.approx((0.9 + 0.75) / 2)
    median = entry("median", 1, **metrics)
    assert median.figures["accuracy"] == TableFigure(value=0.7, low=None, high=None)
    assert median.score == pytest.approx((0.7 + 0.8) / 2)
    for over_seeds, task in (("best", best), ("median", median)):
        found = average({"MRPC": task}, over_seeds)
        assert found is not None and found.mean == task.score and found.low is None
    mean = entry("mean", 1, **metrics)
    assert mean.figures["accuracy"].to_dict() == {"value": pytest.approx(2.2 / 3), "low": 0, "high": 1}
    assert mean.metrics == best.metrics == median.metrics, "every seed's figure is kept"


def test_averages() -> None:
    """The metrics of a task first, MNLI's two files together, then the tasks."""
    tasks = {
        "CoLA": entry(matthews=figures(0.2, 0.4)),
        "MRPC": entry(accuracy=figures(0.8, 0.8), f1=figures(1.0, 0.8)),
        "MNLI": entry(accuracy=figures(0.5, 0.5)),
        "MNLI-mm": entry(accuracy=figures(0.7, 0.7)),
        "AX": entry(matthews=figures(-1.0, -1.0)),
    }
    found = average(tasks, "mean")
    assert found is not None
    # Seed 0: 0.2, 0.9, 0.6. Seed 1: 0.4, 0.8, 0.6. Half of Student's interval of two: 12.706 * |a - b| / 2.
    assert found.low is not None and found.high is not None
    assert found.mean == pytest.approx((0.3 + 0.85 + 0.6) / 3)
    a, b = 1.7 / 3, 1.8 / 3
    assert found.high - found.mean == pytest.approx(12.706 * (b - a) / 2)
    assert found.mean - found.low == pytest.approx(12.706 * (b - a) / 2)
    assert found.tasks == ["CoLA", "MRPC", "MNLI"]
    one = average({"RTE": entry(accuracy=figures(0.5)), "CoLA": tasks["CoLA"]}, "mean")
    assert one is not None and one.low is None, "tasks of different numbers of seeds have no common interval"
    assert average({}, "mean") is None
    whole = average({name: entry(accuracy=figures(0.5)) for name in NAMES}, "mean")
    assert whole is not None and whole.partial is False and whole.mean == 0.5


def test_the_report_has_the_table_the_picture_and_the_tasks(done: tuple[Path, GlueResult]) -> None:
    _, result = done
    assert result.report is not None
    html = result.report.read_text(encoding="utf-8")
    for name in ("CoLA", "MRPC", "STS-B", "MNLI", "RTE"):
        assert f'href="{name}/report.html"' in html
        assert (result.report.parent / name / "report.html").is_file()
    assert "over 5 of 9 tasks, without SST-2, QQP, QNLI, WNLI" in html
    assert "bertsmith finetune glue --model" in html
    assert 'aria-label="GLUE, each task' in html
    before = html
    assert bertsmith.report(result.out).report == result.report
    assert result.report.read_text(encoding="utf-8") == before


def test_the_card_of_a_suite(done: tuple[Path, GlueResult]) -> None:
    data, result = done
    card = ModelCard.load(result.out / "README.md")
    assert card.data.to_dict() == {"library_name": "transformers", "tags": ["bert", "glue", "bertsmith"]}
    for name, task in result.tasks.items():
        for metric, figure in task["figures"].items():
            assert f"| {name} | {metric} | {format_metric(metric, figure['value'])} |" in card.text
    for part in ("train", "dev"):
        file = data / "RTE" / f"{part}.tsv"
        assert f"| RTE | {part} | `{file}` | 24 | `{hashlib.sha256(file.read_bytes()).hexdigest()}` |" in card.text
    diagnostics = data / "MNLI" / "diagnostic-full.tsv"
    assert f"| AX | measured | `{diagnostics}` | 8 |" in card.text
    assert "dev.tsv, mean of 2 seeds, selected on the same examples" in card.text
    assert "partial: over 5 of 9 tasks" in card.text and "Not measured: SST-2, QQP, QNLI, WNLI" in card.text
    assert json.loads((result.out / "suite.json").read_text())["command"] in card.text


def test_the_protocol_may_change_without_training_again(
    bertsmith: Answers, run: Path, glue: Glue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["finetune", "glue", "--model", run, "--data", glue("MRPC"), "--out", tmp_path / "o", "--seeds", 2, *WORDS]
    mean = bertsmith(*words, "--json").json["tasks"]["MRPC"]
    seen = trained_seeds(monkeypatch)
    answer = bertsmith(*words, "--resume", "--over-seeds", "best")
    assert answer.code == 0, answer.stderr
    assert seen == []
    place = mean["seeds"].index(mean["best_seed"])
    line = next(line for line in answer.stdout.splitlines() if line.startswith("MRPC "))
    assert f"{mean['metrics']['accuracy']['seeds'][place]:.1%}  none " in line
    words = " ".join(answer.stdout.split())
    assert "MRPC: dev.tsv, best of 2 seeds (optimistic), selected on the same examples" in words
    assert "using the best seed of each" in words
    html = (tmp_path / "o" / "report.html").read_text()
    assert "A new seed usually does worse" in html and "(optimistic)" in html
    record = json.loads((tmp_path / "o" / "suite.json").read_text())
    assert record["tasks"]["MRPC"]["protocol"]["over_seeds"] == record["options"]["over_seeds"] == "best"
    assert record["tasks"]["MRPC"]["metrics"] == mean["metrics"]


def test_what_people_read(bertsmith: Answers, run: Path, glue: Glue, tmp_path: Path) -> None:
    answer = bertsmith(
        "finetune", "glue", "--model", run, "--data", glue("RTE", "MRPC"), "--out", tmp_path / "o", *WORDS
    )
    assert answer.code == 0, answer.stderr
    lines = answer.stdout.splitlines()
    assert all(len(line) <= 80 for line in lines[:-1])
    start = next(number for number, line in enumerate(lines) if line.startswith("task "))
    verdict = " ".join(lines[:start])
    assert "better" in verdict and "MRPC" in verdict and "RTE" in verdict
    assert lines[start].split() == ["task", "metric", "figure", "95%", "interval", "baseline", "examples"]
    assert [line.split()[0] for line in lines[start + 1 : start + 4]] == ["MRPC", "f1", "RTE"]
    words = " ".join(answer.stdout.split())
    for task in ("MRPC", "RTE"):
        assert f"{task}: dev.tsv, one seed, selected on the same examples" in words
    assert "partial: over 2 of 9 tasks, without CoLA, SST-2, STS-B, QQP, MNLI, QNLI, WNLI" in words
    assert lines[-1] == f"  report  {tmp_path / 'o' / 'report.html'}"


def test_files_of_the_hub_whose_labels_are_secret_are_passed_over(
    bertsmith: Answers, run: Path, glue: Glue, tmp_path: Path
) -> None:
    """The Hub's Parquet files of test parts and of AX hold -1: MNLI is trained all the same, and it is said."""
    data, names = glue("MNLI"), ["entailment", "neutral", "contradiction"]
    kinds = datasets.Features(
        premise=datasets.Value("string"), hypothesis=datasets.Value("string"), label=datasets.ClassLabel(names=names)
    )
    hidden = datasets.Dataset.from_dict(
        {"premise": ["A cat."] * 3, "hypothesis": ["No cat."] * 3, "label": [-1] * 3}, features=kinds
    )
    (data / "ax").mkdir()
    for path in (data / "ax" / "test-00000-of-00001.parquet", data / "MNLI" / "test_matched-00000-of-00001.parquet"):
        hidden.to_parquet(path)
    words = ["finetune", "glue", "--model", run, "--data", data, "--report-on", "test", *WORDS]
    answer = bertsmith(*words, "--out", tmp_path / "out")
    assert answer.code == 0, answer.stderr
    assert "AX" not in answer.stdout and "dev_matched.tsv, one seed" in " ".join(answer.stdout.split())
    for path in data.rglob("*.parquet"):
        assert f"{path}: has no labels, so it is not used" in answer.stderr


# What is done is kept


def trained_seeds(monkeypatch: pytest.MonkeyPatch, stop_at: tuple[str, int] | None = None) -> list[tuple[str, int]]:
    """The tasks and seeds that are trained from now on; at one of them Control-C is pressed."""
    original, seen = seed_training.train_head, []
    stops = [stop_at] if stop_at else []

    def train(*args: Any, **values: Any) -> Any:
        seen.append((values["folder"].path.parents[1].name, values["seed"]))
        if seen[-1] in stops:
            stops.clear()
            raise KeyboardInterrupt
        return original(*args, **values)

    monkeypatch.setattr(seed_training, "train_head", train)
    return seen


def test_a_stopped_run_resumes(
    bertsmith: Answers, run: Path, glue: Glue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["finetune", "glue", "--model", run, "--data", glue("CoLA", "MRPC", "RTE"), "--seeds", 2, *WORDS, "--out"]
    seen = trained_seeds(monkeypatch, stop_at=("MRPC", 1))
    answer = bertsmith(*words, tmp_path / "out")
    assert answer.code == 130
    assert answer.stderr.splitlines()[-2].endswith("Done: CoLA. Resume with:")
    command = answer.stderr.splitlines()[-1].strip()
    assert command == f"bertsmith finetune glue --resume --out {tmp_path / 'out'}"
    assert seen == [("CoLA", 0), ("CoLA", 1), ("MRPC", 0), ("MRPC", 1)]
    record = json.loads((tmp_path / "out" / "suite.json").read_text())
    assert (record["status"], list(record["tasks"])) == ("interrupted", ["CoLA"])
    page = (tmp_path / "out" / "report.html").read_text()
    assert "Not all tasks are finished. Still to do: MRPC, RTE. To resume, repeat the command below" in page

    refused = bertsmith(*words, tmp_path / "out")
    assert refused.code == 2
    assert "not empty. Try: --overwrite to replace it, --resume to continue an interrupted" in refused.stderr

    seen.clear()
    result = bertsmith(*command.split()[1:], "--json").json
    assert seen == [("MRPC", 1), ("RTE", 0), ("RTE", 1)], "what is done is not trained again"
    whole = bertsmith(*words, tmp_path / "whole", "--json").json
    for name, entry in whole["tasks"].items():
        assert result["tasks"][name]["metrics"] == entry["metrics"]
    seen.clear()
    assert bertsmith(*command.split()[1:], "--json").json["tasks"].keys() == whole["tasks"].keys()
    assert seen == []


def test_a_signal_in_training_says_how_to_resume(run: Path, glue: Glue, tmp_path: Path, signalled: Signalled) -> None:
    options = {"model": run, "data": glue("RTE"), "out": tmp_path / "out", **QUICK}
    with signalled(1, signal.SIGINT), pytest.raises(Interrupted) as raised:
        finetune_glue(**options)
    first, command = str(raised.value).split("\n")
    assert first == (
        "stopped by SIGINT after update 1 of seed 0; the work so far is kept. Done: no task yet. Resume with:"
    )
    assert command.strip() == f"bertsmith finetune glue --resume --out {tmp_path / 'out'}"
    seeds = tmp_path / "out" / "RTE" / "seeds" / "seed-0"
    assert [path.name for path in (seeds / "checkpoints").iterdir()] == ["step-1"]
    resumed = finetune_glue(**options, resume=True)
    whole = finetune_glue(**{**options, "out": tmp_path / "whole"})
    assert resumed.tasks["RTE"]["metrics"] == whole.tasks["RTE"]["metrics"]
    first_weights, second_weights = (
        load_file(folder / "RTE" / "model.safetensors") for folder in (tmp_path / "out", tmp_path / "whole")
    )
    assert all(torch.equal(first_weights[name], second_weights[name]) for name in first_weights)


@pytest.mark.slow
def test_a_killed_process_resumes_from_its_checkpoint(run: Path, glue: Glue, tmp_path: Path) -> None:
    """SIGKILL in the middle of a seed of the second task."""
    out, data = tmp_path / "out", glue("CoLA", "RTE", rows=32)
    options = QUICK | {"batch_size": 4, "epochs": 5, "save_every": 1}
    words = [word for name, value in options.items() for word in (f"--{name.replace('_', '-')}", str(value))]
    command = ["finetune", "glue", "--model", str(run), "--data", str(data), "--out", str(out), *words]
    process = subprocess.Popen(
        [sys.executable, "-m", "bertsmith", *command],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    checkpoints = out / "RTE" / "seeds" / "seed-0" / "checkpoints"
    try:
        while not list(checkpoints.glob("step-*")):
            assert process.poll() is None, "it ended before it could be killed"
            time.sleep(0.05)
    finally:
        process.kill()
        process.wait()
    assert not (out / "RTE" / "model.safetensors").exists()
    kept = out / "CoLA" / "model.safetensors"
    before = kept.stat().st_mtime_ns
    result = finetune_glue(model=run, data=data, out=out, resume=True, **options)
    assert kept.stat().st_mtime_ns == before
    metrics = [json.loads(line) for line in (out / "RTE" / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in metrics if "loss" in line] == list(range(1, 41)), "each update once"
    assert list(result.tasks) == ["CoLA", "RTE"]


def test_more_seeds_and_more_tasks(run: Path, glue: Glue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = {"model": run, "data": glue("CoLA", "MRPC", "RTE"), "out": tmp_path / "out", **QUICK}
    finetune_glue(**options, tasks="RTE")
    seen = trained_seeds(monkeypatch)
    result = finetune_glue(**options, tasks="MRPC", resume=True)
    assert list(result.tasks) == ["MRPC", "RTE"] and seen == [("MRPC", 0)]
    seen.clear()
    result = finetune_glue(**options, tasks=["RTE", "MRPC"], seeds=2, resume=True)
    assert seen == [("MRPC", 1), ("RTE", 1)]
    assert result.average is not None and result.average["low"] is not None
    with pytest.raises(OptionError, match=r"was started with --epochs 1.0, found 2.0"):
        finetune_glue(**{**options, "epochs": 2}, resume=True)


@pytest.mark.parametrize("lacking", ["suite", "missing", "tasks.RTE.seeds", "tasks.AX.run"])
def test_a_record_of_another_version_is_refused_in_words(
    bertsmith: Callable[..., Any], run: Path, glue: Glue, tmp_path: Path, lacking: str
) -> None:
    out, data = tmp_path / "out", glue("RTE")
    record: dict[str, Any] = {
        "suite": "glue",
        "status": "finished",
        "command": "bertsmith finetune glue",
        "options": {"model": "m"},
        "machine": {},
        "versions": {},
        "failures": {},
        "average": None,
        "missing": [],
        "tasks": {name: entry(accuracy=figures(0.5)).to_dict() for name in ("RTE", "AX")},
    }
    *path, last = lacking.split(".")
    place = record
    for name in path:
        place = place[name]
    del place[last]
    out.mkdir()
    (out / "suite.json").write_text(json.dumps(record))
    for words in (["report", out], ["finetune", "glue", "--model", run, "--data", data, "--out", out, "--resume"]):
        answer = bertsmith(*words)
        assert (answer.code, answer.stdout) == (2, "")
        assert (
            f"{out / 'suite.json'}: `{lacking}` is missing; the file was edited, or a different version"
            in answer.stderr
        )
        assert "with --overwrite or a different --out:\n  bertsmith finetune glue" in answer.stderr
        assert "Traceback" not in answer.stderr
    assert json.loads((out / "suite.json").read_text()) == record
    for damaged, found in (('{"suite": "gl', "Unterminated string"), ("", "Expecting value"), ("[]", "no JSON object")):
        (out / "suite.json").write_text(damaged)
        for words in (["report", out], ["finetune", "glue", "--model", run, "--data", data, "--out", out, "--resume"]):
            answer = bertsmith(*words)
            assert (answer.code, answer.stdout) == (2, "")
            assert found in answer.stderr and "The RUNs next to it can still be used" in answer.stderr


def test_overwrite_takes_only_what_it_wrote(run: Path, glue: Glue, tmp_path: Path) -> None:
    options = {"model": run, "data": glue("RTE"), **QUICK}
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("years of work")
    with pytest.raises(OutputError, match=r"only folders that bertsmith finetune glue wrote, and found no suite\.json"):
        finetune_glue(**options, out=mine, overwrite=True)
    with pytest.raises(OutputError, match=r"found no suite\.json"):
        finetune_glue(**options, out=mine, resume=True)
    assert (mine / "thesis.txt").is_file()
    for name in ("MODEL", "--data"):
        inside = tmp_path / name
        inside.mkdir()
        moved = {**options, "model": inside / "m"} if name == "MODEL" else {**options, "data": inside / "d"}
        shutil.copytree(
            options["model"] if name == "MODEL" else options["data"], moved["model" if name == "MODEL" else "data"]
        )
        (inside / "suite.json").write_text("{}")
        with pytest.raises(OptionError, match=f"{name} .* is inside this folder"):
            finetune_glue(**moved, out=inside, overwrite=True)


def test_what_does_not_fit_the_model_is_said_before_results_are_replaced(run: Path, glue: Glue, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "suite.json").write_text("{}")
    for wrong in ({"layers": 9}, {"freeze_layers": 9}, {"lora": 2, "lora_targets": ("quary",)}):
        with pytest.raises(OptionError):
            finetune_glue(model=run, data=glue("RTE"), out=out, overwrite=True, **wrong)
        assert (out / "suite.json").read_text() == "{}"


# A task that fails


def test_decimals_are_no_classes_of_glue(bertsmith: Answers, run: Path, tmp_path: Path) -> None:
    for part in ("train", "dev"):
        (tmp_path / "SST-2").mkdir(exist_ok=True)
        (tmp_path / "SST-2" / f"{part}.tsv").write_text("sentence\tlabel\na film\t0.5\na play\t1.5\n")
    answer = bertsmith("finetune", "glue", "--model", run, "--data", tmp_path, "--out", tmp_path / "out", *WORDS)
    assert answer.code == 2
    assert "SST-2 is left out" in answer.stderr and "found the label '0.5', and all 2 different labels" in answer.stderr


def test_a_damaged_file_does_not_lose_the_other_tasks(
    bertsmith: Answers, run: Path, glue: Glue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One is damaged in its form, one holds a label that training does not know; both are told at the end."""
    data = glue("CoLA", "MRPC", "RTE")
    whole = {name: (data / name / "dev.tsv").read_text(encoding="utf-8") for name in ("MRPC", "RTE")}
    (data / "MRPC" / "dev.tsv").write_text(whole["MRPC"] + "1\t3\n", encoding="utf-8")
    (data / "RTE" / "dev.tsv").write_text(whole["RTE"] + "9\ta\tb\tperhaps\n", encoding="utf-8")
    words = ["finetune", "glue", "--model", run, "--data", data, "--out", tmp_path / "out", *WORDS, "--json"]
    answer = bertsmith(*words)
    assert answer.code == 2
    found = json.loads(answer.stdout)
    assert list(found["tasks"]) == ["CoLA"]
    assert "line 14: found 2 fields, expected 5" in found["failures"]["MRPC"]["message"]
    assert "found the label 'perhaps', expected a label of the model" in found["failures"]["RTE"]["message"]
    assert found["missing"] == [name for name in NAMES if name != "CoLA"]
    assert answer.stderr.splitlines()[-3] == "error: 2 tasks failed, the results of the others are kept:"
    html = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "RTE failed" in html and "MRPC failed" in html
    shown = bertsmith(*words[:-1], "--resume")
    assert shown.code == 2 and [line for line in shown.stdout.splitlines() if line.endswith("failed")]

    for name, content in whole.items():
        (data / name / "dev.tsv").write_text(content, encoding="utf-8")
    seen = trained_seeds(monkeypatch)
    repaired = bertsmith(*words, "--resume")
    assert repaired.json["failures"] == {}
    assert list(repaired.json["tasks"]) == ["CoLA", "MRPC", "RTE"]
    assert seen == [("MRPC", 0), ("RTE", 0)]


def test_a_task_that_diverges_is_no_mistake_of_the_user(
    bertsmith: Answers, run: Path, glue: Glue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = seed_training.train_head

    def train(*args: Any, **values: Any) -> Any:
        if "CoLA" in str(values["folder"].path):
            raise DivergedError("the loss of update 1 is nan")
        return original(*args, **values)

    monkeypatch.setattr(seed_training, "train_head", train)
    words = ["--model", run, "--data", glue("CoLA", "RTE"), "--out", tmp_path / "out", *WORDS, "--json"]
    answer = bertsmith("finetune", "glue", *words)
    assert answer.code == 1
    found = json.loads(answer.stdout)
    assert list(found["tasks"]) == ["RTE"]
    assert found["failures"]["CoLA"] == {
        "error": "DivergedError",
        "message": "all seeds failed: the loss of update 1 is nan",
    }


def test_where_no_task_can_be_read_nothing_is_written(run: Path, glue: Glue, tmp_path: Path) -> None:
    data = glue("RTE")
    (data / "RTE" / "train.tsv").write_text("index\tsentence1\tsentence2\tlabel\n0\ta\n")
    with pytest.raises(DataError, match=r"train\.tsv: line 2: found 2 fields, expected 4"):
        finetune_glue(model=run, data=data, out=tmp_path / "out", **QUICK)
    assert not (tmp_path / "out").exists()


# Options


def test_broken_rows_of_qqp_are_left_out(run: Path, glue: Glue, tmp_path: Path) -> None:
    data = glue("QQP")
    with (data / "QQP" / "train.tsv").open("a", encoding="utf-8") as file:
        file.write("7\t8\t9\tWhy is\nit so?\tIs it?\t1\n")
    result = finetune_glue(model=run, data=data, out=tmp_path / "out", **QUICK)
    assert result.tasks["QQP"]["num_train_examples"] == 24
    assert list(result.tasks["QQP"]["metrics"]) == ["accuracy", "f1"]


def test_a_dry_run_tells_rows_and_writes_nothing(bertsmith: Answers, run: Path, glue: Glue, tmp_path: Path) -> None:
    words = ["--model", run, "--data", glue("MNLI", "RTE"), "--out", tmp_path / "out", "--dry-run", *WORDS]
    found = bertsmith("finetune", "glue", *words, "--json").json
    rows = {
        name: {part: file["rows"] for part, file in entry["files"].items()} for name, entry in found["tasks"].items()
    }
    assert rows == {"MNLI": {"train": 24, "dev": 12, "MNLI-mm": 12}, "RTE": {"train": 24, "dev": 12}}
    assert found["missing"] == [name for name in NAMES if name not in ("MNLI", "RTE")]
    assert not (tmp_path / "out").exists()
    shown = bertsmith("finetune", "glue", *words).stdout
    assert "train             24 rows" in shown and shown.splitlines()[-1] == "Nothing was trained (--dry-run)."


def test_figures_of_test_files_that_have_labels(
    run: Path, glue: Glue, glue_file: Callable[..., Path], tmp_path: Path
) -> None:
    data = glue("MRPC", "RTE")
    glue_file(data / "RTE" / "test.tsv", "RTE", 20, first=3000)
    (data / "MRPC" / "test.tsv").write_text("index\t#1 ID\t#2 ID\t#1 String\t#2 String\n0\t1\t2\ta\tb\n")
    result = finetune_glue(model=run, data=data, out=tmp_path / "out", report_on="test", **QUICK)
    assert result.tasks["RTE"]["num_examples"] == 20
    assert result.tasks["RTE"]["protocol"] == {
        "figures_of": "test.tsv",
        "chosen_on": "dev.tsv",
        "selected_on_reported_data": False,
        "over_seeds": "mean",
        "seeds": 1,
    }
    assert result.tasks["MRPC"]["protocol"]["figures_of"] == "dev.tsv", "its test file has no labels"


def test_a_part_of_the_training_files(run: Path, glue: Glue, tmp_path: Path) -> None:
    result = finetune_glue(
        model=run, data=glue("RTE", "STS-B"), out=tmp_path / "out", seeds=2, max_train_examples=10, **QUICK
    )
    assert [(entry["num_train_examples"], entry["drawn_from"]) for entry in result.tasks.values()] == [(10, 24)] * 2
    assert result.report is not None
    assert "trained\u00a0on\u00a010\u00a0of\u00a024" in result.report.read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_real_files_of_glue(bertsmith: Answers, run: Path, shared_data: Path, tmp_path: Path) -> None:
    """A tiny model on a few rows of each real training file."""
    words = [
        "--model",
        run,
        "--data",
        shared_data / "glue",
        "--tasks",
        "MRPC,RTE,STS-B,CoLA",
        "--out",
        tmp_path / "out",
    ]
    quick = ["--max-train-examples", 32, "--epochs", 1, "--max-length", 32, "--precision", "fp32"]
    found = bertsmith("finetune", "glue", *words, *quick, "--json").json
    assert {name: entry["num_examples"] for name, entry in found["tasks"].items()} == {
        "CoLA": 1043,
        "MRPC": 408,
        "STS-B": 1500,
        "RTE": 277,
    }
    assert found["tasks"]["MRPC"]["baseline"] == {"accuracy": 279 / 408, "f1": pytest.approx(2 * 279 / (279 + 408))}
    assert found["tasks"]["CoLA"]["drawn_from"] == 8551
    assert found["average"]["partial"] is True
