"""The labelled files of a fine-tuning: read, encoded, counted and compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bertsmith.errors import OptionError
from bertsmith.evaluation.labelled_data import UNLABELLED, LabelledSplit, labelled_data_report
from bertsmith.finetuning.batches import LabelledData
from bertsmith.finetuning.options import FinetuneOptions
from bertsmith.finetuning.starting_model import StartingModel
from bertsmith.records.labelled_files import DataFile, DataReport, FinetuningFiles
from bertsmith.runtime import random
from bertsmith.runtime.files import sha256_of
from bertsmith.tasks.base import AnyTask, task_class
from bertsmith.tasks.files.labelled_file import Columns
from bertsmith.tasks.files.records import is_data_set, with_split
from bertsmith.tasks.values import Inputs

SPLITS = {"train": "train", "unlabelled": "train", "dev": "validation", "test": "test"}
"""The part of a data set (`hf:`) that is read for each file if its name has none."""


@dataclass
class FinetuningData:
    """What a head is trained and measured on.

    Attributes:
        head: with the labels of the training file.
        train_targets: the labels of the training file's examples.
        learnt: the training file, followed by the unlabelled one if there is one.
        teacher_examples: the examples of `learnt`, if a teacher is to answer them; otherwise none.
        reported_examples: those of `reported`, for the errors.
        described: the files, the frequency of each label, and the report on them, for run.json.
    """

    head: AnyTask
    train_targets: Any
    learnt: LabelledData
    teacher_examples: Sequence[Any]
    dev: LabelledData
    test: LabelledData | None
    reported_examples: Sequence[Any]
    described: FinetuningFiles

    @property
    def files(self) -> list[DataFile]:
        """The files as they were read."""
        return self.described.files

    @property
    def labels(self) -> dict[str, int]:
        """How often each label occurs in the training file."""
        return self.described.labels

    @property
    def report(self) -> DataReport:
        """The report on the files."""
        assert self.described.report is not None
        return self.described.report

    @property
    def reported(self) -> LabelledData:
        """The examples that the figures are of."""
        return self.dev if self.test is None else self.test

    @property
    def unlabelled(self) -> int:
        """The number of examples whose label is ignored."""
        return sum(file.examples for file in self.files if file.part == UNLABELLED)

    @property
    def windowed(self) -> int | None:
        """The number of examples of all files that are read in windows."""
        counts = [part.encoded.windowed for part in (self.learnt, self.dev, self.test) if part is not None]
        return None if None in counts else sum(count or 0 for count in counts)


@dataclass(frozen=True)
class _Examples:
    """The examples of each part, read but not encoded."""

    head: AnyTask
    paths: Mapping[str, Path]
    parts: dict[str, Sequence[Any]]


def read_files(options: FinetuneOptions, start: StartingModel) -> FinetuningData:
    """Read and encode the files that the options name. Raises DataError with the place of the first mistake."""
    found = _read(options)
    head, paths, length = found.head, found.paths, start.max_length
    checksums = {part: None if is_data_set(path) else sha256_of(path) for part, path in paths.items()}
    _check_new(paths, checksums, drawn=options.max_train_examples is not None)
    files, parts, compared = [], {}, {}
    for part, path in paths.items():
        examples, left_out = _used(found, part, options.max_train_examples)
        encoded = head.encode(start.tokenizer, examples, length)
        parts[part] = LabelledData(encoded, head.targets(examples, str(path)))
        head.warn_of_spellings(examples, str(path))
        compared[part] = LabelledSplit(examples, encoded)
        file = DataFile(name=str(path), part=part, examples=len(examples), **_measured(encoded), **left_out)
        file.sha256 = checksums[part]
        files.append(file)
    report = labelled_data_report(head, start.tokenizer, compared, max_length=length)
    described = _reported(found, parts, report, files=files, options=options)
    gold, learnt, taught = parts["train"].targets, parts["train"], compared["train"].examples
    if UNLABELLED in parts:
        taught = [*taught, *compared[UNLABELLED].examples]
        encoded, targets = head.encode(start.tokenizer, taught, length), head.targets(taught, str(paths["train"]))
        learnt = LabelledData(encoded, targets, labelled=len(learnt.encoded.lengths))
    return FinetuningData(
        head,
        gold,
        learnt,
        taught if options.teacher is not None else (),
        parts["dev"],
        parts.get("test"),
        compared["test" if "test" in compared else "dev"].examples,
        described,
    )


def _read(options: FinetuneOptions) -> _Examples:
    """Read all parts; the training file decides the labels, and what the other files must agree with."""
    columns = Columns.of(options)
    given = {part: getattr(options, part) for part in SPLITS}
    paths = {part: with_split(path, SPLITS[part]) for part, path in given.items() if path is not None}
    task = task_class(options.task)
    parts: dict[str, Sequence[Any]] = {"train": task.read(paths["train"], columns)}
    columns = replace(columns, like=task.reference(parts["train"], paths["train"]))
    head = task.for_training(parts["train"], options)
    columns = head.columns(columns)
    parts |= {part: task.read(path, columns) for part, path in paths.items() if part in ("dev", "test")}
    head.check_labels(parts["train"], str(paths["train"]), options)
    if UNLABELLED in paths:
        parts[UNLABELLED] = head.read_unlabelled(paths[UNLABELLED], columns)
    return _Examples(head, paths, parts)


def _used(found: _Examples, part: str, most: int | None) -> tuple[Sequence[Any], dict[str, Any]]:
    """The examples of a part that are used, and how many were left out of the training file or drawn from."""
    every = found.parts[part]
    if part != "train":
        return every, {}
    used = found.head.trainable_examples(every)
    facts = {"left_out_examples": len(every) - len(used)} if len(used) < len(every) else {}
    if (most or len(used)) < len(used):
        facts["drawn_from"] = len(used)
        used = _fixed_part(used, most or 0)
    return used, facts


def _measured(encoded: Inputs) -> dict[str, Any]:
    """The lengths of the examples of a file."""
    windowed = {} if encoded.windowed is None else {"windowed_examples": encoded.windowed}
    return {
        "longest": max(encoded.full_lengths),
        "truncated_texts": sum(cut > 0 for cut in encoded.truncated_tokens),
        "truncated_tokens": sum(encoded.truncated_tokens),
        **windowed,
    }


def _reported(
    found: _Examples,
    parts: Mapping[str, LabelledData],
    report: DataReport,
    *,
    files: list[DataFile],
    options: FinetuneOptions,
) -> FinetuningFiles:
    """All files with the report on them, its warnings about labels first."""
    head = found.head
    counts = dict(report.parts["train"].labels)
    if head.labels:
        about_labels = head.label_warnings(counts, parts["train"].targets, options)
        report.warnings = [*about_labels, *report.warnings]
    return FinetuningFiles(files=files, labels=counts, report=report)


def _check_new(paths: Mapping[str, Path], checksums: Mapping[str, str | None], *, drawn: bool) -> None:
    """Raises OptionError if the unlabelled file is also that of a different part.

    It may be the training file if only a part of that is `drawn`: the rest of its texts are new.
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
    """A number of the examples, in their order: the same for every seed, and among those of every larger number."""
    chosen = random.generator("training part", len(examples)).permutation(len(examples))[:count]
    return [examples[row] for row in sorted(chosen)]
