"""The RUN folder: its files, and the order in which they are written.

RUN/
  run.json              options, choices with reasons, versions, data, seeds, machine, status, figures
  metrics.jsonl         one line per update, and one per evaluation
  checkpoints/step-N/   weights, optimizer, schedule, random states, and last the checksums of these files. A rename
                        makes the folder appear complete. A finished pre-training keeps the last checkpoint, so that
                        `--resume` with more `--steps` can extend it; a finished fine-tuning keeps none
  config.json, tokenizer.json, ..., model.safetensors    a stock model; its weights are written last
  report.html, README.md
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import xxhash

from bertsmith.errors import OptionError, OutputError
from bertsmith.models.loading import max_tokens, quiet_transformers
from bertsmith.models.model_tokenizer import with_true_length
from bertsmith.models.sentence_encoder import SentenceEncoder
from bertsmith.runtime.console import warn
from bertsmith.runtime.files import (
    disk_errors,
    exists,
    flush_folder,
    read_json,
    write_json,
    write_text,
)

WEIGHTS = "model.safetensors"
FILES = "files.json"

DISK_ERROR_WORDS = ("os error", "inline_container", "PytorchStreamWriter")
"""Words in the errors that libraries written in Rust, and torch, raise if a file cannot be written."""


def check_inputs_outside(out: Path, inputs: Mapping[str, str | Path | None]) -> None:
    """Raise OptionError if an input is inside the output folder, where `--overwrite` would remove it.

    A path that does not exist is ignored: it is a hub name, or its reader reports it.

    Args:
        inputs: paths by the names that the message gives them.
    """
    for what, name in inputs.items():
        if name is None or not exists(name):
            continue
        found = Path(name).resolve()
        if found == out.resolve():
            raise OptionError(f"--out {out}: this is {what} itself. Try: a different folder")
        if out.resolve() in found.parents:
            raise OptionError(f"--out {out}: {what} {name} is inside this folder. Try: a different folder")


class RunFolder:
    """The folder of a training: figures, checkpoints, and the finished model."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def metrics_file(self) -> Path:
        """The file with the figures of every update and evaluation."""
        return self.path / "metrics.jsonl"

    @property
    def finished(self) -> bool:
        """Whether the folder holds a finished model."""
        return (self.path / WEIGHTS).is_file()

    def checkpoints(self) -> list[Path]:
        """Return the checkpoints, oldest first."""
        found = (self.path / "checkpoints").glob("step-*")
        return sorted(found, key=lambda path: int(path.name.removeprefix("step-")))

    def checkpoint(self, step: int) -> Path:
        """Return the folder of the checkpoint after `step` updates."""
        return self.path / "checkpoints" / f"step-{step}"

    def newest_checkpoint(self) -> Path | None:
        """Return the newest undamaged checkpoint, None if there are no checkpoints; warn of damaged ones.

        Raises OutputError if all checkpoints are damaged.
        """
        checkpoints = self.checkpoints()
        for checkpoint in reversed(checkpoints):
            damage = damage_to(checkpoint)
            if damage is None:
                return checkpoint
            warn(f"skipping {checkpoint}: {damage}")
        if checkpoints:
            raise OutputError(
                f"--resume: all checkpoints in {self.path / 'checkpoints'} are damaged. Try: remove that folder to "
                "start this training again, or --overwrite to start everything again"
            )
        return None

    def remove_checkpoints_after(self, checkpoint: Path) -> None:
        """Remove the newer checkpoints, which a run that resumes from this one will make again."""
        for newer in self.checkpoints()[self.checkpoints().index(checkpoint) + 1 :]:
            shutil.rmtree(newer)

    @contextmanager
    def new_checkpoint(self, step: int, *, keep: int, best: int | None = None) -> Iterator[Path]:
        """Yield a folder to write a checkpoint to; it gets its final name when it is complete.

        Then older checkpoints are removed, except the newest `keep` and that of the update `best`.
        """
        checkpoints = self.path / "checkpoints"
        staging = checkpoints / f".step-{step}.partial"
        final = checkpoints / f"step-{step}"
        shutil.rmtree(staging, ignore_errors=True)
        try:
            with _library_disk_errors(final):
                staging.mkdir(parents=True)
                yield staging
                write_json(staging / FILES, {path.name: _facts(path) for path in sorted(staging.iterdir())})
                flush_folder(staging)
                if final.exists():
                    shutil.rmtree(final)
                staging.rename(final)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
        for old in self.checkpoints()[:-keep]:
            if old.name != f"step-{best}":
                shutil.rmtree(old)

    def keep_checkpoints(self, steps: Collection[int]) -> list[Path]:
        """Remove all checkpoints except those after these updates; return these, oldest first."""
        for checkpoint in self.checkpoints():
            if int(checkpoint.name.removeprefix("step-")) not in steps:
                shutil.rmtree(checkpoint)
        return self.checkpoints()

    def truncate_metrics(self, step: int) -> None:
        """Remove the lines after `step` updates: the resumed run makes these updates again."""
        if self.metrics_file.is_file():
            lines = self.metrics_file.read_text(encoding="utf-8").splitlines()
            earlier = [line for line in lines if line.endswith("}") and json.loads(line)["step"] <= step]
            write_text(self.metrics_file, "".join(f"{line}\n" for line in earlier))

    def unpublish(self) -> None:
        """Remove the finished weights: a resumed run is unfinished until it publishes again."""
        (self.path / WEIGHTS).unlink(missing_ok=True)

    def publish(self, model: Any, tokenizer: Any, encoder: SentenceEncoder | None = None) -> None:
        """Write the finished model into the folder, its weights last.

        Args:
            encoder: its files are written as well.
        """
        staging = self.path / ".model.partial"
        shutil.rmtree(staging, ignore_errors=True)
        with _library_disk_errors(self.path):
            save_model(model, tokenizer, staging)
            if encoder is not None:
                encoder.save(staging, max_tokens(model.config))
            flush_folder(staging)
            for path in sorted(staging.iterdir(), key=lambda item: item.name == WEIGHTS):
                if path.is_dir():  # rename only replaces a folder that is empty
                    shutil.rmtree(self.path / path.name, ignore_errors=True)
                path.rename(self.path / path.name)
            staging.rmdir()


def save_model(model: Any, tokenizer: Any, folder: Path) -> None:
    """Write a stock model and its tokenizer, whose maximum length is the number of positions."""
    with quiet_transformers():
        model.save_pretrained(folder)
        with_true_length(tokenizer, model.config).save_pretrained(folder)


@contextmanager
def _library_disk_errors(path: Path) -> Iterator[None]:
    """Like `disk_errors`, also for safetensors, tokenizers and torch, which do not raise OSError."""
    with disk_errors(path):
        try:
            yield
        except Exception as error:
            if not any(words in str(error) for words in DISK_ERROR_WORDS):
                raise
            raise OSError(str(error)) from error


def damage_to(checkpoint: Path) -> str | None:
    """Describe the damage to a checkpoint; None if every file is as it was written."""
    try:
        files = read_json(checkpoint / FILES)
    except (OSError, ValueError):
        return f"{FILES} is missing or damaged, so the checkpoint is incomplete"
    for name, expected in files.items():
        path = checkpoint / name
        if not path.is_file():
            return f"{name} is missing"
        found = _facts(path)
        if found["bytes"] != expected["bytes"]:
            return f"{name}: found {found['bytes']:,} bytes, expected {expected['bytes']:,}"
        if found != expected:
            return f"{name} has changed since it was written"
    return None


def _facts(path: Path) -> dict[str, Any]:
    """Return size and checksum of a file (XXH3 with 128 bits, about 10 GB per second)."""
    digest = xxhash.xxh3_128()
    with path.open("rb") as file:
        while block := file.read(1 << 24):
            digest.update(block)
    return {"bytes": path.stat().st_size, "xxh3": digest.hexdigest()}


def read_metrics(run: Path) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the lines of metrics.jsonl: those of updates, and those of evaluations. A truncated line is left out."""
    updates: list[dict[str, Any]] = []
    evaluations: list[dict[str, Any]] = []
    file = run / "metrics.jsonl"
    for line in file.read_text(encoding="utf-8").splitlines() if file.is_file() else []:
        try:
            entry = json.loads(line)
        except json.JSONDecodeError:
            continue
        (evaluations if "evaluation" in entry else updates).append(entry)
    return updates, evaluations
