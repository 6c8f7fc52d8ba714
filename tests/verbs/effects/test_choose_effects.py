"""The effect of each option of `choose`, and of the options for choices."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bertsmith.errors import DataError
from bertsmith.evaluation.options import CompareOptions, EvaluateOptions
from bertsmith.finetuning.options import FinetuneOptions
from bertsmith.tasks.multiple_choice.command import ChooseOptions
from bertsmith.tasks.score_options import ScoreOptions
from support.bench import Bench, effect, values_differ_a_little
from support.effect_files import LEARNING, ROWS


def questions(bench: Bench, right: str = "bread", ending: str = ".csv") -> Path:
    """A table of questions whose right choice is this word; other columns hold the choices turned round."""
    rows = ["prompt,choice0,choice1,label,turned0,turned1"]
    for number in range(ROWS):
        choices = ["bread", "horses"][:: 1 if number % 2 else -1]
        turned = ",".join(reversed(choices))
        rows.append(f"{'near ' * (1 + number % 5)}the river,{','.join(choices)},{choices.index(right)},{turned}")
    return bench.file("\n".join(rows) + "\n", ending)


def choosing_run(bench: Bench, right: str = "bread", **options: Any) -> Path:
    """A RUN that chooses this word."""
    from bertsmith.verbs.finetune import finetune

    data = questions(bench, right)
    settings = {"max_length": 32, "precision": "fp32", **LEARNING, **options}
    return finetune("multiple-choice", model=bench.run, train=data, dev=data, out=bench.fresh(), **settings).run


@effect(FinetuneOptions, "choice_columns")
@effect(EvaluateOptions, "choice_columns")
@effect(CompareOptions, "choice_columns")
@effect(ScoreOptions, "choice_columns")
def test_choice_columns(bench: Bench) -> None:
    """The columns that hold the choices turned round make what is learnt, measured and scored the opposite."""
    data, file = questions(bench), bench.fresh(".jsonl")
    run, turned = choosing_run(bench), choosing_run(bench, choice_columns="turned0,turned1")
    for model, columns, right in ((run, None, 1), (run, "turned0,turned1", 0), (turned, None, 0)):
        figures = bench.evaluate(model, data, choice_columns=columns, predictions=file).metrics
        assert figures["accuracy"]["value"] == right
        compared = bench.compare(model, model, data, choice_columns=columns).metrics
        assert compared["accuracy"]["a"] == compared["accuracy"]["b"] == right
    bench.evaluate(run, data, predictions=file)
    assert bench.score("multiple-choice", data, file) == {"accuracy": 1}
    with pytest.raises(DataError, match="line 1: found the choice 'bread', expected 'horses', which has index"):
        bench.score("multiple-choice", data, file, choice_columns=["turned0", "turned1"])


@effect(FinetuneOptions, "labels_from")
@effect(EvaluateOptions, "labels_from")
@effect(CompareOptions, "labels_from")
@effect(ScoreOptions, "labels_from")
def test_labels_from(bench: Bench) -> None:
    """The label 1 is the second choice if labels count from 0, and the first choice if they count from 1."""
    from bertsmith.verbs.finetune import finetune

    rows = [f"{'near ' * (1 + number % 5)}the river,horses,bread,1" for number in range(ROWS)]
    data, file = bench.file("\n".join(["prompt,choice0,choice1,label", *rows]) + "\n", ".csv"), bench.fresh(".jsonl")
    given = {"model": bench.run, "train": data, "dev": data, "max_length": 32, "precision": "fp32", **LEARNING}
    runs = [finetune("multiple-choice", **given, labels_from=start, out=bench.fresh()).run for start in (0, 1)]
    words = ("--prompt", "near the river", "--choice", "horses", "--choice", "bread")
    assert [json.loads((run / "config.json").read_text())["choice_labels_from"] for run in runs] == [0, 1]
    assert [bench.lines("choose", run, *words)[0]["choice"] for run in runs] == ["bread", "horses"]
    for start, right in ((0, 1), (1, 0)):
        figures = bench.evaluate(runs[0], data, labels_from=start, predictions=file).metrics
        assert figures["accuracy"]["value"] == right
        assert bench.compare(runs[0], runs[0], data, labels_from=start).metrics["accuracy"]["a"] == right
        assert bench.score("multiple-choice", data, file, labels_from=start) == {"accuracy": right}


@effect(ChooseOptions, "model", "prompt", "choice", "input", "precision", "max_length")
def test_choose(bench: Bench) -> None:
    run, other = choosing_run(bench), choosing_run(bench, "horses")
    words = ("--choice", "horses", "--choice", "bread")
    found = [bench.lines("choose", model, "--prompt", "the river", *words)[0] for model in (run, other)]
    assert [(answer["choice"], answer["index"]) for answer in found] == [("bread", 1), ("horses", 0)]
    (three,) = bench.lines("choose", run, "--prompt", "the river", *words, "--choice", "some bread")
    assert len(three["probabilities"]) == 3
    cut = [
        bench.lines("choose", run, "--prompt", "near " * 80, *words, *options)[0]["truncated_tokens"]
        for options in ((), ("--max-length", 32), ("--max-length", 64))
    ]
    assert cut[0] == cut[1] == cut[2] + 2 * 32, "the length of the training, for both choices"
    (longer,) = bench.lines("choose", run, "--prompt", "near near the river", *words)
    assert longer["probabilities"] != found[0]["probabilities"]
    lines = [{"prompt": prompt, "choices": ["horses", "bread"]} for prompt in ("the river", "near near the river")]
    file = bench.file("".join(f"{json.dumps(line)}\n" for line in lines), ".jsonl")
    answers = bench.lines("choose", run, "--input", file)
    assert [answer["index"] for answer in answers] == [1, 1]
    np.testing.assert_allclose(answers[1]["probabilities"], longer["probabilities"], atol=1e-6)
    (half,) = bench.lines("choose", run, "--prompt", "the river", *words, "--precision", "bf16")
    values_differ_a_little(found[0]["probabilities"], half["probabilities"])
