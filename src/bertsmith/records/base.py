"""Records: typed models of the JSON files on disk.

The version of a record rises when a field changes its meaning or readers need a new field. Older files can be read:
missing fields have defaults, and unknown fields are kept. For a damaged file, the error names the wrong field.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from bertsmith.errors import InputError
from bertsmith.runtime.files import write_json


class Part(BaseModel):
    """An object within a record."""

    model_config = ConfigDict(extra="allow", populate_by_name=True)

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object with the fields that were set, in their order."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)


class Record(Part):
    """A JSON file."""

    advice: ClassVar[str] = "Try: repeat the command that wrote the file, with --overwrite or a different --out"
    """What to do if the file is damaged."""

    version: int = 0
    """0 in files from before records had versions."""

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a file. Raises InputError if the file is truncated, is not a JSON object, or lacks a field."""
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise InputError(f"{path}: {reason}; expected the JSON that bertsmith wrote. {cls.advice}") from None
        return cls.of(content, path)

    @classmethod
    def of(cls, content: Any, path: Path) -> Self:
        """Validate the content of a file. Raises InputError if it is not an object or lacks a field."""
        if not isinstance(content, Mapping):
            raise InputError(f"{path}: found no JSON object, expected the record that bertsmith wrote. {cls.advice}")
        try:
            return cls.model_validate(content)
        except ValidationError as error:
            first = next(_in_words(error.errors()))
            raise InputError(
                f"{path}: {first}; the file was edited, or a different version of bertsmith wrote it. {cls.advice}"
            ) from None

    def write(self, path: Path) -> None:
        """Write the file, completely or not at all."""
        write_json(path, self.to_dict())


def _in_words(mistakes: list[ErrorDetails]) -> Iterator[str]:
    for mistake in mistakes:
        field = ".".join(map(str, mistake["loc"]))
        if mistake["type"] == "missing":
            yield f"`{field}` is missing"
        elif mistake["type"] == "value_error":
            yield f"`{field}`: {mistake['msg'].removeprefix('Value error, ')}"
        else:
            yield f"`{field}`: found {mistake['input']!r}, expected {mistake['msg'].removeprefix('Input should be ')}"
