"""Distillation: a model learns from the softened answers of a trained MODEL besides the labels (Hinton et al. 2015).

The teacher answers every training example once, in evaluation mode, before the training; its logits are in a file in
the folder of the RUN, mapped into memory, so that every seed and a resumed run learn from the same numbers.
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
from bertsmith.finetuning.losses import Distillation
from bertsmith.finetuning.options import FinetuneOptions
from bertsmith.inference.predictor import Predictor
from bertsmith.runtime.console import log_info, progress
from bertsmith.runtime.files import disk_errors
from bertsmith.runtime.ragged import offsets_of
from bertsmith.tasks.base import AnyTask, task_class
from bertsmith.tasks.model_config import has_head, listed, task_of
from bertsmith.tasks.registry import TASKS
from bertsmith.tasks.values import Inputs, Logits

FOLDER = "teacher"


@dataclass(frozen=True)
class TeacherLogits:
    """A teacher's logits for the training examples (`Task.gather_logits`), flat behind each other.

    Attributes:
        values: float32 of [numbers], mapped.
        starts: int64 of [examples + 1]: where those of each example begin.
    """

    values: npt.NDArray[np.float32]
    starts: npt.NDArray[np.int64]

    def __call__(self, example: int) -> Logits:
        """float32 of [numbers]: those of an example."""
        return np.array(self.values[self.starts[example] : self.starts[example + 1]])

    @classmethod
    def load(cls, folder: Path) -> TeacherLogits | None:
        """The logits that `save` wrote; None without a folder."""
        if not folder.is_dir():
            return None
        return cls(np.load(folder / "logits.npy", mmap_mode="r"), np.load(folder / "starts.npy"))

    @staticmethod
    def save(logits: Sequence[Logits], folder: Path) -> None:
        """Write logits; the folder appears whole."""
        aside = folder.with_name(f".{folder.name}.partial")
        shutil.rmtree(aside, ignore_errors=True)
        starts = offsets_of([each.size for each in logits])
        with disk_errors(folder):
            aside.mkdir()
            values = np.lib.format.open_memmap(
                aside / "logits.npy", mode="w+", dtype=np.float32, shape=(int(starts[-1]),)
            )
            for number, each in enumerate(logits):
                values[starts[number] : starts[number + 1]] = each.ravel()
            values.flush()
            np.save(aside / "starts.npy", starts)
            aside.rename(folder)


class Teacher:
    """A MODEL with a head of the task, and the training examples as it reads them.

    Raises ModelError if the MODEL has no such head, OptionError if its labels or its rows do not fit.
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
            has = f"has the head of {other}" if other else f"has no {task_class(task).called}"
            raise ModelError(
                f"--teacher {name}: {has}; `bertsmith finetune {task} --model {name}` makes a teacher for this task"
            )
        self.head = task_class(task).for_model(config, None, name)
        if self.head.problem_type != head.problem_type:
            raise OptionError(
                f"--teacher {name}: its problem type is {self.head.problem_type}, that of the student "
                f"{head.problem_type}; they must be the same"
            )
        if sorted(self.head.labels) != sorted(head.labels):
            raise OptionError(
                f"--teacher {name}: its labels are {listed(self.head.labels)}, those of the training file "
                f"{listed(head.labels)}; they must be the same, in any order"
            )
        self.order = [self.head.labels.index(label) for label in head.labels]
        own = self.predictor.tokenizer
        length = min(options.max_length or TASKS[task].max_length, self.predictor.max_length)
        self.budget = options.eval_batch_size * length
        self.inputs = self.head.encode(own, examples, length)
        if head.needs_same_rows and (own.get_vocab() != tokenizer.get_vocab() or self.inputs.lengths != inputs.lengths):
            raise OptionError(
                f"--teacher {name}: divides the texts into other tokens or windows than {options.model}; in {task} "
                "teacher and student need the same tokenizer and room for --max-length"
            )

    def answers(self, folder: Path) -> TeacherLogits:
        """Its logits for the training examples, from the folder of the RUN if they are there."""
        found = TeacherLogits.load(folder / FOLDER)
        if found is None:
            with progress("the teacher answers", unit="texts") as bar:
                logits = self.predictor.head_logits(self.head, self.inputs, budget=self.budget, bar=bar)
            if self.order:
                width = len(self.order)
                logits = [each.reshape(-1, width)[:, self.order] for each in logits]
            TeacherLogits.save(logits, folder / FOLDER)
            found = TeacherLogits.load(folder / FOLDER)
            assert found is not None
        else:
            log_info("the teacher has answered already")
        return found


def distillation_of(options: FinetuneOptions, head: AnyTask) -> Distillation | None:
    """The distillation that the options ask for. Raises OptionError if a temperature is given for numbers."""
    if options.teacher is None:
        return None
    if head.is_regression and options.distil_temperature is not None:
        raise OptionError("--distil-temperature: a number has no distribution that it could soften; leave it out")
    weight = WEIGHT if options.distil_weight is None else options.distil_weight
    return Distillation(weight, options.distil_temperature or TEMPERATURE)


def forget(folder: Path) -> None:
    """Remove a teacher's answers from the folder of a finished RUN."""
    shutil.rmtree(folder / FOLDER, ignore_errors=True)
