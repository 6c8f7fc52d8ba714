"""Files of questions: three forms of answers, offsets that are wrong, and what is no such file."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from bertsmith.errors import DataError, OptionError
from bertsmith.tasks.labelled_file import Columns
from bertsmith.tasks.squad_file import ContextQuestion, read_context_questions, read_questions

CONTEXT = "😀 The baker sold bread. The sailors sold nothing."


def question(*answers: Any, **more: Any) -> dict[str, Any]:
    return {"question": "Who?", "context": CONTEXT, "answers": list(answers), **more}


def lines(path: Path, *records: Any) -> Path:
    path.write_text("".join(f"{json.dumps(record)}\n" for record in records), encoding="utf-8")
    return path


def squad(path: Path, *questions: dict[str, Any]) -> Path:
    paragraphs = [
        {"context": item["context"], "qas": [{name: item[name] for name in item if name != "context"}]}
        for item in questions
    ]
    path.write_text(json.dumps({"data": [{"paragraphs": paragraphs}]}), encoding="utf-8")
    return path


def read(path: Path) -> list[ContextQuestion]:
    return read_context_questions(path, Columns())


def test_every_form_says_the_same(tmp_path: Path) -> None:
    start = CONTEXT.index("baker")
    flat = question({"text": "baker", "start": start}, id="1"), question(id="2")
    lists = {**question(id="1"), "answers": {"text": ["baker"], "answer_start": [start]}}
    empty = {**question(id="2"), "answers": {"text": [], "answer_start": []}}
    official = question({"text": "baker", "answer_start": start}, id="1"), question(id="2", is_impossible=True)
    found = [
        read(lines(tmp_path / "a.jsonl", *flat)),
        read(lines(tmp_path / "b.jsonl", lists, empty)),
        read(squad(tmp_path / "c.json", *official)),
    ]
    assert found[0] == found[1] == found[2]
    answered, impossible = found[0]
    assert answered == ContextQuestion("1", ("baker",), "Who?", CONTEXT, (start, start + 5))
    assert impossible.answers == () and impossible.span is None
    for name in ("a.jsonl", "b.jsonl", "c.json"):
        assert [(item.id, item.answers) for item in read_questions(tmp_path / name)] == [("1", ("baker",)), ("2", ())]
    (tmp_path / "c.json").rename(tmp_path / "c.txt")
    assert read_context_questions(tmp_path / "c.txt", Columns(form="squad")) == found[0]


def test_questions_without_ids_are_numbered(tmp_path: Path) -> None:
    assert [item.id for item in read(lines(tmp_path / "a.jsonl", question(), question()))] == ["1", "2"]


@pytest.mark.parametrize(
    ("text", "start", "expected"),
    [
        ("baker", CONTEXT.index("baker"), "baker"),
        ("baker", CONTEXT.index("baker") + 1, "baker"),  # an emoji counted as two
        ("baker", 4_000, "baker"),
        ("baker", -3, "baker"),
        ("baker", None, "baker"),
        ("sold", CONTEXT.rindex("sold") - 2, "second sold"),
        ("sold", (CONTEXT.index("sold") + CONTEXT.rindex("sold")) // 2, None),  # two are as near
        ("sold", None, None),
        ("Baker", CONTEXT.index("baker"), None),
    ],
)
def test_an_answer_that_is_not_at_its_offset(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, text: str, start: int | None, expected: str | None
) -> None:
    caplog.set_level(logging.WARNING, logger="bertsmith")
    answer = {"text": text} if start is None else {"text": text, "start": start}
    (found,) = read(lines(tmp_path / "a.jsonl", question(answer)))
    if expected is None:
        assert found.span is None and found.answers == (text,)
        assert "1 of 1 questions have no answer that can be found in their context, the first is '1'" in caplog.text
        return
    begin = CONTEXT.rindex("sold") if expected == "second sold" else CONTEXT.index(text)
    assert found.span == (begin, begin + len(text))
    assert ("1 answers are not at their offset" in caplog.text) == (start is not None and start != begin)


def test_the_first_answer_that_stands_in_the_context_is_learnt(tmp_path: Path) -> None:
    answers = {"text": "a fish", "start": 0}, {"text": "bread", "start": CONTEXT.index("bread")}
    (found,) = read(lines(tmp_path / "a.jsonl", question(*answers)))
    assert found.span is not None and CONTEXT[slice(*found.span)] == "bread"
    assert found.answers == ("a fish", "bread")


@pytest.mark.parametrize(
    ("record", "said"),
    [
        ([], "line 2: found a list, expected an object"),
        ({"question": "Who?", "context": "a"}, "line 2: no 'answers', expected question, context and answers; found"),
        ({"question": "Who?", "answers": []}, "line 2.context: found nothing, expected a text"),
        ({"question": " ", "context": "a", "answers": []}, "line 2.question: the text is empty"),
        ({"question": "Who?", "context": "", "answers": []}, "line 2.context: the text is empty"),
        (question({"text": "", "start": 0}), "line 2.answers[0].text: the text is empty; a question without an answer"),
        (question({"start": 0}), "line 2.answers[0].text: found nothing, expected a text"),
        (question({"text": "a", "start": "0"}), "line 2.answers[0].start: found a text, expected the offset"),
        (question({"text": "a", "start": True}), "line 2.answers[0].start: found true or false"),
        (question("a"), "line 2.answers[0]: found a text, expected an object"),
        ({**question(), "answers": {"text": "a"}}, "line 2.answers.text: found a text, expected a list"),
        ({**question(), "answers": {"text": ["a"]}}, "line 2.answers.answer_start: found nothing, expected a list"),
        (
            {**question(), "answers": {"text": ["a"], "answer_start": []}},
            "line 2.answers: 1 texts and 0 offsets, expected one for each",
        ),
        (question(id=7), "line 2.id: found a number, expected a text"),
        (question(id="1"), "line 2: the id '1' stands twice"),
        (question({"text": "baker", "start": 6}, is_impossible=True), "line 2: is_impossible is true, but there are"),
    ],
)
def test_a_line_that_is_no_question(tmp_path: Path, record: Any, said: str) -> None:
    path = lines(tmp_path / "bad.jsonl", question(), record)
    with pytest.raises(DataError) as caught:
        read(path)
    assert str(caught.value).startswith(f"{path}: {said}")


def test_a_context_that_is_missing_from_squad_json(tmp_path: Path) -> None:
    path = tmp_path / "bad.json"
    path.write_text('{"data": [{"paragraphs": [{"qas": [{"id": "1", "question": "Who?", "answers": []}]}]}]}')
    with pytest.raises(DataError, match=r"data\[0\].paragraphs\[0\].context: found nothing, expected a text"):
        read(path)


def test_a_file_without_questions(tmp_path: Path) -> None:
    (tmp_path / "none.jsonl").write_text("\n")
    with pytest.raises(DataError, match="no question in this file"):
        read(tmp_path / "none.jsonl")
    with pytest.raises(DataError, match="no such file"):
        read(tmp_path / "other.jsonl")


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        (Columns(text="a"), "--text-column: files of questions are JSON in UTF-8"),
        (Columns(label="a"), "--label-column: files"),
        (Columns(pair="a"), "--pair-column: files"),
        (Columns(no_header=True), "--no-header: files"),
        (Columns(encoding="cp1252"), "--encoding: files"),
        (Columns(form="csv"), "--format csv: questions are in squad"),
    ],
)
def test_an_option_of_other_files(tmp_path: Path, columns: Columns, said: str) -> None:
    with pytest.raises(OptionError, match=said):
        read_context_questions(lines(tmp_path / "a.jsonl", question()), columns)
