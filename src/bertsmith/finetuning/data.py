"""The labelled files of a fine-tuning: read, encoded, counted and compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bertsmith.errors import OptionError
from bertsmith.evaluation.data_audit import UNLABELLED, LabelledSplit, labelled_data_report
from bertsmith.finetuning.head_batches import LabelledData
from bertsmith.finetuning.options import FinetuneOptions
from bertsmith.finetuning.starting_model import StartingModel
from bertsmith.records.labelled_files import DataFile, DataReport, FinetuningFiles
from bertsmith.runtime import random
from bertsmith.runtime.files import sha256_of
from bertsmith.tasks.base import AnyTask, task_class
from bertsmith.tasks.files.labelled_file import Columns
from bertsmith.tasks.files.table_records import is_data_set, with_split
from bertsmith.tasks.values import Inputs

SPLITS = {"train": "train", "unlabelled": "train", "dev": "validation", "test": "test"}
"""The split of a data set (`hf:`) that is read for each file unless its name has a split."""


@dataclass
class FinetuningData:
    """The data that a head is trained and measured on.

    Attributes:
        head: the task with the labels of the training file.
        train_targets: the labels of the training file's examples.
        train: the training file, then the unlabelled file if there is one.
        teacher_examples: the examples of `train` for a teacher; empty without a teacher.
        reported_examples: the examples of `reported`, for the error report.
        file_report: the files, the count of each label, and the data report, for run.json.
    """

    head: AnyTask
    train_targets: Any
    train: LabelledData
    teacher_examples: Sequence[Any]
    dev: LabelledData
    test: LabelledData | None
    reported_examples: Sequence[Any]
    file_report: FinetuningFiles

    @property
    def files(self) -> list[DataFile]:
        """The files with their sizes."""
        return self.file_report.files

    @property
    def labels(self) -> dict[str, int]:
        """The count of each label in the training file."""
        return self.file_report.labels

    @property
    def report(self) -> DataReport:
        """The data report on the files."""
        assert self.file_report.report is not None
        return self.file_report.report

    @property
    def reported(self) -> LabelledData:
        """The part that results are measured on: the test file if there is one, else the dev file."""
        return self.dev if self.test is None else self.test

    @property
    def unlabelled(self) -> int:
        """The number of examples without a label."""
        return sum(file.examples for file in self.files if file.part == UNLABELLED)

    @property
    def windowed_examples(self) -> int | None:
        """The number of examples in all files that are read in windows."""
        counts = [part.encoded.windowed_examples for part in (self.train, self.dev, self.test) if part is not None]
        return None if None in counts else sum(count or 0 for count in counts)


@dataclass(frozen=True)
class _Examples:
    """The examples of each part, not encoded yet."""

    head: AnyTask
    paths: Mapping[str, Path]
    parts: dict[str, Sequence[Any]]


def read_files(options: FinetuneOptions, start: StartingModel) -> FinetuningData:
    """Read and encode the files of the options. Raises DataError with the place of the first mistake."""
    found = _read(options)
    head, paths, length = found.head, found.paths, start.max_length
    checksums = {part: None if is_data_set(path) else sha256_of(path) for part, path in paths.items()}
    _check_unlabelled_is_new(paths, checksums, drawn=options.max_train_examples is not None)
    files, parts, compared = [], {}, {}
    for part, path in paths.items():
        examples, left_out = _select_examples(found, part, options.max_train_examples)
        encoded = head.encode(start.tokenizer, examples, length)
        parts[part] = LabelledData(encoded, head.targets(examples, str(path)))
        head.warn_of_spellings(examples, str(path))
        compared[part] = LabelledSplit(examples, encoded)
        file = DataFile(name=str(path), part=part, examples=len(examples), **_token_counts(encoded), **left_out)
        file.sha256 = checksums[part]
        files.append(file)
    report = labelled_data_report(head, start.tokenizer, compared, max_length=length)
    file_report = _report_on_files(found, parts, report, files=files, options=options)
    train_targets, train, examples = parts["train"].targets, parts["train"], compared["train"].examples
    if UNLABELLED in parts:
        examples = [*examples, *compared[UNLABELLED].examples]
        encoded, targets = head.encode(start.tokenizer, examples, length), head.targets(examples, str(paths["train"]))
        train = LabelledData(encoded, targets, labelled=len(train.encoded.lengths))
    return FinetuningData(
        head,
        train_targets,
        train,
        examples if options.teacher is not None else (),
        parts["dev"],
        parts.get("test"),
        compared["test" if "test" in compared else "dev"].examples,
        file_report,
    )


def _read(options: FinetuneOptions) -> _Examples:
    """Read all parts; the training file decides the labels and the format that the other files must have."""
    columns = Columns.of(options)
    given = {part: getattr(options, part) for part in SPLITS}
    paths = {part: with_split(path, SPLITS[part]) for part, path in given.items() if path is not None}
    task = task_class(options.task)
    parts: dict[str, Sequence[Any]] = {"train": task.read(paths["train"], columns)}
    columns = replace(columns, reference=task.reference(parts["train"], paths["train"]))
    head = task.for_training(parts["train"], options)
    columns = head.columns(columns)
    parts |= {part: task.read(path, columns) for part, path in paths.items() if part in ("dev", "test")}
    head.check_labels(parts["train"], str(paths["train"]), options)
    if UNLABELLED in paths:
        parts[UNLABELLED] = head.read_unlabelled(paths[UNLABELLED], columns)
    return _Examples(head, paths, parts)


def _select_examples(found: _Examples, part: str, most: int | None) -> tuple[Sequence[Any], dict[str, Any]]:
    """Return the examples of a part that are used, and for the training file how many were left out."""
    every = found.parts[part]
    if part != "train":
        return every, {}
    used = found.head.trainable_examples(every)
    facts = {"left_out_examples": len(every) - len(used)} if len(used) < len(every) else {}
    if (most or len(used)) < len(used):
        facts["drawn_from"] = len(used)
        used = _fixed_sample(used, most or 0)
    return used, facts


def _token_counts(encoded: Inputs) -> dict[str, Any]:
    """Return the lengths of the examples of a file, for its record."""
    windowed = {} if encoded.windowed_examples is None else {"windowed_examples": encoded.windowed_examples}
    return {
        "longest": max(encoded.full_lengths),
        "truncated_texts": sum(cut > 0 for cut in encoded.truncated_tokens),
        "truncated_tokens": sum(encoded.truncated_tokens),
        **windowed,
    }


def _report_on_files(
    found: _Examples,
    parts: Mapping[str, LabelledData],
    report: DataReport,
    *,
    files: list[DataFile],
    options: FinetuneOptions,
) -> FinetuningFiles:
    """Return all files with the data report; warnings about labels come first."""
    head = found.head
    counts = dict(report.parts["train"].labels)
    if head.labels:
        about_labels = head.label_warnings(counts, parts["train"].targets, options)
        report.warnings = [*about_labels, *report.warnings]
    return FinetuningFiles(files=files, labels=counts, report=report)


def _check_unlabelled_is_new(paths: Mapping[str, Path], checksums: Mapping[str, str | None], *, drawn: bool) -> None:
    """Raise OptionError if the unlabelled file is also the file of another part.

    It may be the training file if training uses only a sample of it (`drawn`): its other texts are new.
    """
    found = {part: checksums[part] or str(path) for part, path in paths.items()}
    measured = "so its results would not be about new texts"
    reasons = {"dev": measured, "test": measured}
    if not drawn:
        reasons["train"] = "and the teacher already answers all of its texts"
    for part, why in reasons.items():
        if UNLABELLED in found and found.get(part) == found[UNLABELLED]:
            raise OptionError(f"--unlabelled {paths[UNLABELLED]}: this is the --{part} file, {why}. Try: other texts")


def _fixed_sample(examples: Sequence[Any], count: int) -> list[Any]:
    """Return a sample in the order of the file: the same for every seed, and part of every larger sample."""
    chosen = random.generator("training part", len(examples)).permutation(len(examples))[:count]
    return [examples[row] for row in sorted(chosen)]
