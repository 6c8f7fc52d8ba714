"""Distillation: a model learns from the labels and from the softened predictions of a teacher (Hinton et al. 2015).

Before the training, the teacher predicts every training example once, in evaluation mode. Its logits are in a
memory-mapped file in the RUN, so that every seed and a resumed run learn from the same numbers.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bertsmith.config.distillation import TEMPERATURE, WEIGHT
from bertsmith.errors import ModelError, OptionError
from bertsmith.finetuning.head_losses import Distillation
from bertsmith.finetuning.options import FinetuneOptions
from bertsmith.inference.predictor import Predictor
from bertsmith.runtime.console import log_detail, progress
from bertsmith.runtime.files import disk_errors
from bertsmith.runtime.ragged import offsets_of
from bertsmith.tasks.base import AnyTask, task_class
from bertsmith.tasks.model_config import has_head, listed, task_of
from bertsmith.tasks.registry import TASKS
from bertsmith.tasks.values import Inputs, Logits

FOLDER = "teacher"


@dataclass(frozen=True)
class TeacherLogits:
    """A teacher's logits for the training examples (`Task.gather_logits`), concatenated.

    Attributes:
        values: float32 of [numbers], memory-mapped.
        starts: int64 of [examples + 1]: where the logits of each example begin.
    """

    values: npt.NDArray[np.float32]
    starts: npt.NDArray[np.int64]

    def __call__(self, example: int) -> Logits:
        """Return the logits of an example, float32 of [numbers]."""
        return np.array(self.values[self.starts[example] : self.starts[example + 1]])

    @classmethod
    def load(cls, folder: Path) -> TeacherLogits | None:
        """Return the logits that `save` wrote; None if the folder does not exist."""
        if not folder.is_dir():
            return None
        return cls(np.load(folder / "logits.npy", mmap_mode="r"), np.load(folder / "starts.npy"))

    @staticmethod
    def save(logits: Sequence[Logits], folder: Path) -> None:
        """Write logits; the folder appears only when it is complete."""
        staging_folder = folder.with_name(f".{folder.name}.partial")
        shutil.rmtree(staging_folder, ignore_errors=True)
        starts = offsets_of([each.size for each in logits])
        with disk_errors(folder):
            staging_folder.mkdir()
            values = np.lib.format.open_memmap(
                staging_folder / "logits.npy", mode="w+", dtype=np.float32, shape=(int(starts[-1]),)
            )
            for number, each in enumerate(logits):
                values[starts[number] : starts[number + 1]] = each.ravel()
            values.flush()
            np.save(staging_folder / "starts.npy", starts)
            staging_folder.rename(folder)


class TaskTeacher:
    """A MODEL with a head of the task, and the training examples encoded for it.

    Raises ModelError if the MODEL has no head of the task, OptionError if its labels or its tokenizer do not fit.
    """

    def __init__(
        self, options: FinetuneOptions, head: AnyTask, tokenizer: Any, *, inputs: Inputs, examples: Sequence[Any]
    ) -> None:
        assert options.teacher is not None
        name, task = options.teacher, options.task
        self.predictor = Predictor(name, precision=options.precision)
        config = self.predictor.config
        if not has_head(config, task):
            other = task_of(config)
            found = f"found a head of {other}" if other else f"found no {task_class(task).head_name}"
            raise ModelError(
                f"--teacher {name}: {found}, expected a head of {task}. Try: bertsmith finetune {task} --model {name}"
            )
        self.head = task_class(task).for_model(config, None, name)
        if self.head.problem_type != head.problem_type:
            raise OptionError(
                f"--teacher {name}: found the problem type {self.head.problem_type}, expected that of the student, "
                f"{head.problem_type}"
            )
        if sorted(self.head.labels) != sorted(head.labels):
            raise OptionError(
                f"--teacher {name}: found the labels {listed(self.head.labels)}, expected those of the training file "
                f"in any order: {listed(head.labels)}"
            )
        self.order = [self.head.labels.index(label) for label in head.labels]
        teacher_tokenizer = self.predictor.tokenizer
        length = min(options.max_length or TASKS[task].max_length, self.predictor.max_length)
        self.budget = options.eval_batch_size * length
        self.inputs = self.head.encode(teacher_tokenizer, examples, length)
        if head.needs_same_rows and (
            teacher_tokenizer.get_vocab() != tokenizer.get_vocab() or self.inputs.lengths != inputs.lengths
        ):
            raise OptionError(
                f"--teacher {name}: its tokens or windows differ from those of {options.model}. For {task}, teacher "
                "and student need the same tokenizer, and both must support --max-length"
            )

    def compute_logits(self, folder: Path) -> TeacherLogits:
        """Return the logits for the training examples, from the RUN if it has them already."""
        found = TeacherLogits.load(folder / FOLDER)
        if found is None:
            with progress("teacher predictions", unit="texts") as bar:
                logits = self.predictor.head_logits(self.head, self.inputs, budget=self.budget, bar=bar)
            if self.order:
                width = len(self.order)
                logits = [each.reshape(-1, width)[:, self.order] for each in logits]
            TeacherLogits.save(logits, folder / FOLDER)
            found = TeacherLogits.load(folder / FOLDER)
            assert found is not None
        else:
            log_detail("using the teacher's saved predictions")
        return found


def distillation_of(options: FinetuneOptions, head: AnyTask) -> Distillation | None:
    """Return the distillation of the options. Raises OptionError if a regression has a temperature."""
    if options.teacher is None:
        return None
    if head.is_regression and options.distil_temperature is not None:
        raise OptionError(
            "--distil-temperature: a regression has no probabilities to soften. Try: leave the option out"
        )
    weight = WEIGHT if options.distil_weight is None else options.distil_weight
    return Distillation(weight, options.distil_temperature or TEMPERATURE)


def remove_teacher_logits(folder: Path) -> None:
    """Remove the teacher's logits from a finished RUN."""
    shutil.rmtree(folder / FOLDER, ignore_errors=True)
