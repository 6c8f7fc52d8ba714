"""What makes a folder a sentence encoder of sentence-transformers: the files next to the model.

modules.json lists the steps from a text to its vector: the Transformer (the model itself), Pooling, and perhaps Dense
and Normalize, each in its folder. A model that is trained further keeps them, or sentence-transformers would
load it with mean pooling, whatever it was trained with.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bertsmith.errors import ModelError
from bertsmith.runtime.files import exists, write_json
from bertsmith.tokenization.folder import file_of

MODULES, LENGTH, FACTS = "modules.json", "sentence_bert_config.json", "config_sentence_transformers.json"
POOLINGS = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}
"""The names of sentence-transformers for a pooling: the switches of its older files, and the values of newer ones."""


@dataclass(frozen=True)
class SentenceEncoder:
    """The files of a sentence encoder.

    Attributes:
        folder: where they are.
        parts: the folders of the steps behind the Transformer.
        pooling: how the vectors of tokens become one; several names are joined by "+", as their vectors are.
        length: `max_seq_length`, None if no file says it.
    """

    folder: Path
    parts: tuple[str, ...]
    pooling: str | None
    length: int | None

    def save(self, folder: Path, positions: int) -> None:
        """Write the files next to a model with this many positions."""
        files = [path for part in self.parts for path in (self.folder / part).rglob("*") if path.is_file()]
        for path in (*files, self.folder / FACTS, self.folder / MODULES):
            if path.is_file():
                copy = folder / path.relative_to(self.folder)
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, copy)
        said = _object(self.folder / LENGTH) if (self.folder / LENGTH).is_file() else {}
        length = positions if self.length is None else min(self.length, positions)
        write_json(folder / LENGTH, {**said, "max_seq_length": length})


def sentence_encoder(name: str) -> SentenceEncoder | None:
    """The sentence encoder in the folder of a MODEL (or in the hub's cache), None if it is none.

    Raises ModelError if its files cannot be read, or if the folder of one of its steps is missing.
    """
    modules = file_of(name, MODULES)
    if modules is None:
        return None
    steps = _json(modules)
    if not isinstance(steps, list) or not all(isinstance(step, dict) for step in steps):
        raise ModelError(f"{modules}: expected a list of modules, as sentence-transformers writes it")
    parts, pooling = [], None
    for step in steps:
        path, kind = str(step.get("path") or ""), str(step.get("type") or "").rpartition(".")[2]
        if path in ("", "."):
            continue
        if Path(path).is_absolute() or ".." in Path(path).parts:
            raise ModelError(f"{modules}: found the path {path!r}, expected a folder in {name}")
        # A hub's cache fetches a file when it is asked for.
        config = file_of(name, f"{path}/config.json")
        if kind == "Dense" and not exists(name):
            file_of(name, f"{path}/model.safetensors")
        folder = modules.parent / path
        if kind == "Pooling":
            if config is None:
                raise ModelError(f"{folder}: has no config.json, which says how the vectors of tokens become one")
            pooling = _pooling(_object(config))
        if folder.is_dir():
            parts.append(path)
        elif kind != "Normalize":  # it has no settings, and some tools do not copy an empty folder
            raise ModelError(f"{folder}: no such folder, but {MODULES} names it")
    length = file_of(name, LENGTH)
    said = _object(length).get("max_seq_length") if length is not None else None
    return SentenceEncoder(modules.parent, tuple(parts), pooling, said if isinstance(said, int) and said > 0 else None)


def _pooling(config: dict[str, Any]) -> str | None:
    """The pooling that the configuration of a Pooling module says; mean is the default of sentence-transformers."""
    said = config.get("pooling_mode")
    if said is not None:
        names = [said] if isinstance(said, str) else list(map(str, said))
    else:
        names = [name for key, name in POOLINGS.items() if config.get(key)]
        if not any(key in config for key in POOLINGS):
            names = ["mean"]
    return "+".join(names) or None


def _object(file: Path) -> dict[str, Any]:
    content = _json(file)
    if not isinstance(content, dict):
        raise ModelError(
            f"{file}: found {type(content).__name__}, expected an object, as sentence-transformers writes it"
        )
    return content


def _json(file: Path) -> Any:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{file}: cannot be read: {error}") from None
