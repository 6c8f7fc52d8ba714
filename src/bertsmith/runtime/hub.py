"""Names that are folders or models of the hub: which of the two one is, answered in seconds where it is neither."""

from __future__ import annotations

import difflib
from contextlib import suppress
from pathlib import Path

from bertsmith.errors import ModelError
from bertsmith.runtime.files import exists

PATIENCE = 5
"""Seconds to wait for the hub's first word; its client waits half a minute where there is no network."""
_CACHED = ("config.json", "tokenizer_config.json")
"""Files by which a model in the hub's cache is known: it is used without a connection."""
_LOOKED_AT = 2_000
"""So many folders are compared with a name at most."""


def is_hub_name(name: str) -> bool:
    """Whether a name that is no folder may be one of the hub: it has the form `NAME` or `OWNER/NAME`.

    Where a folder of the owner's name is here, it is of the hub if its cache holds it, or if no folder there has a like
    name: `google/bert` beside `google/text`, but not `runs/boks` beside `runs/books`.
    """
    return _has_the_form(name) and not (_is_below_a_folder(name) and similar_folders(name))


def is_from_hub(name: str) -> bool:
    """Whether a name that a RUN began with, and that is no folder now, was one of the hub.

    What was loaded from there is in its cache; else a name below a folder that is here is taken for a RUN that is gone.
    """
    return _has_the_form(name) and not _is_below_a_folder(name)


def _has_the_form(name: str) -> bool:
    return name.count("/") <= 1 and not name.startswith((".", "/", "~")) and bool(name.strip("/"))


def _is_below_a_folder(name: str) -> bool:
    """Whether a name of the hub's form stands below a folder that is here, and not in the hub's cache."""
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
    """Raise ModelError where a name that is no folder cannot be had from the hub either, as far as is known at once."""
    if not is_hub_name(name):
        raise ModelError(
            f"{name}: no such folder; expected a RUN, a model folder, or a hub name{similar_folders(name)}"
        )
    from huggingface_hub.errors import HFValidationError

    try:
        cached = _is_cached(name)
    except HFValidationError as error:
        raise missing_model_error(name, str(error).splitlines()[0]) from None
    if not cached and (reason := unreachable()) is not None:
        raise missing_model_error(name, f"it cannot be reached: {reason}")


def missing_model_error(name: str, reason: str) -> ModelError:
    """What is said of a name that is neither a folder nor a model of the hub."""
    return ModelError(
        f"{name}: no such folder, and no model of this name could be had from the hub ({reason}){similar_folders(name)}"
    )


def unreachable() -> str | None:
    """Why the hub does not answer; None where it does, and in offline mode, in which its client does not ask it."""
    from huggingface_hub import constants, get_session

    if constants.HF_HUB_OFFLINE:
        return None
    try:
        get_session().head(constants.ENDPOINT, timeout=PATIENCE)
    except Exception as error:  # noqa: BLE001 (each transport has exceptions of its own)
        return " ".join(str(error).split()).rstrip(".") or type(error).__name__
    return None


def similar_folders(name: str) -> str:
    """`; did you mean the folder runs/books?`: folders of a like name beside it, or here and one level below."""
    path = Path(name)
    beside = path.parent if path.parent != Path() and _is_folder(path.parent) else Path()
    found = _folders(beside)
    if beside == Path():
        found += [deeper for folder in found for deeper in _folders(folder)]
    names = {folder.name for folder in found[:_LOOKED_AT]}
    near = difflib.get_close_matches(path.name, sorted(names), n=3, cutoff=0.6)
    meant = [str(folder) for one in near for folder in found[:_LOOKED_AT] if folder.name == one][:3]
    return f"; did you mean the folder {' or '.join(meant)}?" if meant else ""


def _is_folder(path: Path) -> bool:
    return exists(path) and path.is_dir()


def _folders(place: Path) -> list[Path]:
    with suppress(OSError):
        return sorted(path for path in place.iterdir() if path.is_dir() and not path.name.startswith("."))
    return []
