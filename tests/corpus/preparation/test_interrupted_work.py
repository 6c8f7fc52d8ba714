"""The work folder of an interrupted `prepare`."""

from __future__ import annotations

from pathlib import Path

import pytest

from bertsmith.corpus.preparation.interrupted_work import OPTIONS, prepare_work_folder
from bertsmith.records.manifest import StoreOptions
from bertsmith.runtime.files import read_json


def test_the_work_of_the_same_options_is_kept(tmp_path: Path) -> None:
    folder, identity = tmp_path / "work", StoreOptions.model_validate({"sources": ["a.txt"], "seed": 0})
    prepare_work_folder(folder, identity, out=tmp_path / "store", resume=False)
    (folder / "done").write_text("")
    prepare_work_folder(folder, identity, out=tmp_path / "store", resume=True)
    assert (folder / "done").exists()


@pytest.mark.parametrize("content", ["", "{", "[1]", "null", '{"sources": 3}'])
def test_damaged_options_start_from_the_beginning(tmp_path: Path, content: str) -> None:
    folder, identity = tmp_path / "work", StoreOptions.model_validate({"sources": ["a.txt"], "seed": 0})
    folder.mkdir()
    (folder / OPTIONS).write_text(content)
    (folder / "done").write_text("")
    prepare_work_folder(folder, identity, out=tmp_path / "store", resume=True)
    assert not (folder / "done").exists() and read_json(folder / OPTIONS) == identity.to_dict()
