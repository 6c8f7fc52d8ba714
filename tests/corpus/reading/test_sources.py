"""Finding and naming files: folders, globs, URLs, in any order."""

from __future__ import annotations

import gzip
import importlib.util
import io
import json
import os
import pickle
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import asdict
from itertools import permutations
from pathlib import Path
from typing import Any

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertsmith.corpus.document import Document
from bertsmith.corpus.reading import SourceFile, find_files
from bertsmith.errors import DataError

Read = Callable[..., list[Document]]
Pack = Callable[[bytes, str], bytes]


def to_json_lines(*records: object) -> bytes:
    return "".join(json.dumps(record) + "\n" for record in records).encode()


def test_the_ending_may_be_in_capitals(read: Read, tmp_path: Path) -> None:
    (tmp_path / "A.TXT").write_text("One.")
    (tmp_path / "B.JSONL.GZ").write_bytes(gzip.compress(b'{"text": "Two."}'))
    assert [document.paragraphs for document in read(tmp_path)] == [("One.",), ("Two.",)]


def test_folders_are_sorted_and_walked_and_other_files_left_out(read: Read, tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    for name in ("b.txt", "a.txt", "sub/c.txt", "notes.pdf", "table.xlsx", "archive.gz"):
        (tmp_path / name).write_text(f"{name}.")
    assert [document.id for document in read(tmp_path)] == ["a.txt#0", "b.txt#0", "sub/c.txt#0"]


def test_the_order_of_sources_changes_nothing_and_a_file_named_twice_is_read_once(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    for name in ("a.txt", "b.txt", "sub/c.txt"):
        (tmp_path / name).write_text("One.")
    sources = (tmp_path / "sub" / "c.txt", tmp_path / "?.txt", tmp_path, tmp_path / "sub" / ".." / "a.txt")
    lists = [find_files(tuple(map(str, order))) for order in permutations(sources)]
    assert [file.name for file in lists[0]] == ["a.txt", "b.txt", "c.txt"]
    assert all(one == lists[0] for one in lists)


def test_globs_also_through_folders(tmp_path: Path) -> None:
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "deep" / "er" / "a.txt").write_text("One.")
    (tmp_path / "b.txt").write_text("Two.")
    assert len(find_files((str(tmp_path / "**" / "*.txt"),))) == 2


def test_files_of_one_name_have_names_of_their_own_in_every_order(tmp_path: Path) -> None:
    folders = ("x/d", "y/d", "z/d", "z")
    for folder in folders:
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        (tmp_path / folder / "a.txt").write_text("One.")
    for order in permutations(str(tmp_path / folder / "a.txt") for folder in folders):
        assert [file.name for file in find_files(order)] == ["x/d/a.txt", "y/d/a.txt", "z/a.txt", "z/d/a.txt"]


def test_a_longer_name_may_not_be_that_of_another_file(tmp_path: Path) -> None:
    for name in ("in/d/a.txt", "x/d/a.txt", "y/a.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("One.")
    sources = (str(tmp_path / "in"), str(tmp_path / "x" / "d" / "a.txt"), str(tmp_path / "y" / "a.txt"))
    for order in permutations(sources):
        assert [file.name for file in find_files(order)] == ["in/d/a.txt", "x/d/a.txt", "y/a.txt"]


def test_a_link_keeps_its_name(tmp_path: Path) -> None:
    (tmp_path / "blob").write_text("One.")
    (tmp_path / "texts").mkdir()
    for name in ("b.txt", "a.txt"):
        (tmp_path / "texts" / name).symlink_to(tmp_path / "blob")
    assert [file.name for file in find_files((str(tmp_path / "texts"),))] == ["a.txt"]


def test_a_file_is_plain_data(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(b"{}"))
    (file,) = find_files((str(tmp_path),))
    assert pickle.loads(pickle.dumps(file)) == file
    assert SourceFile(**json.loads(json.dumps(asdict(file)))) == file
    stat = (tmp_path / "a.jsonl.gz").stat()
    assert file == SourceFile(
        "a.jsonl.gz", str(tmp_path / "a.jsonl.gz"), ".jsonl", ".gz", stat.st_size, stat.st_mtime_ns
    )
    os.utime(tmp_path / "a.jsonl.gz", ns=(0, 1))
    assert find_files((str(tmp_path),))[0].modified == 1


names = st.sampled_from(["a.txt", "b.txt", "d/a.txt", "d/b.txt", "d/d/a.txt", "e/a.txt", "e/d/a.txt"])


@given(st.lists(names, min_size=1, unique=True), st.data())
def test_names_are_unique_and_do_not_depend_on_the_order(
    tmp_path_factory: pytest.TempPathFactory, files: list[str], data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("any")
    for name in files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    sources = [str(folder / name) for name in files]
    sources += [str(folder / name) for name in ("d", "e") if (folder / name).exists() and data.draw(st.booleans())]
    found = find_files(tuple(sources))
    assert len({file.name for file in found}) == len(found) == len(files)
    assert find_files(tuple(data.draw(st.permutations(sources)))) == found


def test_ids_do_not_change_when_the_corpus_grows(read: Read, tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_bytes(to_json_lines({"text": "One."}, {"id": 7, "text": "Two."}, {"id": None, "text": "Three."}))
    before = read(file)
    assert [document.id for document in before] == ["a.jsonl#0", "7", "a.jsonl#2"]
    file.write_bytes(file.read_bytes() + to_json_lines({"text": "Four."}))
    (tmp_path / "0.txt").write_text("Five.")
    assert {document.id for document in before} < {document.id for document in read(tmp_path)}


def test_sources_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no such file or folder"):
        find_files((str(tmp_path / "none"),))
    with pytest.raises(DataError, match=r"found no readable file in this folder, expected \.txt, \.jsonl"):
        find_files((str(tmp_path),))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("a.pdf", r"a\.pdf: unknown file extension, expected \.txt, \.jsonl"),
        ("a", r"a: unknown file extension"),
        ("txt.gz", r"txt\.gz: unknown file extension"),
        ("a.txt.bz2", r"each optionally followed by \.gz, \.zst, \.xz"),
        ("a.parquet.gz", r"a\.parquet\.gz: Parquet files compressed as \.gz cannot be read"),
    ],
)
def test_files_of_another_form(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / name).write_bytes(b"%PDF")
    with pytest.raises(DataError, match=message):
        find_files((str(tmp_path / name),))


def test_a_file_that_cannot_be_opened_is_named(read: Read, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.txt").write_text("One.")

    def refuse(self: Path, *arguments: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(DataError, match=r"a\.txt: cannot be opened: Permission denied"):
        read(tmp_path)


# URLs


@pytest.fixture
def memory() -> Iterator[Any]:
    """An empty file system in memory."""
    system = fsspec.filesystem("memory")
    system.store.clear()
    yield system
    system.store.clear()


def test_addresses_are_files_folders_and_globs(read: Read, memory: Any) -> None:
    memory.pipe("/b/x.txt", b"One.")
    memory.pipe("/b/in/y.jsonl.gz", gzip.compress(b'{"text": "Two."}'))
    memory.pipe("/b/z.pdf", b"%PDF")
    both = [Document("in/y.jsonl.gz#0", ("Two.",)), Document("x.txt#0", ("One.",))]
    assert read("memory://b") == read("memory://b/") == both
    assert read("memory://b/x.txt") == read("memory://b/*.txt") == [both[1]]
    assert [document.id for document in read("memory://b/**/*.gz")] == ["y.jsonl.gz#0"]
    assert read("memory://b", "memory://b/x.txt", "memory:///b/*.txt") == both
    with pytest.raises(DataError, match=r"memory://b/z\.pdf: unknown file extension"):
        read("memory://b/z.pdf")
    with pytest.raises(DataError, match=r"memory://b/none: no such file"):
        read("memory://b/none")


def test_what_is_known_of_a_file_at_an_address(memory: Any) -> None:
    memory.pipe("/b/x.txt", b"One.")
    (file,) = find_files(("memory://b/x.txt",))
    assert (file.name, file.location, file.size, file.is_address) == ("x.txt", "memory://b/x.txt", 4, True)
    assert find_files(("memory://b",)) == [file]
    memory.pipe("/b/x.txt", b"Two.")
    assert find_files(("memory://b",))[0].modified != file.modified


def test_parquet_and_packed_files_at_an_address(read: Read, memory: Any, packed: Pack) -> None:
    sink = io.BytesIO()
    pq.write_table(pa.table({"text": ["One.", None]}), sink)
    memory.pipe("/a.parquet", sink.getvalue())
    assert [document.paragraphs for document in read("memory://a.parquet")] == [("One.",), ()]
    memory.pipe("/a.txt.zst", packed(b"One. " * 100, ".zst")[:-5])
    with pytest.raises(DataError, match=r"memory://a\.txt\.zst: cannot be read to its end"):
        read("memory://a.txt.zst")


def test_a_file_address_is_the_file(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("One.")
    found = find_files((str(tmp_path),))
    assert find_files((f"file://{tmp_path}",)) == find_files((f"file://{tmp_path}/*.txt", str(tmp_path))) == found


def test_files_in_a_zip(read: Read, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("in/x.txt", "One.")
        archive.writestr("y.txt", "Two.")
    documents = read(f"zip://**/*.txt::{tmp_path}/a.zip")
    assert sorted(document.paragraphs for document in documents) == [("One.",), ("Two.",)]


def test_addresses_that_cannot_be_read() -> None:
    with pytest.raises(DataError, match=r"nothing://b/x\.txt: .*nothing"):
        find_files(("nothing://b/x.txt",))
    if importlib.util.find_spec("s3fs") is None:
        with pytest.raises(
            DataError, match=r"s3://b/x\.txt: reading this URL needs a package that is not installed: .*s3fs"
        ):
            find_files(("s3://b/x.txt",))


def test_links_are_followed_and_a_link_to_nothing_is_named(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "b.txt").write_text("Two.")
    source = tmp_path / "source"
    source.mkdir()
    (source / "a.txt").write_text("One.")
    (source / ".hidden.txt").write_text("Not this.")
    (source / "linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "back").symlink_to(source)  # a cycle
    assert [file.name for file in find_files((str(source),))] == ["a.txt", "linked/b.txt"]
    (source / "m.txt").symlink_to(tmp_path / "nothing.txt")
    with pytest.raises(DataError, match=r"m\.txt: found a broken link to .*nothing\.txt"):
        find_files((str(source),))
