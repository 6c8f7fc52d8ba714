"""The scores of a prediction file of shouting."""

from __future__ import annotations

import numpy as np

from bertsmith.metrics.classification import accuracy
from bertsmith.tasks.files.labelled_file import Columns
from bertsmith.tasks.files.prediction_lines import aligned_lines
from bertsmith.tasks.score_options import FileScoring, ScoreOptions
from bertsmith.tasks.scoring import ExampleScores, bootstrapped
from toy_task.task import LABELS, Shouting


def score(options: ScoreOptions) -> ExampleScores:
    rows = Shouting.read(options.labels, Columns.of(options))
    texts = [row.text for row in rows]
    lines = aligned_lines(options.predictions, "text", texts, labels_path=options.labels, expected="JSON lines")
    shouted = np.array([bool(line["shouted"]) for _, line in lines])
    labels = np.array([row.class_name == LABELS[1] for row in rows])
    return ExampleScores(bootstrapped({"accuracy": accuracy}, labels, shouted), len(rows))


SCORE = FileScoring(score, frozenset({"text_column", "label_column"}))
