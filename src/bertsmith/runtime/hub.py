"""Decide whether a name is a folder or a model of the hub, within seconds even if it is neither."""

from __future__ import annotations

import difflib
from contextlib import suppress
from pathlib import Path

from bertsmith.errors import ModelError
from bertsmith.runtime.files import exists

PATIENCE = 5
"""Seconds to wait for an answer of the hub. Without a network its client would wait half a minute."""
_CACHED = ("config.json", "tokenizer_config.json")
"""A model with one of these files in the hub's cache can be used without a connection."""
_MOST_FOLDERS = 2_000
"""The most folders that are compared with a name."""


def is_hub_name(name: str) -> bool:
    """Whether a name that is not a folder may be a hub name: `NAME` or `OWNER/NAME`.

    If there is a local folder with the name of the owner, the name counts as a hub name only if the hub's cache has
    it, or if the local folder has nothing of a similar name: `google/bert` next to `google/text` does, `runs/boks`
    next to `runs/books` does not.
    """
    return _has_the_form(name) and not (_is_below_a_folder(name) and similar_folders(name))


def is_from_hub(name: str) -> bool:
    """Whether a name that a RUN was started with, and that is not a folder now, was a hub name.

    A model that was loaded from the hub is in its cache. Otherwise a name below a local folder is taken for a RUN
    that has been deleted.
    """
    return _has_the_form(name) and not _is_below_a_folder(name)


def _has_the_form(name: str) -> bool:
    return name.count("/") <= 1 and not name.startswith((".", "/", "~")) and bool(name.strip("/"))


def _is_below_a_folder(name: str) -> bool:
    """Whether a name `OWNER/NAME` is below a local folder OWNER and not in the hub's cache."""
    if "/" not in name or not _is_folder(Path(name).parent):
        return False
    from huggingface_hub.errors import HFValidationError

    with suppress(HFValidationError):
        return not _is_cached(name)
    return True


def _is_cached(name: str) -> bool:
    from huggingface_hub import try_to_load_from_cache

    return any(isinstance(try_to_load_from_cache(name, file), str) for file in _CACHED)


def check_hub_name(name: str) -> None:
    """Raise ModelError if a name that is not a folder is not on the hub either, if a quick check can tell."""
    if not is_hub_name(name):
        raise ModelError(
            f"{name}: no such folder, expected a RUN, a model folder, or a hub name{similar_folders(name)}"
        )
    from huggingface_hub.errors import HFValidationError

    try:
        cached = _is_cached(name)
    except HFValidationError as error:
        raise missing_model_error(name, str(error).splitlines()[0]) from None
    if not cached and (reason := unreachable()) is not None:
        raise missing_model_error(name, f"it cannot be reached: {reason}")


def missing_model_error(name: str, reason: str) -> ModelError:
    """Return the error for a name that is neither a folder nor a model of the hub."""
    return ModelError(
        f"{name}: no such folder, and no model of this name from the hub ({reason}){similar_folders(name)}"
    )


def unreachable() -> str | None:
    """Return why the hub does not answer; None if it does, or in offline mode, where its client does not ask."""
    from huggingface_hub import constants, get_session

    if constants.HF_HUB_OFFLINE:
        return None
    try:
        get_session().head(constants.ENDPOINT, timeout=PATIENCE)
    except Exception as error:  # noqa: BLE001 (each transport has different exceptions)
        return " ".join(str(error).split()).rstrip(".") or type(error).__name__
    return None


def similar_folders(name: str) -> str:
    """Return `; did you mean the folder runs/books?` with folders of a similar name next to it or one level below."""
    path = Path(name)
    place = path.parent if path.parent != Path() and _is_folder(path.parent) else Path()
    found = _folders(place)
    if place == Path():
        found += [deeper for folder in found for deeper in _folders(folder)]
    names = {folder.name for folder in found[:_MOST_FOLDERS]}
    near = difflib.get_close_matches(path.name, sorted(names), n=3, cutoff=0.6)
    similar = [str(folder) for match in near for folder in found[:_MOST_FOLDERS] if folder.name == match][:3]
    return f"; did you mean the folder {' or '.join(similar)}?" if similar else ""


def _is_folder(path: Path) -> bool:
    return exists(path) and path.is_dir()


def _folders(place: Path) -> list[Path]:
    with suppress(OSError):
        return sorted(path for path in place.iterdir() if path.is_dir() and not path.name.startswith("."))
    return []
