"""The effect of each option of `score`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bertsmith.errors import DataError, OptionError
from bertsmith.tasks.score_options import ScoreOptions
from support.bench import Bench, effect
from support.effect_files import ROWS, TASK, columns, of_another_ending, with_stars, without_header


def predictions(bench: Bench) -> Path:
    """What the head predicts for the labelled file, with every fourth label made wrong."""
    file = bench.fresh(".jsonl")
    bench.evaluate_head(predictions=file)
    answers = [json.loads(line) for line in file.read_text().splitlines()]
    for number, answer in enumerate(answers):
        if number % 4 == 0:
            answer["label"] = {"good": "bad", "bad": "good"}[answer["label"]]
    return bench.file("".join(f"{json.dumps(answer)}\n" for answer in answers), ".jsonl")


@effect(ScoreOptions, "task")
def test_score_task(bench: Bench) -> None:
    """Each task reads files of its own form and has metrics of its own."""
    labels = bench.file('{"text": "a", "label": "x", "gold": "x"}\n', ".jsonl")
    tags, answers = (
        bench.file("a B-X\n"),
        bench.file('{"data": [{"paragraphs": [{"qas": [{"id": "1", "answers": []}]}]}]}'),
    )
    assert "matthews" in bench.score(TASK, labels, labels, label_column="gold")
    assert "recall" in bench.score("token-classification", tags, tags)
    assert "exact_match" in bench.score("question-answering", answers, bench.file('{"1": ""}'))
    with pytest.raises(OptionError, match=r"TASK: found 'tagging', expected one of sequence-.*, token-.*, question-"):
        bench.score("tagging", tags, tags)


@effect(ScoreOptions, "labels", "predictions")
def test_score_files(bench: Bench) -> None:
    """What evaluate writes is scored as evaluate scored it, intervals included; another file on either side is not."""
    from bertsmith.verbs.score import score

    file = bench.fresh(".jsonl")
    expected = bench.evaluate_head(predictions=file).metrics
    metrics = score(TASK, bench.labelled, file).metrics
    assert {name: metrics[name].to_dict() for name in expected} == expected
    worse = predictions(bench)
    assert bench.score(TASK, bench.labelled, worse)["accuracy"] == pytest.approx(expected["accuracy"]["value"] - 0.25)
    other = bench.file(bench.labelled.read_text().replace(",good", ",bad"), ".csv")
    assert bench.score(TASK, other, file)["accuracy"] == pytest.approx(0.5)


@effect(ScoreOptions, "text_column", "label_column")
def test_score_columns(bench: Bench) -> None:
    data, file = columns(bench), predictions(bench)
    assert bench.score(TASK, data, file)["accuracy"] == pytest.approx(0.75)
    assert bench.score(TASK, data, file, label_column="verdict")["accuracy"] == pytest.approx(0.25)
    with pytest.raises(DataError, match="line 1: the text is"):
        bench.score(TASK, data, file, text_column="second")


@effect(ScoreOptions, "no_header")
def test_score_no_header(bench: Bench) -> None:
    data, file = without_header(bench), predictions(bench)
    with pytest.raises(DataError, match="or --no-header if the first line is data"):
        bench.score(TASK, data, file)
    assert bench.score(TASK, data, file, no_header=True)["accuracy"] == pytest.approx(0.75)


@effect(ScoreOptions, "format")
def test_score_format(bench: Bench) -> None:
    data, file = of_another_ending(bench, bench.labelled), predictions(bench)
    with pytest.raises(DataError, match=r"expected .csv, .tsv, .jsonl or .parquet. Try: --format"):
        bench.score(TASK, data, file)
    assert bench.score(TASK, data, file, format="csv")["accuracy"] == pytest.approx(0.75)


@effect(ScoreOptions, "skip_broken_rows")
def test_score_skip_broken_rows(bench: Bench) -> None:
    data, file = bench.file(bench.labelled.read_text() + "one field\n", ".csv"), predictions(bench)
    with pytest.raises(DataError, match=f"line {ROWS + 2}: found 1 fields, expected 2"):
        bench.score(TASK, data, file)
    assert bench.score(TASK, data, file, skip_broken_rows=True)["accuracy"] == pytest.approx(0.75)


@effect(ScoreOptions, "separator")
def test_score_separator(bench: Bench) -> None:
    data, file = with_stars(bench), predictions(bench)
    with pytest.raises(DataError, match=r"no column of the text .*'text\*label'"):
        bench.score(TASK, data, file)
    assert bench.score(TASK, data, file, separator="*")["accuracy"] == pytest.approx(0.75)


@effect(ScoreOptions, "encoding")
def test_score_encoding(bench: Bench) -> None:
    """Of GOLD, a table or in columns; predictions are UTF-8."""
    labelled, lines = bench.file("text,label\né,x\n".encode("latin-1"), ".csv"), '{"text": "é", "label": "x"}\n'
    tags, columns = bench.file("é B-X\n".encode("latin-1")), bench.file("é B-X\n")
    for task, gold, file in ((TASK, labelled, bench.file(lines)), ("token-classification", tags, columns)):
        with pytest.raises(DataError, match=r"is not utf-8\. Try: --encoding"):
            bench.score(task, gold, file)
        assert bench.score(task, gold, file, encoding="latin-1")["accuracy"] == 1
        with pytest.raises(DataError, match=r"is not utf-8\. Try: convert the predictions"):
            bench.score(task, gold, gold, encoding="latin-1", **({"label_column": "label"} if task == TASK else {}))
    questions = bench.file("question,context,answer\nwho?,é,é\n".encode("latin-1"), ".csv")
    answers = bench.file('{"1": "é"}')
    with pytest.raises(DataError, match=r"is not utf-8\. Try: --encoding"):
        bench.score("question-answering", questions, answers)
    assert bench.score("question-answering", questions, answers, encoding="latin-1")["exact_match"] == 100


@effect(ScoreOptions, "scheme")
def test_score_scheme(bench: Bench) -> None:
    """It says which tags there may be, and, read strictly, which entities."""
    gold, singles = bench.file("a B-X\nb I-X\nc B-X\n"), bench.file("a B-X\nb E-X\nc S-X\n")
    with pytest.raises(DataError, match=r"line 2: found the tag 'E-X', expected a tag of BIO\. Try: --scheme BIOES"):
        bench.score("token-classification", gold, singles)
    assert bench.score("token-classification", gold, singles, scheme="BIOES")["f1"] == 1
    # The first tag: no entity in IOB1. Then an I behind it, and a B behind its own type, are one each.
    found = {
        scheme: bench.score("token-classification", gold, bench.file("a O\nb I-X\nc B-X\n"), scheme=scheme, strict=True)
        for scheme in ("BIO", "IOB1")
    }
    assert (found["BIO"]["precision"], found["BIO"]["recall"]) == (1, 0.5)
    assert (found["IOB1"]["precision"], found["IOB1"]["recall"]) == (1, 1)


@effect(ScoreOptions, "strict")
def test_score_strict(bench: Bench) -> None:
    """An I behind an O is an entity to conlleval, and none in BIO."""
    gold, file = bench.file("a B-X\nb O\nc B-X\n"), bench.file("a B-X\nb O\nc I-X\n")
    assert bench.score("token-classification", gold, file)["recall"] == 1
    assert bench.score("token-classification", gold, file, strict=True)["recall"] == 0.5


@effect(ScoreOptions, "no_answer_probabilities", "no_answer_threshold")
def test_score_no_answer(bench: Bench) -> None:
    """With probabilities the best threshold is found; with a threshold, what is above it is left unanswered."""
    qas = [{"id": "1", "answers": [{"text": "x"}]}, {"id": "2", "answers": []}]
    gold = bench.file(json.dumps({"data": [{"paragraphs": [{"qas": qas}]}]}))
    file, probabilities = bench.file('{"1": "x", "2": "x"}'), bench.file('{"1": 0.2, "2": 0.8}')

    def score(**options: Any) -> dict[str, Any]:
        from bertsmith.verbs.score import score as verb

        found: dict[str, Any] = verb("question-answering", gold, file, **options).to_dict()
        return found

    assert score()["best_f1"] is None
    found = score(no_answer_probabilities=probabilities)
    assert (found["f1"], found["best_f1"], found["best_f1_threshold"]) == (50, 100, 0.2)
    reached = [score(no_answer_probabilities=probabilities, no_answer_threshold=at)["f1"] for at in (0.1, 0.5, 0.9)]
    assert reached == [50, 100, 50]
    assert score(no_answer_probabilities=bench.file('{"1": 0.8, "2": 0.2}'), no_answer_threshold=0.5)["f1"] == 0
