from __future__ import annotations

import json
from pathlib import Path

import pytest

from bertsmith.errors import InputError
from bertsmith.records.base import Part, Record


class Shape(Part):
    layers: int


class Sample(Record):
    name: str
    shape: Shape
    note: str | None = None


def test_a_record_comes_back_as_it_was_written(tmp_path: Path) -> None:
    file = tmp_path / "sample.json"
    Sample(version=1, name="a", shape=Shape(layers=2)).write(file)
    assert json.loads(file.read_text()) == {"version": 1, "name": "a", "shape": {"layers": 2}}
    assert Sample.read(file).shape.layers == 2


def test_a_file_of_an_older_version_is_read_and_keeps_what_is_unknown(tmp_path: Path) -> None:
    file = tmp_path / "sample.json"
    file.write_text(json.dumps({"name": "a", "shape": {"layers": 2, "depth": 3}, "old": True}))
    record = Sample.read(file)
    assert record.version == 0
    assert record.to_dict() == {"name": "a", "shape": {"layers": 2, "depth": 3}, "old": True}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('{"name": "a"', "expected the JSON that bertsmith wrote"),
        ("[1]", "found no JSON object"),
        ('{"name": "a"}', "`shape` is missing"),
        ('{"name": "a", "shape": {"layers": "two"}}', "`shape.layers`: found 'two', expected a valid integer"),
    ],
)
def test_a_damaged_file_is_answered_in_words(tmp_path: Path, content: str, words: str) -> None:
    file = tmp_path / "sample.json"
    file.write_text(content)
    with pytest.raises(InputError, match=r"sample\.json") as found:
        Sample.read(file)
    assert words in str(found.value)
    assert "--overwrite" in str(found.value)
