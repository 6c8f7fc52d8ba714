"""The effect of each option of `tag`, and of the options for kinds and names of tags."""

from __future__ import annotations

from typing import Any

import pytest

from bertsmith.errors import DataError
from bertsmith.evaluation.options import CompareOptions, EvaluateOptions
from bertsmith.finetuning.options import FinetuneOptions
from bertsmith.tasks.score_options import ScoreOptions
from bertsmith.tasks.token_classification.command import TagOptions
from support.bench import Bench, effect, tagging_run, values_differ_a_little


@effect(TagOptions, "model")
def test_tag_model(bench: Bench) -> None:
    for type_ in ("FOOD", "MEAL"):
        (answer,) = bench.lines("tag", tagging_run(bench, type_), "bread near the river")
        assert [entity["label"] for entity in answer["entities"]] == [type_]


@effect(TagOptions, "max_length")
def test_tag_max_length(bench: Bench) -> None:
    """Windows of other lengths see other words around a word."""
    run, text = tagging_run(bench), f"bread {'near the river ' * 8}bread"
    at_8, at_32, default = (
        bench.lines("tag", run, text, *options)[0] for options in (("--max-length", 8), ("--max-length", 32), ())
    )
    assert default == at_32
    assert [entity["score"] for entity in at_8["entities"]] != [entity["score"] for entity in at_32["entities"]]


@effect(TagOptions, "texts", "input", "precision")
def test_tag_texts_and_precision(bench: Bench) -> None:
    run = tagging_run(bench)
    texts = ["horses near the river", "bread near the river"]
    answers = bench.lines("tag", run, *texts)
    assert [answer["text"] for answer in answers] == texts
    assert [len(answer["entities"]) for answer in answers] == [0, 1]
    file = bench.file("\n".join(reversed(texts)) + "\n")
    assert bench.lines("tag", run, "--input", file) == answers[::-1]
    assert bench.lines("tag", run, stdin="\n".join(texts)) == answers
    blank = {"text": "", "entities": []}
    assert bench.lines("tag", run, stdin="\r\n\n".join(["", *texts, ""])) == [
        *(blank, blank, answers[0], blank, answers[1], blank)
    ]
    (half,) = bench.lines("tag", run, texts[1], "--precision", "bf16")
    values_differ_a_little([answers[1]["entities"][0]["score"]], [half["entities"][0]["score"]])


@effect(FinetuneOptions, "labels_are", "label_names")
@effect(EvaluateOptions, "labels_are", "label_names")
@effect(CompareOptions, "labels_are", "label_names")
@effect(ScoreOptions, "labels_are", "label_names")
def test_kind_and_names_of_tags(bench: Bench) -> None:
    """Numbers are the tags of entities by their names, and plain labels if that is said."""
    from bertsmith.verbs.finetune import finetune

    data = bench.file('{"tokens": ["some", "bread"], "ner_tags": [0, 1]}\n' * 8, ".jsonl")
    names = {"label_names": "O,B-FOOD"}
    plain, unnamed = {**names, "labels_are": "plain"}, pytest.raises(DataError, match="line 1: found the tag '0'")

    def tagged(**options: Any) -> Any:
        settings = {"max_length": 16, "precision": "fp32", "epochs": 1, **options}
        files = {"train": data, "dev": data, "model": bench.run, "out": bench.fresh()}
        return finetune("token-classification", **files, **settings)

    run = tagged(**names)
    assert "f1" in run.metrics and list(tagged(**plain).metrics) == ["accuracy"]
    file = bench.fresh(".conll")
    assert "f1" in bench.evaluate(run.run, data, predictions=file, **names).metrics
    assert list(bench.evaluate(run.run, data, **plain).metrics) == ["accuracy"]
    assert "f1" in bench.compare(run.run, run.run, data, **names).metrics
    assert list(bench.compare(run.run, run.run, data, **plain).metrics) == ["accuracy"]
    assert "f1" in bench.score("token-classification", data, file, **names)
    assert list(bench.score("token-classification", data, file, **plain)) == ["accuracy"]
    in_a_file = {"label_names": bench.file("O\nB-FOOD\n")}
    named = bench.score("token-classification", data, file, **names)
    assert bench.score("token-classification", data, file, **in_a_file) == named
    with unnamed:
        tagged()
    with unnamed:
        bench.evaluate(run.run, data)
    with unnamed:
        bench.compare(run.run, run.run, data)
    with unnamed:
        bench.score("token-classification", data, file)
