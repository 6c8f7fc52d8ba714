"""The effects of `finetune`'s options for the task, its files and its figures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bertsmith.errors import DataError, OptionError
from bertsmith.finetuning.options import FinetuneOptions
from support.bench import Bench, effect, tagging_run, training_texts
from support.effect_files import (
    LEARNING,
    ROWS,
    TASK,
    columns,
    in_latin1,
    of_another_ending,
    ratings,
    sentence,
    with_stars,
    without_header,
)


def shuffled(bench: Bench, *, wrong: bool = False, rows: int = ROWS) -> Path:
    """Another labelled file; where it is wrong, every label is the other one."""
    lines = [",".join((sentence(number)[0], sentence(number + wrong)[1])) for number in range(rows)]
    return bench.file("\n".join(["text,label", *lines]) + "\n", ".csv")


@effect(FinetuneOptions, "task")
def test_finetune_task(bench: Bench) -> None:
    """It stands in run.json, the model is of its class, and another is refused."""
    from bertsmith.verbs.finetune import finetune

    assert bench.record(bench.head)["task"] == TASK
    tagger = tagging_run(bench)
    assert bench.record(tagger)["task"] == "token-classification"
    config = json.loads((tagger / "config.json").read_text())
    assert config["architectures"] == ["BertForTokenClassification"]
    with pytest.raises(OptionError, match=f"TASK: found 'tagging', expected one of {TASK}"):
        finetune("tagging", model=bench.run, train=bench.labelled, dev=bench.labelled, out=bench.fresh())


@effect(FinetuneOptions, "model")
def test_finetune_model(bench: Bench) -> None:
    here, there = (bench.finetune(model=model, learning_rate=1e-9).run for model in (bench.run, bench.base))
    name = "bert.embeddings.word_embeddings.weight"
    np.testing.assert_allclose(bench.weights(here)[name], bench.weights(bench.run)[name], atol=1e-6)
    np.testing.assert_allclose(bench.weights(there)[name], bench.weights(bench.base)[name], atol=1e-6)


@effect(FinetuneOptions, "train")
def test_finetune_train(bench: Bench) -> None:
    """What is trained on the opposite answers the opposite."""
    right = bench.finetune(**LEARNING).metrics["accuracy"]["mean"]
    wrong = bench.finetune(train=shuffled(bench, wrong=True), eval_every=1000, **LEARNING).metrics["accuracy"]["mean"]
    assert right > 0.9
    assert wrong < 0.1


@effect(FinetuneOptions, "dev")
def test_finetune_dev(bench: Bench) -> None:
    """The reported figures are of it, and the best checkpoint is the one that it is best on."""
    result = bench.finetune(dev=shuffled(bench, rows=10))
    assert result.num_examples == 10
    assert result.selected_on_reported_data


@effect(FinetuneOptions, "test")
def test_finetune_test(bench: Bench) -> None:
    result = bench.finetune(test=shuffled(bench, wrong=True, rows=10), **LEARNING)
    assert result.num_examples == 10
    assert not result.selected_on_reported_data
    assert result.metrics["accuracy"]["mean"] < 0.1, "the figures are of the test file, whose labels are wrong"


@effect(FinetuneOptions, "out")
def test_finetune_out(bench: Bench) -> None:
    out = bench.place / "deep" / "head"
    assert bench.finetune(out=out).run == out
    assert (out / "model.safetensors").is_file()
    assert [path.name for path in out.parent.iterdir()] == ["head"]


@effect(FinetuneOptions, "problem_type")
def test_finetune_problem_type(bench: Bench) -> None:
    data = ratings(bench)
    with pytest.raises(DataError, match=r"all 5 different labels are numbers; .* --problem-type single_label_class"):
        bench.finetune(train=data, dev=data)
    classes = bench.finetune(train=data, dev=data, problem_type="single_label_classification")
    number = bench.finetune(train=data, dev=data, problem_type="regression")
    assert set(classes.metrics) == {"accuracy", "macro_f1", "matthews"}
    assert set(number.metrics) == {"pearson", "spearman", "mean_squared_error"}
    assert bench.weights(classes.run)["classifier.weight"].shape == (5, 32)
    assert bench.weights(number.run)["classifier.weight"].shape == (1, 32)
    several = bench.finetune(train=data, dev=data, problem_type="multi_label_classification")
    assert set(several.metrics) == {"micro_f1", "macro_f1", "accuracy"}
    assert bench.lines("classify", several.run, sentence(0)[0])[0]["label"] is None


@effect(FinetuneOptions, "metric")
def test_finetune_metric(bench: Bench) -> None:
    """The figure is in each evaluation, and the kept weights are those of its best, also where lower is better."""
    run = bench.finetune(metric="matthews", epochs=2).run
    assert [set(line["evaluation"]) for line in bench.evaluations(run)] == [{"matthews"}] * 2
    data = ratings(bench)
    for metric, best in (("mean_squared_error", min), ("spearman", max)):
        options = {"metric": metric, "problem_type": "regression", "epochs": 4, "learning_rate": 1e-2}
        found = bench.finetune(train=data, dev=data, **options)
        values = [line["evaluation"][metric] for line in bench.evaluations(found.run)]
        assert len(set(values)) > 1
        assert best(found.metrics[metric]["mean"], *values) == found.metrics[metric]["mean"]


@effect(FinetuneOptions, "class_weights")
def test_finetune_class_weights(bench: Bench) -> None:
    """The losses are others, the weights stand among the choices, and numbers have no classes to weigh."""
    rows = [number for number in range(ROWS) if number % 2 == 0 or number < 10]
    data = bench.file("\n".join(["text,label", *(",".join(sentence(number)) for number in rows)]) + "\n", ".csv")
    plain, weighted = (bench.finetune(train=data, class_weights=kind).run for kind in (None, "balanced"))
    assert not np.array_equal(bench.weights(plain)["classifier.weight"], bench.weights(weighted)["classifier.weight"])
    choices = {choice["name"]: choice["value"] for choice in bench.record(weighted)["choices"]}
    assert "class weights" in choices
    assert "class weights" not in {choice["name"] for choice in bench.record(plain)["choices"]}
    with pytest.raises(OptionError, match="--class-weights balanced: needs exactly one class per example"):
        bench.finetune(train=ratings(bench), dev=ratings(bench), problem_type="regression", class_weights="balanced")


@effect(FinetuneOptions, "calibrate")
def test_finetune_calibrate(bench: Bench) -> None:
    """Dev labels of which some are wrong: the probabilities are others, the figures are not."""
    lines = [f"{sentence(number)[0]},{sentence(number + (number % 8 == 0))[1]}" for number in range(ROWS)]
    dev = bench.file("\n".join(["text,label", *lines]), ".csv")
    plain, calibrated = (bench.finetune(dev=dev, calibrate=given, **LEARNING) for given in (False, True))
    assert plain.metrics == calibrated.metrics
    assert "temperature" not in plain.calibration and calibrated.calibration["temperature"] != 1
    assert calibrated.calibration["nll"] < plain.calibration["nll"]


@effect(FinetuneOptions, "text_column", "label_column")
def test_finetune_columns(bench: Bench) -> None:
    data = columns(bench)
    for text, label in (("second", "label"), ("text", "verdict")):
        run = bench.finetune(train=data, dev=data, text_column=text, label_column=label, **LEARNING).run
        accuracy = bench.evaluate(run, bench.labelled).metrics["accuracy"]["value"]
        assert accuracy < 0.1, "it has learnt the opposite of what the usual columns say"


@effect(FinetuneOptions, "pair_column")
def test_finetune_pair_column(bench: Bench) -> None:
    seen, data = training_texts(bench), columns(bench)
    bench.finetune(train=data, dev=data)
    assert all(int(batch["token_type_ids"].max()) == 0 for batch in seen)
    seen.clear()
    bench.finetune(train=data, dev=data, pair_column="third")
    assert seen and all(int(batch["token_type_ids"].max()) == 1 for batch in seen)


@effect(FinetuneOptions, "no_header")
def test_finetune_no_header(bench: Bench) -> None:
    data = without_header(bench)
    with pytest.raises(DataError, match="or --no-header if the first line is data"):
        bench.finetune(train=data, dev=data)
    assert bench.finetune(train=data, dev=data, no_header=True).num_examples == ROWS


@effect(FinetuneOptions, "format")
def test_finetune_format(bench: Bench) -> None:
    data = of_another_ending(bench, bench.labelled)
    with pytest.raises(DataError, match="Try: --format"):
        bench.finetune(train=data, dev=data)
    assert bench.finetune(train=data, dev=data, format="csv").num_examples == ROWS


@effect(FinetuneOptions, "separator")
def test_finetune_separator(bench: Bench) -> None:
    data = with_stars(bench)
    with pytest.raises(DataError, match=r"no column of the text .*'text\*label'"):
        bench.finetune(train=data, dev=data)
    assert bench.finetune(train=data, dev=data, separator="*").num_examples == ROWS


@effect(FinetuneOptions, "encoding")
def test_finetune_encoding(bench: Bench) -> None:
    data = in_latin1(bench)
    with pytest.raises(DataError, match="is not utf-8"):
        bench.finetune(train=data, dev=data)
    assert bench.finetune(train=data, dev=data, encoding="latin-1").num_examples == ROWS


@effect(FinetuneOptions, "skip_broken_rows")
def test_finetune_skip_broken_rows(bench: Bench) -> None:
    data = bench.file(bench.labelled.read_text() + "one field\n", ".csv")
    with pytest.raises(DataError, match=f"line {ROWS + 2}: found 1 fields, expected 2"):
        bench.finetune(train=data, dev=data)
    assert bench.finetune(train=data, dev=data, skip_broken_rows=True).num_examples == ROWS


@effect(FinetuneOptions, "max_train_examples")
def test_finetune_max_train_examples(bench: Bench) -> None:
    """So many rows of the file, the same for each seed, and among those of a larger number."""

    def trained_on(count: int | None, seed: int) -> tuple[int, set[str]]:
        seen = training_texts(bench)
        run = bench.finetune(max_train_examples=count, seed=seed, batch_size=4).run
        (train, _) = bench.record(run)["data"]["files"]
        assert train.get("drawn_from") == (None if count is None else ROWS)
        return train["examples"], {str(row[row > 0].tolist()) for batch in seen for row in batch["input_ids"]}

    (six, few), (again, same), (nine, more) = trained_on(6, 0), trained_on(6, 1), trained_on(9, 0)
    assert (six, again, nine) == (6, 6, 9)
    assert few == same
    assert few < more
    assert trained_on(None, 0)[0] == ROWS


@effect(FinetuneOptions, "max_length")
def test_finetune_max_length(bench: Bench) -> None:
    seen = training_texts(bench)
    assert bench.finetune(max_length=32).truncated_tokens == 0
    assert max(batch["input_ids"].shape[1] for batch in seen) > 8
    seen.clear()
    assert bench.finetune(max_length=8).truncated_tokens > 0
    assert max(batch["input_ids"].shape[1] for batch in seen) == 8


@effect(FinetuneOptions, "unlabelled")
def test_finetune_unlabelled(bench: Bench) -> None:
    """Its texts are trained on too."""
    file = bench.file("".join(f'{{"text": "the {word} is new"}}\n' for word in ("bell", "boat", "river")), ".jsonl")
    seen = training_texts(bench)

    def trained_on(**options: Any) -> set[str]:
        seen.clear()
        bench.finetune(teacher=bench.head, **options)
        return {str(row[row > 0].tolist()) for batch in seen for row in batch["input_ids"]}

    labelled = trained_on()
    both = trained_on(unlabelled=file)
    assert labelled < both and len(both - labelled) == 3
