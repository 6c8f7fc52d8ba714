"""finetune: labelled files to a RUN that is a stock classifier, over seeds, with honest figures."""

from __future__ import annotations

import hashlib
import itertools
import json
import random
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file

import bertsmith
from bertsmith.errors import DataError, Interrupted, ModelError, OptionError, OutputError
from bertsmith.finetuning import choices
from bertsmith.models.loading import check_model
from bertsmith.runtime.machine import AutomaticChoice
from bertsmith.training.run_folder import read_metrics
from bertsmith.verbs.evaluate import HeadFigures, evaluate
from bertsmith.verbs.finetune import FinetuneResult, finetune
from support.stock import Stock, assert_same

Labelled = Callable[..., Path]
Kept = Callable[[], AbstractContextManager[None]]
Signalled = Callable[..., AbstractContextManager[None]]
QUICK: dict[str, Any] = {"precision": "fp32", "max_length": 32, "learning_rate": 3e-3, "batch_size": 16}


@pytest.fixture(scope="module")
def tuned(
    run: Path, labelled: Labelled, tmp_path_factory: pytest.TempPathFactory, seed_models_kept: Kept
) -> FinetuneResult:
    """Two seeds on the task, with a test file; the models of both are kept."""
    with seed_models_kept():
        return finetune(
            "sequence-classification",
            model=run,
            train=labelled("train", 240),
            dev=labelled("dev", 60),
            test=labelled("test", 80),
            out=tmp_path_factory.mktemp("tuned") / "run",
            seeds=2,
            epochs=6,
            **QUICK,
        )


def test_a_task_that_can_be_learned_is_learned(tuned: FinetuneResult) -> None:
    assert tuned.metrics["accuracy"]["mean"] > 0.9
    assert tuned.metrics["macro_f1"]["mean"] > 0.9
    assert tuned.baseline["accuracy"] < 0.7


def test_the_json(tuned: FinetuneResult) -> None:
    answer = json.loads(json.dumps(tuned.to_dict()))
    assert set(answer) == {
        "run",
        "metrics",
        "best_seed",
        "selected_on_reported_data",
        "baseline",
        "diverged_seeds",
        "num_examples",
        "truncated_tokens",
        "calibration",
        "best_seed_metrics",
    }
    for name, metric in answer["metrics"].items():
        assert answer["best_seed_metrics"][name]["value"] == metric["seeds"][answer["best_seed"]]
    assert answer["best_seed"] in (0, 1)
    assert answer["selected_on_reported_data"] is False
    assert answer["num_examples"] == 80
    for metric in answer["metrics"].values():
        assert set(metric) == {"mean", "low", "high", "seeds"}
        assert len(metric["seeds"]) == 2
        assert metric["mean"] == pytest.approx(sum(metric["seeds"]) / 2)
        half = 12.706 * abs(metric["seeds"][0] - metric["seeds"][1]) / 2
        assert metric["high"] == pytest.approx(min(metric["mean"] + half, 1), rel=1e-3)


def test_the_best_seed_by_the_dev_file_is_the_run(tuned: FinetuneResult) -> None:
    seeds = {
        number: json.loads((tuned.run / "seeds" / f"seed-{number}" / "result.json").read_text()) for number in (0, 1)
    }
    assert tuned.best_seed == max(seeds, key=lambda number: seeds[number]["dev"])
    best = load_file(tuned.run / "seeds" / f"seed-{tuned.best_seed}" / "model.safetensors")
    other = load_file(tuned.run / "seeds" / f"seed-{1 - tuned.best_seed}" / "model.safetensors")
    assert "Means over 2 seeds (0, 1)" in (tuned.run / "README.md").read_text()
    assert "Means over the seeds, with 95% intervals" in (tuned.run / "report.html").read_text()
    top = load_file(tuned.run / "model.safetensors")
    assert all(torch.equal(top[name], best[name]) for name in best)
    assert not torch.equal(top["classifier.weight"], other["classifier.weight"])
    for name, metric in tuned.metrics.items():
        assert metric["seeds"] == [seeds[number]["metrics"][name]["value"] for number in (0, 1)]


def test_the_run_loads_in_stock_and_answers_as_classify(tuned: FinetuneResult, labelled: Labelled) -> None:
    texts = [json.loads(line)["text"] for line in labelled("test", 80).read_text().splitlines()][:10]
    stock = Stock(tuned.run, "AutoModelForSequenceClassification")
    assert json.loads((tuned.run / "config.json").read_text())["architectures"] == ["BertForSequenceClassification"]
    for text, answer in zip(texts, bertsmith.load(tuned.run).classify(texts), strict=True):
        assert answer.probabilities is not None
        assert list(answer.probabilities) == ["food", "thing"]
        assert_same(list(answer.probabilities.values()), stock.probabilities(text))
    pipeline = transformers.pipeline("text-classification", str(tuned.run), device=-1)
    assert pipeline(texts[0])[0]["label"] == bertsmith.load(tuned.run).classify(texts[0]).label


def test_evaluate_gives_the_reported_figures_and_the_predictions(
    tuned: FinetuneResult, labelled: Labelled, tmp_path: Path
) -> None:
    result = evaluate(tuned.run, labelled("test", 80), predictions=tmp_path / "predictions.jsonl", max_length=32)
    answer = result.to_dict()
    assert answer["num_examples"] == 80 and answer["truncated_tokens"] == 0
    for name, metric in tuned.metrics.items():
        assert answer["metrics"][name]["value"] == metric["seeds"][tuned.best_seed]
        assert answer["metrics"][name]["low"] <= answer["metrics"][name]["value"] <= answer["metrics"][name]["high"]
    lines = [json.loads(line) for line in (tmp_path / "predictions.jsonl").read_text().splitlines()]
    assert [line["text"] for line in lines] == [
        json.loads(line)["text"] for line in labelled("test", 80).read_text().splitlines()
    ]
    right = sum(line["gold"] == line["label"] for line in lines)
    assert right / 80 == answer["metrics"]["accuracy"]["value"]


@pytest.fixture
def numbered(labelled: Labelled, tmp_path: Path) -> Labelled:
    """Makes a file of texts with numbers."""

    def make(name: str, count: int) -> Path:
        lines = [json.loads(line) for line in labelled(name, count).read_text().splitlines()]
        rows = [f"{line['text']}\t{1.5 if line['label'] == 'food' else -0.5}" for line in lines]
        file = tmp_path / f"{name}.tsv"
        file.write_text("sentence\tscore\n" + "\n".join(rows) + "\n")
        return file

    return make


@pytest.mark.usefixtures("cpu")
@pytest.mark.parametrize("threads", [1, 2])
def test_the_figures_of_a_head_trained_in_bfloat16_are_of_float32(
    run: Path, numbered: Labelled, tmp_path: Path, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The figure that the weights are chosen by, the one that is reported, and the one that `evaluate` gives again."""
    monkeypatch.setattr(
        choices, "choose_micro_batch_threads", lambda *_, **__: AutomaticChoice("streams", str(threads), "a test")
    )
    data = {"train": numbered("train", 60), "dev": numbered("dev", 60)}
    in_bfloat16 = {**QUICK, "precision": "bf16", "epochs": 3, "problem_type": "regression"}
    tuned = finetune("sequence-classification", model=run, out=tmp_path / "run", **data, **in_bfloat16)
    (chosen,) = tuned.metrics["pearson"]["seeds"]
    figures = [line["evaluation"]["pearson"] for line in read_metrics(tuned.run)[1]]
    assert len(figures) == 3
    assert max(figures) == pytest.approx(chosen, rel=1e-5)
    found, half = (evaluate(tuned.run, data["dev"], max_length=32, precision=name) for name in ("fp32", "bf16"))
    assert isinstance(found, HeadFigures) and isinstance(half, HeadFigures)
    assert found.metrics["pearson"]["value"] == pytest.approx(chosen, rel=1e-4)
    assert half.metrics["pearson"]["value"] != pytest.approx(chosen, rel=1e-4), "bfloat16 would be seen"


@pytest.mark.parametrize(
    ("part", "count", "said"),
    [
        ("train", 240, "The MODEL was trained on this file: the metrics say nothing about new texts"),
        ("dev", 60, "The checkpoint of the MODEL was selected on this file"),
        ("test", 80, "it was used neither for training nor for selection"),
        ("other", 20, "was not used in the fine-tuning of the MODEL"),
    ],
)
def test_the_page_of_evaluate_says_how_it_was_measured(
    tuned: FinetuneResult, labelled: Labelled, tmp_path: Path, part: str, count: int, said: str
) -> None:
    """A copy is known by its checksum; a seed of the RUN as the RUN itself."""
    copy, page = tmp_path / "copy.jsonl", tmp_path / "page.html"
    shutil.copy(labelled(part, count), copy)
    for model in (tuned.run, tuned.run / "seeds" / "seed-0"):
        evaluate(model, copy, max_length=32, report=page)
        html = page.read_text()
        assert "How it was measured" in html and said in html
        for fact in (hashlib.sha256(copy.read_bytes()).hexdigest(), f">{count}</td>", f">{model}</td>"):
            assert fact in html, fact
        command = html.rpartition("<code>")[2].partition("</code>")[0].split()
        assert command[:4] == ["bertsmith", "evaluate", str(model), str(copy)]
        assert {"--max-length 32", f"--report {page}"} <= {" ".join(pair) for pair in itertools.pairwise(command)}
    moved = tmp_path / "moved"
    shutil.copytree(tuned.run, moved, ignore=shutil.ignore_patterns("run.json"))
    evaluate(moved, copy, max_length=32, report=page)
    assert (
        "It is unknown whether the MODEL was trained or selected on this file: it has no run.json" in page.read_text()
    )


def test_a_slice_of_long_values_is_cut_for_people_alone(
    tuned: FinetuneResult, tmp_path: Path, bertsmith: Callable[..., Any]
) -> None:
    value, data = "a value that goes on " * 9, tmp_path / "data.jsonl"
    lines = [json.dumps({"text": f"the bell {n}", "label": "thing", "kind": value}) for n in range(3)]
    data.write_text("\n".join(lines) + "\n")
    words = ["evaluate", tuned.run, data, "--slice", "kind", "--max-length", 32]
    assert bertsmith(*words, "--json").json["slices"]["rows"][0]["name"] == value.strip()
    (line,) = (line for line in bertsmith(*words).stdout.splitlines() if "a value" in line)
    assert line.strip().startswith(value[:59].rstrip()) and len(line) < 150


def test_the_best_checkpoint_is_chosen_by_the_dev_file(tuned: FinetuneResult, labelled: Labelled) -> None:
    """The figure of the weights that are kept is the highest of all evaluations."""
    best = json.loads((tuned.run / "seeds" / f"seed-{tuned.best_seed}" / "result.json").read_text())
    updates, evaluations = read_metrics(tuned.run)
    assert len(updates) == 6 * 240 / 16
    values = [line["evaluation"]["accuracy"] for line in evaluations]
    assert best["dev"] >= max(values)
    found = evaluate(tuned.run, labelled("dev", 60), max_length=32).to_dict()
    assert found["metrics"]["accuracy"]["value"] == best["dev"]


def test_without_a_test_file_the_figures_are_of_the_file_that_was_chosen_on(
    run: Path, labelled: Labelled, tmp_path: Path
) -> None:
    options = {"model": run, "train": labelled("train", 48), "dev": labelled("dev", 20), "epochs": 1, **QUICK}
    one = finetune("sequence-classification", out=tmp_path / "one", **options)
    assert one.selected_on_reported_data is True
    assert one.num_examples == 20
    assert one.metrics["accuracy"]["seeds"] == [one.metrics["accuracy"]["mean"]]
    assert one.metrics["accuracy"]["low"] < one.metrics["accuracy"]["high"], "one seed: an interval over examples"
    card, report = ((tmp_path / "one" / name).read_text() for name in ("README.md", "report.html"))
    assert "dev file" in card
    assert "One seed, with 95% intervals over the examples (bootstrap)." in card and "| metric | value |" in card
    assert "One seed, with 95% intervals over the examples (bootstrap)." in report
    assert "over the seeds" not in card + report and "Means over" not in card
    again = finetune("sequence-classification", out=tmp_path / "again", **options)
    replaced = tmp_path / "replaced"
    shutil.copytree(tmp_path / "one", replaced)
    finetune("sequence-classification", out=replaced, overwrite=True, **options)
    assert "The previous model" not in report
    report = (replaced / "report.html").read_text()
    assert f"The previous model ({replaced}, now replaced)" in report and "this model is equally good" in report
    assert again.metrics == one.metrics
    first, second = (load_file(tmp_path / name / "model.safetensors") for name in ("one", "again"))
    assert all(torch.equal(first[name], second[name]) for name in first), "the same seed gives other weights"


def test_resume_trains_the_missing_seed_alone(
    tuned: FinetuneResult, run: Path, labelled: Labelled, tmp_path: Path, seed_models_kept: Kept
) -> None:
    out = tmp_path / "run"
    shutil.copytree(tuned.run, out)
    (out / "model.safetensors").unlink()
    shutil.rmtree(out / "seeds" / "seed-1")
    kept = out / "seeds" / "seed-0" / "model.safetensors"
    before = kept.stat().st_mtime_ns
    options: dict[str, Any] = {
        "train": labelled("train", 240),
        "dev": labelled("dev", 60),
        "test": labelled("test", 80),
    }
    options |= {"model": run, "out": out, "seeds": 2, "epochs": 6, "resume": True, **QUICK}
    with seed_models_kept():
        result = finetune("sequence-classification", **options)
    assert kept.stat().st_mtime_ns == before
    assert result.metrics == tuned.metrics and result.best_seed == tuned.best_seed
    first, second = (load_file(folder / "model.safetensors") for folder in (out, tuned.run))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_a_finished_run_keeps_one_model_and_takes_more_seeds(
    run: Path, labelled: Labelled, tmp_path: Path, bertsmith: Callable[..., Any], seed_models_kept: Kept
) -> None:
    """The best seed of three is that of a run with three seeds at once, whichever seed was best before."""
    options: dict[str, Any] = {
        **QUICK,
        "model": run,
        "train": labelled("train", 48),
        "dev": labelled("dev", 20),
        "epochs": 1,
    }
    with seed_models_kept():
        at_once = finetune("sequence-classification", out=tmp_path / "at-once", seeds=3, **options)
    out = tmp_path / "grown"
    words = [word for name, value in options.items() for word in (f"--{name.replace('_', '-')}", value)]
    for seeds in (1, 3):
        more = ["--resume"] if seeds > 1 else []
        answer = bertsmith("finetune", "sequence-classification", *words, "--out", out, "--seeds", seeds, *more)
        assert answer.code == 0, answer.stderr
        kept = {path.name for path in out.glob("seeds/*/*")}
        assert kept == {"result.json", "metrics.jsonl"}
        assert len(list(out.rglob("*.safetensors"))) == 1
    assert f"kept: the model of seed {at_once.best_seed} in {out}, and the results of all 3 seeds" in answer.stderr
    other = out / "seeds" / "seed-0"
    with pytest.raises(ModelError, match=rf"keeps only the model of its best seed. Try: {out}$"):
        check_model(str(other))
    best = load_file(at_once.run / "seeds" / f"seed-{at_once.best_seed}" / "model.safetensors")
    found = load_file(out / "model.safetensors")
    assert all(torch.equal(found[name], best[name]) for name in best)
    assert json.loads((out / "run.json").read_text())["result"]["metrics"] == at_once.metrics


def test_a_run_of_the_version_before_takes_more_seeds(run: Path, labelled: Labelled, tmp_path: Path) -> None:
    """Its run.json has no version and no answer of the baseline, its seed no course of the loss."""
    out, files = tmp_path / "run", {"train": labelled("train", 48), "dev": labelled("dev", 20)}
    one = finetune("sequence-classification", model=run, out=out, epochs=1, **files, **QUICK)
    for file, newer in (
        (out / "run.json", ("version", "baseline_answer")),
        (out / "seeds/seed-0/result.json", ("loss",)),
    ):
        content = json.loads(file.read_text())
        assert set(newer) <= set(content)
        file.write_text(json.dumps({name: value for name, value in content.items() if name not in newer}))
    assert finetune(resume=True, out=out) == one, "a finished one is returned as it was"
    two = finetune(resume=True, out=out, seeds=2)
    assert two.metrics["accuracy"]["seeds"][0] == one.metrics["accuracy"]["mean"]
    record = json.loads((out / "run.json").read_text())
    assert (next(iter(record)), record["version"], record["seeds_with_figures"]) == ("version", 1, [0, 1])


def test_a_signal_keeps_the_seeds_that_are_done(
    run: Path, labelled: Labelled, tmp_path: Path, signalled: Signalled
) -> None:
    options: dict[str, Any] = {
        **QUICK,
        "model": run,
        "train": labelled("train", 48),
        "dev": labelled("dev", 20),
        "out": tmp_path / "run",
        "seeds": 2,
        "epochs": 1,
    }
    said = r"SIGTERM after update 1 of seed 1; the work so far is kept.*\n.*--resume"
    with signalled(1, training="seed-1"), pytest.raises(Interrupted, match=said):
        finetune("sequence-classification", **options)
    assert (tmp_path / "run" / "seeds" / "seed-0" / "result.json").is_file()
    assert not (tmp_path / "run" / "model.safetensors").exists()
    result = finetune(out=tmp_path / "run", resume=True)
    assert len(result.metrics["accuracy"]["seeds"]) == 2, "everything but --out is as it was started"
    with pytest.raises(OptionError, match=r"was started with --epochs 1.0, found 2.0"):
        finetune("sequence-classification", **{**options, "epochs": 2}, resume=True)
    assert finetune("sequence-classification", **options, resume=True) == result
    with pytest.raises(OutputError, match="not empty"):
        finetune("sequence-classification", **options)


def test_regression(run: Path, numbered: Labelled, tmp_path: Path) -> None:
    result = finetune(
        "sequence-classification",
        model=run,
        train=numbered("train", 240),
        dev=numbered("dev", 60),
        out=tmp_path / "run",
        problem_type="regression",
        epochs=6,
        **QUICK,
    )
    assert list(result.metrics) == ["pearson", "spearman", "mean_squared_error"]
    assert result.metrics["pearson"]["mean"] > 0.9
    assert result.metrics["mean_squared_error"]["mean"] < result.baseline["mean_squared_error"]
    answer = bertsmith.load(tmp_path / "run").classify("The baker found some bread in the market.")
    assert answer.label is None and answer.probabilities is None
    stock = Stock(tmp_path / "run", "AutoModelForSequenceClassification")
    assert_same(answer.value, stock("The baker found some bread in the market.").logits[0, 0])
    with pytest.raises(OptionError, match=r"--problem-type single_label_classification: found 1 output"):
        evaluate(tmp_path / "run", tmp_path / "dev.tsv", problem_type="single_label_classification")


def test_mistakes_cost_nothing(run: Path, labelled: Labelled, tmp_path: Path) -> None:
    out = tmp_path / "run"
    options = {"model": run, "train": labelled("train", 48), "dev": labelled("dev", 20), "out": out, **QUICK}
    with pytest.raises(OptionError, match=r"--max-length: found 100, expected 8 to 64, the number of positions"):
        finetune("sequence-classification", **{**options, "max_length": 100})
    other = tmp_path / "other.jsonl"
    other.write_text('{"text": "a", "label": "animal"}\n')
    with pytest.raises(
        DataError, match=r"other\.jsonl: line 1: found the label 'animal', expected a label of the model"
    ):
        finetune("sequence-classification", **{**options, "dev": other})
    with pytest.raises(OptionError, match="found 'classification', expected one of sequence-classification"):
        finetune("classification", **options)
    assert not out.exists()
    dry = finetune("sequence-classification", **options, dry_run=True)
    assert not out.exists() and dry.metrics == {}


def test_what_is_cut_is_counted(run: Path, tmp_path: Path) -> None:
    file = tmp_path / "long.jsonl"
    texts = ["the baker found some bread", "bread " * 30]
    file.write_text("".join(json.dumps({"text": text, "label": label}) + "\n" for text in texts for label in (0, 1)))
    tokens = len(transformers.AutoTokenizer.from_pretrained(run)(texts[1])["input_ids"])
    result = finetune(
        "sequence-classification", model=run, train=file, dev=file, out=tmp_path / "run", epochs=1, **QUICK
    )
    assert result.truncated_tokens == 4 * (tokens - 32), "two texts in each of two files"


@pytest.mark.parametrize("pairs", [False, True])
def test_the_length_of_the_training_is_stored_and_used(
    run: Path, tmp_path: Path, pairs: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """The figures are those of `evaluate` and of `classify` without an option, on texts whose end would mislead."""
    draw = random.Random(3)
    rows = []
    for number in range(40):
        first, then = ("bread", "horses")[:: 1 if number % 2 else -1]
        text = f"{'the baker sold some ' * draw.randint(1, 3)}{first} {f'{then} ' * draw.randint(0, 30)}".strip()
        rows.append({"text": text, "label": first, **({"pair": f"{then} " * draw.randint(1, 20)} if pairs else {})})
    file, out, again = tmp_path / "long.jsonl", tmp_path / "run", tmp_path / "again"
    file.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    settings = {**QUICK, "max_length": 24, "learning_rate": 1e-2, "epochs": 4}
    result = finetune("sequence-classification", model=run, train=file, dev=file, out=out, **settings)
    assert json.loads((out / "config.json").read_text())["input_length"] == 24
    assert not hasattr(transformers.AutoConfig.from_pretrained(out), "max_length")
    predictions = tmp_path / "predictions.jsonl"
    figures = evaluate(out, file, predictions=predictions)
    assert isinstance(figures, HeadFigures)
    assert figures.metrics["accuracy"]["value"] == result.metrics["accuracy"]["mean"]
    measured = [json.loads(line)["label"] for line in predictions.read_text().splitlines()]
    pair = [row["pair"] for row in rows] if pairs else None
    model = bertsmith.load(out)
    found = model.classify([row["text"] for row in rows], pair)
    assert [answer.label for answer in found] == measured
    stock = transformers.pipeline("text-classification", str(out), device=-1)
    given = [{"text": row["text"], "text_pair": row["pair"]} for row in rows] if pairs else [it["text"] for it in rows]
    assert [answer["label"] for answer in stock(given, truncation=True, max_length=24)] == measured
    longer = model.classify([row["text"] for row in rows], pair, max_length=64)
    assert [answer.probabilities for answer in longer] != [answer.probabilities for answer in found]
    if not pairs:  # a training that starts from it stores its own length, and no temperature or columns of the other
        settings |= {"max_length": 16, "epochs": 1}
        finetune("sequence-classification", model=out, train=file, dev=file, out=again, **settings)
        assert json.loads((again / "config.json").read_text())["input_length"] == 16
