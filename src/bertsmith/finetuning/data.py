"""The labelled files of a fine-tuning: read, encoded, counted and compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bertsmith.config.finetune import FinetuneOptions
from bertsmith.evaluation.labelled_data import Part, labelled_data_report
from bertsmith.finetuning.batches import LabelledData
from bertsmith.runtime import random
from bertsmith.runtime.files import sha256_of
from bertsmith.tasks.head import AnyHead, head_class
from bertsmith.tasks.labelled_file import Columns
from bertsmith.tasks.records import is_data_set, with_split

SPLITS = {"train": "train", "dev": "validation", "test": "test"}
"""The parts of a data set (`hf:`) that are meant where none is named."""


@dataclass
class FinetuningData:
    """What a head is trained and measured on.

    Attributes:
        head: with the labels of the training file.
        train_examples: where a teacher is to answer them; otherwise none.
        reported_examples: those of `reported`, for the errors.
        files: what run.json says of each file.
        label_counts: how often each label stands in the training file.
        report: the report on the data (`evaluation/labelled_data.py`).
    """

    head: AnyHead
    train: LabelledData
    train_examples: Sequence[Any]
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
    def windowed(self) -> int | None:
        """How many examples of all files are read in windows."""
        counts = [part.encoded.windowed for part in (self.train, self.dev, self.test) if part is not None]
        return None if None in counts else sum(count or 0 for count in counts)


def read_files(options: FinetuneOptions, tokenizer: Any, length: int) -> FinetuningData:
    """Read and encode the files that the options name. Raises DataError with the place of the first mistake."""
    columns = Columns.of(options)
    given = {"train": options.train, "dev": options.dev, "test": options.test}
    paths = {part: with_split(path, SPLITS[part]) for part, path in given.items() if path is not None}
    task = head_class(options.task)
    examples = {part: task.read(path, columns) for part, path in paths.items()}
    head = task.for_training(examples["train"], options.problem_type)
    files, parts, compared = [], {}, {}
    for part, every in examples.items():
        found = head.learnable(every) if part == "train" else every
        left_out = {"left_out_examples": len(every) - len(found)} if len(found) < len(every) else {}
        drawn = {}
        if part == "train" and (options.max_train_examples or len(found)) < len(found):
            drawn = {"drawn_from": len(found)}
            found = _fixed_part(found, options.max_train_examples or 0)
            examples["train"] = found
        encoded = head.encode(tokenizer, found, length)
        parts[part] = LabelledData(encoded, head.targets(found, str(paths[part])))
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
                "sha256": None if is_data_set(paths[part]) else sha256_of(paths[part]),
            }
        )
    counts = dict(head.label_counts(examples["train"]))
    report = labelled_data_report(head, tokenizer, compared, length)
    learnt = compared["train"].examples if options.teacher is not None else ()
    reported = compared["test" if "test" in compared else "dev"].examples
    return FinetuningData(
        head, parts["train"], learnt, parts["dev"], parts.get("test"), reported, files, counts, report
    )


def _fixed_part(examples: Sequence[Any], count: int) -> list[Any]:
    """So many of the examples, in their order: the same for every seed, and among those of every larger count."""
    chosen = random.generator("training part", len(examples)).permutation(len(examples))[:count]
    return [examples[row] for row in sorted(chosen)]
