"""`hf:NAME[/CONFIG][:SPLIT]`: parse the name of a dataset."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from bertsmith.errors import DataError

PREFIX = "hf:"
_SPLIT = re.compile(r"(?P<name>.+?):(?P<split>\w[^/:]*(?:\[[^/]*\])?)")

_DESCRIPTIONS = ("README.md", ".huggingface.yaml", "dataset_infos.json")
"""Files of a local dataset that may define configurations."""


@dataclass(frozen=True)
class DataSetName:
    """A dataset on the hub or in a local folder, with a configuration and a split.

    `candidates` are the pairs (NAME, CONFIG or None) to try in order; a local folder has one.
    """

    written: str
    candidates: tuple[tuple[str, str | None], ...]
    split: str
    folder: Path | None

    @classmethod
    def of(cls, source: str, split: str = "train") -> DataSetName:
        """Parse a source that begins with `hf:`; `split` is the default split.

        An existing folder takes precedence as NAME. Raises DataError for an invalid name.
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
                f"{source}: neither an existing folder nor the name of a dataset on the hub. "
                "Expected hf:NAME, hf:OWNER/NAME or hf:OWNER/NAME/CONFIG, followed by :SPLIT unless it is train"
            )
        candidates: tuple[tuple[str, str | None], ...] = ((written, None),)
        if len(parts) == 2:
            candidates = ((written, None), (parts[0], parts[1]))
        elif len(parts) == 3:
            candidates = (("/".join(parts[:2]), parts[2]),)
        return cls(written, candidates, split, None)

    @property
    def parts(self) -> tuple[str, ...]:
        """The unique identity: the resolved path or the name, then the configuration, then the split."""
        if self.folder is None:
            return (*self.written.split("/")[:-1], f"{self.written.split('/')[-1]}:{self.split}")
        resolved = [part for part in self.folder.resolve().parts if part != "/"]
        whole = [*resolved, *(self.candidates[0][1] or "").split("/")]
        whole = [part for part in whole if part]
        return (*whole[:-1], f"{whole[-1]}:{self.split}")

    @property
    def depth(self) -> int:
        """Number of trailing parts that form its name."""
        config = self.candidates[0][1] if self.folder is not None else None
        return len(self.parts) if self.folder is None else 1 + (config.count("/") + 1 if config else 0)


def _folder(written: str) -> Path | None:
    """Return the path if it is a folder, or its parent if that defines configurations; the last part then names one."""
    path = Path(written)
    if written and path.is_dir():
        return path
    above = path.parent
    return above if above != Path() and any((above / name).is_file() for name in _DESCRIPTIONS) else None
