"""The RUN folder: its files, and the order in which they are written.

RUN/
  run.json              options, choices with reasons, versions, data, seeds, machine, status, figures
  metrics.jsonl         a line an update, a line an evaluation
  checkpoints/step-N/   weights, optimizer, schedule, random states, and the checksums of all of these, last;
                        it appears whole by a rename. A finished pre-training keeps the last one, from which
                        `--resume` with more `--steps` resumes; a finished fine-tuning keeps none
  config.json, tokenizer.json, ..., model.safetensors    a stock model; the weights are written last, once
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

REFUSED = ("os error", "inline_container", "PytorchStreamWriter")
"""Words in the errors of libraries (written in Rust, and torch) that the disk did not take what they wrote."""


def check_out_of_the_way(out: Path, given: Mapping[str, str | Path | None]) -> None:
    """Raise OptionError if an input is in the folder that is written: `--overwrite` would remove it.

    A name that does not exist is ignored: it is a hub name, or its reader says that it is missing.
    """
    for what, name in given.items():
        if name is None or not exists(name):
            continue
        found = Path(name).resolve()
        if found == out.resolve():
            raise OptionError(f"--out {out}: is {what} itself; give another folder")
        if out.resolve() in found.parents:
            raise OptionError(f"--out {out}: {what} {name} stands in it; give another folder")


class RunFolder:
    """The folder of a training: its figures, its checkpoints, and the model at its end."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def metrics_file(self) -> Path:
        """The figures of every update and evaluation."""
        return self.path / "metrics.jsonl"

    @property
    def finished(self) -> bool:
        """Whether the weights are at the top."""
        return (self.path / WEIGHTS).is_file()

    def checkpoints(self) -> list[Path]:
        """The checkpoints, oldest first."""
        found = (self.path / "checkpoints").glob("step-*")
        return sorted(found, key=lambda path: int(path.name.removeprefix("step-")))

    def newest_checkpoint(self) -> Path | None:
        """The newest checkpoint that is whole, or None without any checkpoint; prints those that are passed over.

        Raises OutputError if there are checkpoints and none of them is whole.
        """
        checkpoints = self.checkpoints()
        for checkpoint in reversed(checkpoints):
            fault = fault_of(checkpoint)
            if fault is None:
                return checkpoint
            warn(f"{checkpoint} is passed over: {fault}")
        if checkpoints:
            raise OutputError(
                f"--resume: no checkpoint in {self.path / 'checkpoints'} is whole; remove that folder to start "
                "this part again, or give --overwrite to start all of it again"
            )
        return None

    def remove_checkpoints_after(self, checkpoint: Path) -> None:
        """Remove those that a run which resumes from an older one makes again."""
        for newer in self.checkpoints()[self.checkpoints().index(checkpoint) + 1 :]:
            shutil.rmtree(newer)

    @contextmanager
    def new_checkpoint(self, step: int, *, keep: int, best: int | None = None) -> Iterator[Path]:
        """A folder to write a checkpoint to; it gets its name when it is complete.

        Older ones go after that: the newest `keep` stay, and the one of the update `best`.
        """
        checkpoints = self.path / "checkpoints"
        aside = checkpoints / f".step-{step}.partial"
        final = checkpoints / f"step-{step}"
        shutil.rmtree(aside, ignore_errors=True)
        try:
            with _library_disk_errors(final):
                aside.mkdir(parents=True)
                yield aside
                write_json(aside / FILES, {path.name: _facts(path) for path in sorted(aside.iterdir())})
                flush_folder(aside)
                if final.exists():
                    shutil.rmtree(final)
                aside.rename(final)
        finally:
            shutil.rmtree(aside, ignore_errors=True)
        for old in self.checkpoints()[:-keep]:
            if old.name != f"step-{best}":
                shutil.rmtree(old)

    def keep_checkpoints(self, steps: Collection[int]) -> list[Path]:
        """Remove all checkpoints but those after these updates; the ones that stay, oldest first."""
        for checkpoint in self.checkpoints():
            if int(checkpoint.name.removeprefix("step-")) not in steps:
                shutil.rmtree(checkpoint)
        return self.checkpoints()

    def truncate_metrics(self, step: int) -> None:
        """Drop the lines of updates that the resumed run makes again."""
        if self.metrics_file.is_file():
            lines = self.metrics_file.read_text(encoding="utf-8").splitlines()
            kept = [line for line in lines if line.endswith("}") and json.loads(line)["step"] <= step]
            write_text(self.metrics_file, "".join(f"{line}\n" for line in kept))

    def withdraw(self) -> None:
        """Take the finished model away: a resumed run is unfinished until it publishes again."""
        (self.path / WEIGHTS).unlink(missing_ok=True)

    def publish(self, model: Any, tokenizer: Any, encoder: SentenceEncoder | None = None) -> None:
        """Put the finished model at the top of the folder, its weights last; with the files of a sentence encoder."""
        aside = self.path / ".model.partial"
        shutil.rmtree(aside, ignore_errors=True)
        with _library_disk_errors(self.path):
            save_model(model, tokenizer, aside)
            if encoder is not None:
                encoder.save(aside, max_tokens(model.config))
            flush_folder(aside)
            for path in sorted(aside.iterdir(), key=lambda item: item.name == WEIGHTS):
                if path.is_dir():  # a folder takes the place of an empty one only
                    shutil.rmtree(self.path / path.name, ignore_errors=True)
                path.rename(self.path / path.name)
            aside.rmdir()


def save_model(model: Any, tokenizer: Any, folder: Path) -> None:
    """Write a stock model; its tokenizer knows the length that the position table holds."""
    with quiet_transformers():
        model.save_pretrained(folder)
        with_true_length(tokenizer, model.config).save_pretrained(folder)


@contextmanager
def _library_disk_errors(path: Path) -> Iterator[None]:
    """`disk_errors`, also for what safetensors, tokenizers and torch raise: that is no OSError."""
    with disk_errors(path):
        try:
            yield
        except Exception as error:
            if not any(words in str(error) for words in REFUSED):
                raise
            raise OSError(str(error)) from error


def fault_of(checkpoint: Path) -> str | None:
    """What is wrong with a checkpoint, or None where every file is as it was written."""
    try:
        files = read_json(checkpoint / FILES)
    except (OSError, ValueError):
        return f"it has no {FILES}, so it was not written to its end"
    for name, written in files.items():
        path = checkpoint / name
        if not path.is_file():
            return f"{name} is missing"
        found = _facts(path)
        if found["bytes"] != written["bytes"]:
            return f"{name} has {found['bytes']:,} bytes, {written['bytes']:,} were written"
        if found != written:
            return f"{name} holds other bytes than were written"
    return None


def _facts(path: Path) -> dict[str, Any]:
    """Size and checksum (XXH3, 128 bits: some 10 GB a second) of a file."""
    digest = xxhash.xxh3_128()
    with path.open("rb") as file:
        while block := file.read(1 << 24):
            digest.update(block)
    return {"bytes": path.stat().st_size, "xxh3": digest.hexdigest()}


def read_metrics(run: Path) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The lines of metrics.jsonl: those of updates, and those of evaluations. A cut-off last line is left out."""
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
