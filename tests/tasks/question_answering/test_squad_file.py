"""Question files: three formats of answers, wrong offsets, and invalid files."""

from __future__ import annotations

import csv
import gzip
import json
import logging
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bertsmith.errors import DataError, OptionError
from bertsmith.tasks.files.labelled_file import Columns
from bertsmith.tasks.question_answering.squad_file import (
    ContextQuestion,
    SquadQuestion,
    read_context_questions,
    read_squad_questions,
)
from bertsmith.tasks.question_answering.task import QuestionAnswering
from bertsmith.tasks.slice_columns import column_values

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
        assert [(item.id, item.answers) for item in read_squad_questions(tmp_path / name, Columns())] == [
            ("1", ("baker",)),
            ("2", ()),
        ]
    (tmp_path / "c.json").rename(tmp_path / "c.txt")
    assert read_context_questions(tmp_path / "c.txt", Columns(file_format="squad")) == found[0]


def test_questions_without_ids_are_numbered(tmp_path: Path) -> None:
    assert [item.id for item in read(lines(tmp_path / "a.jsonl", question(), question()))] == ["1", "2"]


@pytest.mark.parametrize(
    ("text", "start", "expected", "said"),
    [
        ("baker", CONTEXT.index("baker"), "baker", ""),
        ("baker", 4_000, "baker", "the offset is wrong for 1 of 1 answers, first line 1.answers[0]"),
        ("baker", -3, "baker", "the offset is wrong for 1 of 1 answers"),
        ("baker", None, "baker", ""),
        ("sold", CONTEXT.rindex("sold") - 2, None, "the text occurs several times (1) or not at all (0)"),
        ("sold", None, None, "the text occurs several times (1) or not at all (0)"),
        ("Baker", CONTEXT.index("baker"), None, "the text occurs several times (0) or not at all (1)"),
    ],
)
def test_an_answer_that_is_not_at_its_offset(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, text: str, start: int | None, expected: str | None, said: str
) -> None:
    caplog.set_level(logging.WARNING, logger="bertsmith")
    answer = {"text": text} if start is None else {"text": text, "start": start}
    (found,) = read(lines(tmp_path / "a.jsonl", question(answer)))
    assert found.answers == (text,)
    assert (found.span and CONTEXT[slice(*found.span)]) == expected
    assert said in caplog.text if said else not caplog.text
    lost = "the answers of 1 of 1 questions were not found in their contexts, first '1'" in caplog.text
    assert lost == (expected is None)


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
        ({"question": "Who?", "answers": []}, "line 2: no 'context', expected question, context and answers; found"),
        (
            {"question": "Who?", "passage": "a", "paragraph": "a", "answers": []},
            "line 2: found 'passage' and 'paragraph', expected only 'context'",
        ),
        ({"data": [{"paragraphs": []}]}, "line 2: no 'context', expected question, context and answers; found 'data'"),
        ({"context": "a", "answers": []}, "line 2.question: found nothing, expected text"),
        ({"question": 7, "context": "a", "answers": []}, "line 2.question: found a number, expected text"),
        (
            {"question": "Who?", "context": "a", "answers": None},
            "line 2.answers: found null, expected a list of answers",
        ),
        ({"question": "Who?", "context": "a", "answers": 7}, "line 2.answers: found a number, expected a list of ans"),
        ({"question": " ", "context": "a", "answers": []}, "line 2.question: the text is empty"),
        ({"question": "Who?", "context": "", "answers": []}, "line 2.context: the text is empty"),
        (question({"text": "", "start": 0}), "line 2.answers[0].text: the text is empty; a question without an answer"),
        (question({"start": 0}), "line 2.answers[0].text: found nothing, expected text"),
        (question({"text": "a", "start": "0"}), "line 2.answers[0]: found text as the offset, expected a whole"),
        (question({"text": "a", "start": True}), "line 2.answers[0]: found true or false as the offset"),
        (question({"text": "a", "start": 1.5}), "line 2.answers[0]: found a number as the offset"),
        (question({"text": "a"}, "a"), "line 2.answers[1]: found text, expected an object"),
        ({**question(), "answers": {"start": 4}}, "line 2.answers: found an object without 'text', expected a list"),
        (
            {**question(), "answers": {"text": ["a"], "answer_start": []}},
            "line 2.answers: found 1 texts and 0 offsets, expected one offset per text",
        ),
        ({**question(), "answers": ["a", "b"], "start": 4}, "line 2.answers: found 2 texts and 1 offsets"),
        (question(id=True), "line 2.id: found true or false, expected text or a whole number"),
        (question(id=7.5), "line 2.id: found a number, expected text or a whole number"),
        (question(id="1"), "line 2: the id '1' occurs twice, once as the number of a question without an id"),
        (question({"text": "baker", "start": 6}, is_impossible=True), "line 2: found is_impossible true and"),
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
    with pytest.raises(DataError, match=r"data\[0\].paragraphs\[0\]: no 'context', expected question, context"):
        read(path)


def test_a_file_without_questions(tmp_path: Path) -> None:
    (tmp_path / "none.jsonl").write_text("\n")
    with pytest.raises(DataError, match="no rows in this file"):
        read(tmp_path / "none.jsonl")
    (tmp_path / "none.json").write_text('{"data": []}')
    with pytest.raises(DataError, match="no question in this file"):
        read(tmp_path / "none.json")
    with pytest.raises(DataError, match="no such file"):
        read(tmp_path / "other.jsonl")


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        (Columns(text="a"), "--text-column is not for question-answering, whose columns have fixed names"),
        (Columns(label="a"), "--label-column is not for question-answering"),
        (Columns(pair="a"), "--pair-column is not for question-answering"),
        (Columns(choices=("a", "b")), "--choice-columns is not for question-answering"),
        (Columns(no_header=True), "--no-header is not for question-answering"),
        (Columns(file_format="squad", encoding="cp1252"), "--encoding cp1252: SQuAD JSON is UTF-8"),
        (Columns(file_format="squad", skip_broken=True), "--skip-broken-rows: SQuAD JSON is not a table"),
        (Columns(file_format="conll"), "--format conll is not for question-answering, expected squad"),
        (Columns(labels_are="plain"), "--labels-are is not for question-answering"),
        (Columns(label_names=("O",)), "--label-names is not for question-answering"),
    ],
)
def test_an_option_of_other_files(tmp_path: Path, columns: Columns, said: str) -> None:
    with pytest.raises(OptionError, match=said):
        read_context_questions(lines(tmp_path / "a.jsonl", question()), columns)


def test_ids_that_are_numbers_or_missing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="bertsmith")
    ids: list[dict[str, Any]] = [{"id": 262}, {"id": "b"}, {}, {"id": None}, {"id": 7.0}, {"id": " "}]
    questions = [question({"text": "baker"}, **each) for each in ids]
    expected = ["262", "b", "3", "4", "7", "6"]
    for path in (lines(tmp_path / "a.jsonl", *questions), squad(tmp_path / "a.json", *questions)):
        caplog.clear()
        assert [item.id for item in read(path)] == expected
        assert "3 of 6 questions have no id; their number in the file, from 1, is used as the id" in caplog.text
        assert [item.id for item in read_squad_questions(path, Columns())] == expected
    path = squad(tmp_path / "twice.json", question(id=262), question(id="262"))
    with pytest.raises(DataError, match=r"qas\[0\]: the id '262' occurs twice, expected one question per id"):
        read(path)


BREAD = CONTEXT.index("bread")


@pytest.mark.parametrize(
    "record",
    [
        {"answers": [{"text": "bread", "answer_start": BREAD}]},
        {"answers": [{"text": "bread", "start": None, "answer_start": float(BREAD)}]},
        {"answers": {"text": ["bread"], "answer_start": [BREAD]}},
        {"answers": {"text": ["bread"], "start": [BREAD]}},
        {"answers": {"text": "bread", "answer_start": BREAD}},
        {"answers": {"text": ["bread"]}},
        {"answers": {"text": ["bread"], "answer_start": [float("nan")]}},
        {"answers": ["bread"], "answer_start": [BREAD]},
        {"answers": "bread", "start": BREAD},
        {"answer": "bread", "answer_start": BREAD},
        {"answer": ["bread"]},
        {"answer": {"text": "bread", "start": BREAD}},
    ],
)
@pytest.mark.parametrize("name", ["context", "passage", "paragraph"])
def test_forms_of_an_answer(tmp_path: Path, record: dict[str, Any], name: str) -> None:
    (found,) = read(lines(tmp_path / "a.jsonl", {"question": "What?", name: CONTEXT, **record}))
    assert found == ContextQuestion("1", ("bread",), "What?", CONTEXT, (BREAD, BREAD + 5))


def test_a_column_of_answers_comes_before_other_columns(tmp_path: Path) -> None:
    (found,) = read(lines(tmp_path / "a.jsonl", question({"text": "bread"}, answer="x", paragraph="y", start=3)))
    assert found.answers == ("bread",) and found.context == CONTEXT and found.span == (BREAD, BREAD + 5)


def test_squad_json_may_hold_the_questions_themselves(tmp_path: Path) -> None:
    """As transformers' run_qa.py reads it, `data` is a list of questions, each with its context."""
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"data": [question({"text": "bread", "start": BREAD}, id="a")]}))
    assert read(path) == [ContextQuestion("a", ("bread",), "Who?", CONTEXT, (BREAD, BREAD + 5))]


def test_packed_files(tmp_path: Path) -> None:
    asked = question({"text": "bread", "start": BREAD}, id="a")
    for path in (squad(tmp_path / "a.json", asked), lines(tmp_path / "a.jsonl", asked)):
        packed = path.with_name(f"{path.name}.gz")
        packed.write_bytes(gzip.compress(path.read_bytes()))
        assert read(packed) == read(path)


def test_json_lines_with_another_ending(tmp_path: Path) -> None:
    path = lines(tmp_path / "a.json", question(), question())
    with pytest.raises(DataError, match=r"line 2: not JSON .*JSON lines need --format jsonl"):
        read(path)
    assert len(read_context_questions(path, Columns(file_format="jsonl"))) == 2


def test_parquet_and_data_sets(tmp_path: Path) -> None:
    rows = [
        {"id": "a", "question": "What?", "context": CONTEXT, "answers": {"text": ["bread"], "answer_start": [BREAD]}},
        {"id": "b", "question": "Who?", "context": CONTEXT, "answers": {"text": [], "answer_start": []}},
    ]
    folder = tmp_path / "questions"
    folder.mkdir()
    datasets.Dataset.from_list(rows).to_parquet(folder / "validation.parquet")
    expected = [
        ContextQuestion("a", ("bread",), "What?", CONTEXT, (BREAD, BREAD + 5)),
        ContextQuestion("b", (), "Who?", CONTEXT),
    ]
    found = read(folder / "validation.parquet")
    assert found == expected and found[1].place == "row 2"
    assert read(Path(f"hf:{folder}:validation")) == expected
    assert read_squad_questions(Path(f"hf:{folder}:validation"), Columns()) == [
        SquadQuestion(item.id, item.answers) for item in expected
    ]


def test_rows_of_parquet_with_columns_of_pandas(tmp_path: Path) -> None:
    """In pandas, numbers with gaps are floats; ids may be whole numbers."""
    table = pa.table(
        {
            "id": [5.0, 6.0],
            "question": ["What?", "Who?"],
            "context": [CONTEXT, CONTEXT],
            "answer": ["bread", "sailors"],
            "answer_start": [float(BREAD), None],
        }
    )
    pq.write_table(table, tmp_path / "a.parquet")
    found = read(tmp_path / "a.parquet")
    assert [item.id for item in found] == ["5", "6"]
    assert [item.span and CONTEXT[slice(*item.span)] for item in found] == ["bread", "sailors"]
    pq.write_table(table.set_column(3, "answer", pa.array([b"bread", b"sailors"])), tmp_path / "bytes.parquet")
    with pytest.raises(DataError, match=r"row 1.answer: found bytes, expected a list of answers, an object or text"):
        read(tmp_path / "bytes.parquet")


def table_of(path: Path, header: list[str], *rows: list[Any]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])
    return path


@pytest.mark.parametrize(
    ("header", "cells"),
    [
        (["answer", "answer_start"], ["bread", str(BREAD)]),
        (["answer", "start"], ["bread", f"{BREAD}.0"]),
        (["answers"], [json.dumps([{"text": "bread", "start": BREAD}])]),
        (["answers"], [json.dumps({"text": ["bread"], "answer_start": [BREAD]})]),
        (["answers"], [str({"text": ["bread"], "answer_start": [BREAD]})]),
        (["answers"], ["['bread']"]),
        (["answers", "start"], ["['bread']", f"[{BREAD}.]"]),
        (["answers"], [json.dumps({"text": ["bread"], "note": 'an "x" "y"'})]),
        (["answers", "answer_start"], ["['bread']", f"[{BREAD}]"]),
    ],
)
def test_tables_of_questions(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, header: list[str], cells: list[str]
) -> None:
    caplog.set_level(logging.INFO, logger="bertsmith")
    empty = ["" for _ in cells]
    path = table_of(
        tmp_path / "a.csv",
        ["id", "question", "context", *header],
        ["a", "What?", CONTEXT, *cells],
        ["b", "Who?", CONTEXT, *empty],
    )
    assert read(path) == [
        ContextQuestion("a", ("bread",), "What?", CONTEXT, (BREAD, BREAD + 5)),
        ContextQuestion("b", (), "Who?", CONTEXT),
    ]
    assert "the answer is empty in 1 of 2 questions; they are read as questions without an answer" in caplog.text


def test_lists_as_numpy_prints_them(tmp_path: Path) -> None:
    header, context = ["question", "context", "answers", "answer_start"], "He sold some bread."
    path = table_of(tmp_path / "a.csv", header, ["What?", context, "['bread' 'some bread']", "[13  8]"])
    (found,) = read(path)
    assert found.answers == ("bread", "some bread") and found.span == (13, 18)


def test_other_columns_make_slices(tmp_path: Path) -> None:
    path = table_of(tmp_path / "a.csv", ["question", "context", "answer", "kind"], ["What?", CONTEXT, "bread", "food"])
    assert column_values(QuestionAnswering, path, Columns(), name="kind") == ["food"]


def test_plain_answers_of_a_table_may_begin_with_a_bracket(tmp_path: Path) -> None:
    context = "The bus [7] left at 12.30."
    header = ["question", "context", "answer"]
    found = read(table_of(tmp_path / "a.csv", header, ["Which?", context, "[7]"], ["When?", context, "12.30"]))
    assert [item.answers for item in found] == [("[7]",), ("12.30",)]
    assert [item.span and context[slice(*item.span)] for item in found] == ["[7]", "12.30"]


@pytest.mark.parametrize(
    ("name", "cell"),
    [
        ("answers", "{'text': array(['bread'], dtype=object), 'answer_start': array([18])}"),
        ("answers", "['bread' 5]"),
        ("answers", "['bread"),
        ("answer_start", "[18"),
        ("answer_start", "near the end"),
    ],
)
def test_a_cell_that_is_no_answer(tmp_path: Path, name: str, cell: str) -> None:
    cells = {"question": "What?", "context": CONTEXT, "answers": "bread", name: cell}
    path = table_of(tmp_path / "a.csv", list(cells), list(cells.values()))
    with pytest.raises(DataError, match=r"a\.csv: line 2\.\w+.*: found .*, expected "):
        read(path)


def test_a_plausible_answer_of_a_table_is_no_answer(tmp_path: Path) -> None:
    header = ["question", "context", "answer", "is_impossible"]
    path = table_of(tmp_path / "a.csv", header, ["What?", CONTEXT, "bread", "True"])
    with pytest.raises(DataError, match="line 2: found is_impossible true and answers"):
        read(path)


def test_the_encoding_of_a_table(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes("question,context,answer\nWo?,Im Café.,Café\n".encode("cp1252"))
    (found,) = read_context_questions(path, Columns(encoding="cp1252"))
    assert found.span == (3, 7)


@pytest.mark.parametrize(("version", "spans"), [("v1.1", 10_570), ("v2.0", 5_928)])
def test_the_offsets_of_squad_are_characters(
    shared_data: Path, caplog: pytest.LogCaptureFixture, version: str, spans: int
) -> None:
    """Every first answer is exactly at its offset, and nothing is printed."""
    path = shared_data / "squad" / f"dev-{version}.json"
    found = read(path)
    first = {
        asked["id"]: asked["answers"][0]
        for article in json.loads(path.read_text(encoding="utf-8"))["data"]
        for paragraph in article["paragraphs"]
        for asked in paragraph["qas"]
        if asked["answers"]
    }
    placed = {item.id: item for item in found if item.span is not None}
    assert len(placed) == spans and placed.keys() == first.keys()
    for name, item in placed.items():
        assert item.span is not None and item.span[0] == first[name]["answer_start"]
        assert item.context[slice(*item.span)] == first[name]["text"]
    assert not caplog.text
