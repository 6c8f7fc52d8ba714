"""Folders of GLUE as people have them: names of folders and files, columns, headers, quotes, missing labels."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bertsmith.errors import DataError, OptionError
from bertsmith.finetuning.glue.glue_folder import find_tasks, read_part, read_test
from bertsmith.finetuning.glue.options import GlueOptions
from bertsmith.finetuning.glue.tasks import GLUE, NAMES, GlueTask

Glue = Callable[..., Path]
TASKS = {task.name: task for task in GLUE}


def of(name: str) -> GlueTask:
    return TASKS[name]


@pytest.mark.parametrize("name", NAMES)
def test_each_task_as_glue_gives_it(glue: Glue, name: str) -> None:
    """Rows, texts with a quote at their start, label: nothing is lost or taken for something else."""
    (files,) = find_tasks(glue(name), None)
    assert files.task.name == name
    for path, rows in ((files.train, 24), (files.dev, 12)):
        part = read_part(path, files.task)
        assert part.rows == rows
        assert sum(part.labels.values()) == rows
    expected = {
        "STS-B": 12,  # distinct numbers
        "MNLI": 3,
    }
    assert len(read_part(files.train, files.task).labels) >= expected.get(name, 2)
    assert [one.name for one, _ in files.extra_files] == (["MNLI-mm"] if name == "MNLI" else [])


def test_cola_has_no_header(glue: Glue) -> None:
    (files,) = find_tasks(glue("CoLA"), None)
    layout = read_part(files.train, of("CoLA")).layout
    assert (layout.text, layout.label, layout.no_header) == ("3", "1", True)
    files.train.write_text("sentence\tlabel\tidx\nA bell rang.\t1\t0\nBell a rang.\t0\t1\n")
    layout = read_part(files.train, of("CoLA")).layout
    assert (layout.text, layout.label, layout.no_header) == ("sentence", "label", False)


def test_a_row_of_cola_that_occurs_twice_is_no_header(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "train.tsv").write_text("gj\t1\t\tA bell rang.\ngj\t0\t*\tBell a rang.\ngj\t1\t\tA bell rang.\n")
    assert read_part(tmp_path / "train.tsv", of("CoLA")).rows == 3
    assert "header" not in caplog.text


@pytest.mark.parametrize("labels", [(0.0, 1.0), ("00", "01"), (False, True)])
def test_the_class_1_in_any_spelling(tmp_path: Path, labels: tuple[object, object]) -> None:
    rows = [{"sentence1": "a", "sentence2": "b", "label": label} for label in labels]
    (tmp_path / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert read_part(tmp_path / "train.jsonl", of("MRPC")).rows == 2


def test_a_test_file_in_which_some_rows_have_no_label(tmp_path: Path) -> None:
    (tmp_path / "test.jsonl").write_text('{"sentence": "a", "label": -1}\n{"sentence": "b"}\n')
    with pytest.raises(DataError, match=r"test\.jsonl: line 2: column 'label' is missing"):
        read_test(tmp_path / "test.jsonl", of("SST-2").layouts)


def test_all_tasks_stand_in_the_order_of_glue(glue: Glue) -> None:
    found = find_tasks(glue("WNLI", "RTE", "CoLA", "MRPC"), None)
    assert [files.task.name for files in found] == ["CoLA", "MRPC", "RTE", "WNLI"]
    found = find_tasks(glue("WNLI", "RTE", "CoLA", "MRPC"), ("CoLA", "WNLI"))
    assert [files.task.name for files in found] == ["CoLA", "WNLI"]


def test_names_of_the_hub_and_packed_files(tmp_path: Path) -> None:
    here = tmp_path / "glue" / "sst2"
    here.mkdir(parents=True)
    with gzip.open(here / "train.tsv.gz", "wt") as file:
        file.write("sentence\tlabel\na fine film\t1\na bad film\t0\n")
    rows = [{"sentence": "a film", "label": 1, "idx": 0}, {"sentence": "no film", "label": 0, "idx": 1}]
    (here / "validation.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (files,) = find_tasks(tmp_path / "glue", None)
    assert (files.task.name, files.train.name, files.dev.name) == ("SST-2", "train.tsv.gz", "validation.jsonl")
    assert [read_part(path, files.task).rows for path in (files.train, files.dev)] == [2, 2]
    (here / "train.tsv").write_text("sentence\tlabel\nan unpacked film\t1\n")
    (files,) = find_tasks(tmp_path / "glue", None)
    assert files.train.name == "train.tsv", "an unpacked file comes before a packed one"


def test_parquet_files_of_the_hub(tmp_path: Path) -> None:
    here = tmp_path / "rte"
    here.mkdir()
    table = pa.table({"sentence1": ["a", "b"], "sentence2": ["c", "d"], "label": ["0", "1"], "idx": [0, 1]})
    for part in ("train", "validation"):
        pq.write_table(table, here / f"{part}-00000-of-00001.parquet")
    (files,) = find_tasks(tmp_path, None)
    assert read_part(files.dev, files.task).labels == {"0": 1, "1": 1}


def test_a_test_file_counts_where_it_has_labels(tmp_path: Path) -> None:
    file, layouts = tmp_path / "test.tsv", of("RTE").layouts
    file.write_text("index\tsentence1\tsentence2\n0\ta\tb\n")
    assert read_test(file, layouts) is None
    file.write_text("index\tsentence1\tsentence2\tlabel\n0\ta\tb\t-1\n1\tc\td\t-1\n")
    assert read_test(file, layouts) is None
    file.write_text("index\tsentence1\tsentence2\tlabel\n0\ta\tb\tentailment\n1\tc\td\tnot_entailment\n")
    part = read_test(file, layouts)
    assert part is not None and part.rows == 2
    cola = tmp_path / "cola.tsv"
    cola.write_text("index\tsentence\n0\tBill whistled.\n")
    assert read_test(cola, of("CoLA").layouts) is None, "that of CoLA has a header, and no labels"


def test_the_diagnostic_set_is_found_where_it_is(glue: Glue) -> None:
    folder = glue("MNLI")
    content = "Lexical Semantics\tDomain\tPremise\tHypothesis\tLabel\n\tNews\tA cat sat.\tNo cat sat.\tcontradiction\n"
    for place in ("MNLI/diagnostic-full.tsv", "diagnostic/diagnostic-full.tsv", "AX/AX.tsv"):
        file = folder / place
        file.parent.mkdir(exist_ok=True)
        file.write_text(content)
        (files,) = find_tasks(folder, None)
        extra_files = {one.name: (one, path) for one, path in files.extra_files}
        assert extra_files["AX"][1] == file
        part = read_test(file, extra_files["AX"][0].layouts)
        assert part is not None and part.labels == {"contradiction": 1}


def test_files_with_other_columns(glue: Glue) -> None:
    (files,) = find_tasks(glue("RTE"), None)
    files.dev.write_text("premise\tclaim\tverdict\na\tb\t1\n")
    with pytest.raises(DataError, match=r"dev\.tsv: found the columns .*, expected 'sentence1', 'sentence2', 'label'"):
        read_part(files.dev, files.task)
    (files,) = find_tasks(glue("MRPC"), ("MRPC",))
    files.dev.write_text("a\tb\n1\t2\n")
    with pytest.raises(DataError, match=r"'#1 String', '#2 String', 'Quality' or 'sentence1', 'sentence2', 'label'"):
        read_part(files.dev, files.task)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("all", None),
        ("ALL", None),
        ("rte,sst2", ("SST-2", "RTE")),
        (["stsb", "STS-B", "CoLA"], ("CoLA", "STS-B")),
    ],
)
def test_names_of_tasks(written: object, expected: object) -> None:
    assert GlueOptions.build({"model": "m", "data": "d", "out": "o", "tasks": written}).tasks == expected


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("MRPC,RTF", r"--tasks: found 'RTF', expected all, or some of CoLA, .* WNLI; did you mean 'RTE'\?"),
        ("ax", r"--tasks: found ax, which is only measured, with the model of MNLI, .*Try: MNLI"),
        ("MNLI-mm", r"Try: MNLI"),
        (",", r"--tasks: found no task"),
    ],
)
def test_names_that_are_none(written: str, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        GlueOptions.build({"model": "m", "data": "d", "out": "o", "tasks": written})


def test_the_pieces_of_broken_rows_of_qqp(glue: Glue) -> None:
    """A question with a line end in it stands in two pieces, neither of which is a row."""
    (files,) = find_tasks(glue("QQP"), None)
    with files.train.open("a", encoding="utf-8") as file:
        file.write("7\t8\t9\tWhy is\nit so?\tIs it?\t1\n10\t11\t12\ta\tb\t0\n")
    assert files.task.broken_rows
    assert read_part(files.train, files.task).rows == 25
    with pytest.raises(DataError, match=r"line 26: found 4 fields, expected 6"):
        read_part(files.train, replace(files.task, broken_rows=False))
    jsonl = files.dev.with_suffix(".jsonl")
    jsonl.write_text('{"question1": "a", "question2": "b", "label": 1}\n')
    assert not read_part(jsonl, files.task).skip_broken, "what has no lines with fields has no broken ones"


def test_f1_is_of_the_class_1_or_of_none(tmp_path: Path) -> None:
    """Names of classes stand in another order than their numbers: F1 would be of the other class."""
    here = tmp_path / "mrpc"
    here.mkdir()
    features = datasets.Features(
        {
            "sentence1": datasets.Value("string"),
            "sentence2": datasets.Value("string"),
            "label": datasets.ClassLabel(names=["not_equivalent", "equivalent"]),
        }
    )
    rows = {"sentence1": ["a", "b"], "sentence2": ["c", "d"], "label": [0, 1]}
    for part in ("train", "validation"):
        datasets.Dataset.from_dict(rows, features=features).to_parquet(here / f"{part}.parquet")
    (files,) = find_tasks(tmp_path, None)
    with pytest.raises(
        DataError, match=r"found the labels equivalent, not_equivalent, expected 0 and 1, because GLUE's F1"
    ):
        read_part(files.dev, files.task)


@pytest.mark.slow
def test_the_real_files(shared_data: Path) -> None:
    """The rows that GLUE is known to have."""
    found = {files.task.name: files for files in find_tasks(shared_data / "glue", ("CoLA", "MRPC", "STS-B", "RTE"))}
    rows = {
        name: tuple(read_part(path, files.task).rows for path in (files.train, files.dev))
        for name, files in found.items()
    }
    assert rows == {"CoLA": (8551, 1043), "MRPC": (3668, 408), "STS-B": (5749, 1500), "RTE": (2490, 277)}
    for files in found.values():
        assert files.test is not None
        assert read_test(files.test, files.task.layouts) is None
