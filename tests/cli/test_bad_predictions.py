"""Files that `score` refuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

TASK = "sequence-classification"


QUESTIONS = json.dumps(
    {"data": [{"paragraphs": [{"qas": [{"id": "1", "answers": [{"text": "x"}]}, {"id": "2", "answers": []}]}]}]}
)


def of_2(answers: str) -> str:
    """SQuAD JSON of one question with these answers."""
    return f'{{"data": [{{"paragraphs": [{{"qas": [{{"id": "1", "answers": {answers}}}]}}]}}]}}'


@pytest.fixture
def scored(refused: Callable[..., str], tmp_path: Path) -> Callable[..., tuple[str, Path, Path]]:
    """The message for files that cannot be scored, and the two files; a content of None is no file."""

    def call(
        task: str, gold: str | None, predictions: str | None, *more: object, ending: str = ".txt"
    ) -> tuple[str, Path, Path]:
        files = (tmp_path / f"gold{ending}", tmp_path / "predictions.json")
        for file, content in zip(files, (gold, predictions), strict=True):
            if content is not None:
                file.write_text(content, encoding="utf-8")
        return refused("score", task, *files, *more), *files

    return call


@pytest.mark.parametrize(
    ("gold", "parts"),
    [
        (None, ("no such file",)),
        ("", ("the file is empty",)),
        ("{\n{", ("line 2: not JSON", "expected SQuAD JSON")),
        ("[" * 100_000, ("found JSON that Python cannot read (nested too deeply)",)),
        ("9" * 5_000, ("found JSON that Python cannot read (a number with too many digits)",)),
        ("[]", ("found a list, expected SQuAD JSON: an object with 'data'",)),
        ("{}", ("data is missing, expected SQuAD JSON: an object with 'data', then paragraphs, qas",)),
        ('{"data": {}}', ("data: found an object, expected a list",)),
        ('{"data": [1]}', ("data[0]: found a number, expected an object",)),
        ('{"data": []}', ("no question in this file",)),
        (of_2("null"), ("data[0].paragraphs[0].qas[0].answers: found null, expected a list",)),
        (
            of_2('[{"text": "x"}, {}]'),
            ("data[0].paragraphs[0].qas[0].answers[1].text: found nothing, expected text",),
        ),
        (QUESTIONS.replace('"2"', '"1"'), ("data[0].paragraphs[0].qas[1]: the id '1' occurs twice",)),
        (
            QUESTIONS.replace('"2"', "[2]"),
            ("data[0].paragraphs[0].qas[1].id: found a list, expected text or a whole number",),
        ),
    ],
)
def test_questions_that_are_none(
    scored: Callable[..., tuple[str, Path, Path]], gold: str | None, parts: tuple[str, ...], holds: Callable[..., None]
) -> None:
    message, file, _ = scored("question-answering", gold, '{"1": "x"}')
    holds(message, file, *parts)


@pytest.mark.parametrize(
    ("predictions", "parts"),
    [
        (None, ("no such file",)),
        ('{"1": "x"', ("line 1: not JSON", "expected an object of id to text")),
        ('["x"]', ("found a list, expected an object of id to text",)),
        ('{"1": ["x", 0.5]}', ("id '1': found a list, expected the text of the answer",)),
        ('{"1": null}', ("id '1': found null, expected the text of the answer",)),
        ('{"7": "x", "8": "x"}', ("none of its 2 ids is the id of a question in",)),
    ],
)
def test_answers_that_are_none(
    scored: Callable[..., tuple[str, Path, Path]],
    predictions: str | None,
    parts: tuple[str, ...],
    holds: Callable[..., None],
) -> None:
    message, _, file = scored("question-answering", QUESTIONS, predictions)
    holds(message, file, *parts)


@pytest.mark.parametrize(
    ("probabilities", "parts"),
    [
        ('{"1": 0.5, "2": NaN}', ("id '2': found nan, expected a finite number",)),
        ('{"1": 0.5, "2": Infinity}', ("id '2': found inf, expected a finite number",)),
        ('{"1": 1' + "0" * 400 + "}", ("id '1': found 10000", "expected a finite number")),
        ('{"1": "0.5"}', ("id '1': found text, expected a number",)),
        ('{"1": true}', ("id '1': found true or false, expected a number",)),
        ('{"1": 0.5}', ("no probability for 1 questions with a prediction, first '2'",)),
        ("[0.5]", ("found a list, expected an object of id to number",)),
    ],
)
def test_probabilities_that_are_none(
    scored: Callable[..., tuple[str, Path, Path]],
    tmp_path: Path,
    probabilities: str,
    parts: tuple[str, ...],
    holds: Callable[..., None],
) -> None:
    file = tmp_path / "probabilities.json"
    file.write_text(probabilities)
    more = ("--no-answer-probabilities", file)
    message, _, _ = scored("question-answering", QUESTIONS, '{"1": "x", "2": ""}', *more)
    holds(message, file, *parts)


def test_thresholds_that_mean_nothing(
    scored: Callable[..., tuple[str, Path, Path]], tmp_path: Path, holds: Callable[..., None]
) -> None:
    message, *_ = scored("question-answering", QUESTIONS, '{"1": "x"}', "--no-answer-threshold", 0.5)
    holds(message, "--no-answer-threshold needs --no-answer-probabilities FILE")
    (tmp_path / "p.json").write_text('{"1": 0.5}')
    more = ("--no-answer-probabilities", tmp_path / "p.json")
    message, gold, _ = scored("question-answering", of_2('[{"text": "x"}]'), '{"1": "x"}', *more)
    holds(message, "--no-answer-probabilities: every question of", gold, "has an answer")


@pytest.mark.parametrize(
    ("task", "option"),
    [
        ("question-answering", ("--scheme", "BIO")),
        ("question-answering", ("--strict",)),
        ("question-answering", ("--text-column", "words")),
        ("token-classification", ("--no-header",)),
        ("token-classification", ("--no-answer-threshold", "0.5")),
        (TASK, ("--no-answer-probabilities", "p.json")),
    ],
)
def test_an_option_of_another_task(
    scored: Callable[..., tuple[str, Path, Path]], task: str, option: tuple[str, ...], holds: Callable[..., None]
) -> None:
    holds(scored(task, "", "", *option)[0], f"{option[0]} is only for ", f", found {task}")


TAGS = "a B-X\nb I-X\n\nc O\n"


@pytest.mark.parametrize(
    ("predictions", "parts"),
    [
        (None, ("no such file",)),
        ("", ("the file is empty",)),
        ("\n \n", ("found no token in this file",)),
        ("a B-X\nb\n", ("line 2: found 'b', expected a token and, in the last column, its tag",)),
        ("a B-X\nb\t\n", ("line 2: found 'b', expected a token",)),
        ("a B-X\nb PER\n", ("line 2: found the tag 'PER', expected O, or B-, I-, E- or S- and a type",)),
        ("a B-X\nB I-X\n\nc O\n", ("line 2: found the token 'B', expected 'b' as in line 2 of",)),
        ("a B-X\n\nc O\n", ("line 1: found 1 tokens in sentence 1, expected 2 as in line 1 of",)),
        ("a B-X\nb I-X\nc O\n", ("line 1: found 3 tokens in sentence 1, expected 2 as in line 1 of",)),
        ("a B-X\nb I-X\n\nc O\nd O\n", ("line 4: found 2 tokens in sentence 2, expected 1 as in line 4 of",)),
        ("a B-X\nb I-X\n", ("1 sentences, expected 2 as in",)),
        ("a B-X\nb I-X\n\nc O\n\nd O\n", ("3 sentences, expected 2 as in",)),
        ("a B-X\nb I-X\n\nc S-X\n", ("line 4: found the tag 'S-X', expected a tag of BIO. Try: --scheme BIOES",)),
    ],
)
def test_tags_that_do_not_fit(
    scored: Callable[..., tuple[str, Path, Path]],
    predictions: str | None,
    parts: tuple[str, ...],
    holds: Callable[..., None],
) -> None:
    message, _, file = scored("token-classification", TAGS, predictions)
    holds(message, file, *parts)


ROWS_OF_GOLD = "text,label\none,a\ntwo,b\n"


ONE, TWO = '{"text": "one", "label": "a"}\n', '{"text": "two", "label": "b"}\n'


@pytest.mark.parametrize(
    ("predictions", "parts"),
    [
        (None, ("no such file",)),
        ("", ("the file is empty",)),
        (ONE, ("found 1 predictions, expected 2, one per row of",)),
        (ONE + TWO + TWO, ("line 3: found more predictions than the 2 rows of",)),
        (TWO + ONE, ("line 1: the text is 'two', expected 'one' as in row 1 of", "in the order of the rows")),
        (ONE + "{", ("line 2: not JSON",)),
        (ONE + "[" * 100_000, ("line 2: found JSON that Python cannot read (nested too deeply)",)),
        ('{"label": "a"}\n', ("line 1: the text is missing, expected 'one' as in row 1",)),
        (
            '{"text": "one"}\n',
            ("line 1: found neither 'label', 'labels' nor 'value', expected JSON lines", "evaluate --predictions"),
        ),
        ('{"text": "one", "label": 1}\n', ("line 1: 'label': found a number, expected the text of a label",)),
        ('{"text": "one", "value": NaN}\n', ("line 1: 'value': found nan, expected a finite number",)),
        (ONE + '{"text": "two", "value": 1}\n', ("line 2: found 'value', expected 'label'",)),
        (ONE + '{"text": "two", "labels": ["a"]}\n', ("line 2: found 'labels', expected 'label'",)),
        ('{"text": "one", "labels": "a"}\n', ("line 1: 'labels': found text, expected a list of labels",)),
        ('{"text": "one", "labels": ["a", 1]}\n', ("line 1: 'labels': found 1 in the list, expected the texts",)),
        (
            '{"text": "one", "label": "a", "probabilities": [1]}\n',
            ("line 1: 'probabilities': found a list, expected an object of label to number",),
        ),
    ],
)
def test_labels_that_do_not_fit(
    scored: Callable[..., tuple[str, Path, Path]],
    predictions: str | None,
    parts: tuple[str, ...],
    holds: Callable[..., None],
) -> None:
    message, _, file = scored(TASK, ROWS_OF_GOLD, predictions, ending=".csv")
    holds(message, file, *parts)


def test_values_for_classes(scored: Callable[..., tuple[str, Path, Path]], holds: Callable[..., None]) -> None:
    values = '{"text": "one", "value": 1}\n{"text": "two", "value": 2}\n'
    message, gold, file = scored(TASK, ROWS_OF_GOLD, values, ending=".csv")
    holds(
        message, gold, "line 2: found the label 'a', expected a finite number, because", file, "has values, not labels"
    )


def test_predictions_that_are_scored_by_themselves(
    refused: Callable[..., str], tmp_path: Path, holds: Callable[..., None]
) -> None:
    file = tmp_path / "p.jsonl"
    file.write_text(ONE)
    message = refused("score", TASK, file, file)
    holds(message, "LABELS and PREDICTIONS are the same file", file, "Try: --label-column gold")


def test_predictions_that_spell_the_classes_in_another_way(bertsmith: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "gold.csv").write_text("text,label\na,1.0\nb,0.0\nc,1.0\n")
    lines = (
        '{"text": "a", "label": "1", "probabilities": {"0": 0.1, "1": 0.9}}',
        '{"text": "b", "label": "0"}',
        '{"text": "c", "label": "0"}',
    )
    (tmp_path / "said.jsonl").write_text("\n".join(lines))
    files = (tmp_path / "gold.csv", tmp_path / "said.jsonl")
    answer = bertsmith("score", "sequence-classification", *files, "--json")
    assert answer.json["labels"] == ["0", "1"]
    assert answer.json["accuracy"] == pytest.approx(2 / 3)
    assert "labels with the same value are read as one class: 0 (spelled 0, 0.0), 1 (spelled 1, 1.0)" in answer.stderr
