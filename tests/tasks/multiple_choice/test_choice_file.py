"""Multiple-choice files as they occur in practice; every mistake is reported at its line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bertsmith.errors import DataError, OptionError
from bertsmith.tasks.files.labelled_file import Columns
from bertsmith.tasks.multiple_choice.choice_file import ChoiceQuestion, read_choice_questions, read_prompts


def questions_of(folder: Path, name: str, content: str, **columns: Any) -> list[ChoiceQuestion]:
    (folder / name).write_text(content, encoding="utf-8")
    return read_choice_questions(folder / name, Columns(**columns))


def test_the_form_of_codah(tmp_path: Path) -> None:
    """No header and no quotes; columns by number."""
    content = 'o\tA "boy" ran. He\tfell.\tflew "up.\tsang.\tslept.\t2\n'
    columns = {"no_header": True, "text": "1", "choices": ("2", "3", "4", "5"), "label": "6"}
    assert questions_of(tmp_path, "f.tsv", content, **columns) == [
        ChoiceQuestion('A "boy" ran. He', ("fell.", 'flew "up.', "sang.", "slept."), 2)
    ]


@pytest.mark.parametrize("name", ["train", "dev", "test"])
def test_codah(shared_data: Path, name: str) -> None:
    columns = Columns(no_header=True, text="1", choices=("2", "3", "4", "5"), label="6")
    found = read_choice_questions(shared_data / "multiple-choice" / "codah" / f"{name}.tsv", columns)
    assert len(found) == {"train": 1665, "dev": 556, "test": 555}[name]
    assert {question.label for question in found} == {0, 1, 2, 3}
    assert {len(question.choices) for question in found} == {4}


@pytest.mark.parametrize(
    ("header", "prompt", "choices", "label"),
    [
        ("startphrase,ending0,ending1,ending2,label", 0, (1, 2, 3), 4),
        ("question,choice1,choice2,label", 0, (1, 2), 3),
        ("label,option0,option1,prompt", 3, (1, 2), 0),
        ("prompt,choice1,choice0,other,label", 0, (2, 1), 4),
    ],
)
def test_usual_columns_are_found(
    tmp_path: Path, header: str, prompt: int, choices: tuple[int, ...], label: int
) -> None:
    values = [f"value {number}" for number in range(header.count(",") + 1)]
    values[label] = "1"
    (found,) = questions_of(tmp_path, "f.csv", f"{header}\n{','.join(values)}\n")
    assert found == ChoiceQuestion(values[prompt], tuple(values[number] for number in choices), 1)


def test_numbers_of_choices_may_differ(tmp_path: Path) -> None:
    expected = [ChoiceQuestion("a", ("b", "c"), 1), ChoiceQuestion("d", ("e", "f", "g"), 2)]
    assert questions_of(tmp_path, "f.csv", "prompt,ending0,ending1,ending2,label\na,b,c,,1\nd,e,f,g,2\n") == expected
    lines = [{"question": one.prompt, "choices": one.choices, "label": str(one.label)} for one in expected]
    assert questions_of(tmp_path, "f.jsonl", "\n".join(map(json.dumps, lines))) == expected
    columns = {"choices": ("x", "y")}
    lines = [{"prompt": "a", "x": "b", "y": "c", "label": 1}]
    assert questions_of(tmp_path, "g.jsonl", "\n".join(map(json.dumps, lines)), **columns) == expected[:1]


HEADER = "prompt,choice0,choice1,choice2,label\n"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            f"{HEADER}a,b,c,d,2\na,b,c,d,3\n",
            "line 3: the label .column 'label'.: found '3', expected the index of one of 3",
        ),
        (f"{HEADER}a,b,c,,2\n", "line 2: the label .*: found '2', expected the index of one of 2 choices, from 0 to 1"),
        (f"{HEADER}a,b,c,d,-1\n", "line 2: the label .*: found '-1'"),
        (f"{HEADER}a,b,c,d,b\n", "line 2: the label .*: found 'b'"),
        (f"{HEADER}a,b,c,d,\n", "line 2: the label .*: found ''"),
        (f"{HEADER} ,b,c,d,0\n", "line 2: the prompt is empty"),
        (f"{HEADER}a,b,,d,0\n", r"line 2: choice 1 \(from 0\) is empty"),
        (f"{HEADER}a,b,,,0\n", "line 2: found 1 choices, expected at least two"),
        (f"{HEADER}a,b,c,0\n", "line 2: found 4 fields, expected 5"),
        ("prompt,one,two,label\n", "no rows in this file"),
        (
            "prompt,one,two,label\na,b,c,0\n",
            "no columns with the usual names for choices .*'prompt', 'one', 'two', 'label'.*--choice-columns",
        ),
        ("what,choice0,choice1,label\na,b,c,0\n", "no column of the prompt .*'what', 'choice0'.*--text-column"),
        ("prompt,choice0,choice1,right\na,b,c,0\n", "no column of the label .*'right'.*--label-column"),
    ],
)
def test_mistakes_have_file_and_line(tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(DataError, match=message) as raised:
        questions_of(tmp_path, "f.csv", content)
    assert str(raised.value).startswith(str(tmp_path / "f.csv"))


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"choices": ["a", "b"], "label": 0}, "no column of the prompt"),
        ({"prompt": "p", "choices": "a", "label": 0}, "line 1: 'choices': found text, expected a list of choices"),
        ({"prompt": "p", "choices": ["a", 1, None], "label": 0}, r"line 1: choice 2 \(from 0\): found null, expected"),
        ({"prompt": "p", "choices": ["a", "b"], "label": True}, "line 1: the label .*: found True, expected the index"),
        ({"prompt": "p", "choices": ["a", "b"], "label": 0.0}, "line 1: the label .*: found 0.0, expected the index"),
        ({"prompt": "p", "choices": ["a", "b"], "label": None}, "line 1: column 'label' is missing"),
    ],
)
def test_mistakes_in_json_lines(tmp_path: Path, record: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        questions_of(tmp_path, "f.jsonl", json.dumps(record))


def test_a_column_has_one_use(tmp_path: Path) -> None:
    (tmp_path / "f.csv").write_text("prompt,choice0,choice1,label\na,b,c,0\n")
    with pytest.raises(OptionError, match=r"column 'choice0' is used for the choice 0 \(from 0\) and for the choice 1"):
        read_choice_questions(tmp_path / "f.csv", Columns(choices=("choice0", "choice0")))
    with pytest.raises(OptionError, match="column 'prompt' is used for the prompt and for the choice 0"):
        read_choice_questions(tmp_path / "f.csv", Columns(choices=("prompt", "choice0")))


def test_later_records_may_have_more_choices(tmp_path: Path) -> None:
    records = [{"prompt": "p", "choice0": "a", "choice1": "b", "label": 0}]
    records.append(records[0] | {"choice2": "c", "label": 1})
    (tmp_path / "f.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    assert [question.choices for question in read_choice_questions(tmp_path / "f.jsonl", Columns())] == [
        ("a", "b"),
        ("a", "b", "c"),
    ]


def test_columns_that_are_not_there(tmp_path: Path) -> None:
    content = f"{HEADER}a,b,c,d,0\n"
    with pytest.raises(DataError, match=r"no column 'x'; the columns are 'prompt', .*--choice-columns"):
        questions_of(tmp_path, "f.csv", content, choices=("choice0", "x"))
    with pytest.raises(OptionError, match="--pair-column is not for multiple-choice"):
        questions_of(tmp_path, "f.csv", content, pair="choice0")
    with pytest.raises(DataError, match=r"no column of the label with a usual name; .*--label-column"):
        questions_of(tmp_path, "f.csv", "a,b,c,0\n", no_header=True, choices=("1", "2"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "the file is empty"),
        ('{"prompt": "a"}\n', "line 1: 'choices': found nothing, expected a list of texts"),
        ('{"prompt": " ", "choices": ["a", "b"]}\n', "line 1: 'prompt': found empty text"),
        ('{"prompt": "a", "choices": ["a"]}\n', "line 1: found 1 choices, expected at least two"),
        ('{"prompt": "a", "choices": ["a", ""]}\n', r"line 1: choice 1 \(from 0\) is empty"),
        ("a question\n", "line 1: not JSON"),
        ("\n\r\n{}\n", "line 3: 'prompt': found nothing"),
    ],
)
def test_prompts_that_are_wrong(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "f.jsonl").write_text(content)
    with pytest.raises(DataError, match=message):
        list(read_prompts(tmp_path / "f.jsonl"))


def test_each_blank_line_stands_for_itself(tmp_path: Path) -> None:
    (tmp_path / "f.jsonl").write_bytes(b'\n{"prompt": "a", "choices": ["b", "c"]}\r\n \r\n\n')
    assert list(read_prompts(tmp_path / "f.jsonl")) == [None, ("a", ("b", "c")), None, None]
