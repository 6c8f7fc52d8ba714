"""manifest.json: its keys on the disk, what an older version lacks, and a damaged file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bertsmith.corpus.store import TokenStore
from bertsmith.errors import InputError
from bertsmith.records.manifest import MANIFEST, VERSION, Manifest

KEYS = (
    *("version", "format", "options", "choices", "result", "parts", "held_out", "detected", "characters"),
    *("replaced_bytes", "cleaning", "duplicates", "statistics", "versions", "files"),
)


def content_of(store: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((store / MANIFEST).read_text(encoding="utf-8"))
    return content


def test_the_file_has_its_keys_in_order_and_comes_back_as_it_is(store: Path, tmp_path: Path) -> None:
    content = content_of(store)
    assert tuple(content) == KEYS
    assert (content["version"], content["format"]) == (VERSION, 2)
    Manifest.read(store / MANIFEST).write(tmp_path / MANIFEST)
    assert (tmp_path / MANIFEST).read_bytes() == (store / MANIFEST).read_bytes()


def test_a_manifest_of_an_older_version_is_read_and_keeps_what_this_one_does_not_know(store: Path) -> None:
    content = content_of(store)
    del content["version"], content["options"]["separator"], content["options"]["accents"], content["result"]["model"]
    content["options"]["shuffle"], content["mirror"] = True, ["of a later version"]
    manifest = Manifest.of(content, store / MANIFEST)
    assert (manifest.version, manifest.options.accents, manifest.options.separator) == (0, "auto", None)
    assert manifest.result.model is None
    assert manifest.to_dict() == content


def test_paths_that_are_no_utf8_come_back(store: Path, tmp_path: Path) -> None:
    name = b"caf\xe9.txt".decode("utf-8", "surrogateescape")
    content = content_of(store)
    content["options"]["sources"] = [name]
    Manifest.of(content, store / MANIFEST).write(tmp_path / MANIFEST)
    assert Manifest.read(tmp_path / MANIFEST).options.sources == [name]


@pytest.mark.parametrize(
    ("part", "found", "message"),
    [
        ("result", None, "`result`: found None, expected a valid dictionary"),
        ("files", {"unigram.json": {"bytes": "many"}}, "`files.unigram.json.bytes`: found 'many'"),
    ],
)
def test_a_damaged_part_is_named(store: Path, part: str, found: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Manifest.of(content_of(store) | {part: found}, store / MANIFEST)


def test_a_store_whose_manifest_lacks_the_version_is_opened(store: Path, tmp_path: Path) -> None:
    for path in store.rglob("*"):
        (tmp_path / path.relative_to(store)).parent.mkdir(parents=True, exist_ok=True)
        if path.is_file():
            (tmp_path / path.relative_to(store)).write_bytes(path.read_bytes())
    content = content_of(store)
    del content["version"]
    (tmp_path / MANIFEST).write_text(json.dumps(content), encoding="utf-8")
    assert TokenStore(tmp_path).checksum() == TokenStore(store).checksum()
