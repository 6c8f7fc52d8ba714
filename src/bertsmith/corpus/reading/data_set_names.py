"""`hf:NAME[/CONFIG][:SPLIT]`: what it may mean."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from bertsmith.errors import DataError

PREFIX = "hf:"
_SPLIT = re.compile(r"(?P<name>.+?):(?P<split>\w[^/:]*(?:\[[^/]*\])?)")

_DESCRIPTIONS = ("README.md", ".huggingface.yaml", "dataset_infos.json")
"""Files of a local data set that may name configurations."""


@dataclass(frozen=True)
class DataSetName:
    """A data set of the hub or in a local folder, a configuration of it, and a split.

    `candidates` are the pairs (NAME, CONFIG or None) that are tried in order; a local folder has one.
    """

    written: str
    candidates: tuple[tuple[str, str | None], ...]
    split: str
    folder: Path | None

    @classmethod
    def of(cls, source: str, split: str = "train") -> DataSetName:
        """Read a source that begins with `hf:`, of this split where it names none.

        An existing folder is NAME before anything else is. Raises DataError for a text that names nothing.
        """
        written = source.removeprefix(PREFIX)
        if not Path(written).exists() and (found := _SPLIT.fullmatch(written)):
            written, split = found["name"], found["split"]
        if (folder := _folder(written)) is not None:
            rest = Path(written).relative_to(folder).as_posix()
            config = rest if rest != "." else None
            return cls(written, ((str(folder), config),), split, folder)
        parts = written.split("/")
        if not all(parts) or len(parts) > 3 or written.startswith((".", "~")):
            raise DataError(
                f"{source}: neither a folder that is there nor a data set of the hub; "
                "expected hf:NAME, hf:OWNER/NAME or hf:OWNER/NAME/CONFIG, with :SPLIT behind it where it is not train"
            )
        candidates: tuple[tuple[str, str | None], ...] = ((written, None),)
        if len(parts) == 2:
            candidates = ((written, None), (parts[0], parts[1]))
        elif len(parts) == 3:
            candidates = (("/".join(parts[:2]), parts[2]),)
        return cls(written, candidates, split, None)

    @property
    def parts(self) -> tuple[str, ...]:
        """What tells it from every other: a resolved path or the name, then the configuration, then the split."""
        if self.folder is None:
            return (*self.written.split("/")[:-1], f"{self.written.split('/')[-1]}:{self.split}")
        resolved = [part for part in self.folder.resolve().parts if part != "/"]
        whole = [*resolved, *(self.candidates[0][1] or "").split("/")]
        whole = [part for part in whole if part]
        return (*whole[:-1], f"{whole[-1]}:{self.split}")

    @property
    def depth(self) -> int:
        """How many of the last parts make its name."""
        config = self.candidates[0][1] if self.folder is not None else None
        return len(self.parts) if self.folder is None else 1 + (config.count("/") + 1 if config else 0)


def _folder(written: str) -> Path | None:
    """The path if it is a folder, or the folder it is in if that describes configurations: the last part is one."""
    path = Path(written)
    if written and path.is_dir():
        return path
    above = path.parent
    return above if above != Path() and any((above / name).is_file() for name in _DESCRIPTIONS) else None
