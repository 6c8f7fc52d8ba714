"""The files that make a model folder a sentence encoder of sentence-transformers.

modules.json lists the steps from a text to its vector: the Transformer (the model itself), Pooling, and optionally
Dense and Normalize, each in a folder. A model that is trained further keeps these files; without them
sentence-transformers would use mean pooling, whatever the model was trained with.
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
"""Names of poolings in sentence-transformers: switches in older files, values in newer files."""


@dataclass(frozen=True)
class SentenceEncoder:
    """The files of a sentence encoder.

    Attributes:
        folder: the folder of the model.
        parts: the folders of the steps after the Transformer.
        pooling: its name; several poolings, whose vectors are concatenated, are joined by "+".
        length: `max_seq_length`, or None if no file has it.
    """

    folder: Path
    parts: tuple[str, ...]
    pooling: str | None
    length: int | None

    def save(self, folder: Path, positions: int) -> None:
        """Copy the files to a model folder; `positions` limits the maximum length."""
        files = [path for part in self.parts for path in (self.folder / part).rglob("*") if path.is_file()]
        for path in (*files, self.folder / FACTS, self.folder / MODULES):
            if path.is_file():
                copy = folder / path.relative_to(self.folder)
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, copy)
        settings = _object(self.folder / LENGTH) if (self.folder / LENGTH).is_file() else {}
        length = positions if self.length is None else min(self.length, positions)
        write_json(folder / LENGTH, {**settings, "max_seq_length": length})


def sentence_encoder(name: str) -> SentenceEncoder | None:
    """Return the sentence encoder in the folder of a MODEL (or in the hub's cache); None if it is not one.

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
        # The hub's cache downloads a file on request.
        config = file_of(name, f"{path}/config.json")
        if kind == "Dense" and not exists(name):
            file_of(name, f"{path}/model.safetensors")
        folder = modules.parent / path
        if kind == "Pooling":
            if config is None:
                raise ModelError(f"{folder}: found no config.json, expected the settings of the pooling")
            pooling = _pooling(_object(config))
        if folder.is_dir():
            parts.append(path)
        elif kind != "Normalize":  # Normalize has no settings, and some tools do not copy an empty folder
            raise ModelError(f"{folder}: not found, but {MODULES} names this folder")
    length = file_of(name, LENGTH)
    configured = _object(length).get("max_seq_length") if length is not None else None
    max_length = configured if isinstance(configured, int) and configured > 0 else None
    return SentenceEncoder(modules.parent, tuple(parts), pooling, max_length)


def _pooling(config: dict[str, Any]) -> str | None:
    """Return the pooling in the configuration of a Pooling module; the default of sentence-transformers is mean."""
    mode = config.get("pooling_mode")
    if mode is not None:
        names = [mode] if isinstance(mode, str) else list(map(str, mode))
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
