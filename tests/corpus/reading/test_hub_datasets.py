"""Datasets by `hf:`, from folders on disk; messages if the hub cannot be reached."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bertsmith.corpus.document import Document
from bertsmith.corpus.reading import SourceFile, find_files
from bertsmith.corpus.reading.data_set_names import DataSetName
from bertsmith.errors import DataError

Read = Callable[..., list[Document]]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A dataset of two splits in a folder of the working directory; nothing may connect."""

    def refuse(*arguments: Any, **options: Any) -> None:
        raise AssertionError(f"connects to {arguments[1:]}")

    for name in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, name, refuse)
    for name in ("getaddrinfo", "create_connection"):
        monkeypatch.setattr(socket, name, refuse)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "data"
    path.mkdir()
    rows = [{"id": "x", "text": "One.\n\nTwo.", "n": 1}, {"id": None, "text": None, "n": 2}]
    (path / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (path / "test.jsonl").write_text(json.dumps({"id": "z", "text": "Three.", "n": 3}) + "\n")
    return path


def test_a_folder_on_disk(read: Read, folder: Path) -> None:
    train = [Document("x", ("One.", "Two.")), Document("data:train#1", ())]
    assert read("hf:./data") == read("hf:data:train") == read(f"hf:{folder}") == train
    assert read("hf:./data:test") == [Document("z", ("Three.",))]
    assert read("hf:./data:test", "hf:data", f"hf:{folder}:test") == [*read("hf:data:test"), *train]
    assert read("hf:data", text_column="id")[0].paragraphs == ("x",)


def test_a_configuration_of_a_folder(read: Read, folder: Path) -> None:
    for name in ("one", "two"):
        (folder / f"{name}.parquet").unlink(missing_ok=True)
        pq.write_table(pa.table({"story": [name]}), folder / f"{name}.parquet")
    (folder / "README.md").write_text(
        "---\nconfigs:\n- config_name: first\n  data_files: one.parquet\n"
        "- config_name: second\n  data_files: two.parquet\n---\n"
    )
    assert read("hf:./data/first") == [Document("data/first:train#0", ("one",))]
    assert read("hf:data/second:train") == [Document("data/second:train#0", ("two",))]
    with pytest.raises(DataError, match=r"hf:data:train: .*(first|config)"):
        read("hf:data")
    with pytest.raises(DataError, match=r"hf:data/third:train: .*third.*first"):
        read("hf:data/third")


def test_what_is_wrong_with_a_folder(read: Read, folder: Path) -> None:
    with pytest.raises(DataError, match=r"hf:data:dev: .*dev.*train"):
        read("hf:data:dev")
    with pytest.raises(DataError, match=r"hf:data:train: no column 'tale'; the columns are 'id', 'text', 'n'"):
        read("hf:data", text_column="tale")
    with pytest.raises(DataError, match=r"hf:data:train: row 0: column 'n': found a number, expected text"):
        read("hf:data", text_column="n")
    with pytest.raises(DataError, match=r"hf:\./none: neither an existing folder nor the name of a dataset on the hub"):
        read("hf:./none")
    (folder / "train.jsonl").write_text('{"text": "One."}\n{"text": \n')
    with pytest.raises(DataError, match=r"hf:data:train"):
        read("hf:data")


@pytest.mark.parametrize(
    ("source", "candidates", "split"),
    [
        ("hf:imdb", [("imdb", None)], "train"),
        ("hf:a/b", [("a/b", None), ("a", "b")], "train"),
        ("hf:a/b:validation", [("a/b", None), ("a", "b")], "validation"),
        ("hf:a/b/c:test", [("a/b", "c")], "test"),
        ("hf:a/20231101.en", [("a/20231101.en", None), ("a", "20231101.en")], "train"),
    ],
)
def test_what_a_name_may_mean(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, candidates: list[Any], split: str
) -> None:
    monkeypatch.chdir(tmp_path)
    name = DataSetName.of(source)
    assert (list(name.candidates), name.split) == (candidates, split)
    written = source.removeprefix("hf:").partition(":")[0]
    assert find_files((source, f"hf:{written}:{split}")) == [
        SourceFile(f"{written}:{split}", f"hf:{written}:{split}", "hf")
    ]


@pytest.mark.parametrize("source", ["hf:", "hf:a//b", "hf:/none/such", "hf:a/b/c/d", "hf:../none"])
def test_what_names_nothing(source: str) -> None:
    with pytest.raises(DataError, match=r"neither an existing folder nor the name of a dataset on the hub"):
        find_files((source,))


def test_the_hub_cannot_be_reached(
    read: Read, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recwarn: pytest.WarningsRecorder
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=r"hf:a/b:train: .*Tried a/b: .*; a \(configuration b\): .*hf:\./FOLDER"):
        read("hf:a/b")  # in offline mode

    def refuse(*arguments: Any, **options: Any) -> None:
        raise OSError("no network here")

    for name in ("getaddrinfo", "create_connection"):
        monkeypatch.setattr(socket, name, refuse)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    with pytest.raises(DataError, match=r"hf:a/b:train: .* the hub .* cannot be reached for the dataset a/b"):
        read("hf:a/b")
