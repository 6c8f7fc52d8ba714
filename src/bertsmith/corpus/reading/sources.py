"""Finding the files behind SOURCEs, and naming them.

A file's name is the first part of its documents' ids, so it must not depend on the order in which sources are given,
on the folder one stands in, or on which other files there are, save where two would have the same name.
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
EXPECTED = f".txt or .jsonl file (nor {', '.join(FORMS[2:])}; plain or with {', '.join(COMPRESSIONS)} behind it)"
_MODIFIED_KEYS = ("ETag", "etag", "mtime", "LastModified", "last_modified", "updated", "modified", "created")


@dataclass(frozen=True)
class SourceFile:
    """A file on disk or at an address, or a data set (`hf:`). `dataclasses.asdict` makes JSON of it.

    `name` is the first part of its documents' ids. `location` is what is opened: a path, an address with ://, or
    `hf:NAME:SPLIT`. `form` is an ending of FORMS or "hf", `compression` one of COMPRESSIONS or "". `size` is in bytes
    as it lies there, `modified` changes when the file does; both are None where they are not known.
    """

    name: str
    location: str
    form: str
    compression: str = ""
    size: int | None = None
    modified: str | int | None = None

    @property
    def is_address(self) -> bool:
        """Whether it is opened through fsspec."""
        return self.form != "hf" and "://" in self.location

    @property
    def path(self) -> Path:
        """The path of a file on disk."""
        return Path(self.location)


@dataclass(frozen=True)
class _FoundFile:
    """A file as one of the sources names it; the last `depth` of its `parts` are its name."""

    file: SourceFile
    identity: str
    parts: tuple[str, ...]
    depth: int


def find_files(sources: tuple[str, ...], *, any_ending: bool = False) -> list[SourceFile]:
    """The files behind paths, folders, globs, addresses and `hf:` names, sorted by name.

    The list is the same for every order of the sources, and a file that several of them name is in it once.
    `any_ending`: a file that is named, not found in a folder, is plain text if its ending says nothing else.

    Raises DataError for a source that is not there, a folder without a readable file, and a file of another form.
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
    """The files with names that are theirs alone: those of one name take more of their folders into it, all of them.

    If the first kept the short name, a file that comes later to the corpus could take it over.
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
    """A text that every file takes: what UTF-8 cannot hold (lone surrogates) is written as an escape."""
    return text.encode("utf-8", errors="backslashreplace").decode("utf-8")


def detect_format(name: str) -> tuple[str, str] | None:
    """The form and the compression that the endings of a name say, or None where the form is not one that is read."""
    compression = compression_of(name)
    form = PurePosixPath(name[: len(name) - len(compression)]).suffix.lower()
    return (form, compression) if form in FORMS else None


def compression_of(name: str) -> str:
    """The ending of a name that says how the file is compressed, or nothing."""
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
        inside = [item for item in _walk(folder) if detect_format(item.name) is not None]
        if not inside:
            raise DataError(f"{source}: no {EXPECTED} in this folder")
        files = [(item, len(item.relative_to(folder).parts)) for item in inside]
    elif folder.is_file():
        files = [(folder, 1)]
    else:
        matches = [Path(item) for item in glob(path, recursive=True)]  # noqa: PTH207 (pathlib takes none from /)
        files = [(item, 1) for item in matches if item.is_file()]
        if not files:
            raise _no_files_error(source)
    for item, depth in files:
        if any_ending and detect_format(item.name) is None:
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
    """The folders and the name of a file; below its source they are called as there, be they links or not."""
    above = item.parents[depth - 1].resolve()
    return (*(part for part in above.parts if part != above.anchor), *item.parts[-depth:])


def _walk(folder: Path) -> Iterator[Path]:
    """The files below a folder, linked folders too; what is hidden (.name) is left out.

    Raises DataError for a folder that cannot be listed, and for a link to nothing.
    """

    def refuse(error: OSError) -> None:
        raise DataError(f"{error.filename}: cannot be listed: {error.strerror}")

    seen = {os.path.realpath(folder)}
    for inside, folders, names in os.walk(folder, onerror=refuse, followlinks=True):
        fresh = {name: os.path.realpath(os.path.join(inside, name)) for name in sorted(folders) if name[0] != "."}  # noqa: PTH118
        folders[:] = [name for name, real in fresh.items() if real not in seen]
        seen.update(fresh.values())
        for path in (Path(inside, name) for name in sorted(names) if name[0] != "."):
            if path.is_symlink() and not path.exists() and detect_format(path.name) is not None:
                raise DataError(f"{path}: is a link to {path.readlink()}, which is not there")
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
        raise DataError(f"{source}: this kind of address needs a library that is not there: {error}") from None
    except Exception as error:  # noqa: BLE001 (each file system has exceptions of its own)
        raise DataError(f"{source}: cannot be listed: {error or type(error).__name__}") from None
    for item, facts in sorted(files.items()):
        location = _address(source, path, item, system=system)
        form, compression = _form(PurePosixPath(item).name, location)
        parts = tuple(part for part in location.split("/") if part)
        depth = len(PurePosixPath(item).relative_to(path).parts) if item.startswith(f"{path}/") else 1
        file = SourceFile("", location, form, compression, facts.get("size"), _modified(facts))
        yield _FoundFile(file, "/".join(parts), parts, depth)


def _listed(system: Any, path: str, source: str) -> dict[str, dict[str, Any]]:
    """The files at an address and what is known of each."""
    if system.isfile(path):
        return {path: system.info(path)}
    if system.isdir(path):
        below = system.find(path, detail=True)
        inside = {item: facts for item, facts in below.items() if detect_format(PurePosixPath(item).name) is not None}
        if not inside:
            raise DataError(f"{source}: no {EXPECTED} in this folder")
        return inside
    matches = {item: facts for item, facts in system.glob(path, detail=True).items() if facts["type"] == "file"}
    if not matches:
        raise _no_files_error(source)
    return matches


def _address(source: str, path: str, item: str, *, system: Any) -> str:
    """The address of a file that was found below one: what stands before (and behind, in a chain) stays."""
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
    found = detect_format(name)
    if found is None:
        raise DataError(
            f"{where}: the ending is not one that is read; expected .txt or .jsonl ({', '.join(FORMS[2:])} are read "
            f"too), plain or with {', '.join(COMPRESSIONS)} behind it"
        )
    form, compression = found
    if form == ".parquet" and compression:
        raise DataError(
            f"{where}: parquet is compressed inside the file and not read with {compression} behind it; unpack it first"
        )
    return form, compression


def _no_files_error(source: str) -> DataError:
    return DataError(f"{source}: no such file or folder, and no file matches it as a pattern")
