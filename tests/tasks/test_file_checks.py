"""Mistakes in labelled files are reported before torch and transformers are imported."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from bertsmith.errors import DataError
from bertsmith.tasks import file_checks
from bertsmith.tasks.file_checks import check_task_files
from bertsmith.tasks.files.labelled_file import Columns
from bertsmith.tasks.registry import trainable_tasks
from support.process import run_process

HEAVY = """
import sys
from bertsmith.cli.app import run
code = run(sys.argv[1:])
print(code, [name for name in ("torch", "transformers", "datasets", "pandas") if name in sys.modules])
"""

FILES = {
    "a.csv": "text,label\na film,good\nno film,bad\n",
    "a.tsv": "text\tlabel\na film\tgood\nno film\tbad\n",
    "a.jsonl": json.dumps({"text": "a film", "label": "good"}) + "\n",
}


@pytest.mark.parametrize("task", trainable_tasks())
def test_every_task_is_looked_at(task: str, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text("{}\n")
    with pytest.raises(DataError, match=r"a\.jsonl: "):
        check_task_files(task, tmp_path / "a.jsonl", (), columns=Columns())


@pytest.mark.parametrize(
    ("name", "option"), [("a.csv", "--text-column"), ("a.tsv", "--label-column"), ("a.jsonl", "--label-column")]
)
def test_a_missing_column_is_refused_without_torch(name: str, option: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(FILES[name])
    arguments = ["finetune", "sequence-classification", "--model", "no-model", "--train", name, "--dev", name]
    done = run_process([sys.executable, "-c", HEAVY, *arguments, "--out", "out", option, "nope"], cwd=tmp_path)
    assert (done.code, done.stdout) == (0, "2 []\n"), done.shown
    assert f"{name}: no column 'nope'; the columns are 'text', 'label'" in done.stderr


def test_the_dev_file_and_the_test_file_are_looked_at_too(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.csv", tmp_path / "bad.csv"
    good.write_text(FILES["a.csv"])
    bad.write_text("sentence_one,label\na,b\n")
    check_task_files("sequence-classification", good, (good, None), columns=Columns())
    for train, *others in ((bad, good, None), (good, bad, None), (good, good, bad)):
        with pytest.raises(DataError, match=r"bad.csv: no column of the text"):
            check_task_files("sequence-classification", train, others, columns=Columns())


@pytest.mark.parametrize(
    ("task", "train", "dev"),
    [
        # By itself, the dev file may count from 0 or from 1, and its only tag looks like one of entities.
        ("multiple-choice", "prompt,choice1,choice2,choice3,label\na,b,c,d,3\na,b,c,d,1\n",
         "prompt,choice1,choice2,choice3,label\na,b,c,d,2\na,b,c,d,2\n"),
        ("token-classification", "dogs NOUN-S\nrun VERB\nfast ADV\n", "dogs NOUN-S\n"),
    ],
)  # fmt: skip
def test_a_dev_file_follows_the_training_file(task: str, train: str, dev: str, tmp_path: Path) -> None:
    ending = "csv" if task == "multiple-choice" else "conll"
    files = [tmp_path / f"{name}.{ending}" for name in ("train", "dev")]
    for file, content in zip(files, (train, dev), strict=True):
        file.write_text(content)
    with pytest.raises(DataError):
        check_task_files(task, files[1], (), columns=Columns())
    check_task_files(task, files[0], files[1:], columns=Columns())


def test_other_files_are_looked_at_as_the_training_file_says(tmp_path: Path) -> None:
    train, dev = tmp_path / "train.csv", tmp_path / "dev.csv"
    for path, labels in ((train, (0, 3)), (dev, (1, 2))):
        rows = "".join(f"p,a,b,c,d,{label}\n" for label in labels)
        path.write_text(f"prompt,choice1,choice2,choice3,choice4,label\n{rows}")
    with pytest.raises(DataError, match="positions may count from 0 or from 1"):
        check_task_files("multiple-choice", dev, (dev,), columns=Columns())
    check_task_files("multiple-choice", train, (dev, dev), columns=Columns())
    check_task_files("multiple-choice", Path("hf:name"), (dev,), columns=Columns())
    train, dev = tmp_path / "train.conll", tmp_path / "dev.conll"
    train.write_text("one 1\nthe DT\n")
    dev.write_text("one 1\n")
    check_task_files("token-classification", train, (dev,), columns=Columns())


def test_large_files_and_data_sets_are_read_once_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bad = tmp_path / "bad.csv"
    bad.write_text("sentence_one,label\na,b\n")
    for unread in (Path("hf:name"), tmp_path / "none.parquet"):
        check_task_files("sequence-classification", unread, (bad,), columns=Columns())
    monkeypatch.setattr(file_checks, "LARGE", 10)
    check_task_files("sequence-classification", bad, (bad,), columns=Columns())
    with pytest.raises(DataError, match="no such file"):
        check_task_files("sequence-classification", tmp_path / "none.csv", (), columns=Columns())
