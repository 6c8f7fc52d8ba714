"""shouting: whether a text is shouted, by the two outputs of a BertForNextSentencePrediction."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bertsmith.metrics.classification import accuracy
from bertsmith.metrics.measurements import Measurement
from bertsmith.tasks.base import Task
from bertsmith.tasks.encoded_texts import EncodedTexts, encode_texts, padded
from bertsmith.tasks.files.labelled_file import Columns, Row, read_rows
from bertsmith.tasks.values import (
    ComparisonItem,
    Ints,
    LabelledPrediction,
    Logits,
    ModelInputs,
    ModelOutputs,
    TaskOptions,
    Tokenizer,
)

LABELS = ("quiet", "shouted")
VOLUME = "volume"


class Shouting(Task[Row, EncodedTexts, Ints, Logits]):
    auto_class = "AutoModelForNextSentencePrediction"
    pipeline_tag = "text-classification"
    head_name = "shouting head"
    config_keys = (VOLUME,)

    @classmethod
    def for_training(cls, examples: Sequence[Row], options: TaskOptions) -> Shouting:
        task = cls(LABELS)
        task.fitted_values = {VOLUME: "loud"}
        return task

    @classmethod
    def for_model(cls, config: Any, options: TaskOptions | None, name: str) -> Shouting:
        return cls(LABELS)

    def targets(self, examples: Sequence[Row], where: str) -> Ints:
        return np.array([self.labels.index(row.class_name) for row in examples], dtype=np.int64)

    def label_counts(self, examples: Sequence[Row]) -> Mapping[str, int]:
        counts = Counter(row.class_name for row in examples)
        return {label: counts[label] for label in self.labels}

    @classmethod
    def read(cls, path: Path, columns: Columns) -> list[Row]:
        return read_rows(path, columns)

    def read_unlabelled(self, path: Path, columns: Columns) -> list[Row]:
        return read_rows(path, columns, placeholder_label=LABELS[0])

    def comparison_items(self, examples: Sequence[Row]) -> Iterator[ComparisonItem]:
        for row in examples:
            yield ComparisonItem((row.text,), row.class_name, row.place)

    def predictions(self, examples: Sequence[Row], outputs: Logits) -> Iterator[str]:
        for row, label in zip(examples, self.answers(outputs), strict=True):
            yield json.dumps({"text": row.text, "shouted": label == LABELS[1]})

    def encode(self, tokenizer: Tokenizer, examples: Sequence[Row], max_length: int) -> EncodedTexts:
        return encode_texts(tokenizer, [row.text for row in examples], None, max_length)

    def batch(self, inputs: EncodedTexts, rows: Sequence[int], pad_token_id: int, *, with_types: bool) -> ModelInputs:
        return padded(inputs, rows, pad_token_id, with_types=with_types)

    def row_targets(self, inputs: EncodedTexts, targets: Ints, rows: Sequence[int]) -> Ints:
        return targets[list(rows)]

    def soft_targets(self, inputs: EncodedTexts, logits: Callable[[int], Logits], rows: Sequence[int]) -> Logits:
        return np.stack([logits(row) for row in rows])

    def extract_outputs(self, outputs: ModelOutputs, inputs: EncodedTexts, rows: Sequence[int]) -> Logits:
        return outputs["logits"]

    def gather_outputs(self, kept: Sequence[Logits], inputs: EncodedTexts) -> Logits:
        return np.stack(kept)

    def answers(self, outputs: Logits) -> list[str]:
        return [self.labels[int(number)] for number in outputs.argmax(axis=1)]

    def select_examples(self, outputs: Logits, targets: Ints, numbers: Ints) -> tuple[Logits, Ints]:
        return outputs[numbers], targets[numbers]

    @property
    def main_metric(self) -> str:
        return "accuracy"

    def measure(self, outputs: Logits, targets: Ints) -> dict[str, Measurement]:
        return {"accuracy": accuracy.measure(targets, outputs.argmax(axis=1))}

    def baseline(self, train: Ints, targets: Ints) -> dict[str, float]:
        return {"accuracy": accuracy(targets, np.full_like(targets, np.bincount(train).argmax()))}

    @property
    def error_name(self) -> str:
        return "lack of volume"

    def labelled_predictions(
        self, examples: Sequence[Row], outputs: Logits, targets: Ints
    ) -> Iterator[LabelledPrediction]:
        for row, predicted, logits in zip(examples, self.answers(outputs), outputs, strict=True):
            yield LabelledPrediction(row.class_name, predicted, predicted != row.class_name, float(np.ptp(logits)))


TASK = Shouting
