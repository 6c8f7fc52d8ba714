"""The labelled files of a fine-tuning: read, encoded, counted and compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bertsmith.errors import OptionError
from bertsmith.evaluation.labelled_data import UNLABELLED, Part, labelled_data_report
from bertsmith.finetuning.batches import LabelledData
from bertsmith.finetuning.options import FinetuneOptions
from bertsmith.runtime import random
from bertsmith.runtime.files import sha256_of
from bertsmith.tasks.base import AnyTask, task_class
from bertsmith.tasks.files.labelled_file import Columns
from bertsmith.tasks.files.records import is_data_set, with_split

SPLITS = {"train": "train", "unlabelled": "train", "dev": "validation", "test": "test"}
"""The parts of a data set (`hf:`) that are meant where none is named."""


@dataclass
class FinetuningData:
    """What a head is trained and measured on.

    Attributes:
        head: with the labels of the training file.
        train_targets: the labels of the training file.
        learnt: what is trained on: the training file, and behind it the unlabelled one where there is one.
        taught_examples: those of `learnt` where a teacher is to answer them; otherwise none.
        reported_examples: those of `reported`, for the errors.
        files: what run.json says of each file.
        label_counts: how often each label stands in the training file.
        report: the report on the data (`evaluation/labelled_data.py`).
    """

    head: AnyTask
    train_targets: Any
    learnt: LabelledData
    taught_examples: Sequence[Any]
    dev: LabelledData
    test: LabelledData | None
    reported_examples: Sequence[Any]
    files: list[dict[str, Any]]
    label_counts: dict[str, int]
    report: dict[str, Any]

    @property
    def reported(self) -> LabelledData:
        """What the figures are of."""
        return self.dev if self.test is None else self.test

    @property
    def unlabelled(self) -> int:
        """How many examples have no label that is looked at."""
        return sum(file["examples"] for file in self.files if file["part"] == UNLABELLED)

    @property
    def windowed(self) -> int | None:
        """How many examples of all files are read in windows."""
        counts = [part.encoded.windowed for part in (self.learnt, self.dev, self.test) if part is not None]
        return None if None in counts else sum(count or 0 for count in counts)


def read_files(options: FinetuneOptions, tokenizer: Any, length: int) -> FinetuningData:
    """Read and encode the files that the options name. Raises DataError with the place of the first mistake."""
    columns = Columns.of(options)
    given = {part: getattr(options, part) for part in SPLITS}
    paths = {part: with_split(path, SPLITS[part]) for part, path in given.items() if path is not None}
    task = task_class(options.task)
    examples = {"train": task.read(paths["train"], columns)}
    columns = replace(columns, like=task.reference(examples["train"], paths["train"]))
    head = task.for_training(examples["train"], options)
    columns = head.columns(columns)
    examples |= {part: task.read(path, columns) for part, path in paths.items() if part in ("dev", "test")}
    head.check_labels(examples["train"], str(paths["train"]), options)
    if UNLABELLED in paths:
        examples[UNLABELLED] = head.read_unlabelled(paths[UNLABELLED], columns)
    checksums = {part: None if is_data_set(path) else sha256_of(path) for part, path in paths.items()}
    _check_new(paths, checksums, drawn=options.max_train_examples is not None)
    files, parts, compared = [], {}, {}
    for part in paths:
        every = examples[part]
        found = head.learnable(every) if part == "train" else every
        left_out = {"left_out_examples": len(every) - len(found)} if len(found) < len(every) else {}
        drawn = {}
        if part == "train" and (options.max_train_examples or len(found)) < len(found):
            drawn = {"drawn_from": len(found)}
            found = _fixed_part(found, options.max_train_examples or 0)
            examples["train"] = found
        encoded = head.encode(tokenizer, found, length)
        parts[part] = LabelledData(encoded, head.targets(found, str(paths[part])))
        head.warn_of_spellings(found, str(paths[part]))
        compared[part] = Part(found, encoded)
        windowed = {} if encoded.windowed is None else {"windowed_examples": encoded.windowed}
        files.append(
            {
                "name": str(paths[part]),
                "part": part,
                "examples": len(found),
                "longest": max(encoded.full_lengths),
                "truncated_texts": sum(cut > 0 for cut in encoded.truncated_tokens),
                "truncated_tokens": sum(encoded.truncated_tokens),
                **windowed,
                **left_out,
                **drawn,
                "sha256": checksums[part],
            }
        )
    counts = dict(head.label_counts(examples["train"]))
    report = labelled_data_report(head, tokenizer, compared, length)
    if head.labels:
        about_labels = head.label_warnings(counts, parts["train"].targets, options)
        report["warnings"] = [*about_labels, *report["warnings"]]
    learnt, taught = parts["train"], compared["train"].examples if options.teacher is not None else ()
    if UNLABELLED in parts:
        taught = [*taught, *examples[UNLABELLED]]
        encoded, targets = head.encode(tokenizer, taught, length), head.targets(taught, str(paths["train"]))
        learnt = LabelledData(encoded, targets, labelled=len(learnt.encoded.lengths))
    reported = compared["test" if "test" in compared else "dev"].examples
    known = parts["train"].targets
    return FinetuningData(head, known, learnt, taught, parts["dev"], parts.get("test"), reported, files, counts, report)


def _check_new(paths: Mapping[str, Path], checksums: Mapping[str, str | None], *, drawn: bool) -> None:
    """Raises OptionError where the unlabelled file is that of another part.

    It may be the training file where only a part of that is `drawn`: the rest of its texts are new.
    """
    found = {part: checksums[part] or str(path) for part, path in paths.items()}
    figures = "whose figures would say nothing of new texts then"
    reasons = {"dev": figures, "test": figures}
    if not drawn:
        reasons["train"] = "all of whose texts the teacher answers already"
    for part, why in reasons.items():
        if UNLABELLED in found and found.get(part) == found[UNLABELLED]:
            raise OptionError(f"--unlabelled {paths[UNLABELLED]}: is the --{part} file, {why}; give other texts")


def _fixed_part(examples: Sequence[Any], count: int) -> list[Any]:
    """So many of the examples, in their order: the same for every seed, and among those of every larger count."""
    chosen = random.generator("training part", len(examples)).permutation(len(examples))[:count]
    return [examples[row] for row in sorted(chosen)]
