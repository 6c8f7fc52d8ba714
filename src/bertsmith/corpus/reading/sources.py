"""Find the files of the SOURCEs, and name them.

A file's name is the first part of its documents' ids. So it must not depend on the order of the sources, on the working
directory, or on other files, unless two files would get the same name.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from glob import glob
from pathlib import Path, PurePosixPath
from typing import Any

from bertsmith.corpus.reading.data_set_names import PREFIX, DataSetName
from bertsmith.errors import DataError

FORMS = (".txt", ".jsonl", ".ndjson", ".csv", ".tsv", ".parquet", ".md", ".html", ".htm")
COMPRESSIONS = (".gz", ".zst", ".xz")
EXPECTED = f"{', '.join(FORMS)}, each optionally followed by {', '.join(COMPRESSIONS)}"
_MODIFIED_KEYS = ("ETag", "etag", "mtime", "LastModified", "last_modified", "updated", "modified", "created")


@dataclass(frozen=True)
class SourceFile:
    """A file on disk or at a URL, or a dataset (`hf:`). `dataclasses.asdict` converts it to JSON.

    `name` is the first part of its documents' ids. `location` is what is opened: a path, a URL with ://, or
    `hf:NAME:SPLIT`. `form` is its file format: an extension in FORMS, or "hf". `compression` is one of COMPRESSIONS or
    "". `size` is the number of bytes before decompression; `modified` changes when the file does. Both are None if
    unknown.
    """

    name: str
    location: str
    form: str
    compression: str = ""
    size: int | None = None
    modified: str | int | None = None

    @property
    def is_address(self) -> bool:
        """Whether it is opened with fsspec."""
        return self.form != "hf" and "://" in self.location

    @property
    def path(self) -> Path:
        """The path of a file on disk."""
        return Path(self.location)


@dataclass(frozen=True)
class _FoundFile:
    """A file as one source names it; the last `depth` of its `parts` form its name."""

    file: SourceFile
    identity: str
    parts: tuple[str, ...]
    depth: int


def find_files(sources: tuple[str, ...], *, any_ending: bool = False) -> list[SourceFile]:
    """Find the files of paths, folders, globs, URLs and `hf:` names, sorted by name.

    The list does not depend on the order of the sources, and contains each file once. With `any_ending`, a file that is
    given directly (not found in a folder) is plain text if its extension is unknown.

    Raises DataError for a missing source, a folder without a readable file, and a file of an unknown format.
    """
    once: dict[str, _FoundFile] = {}
    for source in sources:
        for found in _files_of_source(source, any_ending):
            other = once.get(found.identity)
            if other is None or _order(found) < _order(other):
                once[found.identity] = found
    return _named(list(once.values()))


def _order(found: _FoundFile) -> tuple[int, tuple[str, ...], str]:
    return found.depth, found.parts, found.file.location


def _named(found: list[_FoundFile]) -> list[SourceFile]:
    """Give the files unique names: files with the same name all get more of their parent folders.

    If one of them kept the short name, a file added later could take that name over.
    """
    depths = [item.depth for item in found]
    while True:
        names = [printable_name("/".join(item.parts[-depth:])) for item, depth in zip(found, depths, strict=True)]
        count = Counter(names)
        longer = [
            count[name] > 1 and depth < len(item.parts) for item, name, depth in zip(found, names, depths, strict=True)
        ]
        if not any(longer):
            break
        depths = [depth + more for depth, more in zip(depths, longer, strict=True)]
    files = [replace(item.file, name=name) for item, name in zip(found, names, strict=True)]
    return sorted(files, key=lambda file: (file.name, file.location))


def printable_name(text: str) -> str:
    """Escape characters that UTF-8 cannot encode (lone surrogates)."""
    return text.encode("utf-8", errors="backslashreplace").decode("utf-8")


def source_format(name: str) -> tuple[str, str] | None:
    """Return the format and compression shown by the extensions of a name, or None if the format is unknown."""
    compression = compression_of(name)
    form = PurePosixPath(name[: len(name) - len(compression)]).suffix.lower()
    return (form, compression) if form in FORMS else None


def compression_of(name: str) -> str:
    """Return the compression extension of a name, or an empty string."""
    ending = PurePosixPath(name).suffix.lower()
    return ending if ending in COMPRESSIONS else ""


def _files_of_source(source: str, any_ending: bool) -> Iterator[_FoundFile]:
    if "://" in source:
        yield from _at_address(source)
    elif source.startswith(PREFIX):
        name = DataSetName.of(source)
        file = SourceFile("", f"{PREFIX}{name.written}:{name.split}", "hf")
        yield _FoundFile(file, "/".join((PREFIX, *name.parts)), name.parts, name.depth)
    else:
        yield from _on_disk(source, source, any_ending)


def _on_disk(path: str, source: str, any_ending: bool = False) -> Iterator[_FoundFile]:
    folder = Path(path)
    if folder.is_dir():
        inside = [item for item in _walk(folder) if source_format(item.name) is not None]
        if not inside:
            raise DataError(f"{source}: found no readable file in this folder, expected {EXPECTED}")
        files = [(item, len(item.relative_to(folder).parts)) for item in inside]
    elif folder.is_file():
        files = [(folder, 1)]
    else:
        matches = [Path(item) for item in glob(path, recursive=True)]  # noqa: PTH207 (pathlib takes none from /)
        files = [(item, 1) for item in matches if item.is_file()]
        if not files:
            raise _no_files_error(source)
    for item, depth in files:
        if any_ending and source_format(item.name) is None:
            form, compression = ".txt", compression_of(item.name)
        else:
            form, compression = _form(item.name, str(item))
        try:
            facts = item.stat()
        except OSError as error:
            raise DataError(f"{item}: cannot be opened: {error.strerror}") from None
        file = SourceFile("", str(item), form, compression, facts.st_size, facts.st_mtime_ns)
        yield _FoundFile(file, str(item.resolve()), _parts(item, depth), depth)


def _parts(item: Path, depth: int) -> tuple[str, ...]:
    """Return the folders and the name of a file; below its source, links keep their own names."""
    above = item.parents[depth - 1].resolve()
    return (*(part for part in above.parts if part != above.anchor), *item.parts[-depth:])


def _walk(folder: Path) -> Iterator[Path]:
    """Yield the files below a folder, including linked folders but not hidden files and folders (.name).

    Raises DataError for a folder that cannot be listed, and for a broken link.
    """

    def refuse(error: OSError) -> None:
        raise DataError(f"{error.filename}: cannot be listed: {error.strerror}")

    seen = {os.path.realpath(folder)}
    for inside, folders, names in os.walk(folder, onerror=refuse, followlinks=True):
        fresh = {name: os.path.realpath(os.path.join(inside, name)) for name in sorted(folders) if name[0] != "."}  # noqa: PTH118
        folders[:] = [name for name, real in fresh.items() if real not in seen]
        seen.update(fresh.values())
        for path in (Path(inside, name) for name in sorted(names) if name[0] != "."):
            if path.is_symlink() and not path.exists() and source_format(path.name) is not None:
                raise DataError(f"{path}: found a broken link to {path.readlink()}")
            if path.is_file():
                yield path


def _at_address(source: str) -> Iterator[_FoundFile]:
    import fsspec
    from fsspec.implementations.local import LocalFileSystem

    try:
        system, path = fsspec.url_to_fs(source)
        if isinstance(system, LocalFileSystem):
            yield from _on_disk(path, source)
            return
        files = _listed(system, path, source)
    except DataError:
        raise
    except ImportError as error:
        raise DataError(f"{source}: reading this URL needs a package that is not installed: {error}") from None
    except Exception as error:  # noqa: BLE001 (every file system raises different exceptions)
        raise DataError(f"{source}: cannot be listed: {error or type(error).__name__}") from None
    for item, facts in sorted(files.items()):
        location = _address(source, path, item, system=system)
        form, compression = _form(PurePosixPath(item).name, location)
        parts = tuple(part for part in location.split("/") if part)
        depth = len(PurePosixPath(item).relative_to(path).parts) if item.startswith(f"{path}/") else 1
        file = SourceFile("", location, form, compression, facts.get("size"), _modified(facts))
        yield _FoundFile(file, "/".join(parts), parts, depth)


def _listed(system: Any, path: str, source: str) -> dict[str, dict[str, Any]]:
    """Return the files at a URL, with the known facts about each."""
    if system.isfile(path):
        return {path: system.info(path)}
    if system.isdir(path):
        below = system.find(path, detail=True)
        inside = {item: facts for item, facts in below.items() if source_format(PurePosixPath(item).name) is not None}
        if not inside:
            raise DataError(f"{source}: found no readable file in this folder, expected {EXPECTED}")
        return inside
    matches = {item: facts for item, facts in system.glob(path, detail=True).items() if facts["type"] == "file"}
    if not matches:
        raise _no_files_error(source)
    return matches


def _address(source: str, path: str, item: str, *, system: Any) -> str:
    """Return the URL of a file found below another URL, with its prefix (and the rest of a chained URL)."""
    if item == path:
        return source
    whole = source.rstrip("/")
    first, chain, rest = (whole, "", "") if whole.endswith(path) else source.partition("::")
    if not first.endswith(path):
        return str(system.unstrip_protocol(item))
    return first.removesuffix(path) + item + chain + rest


def _modified(facts: dict[str, Any]) -> str | None:
    for key in _MODIFIED_KEYS:
        if (value := facts.get(key)) is not None:
            return str(value.timestamp() if hasattr(value, "timestamp") else value)
    return None


def _form(name: str, where: str) -> tuple[str, str]:
    found = source_format(name)
    if found is None:
        raise DataError(f"{where}: unknown file extension, expected {EXPECTED}")
    form, compression = found
    if form == ".parquet" and compression:
        raise DataError(
            f"{where}: Parquet files compressed as {compression} cannot be read. Try: decompress the file first"
        )
    return form, compression


def _no_files_error(source: str) -> DataError:
    return DataError(f"{source}: no such file or folder, and no file matches this pattern")
