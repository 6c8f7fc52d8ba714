"""score: the accuracy of predicted choices."""

from __future__ import annotations

import numpy as np

from bertsmith.metrics.classification import accuracy
from bertsmith.tasks.files.labelled_file import Columns
from bertsmith.tasks.multiple_choice.choice_file import read_choice_questions
from bertsmith.tasks.multiple_choice.prediction_file import read_indices
from bertsmith.tasks.score_options import FileScoring, ScoreOptions
from bertsmith.tasks.scoring import ExampleScores, bootstrapped


def score(options: ScoreOptions) -> ExampleScores:
    """Return `accuracy` (interval over the questions) and the number of questions."""
    questions = read_choice_questions(options.labels, Columns.of(options))
    targets = np.array([question.label for question in questions])
    predicted = np.array(read_indices(options.predictions, questions, options.labels))
    return ExampleScores(bootstrapped({"accuracy": accuracy}, targets, predicted), len(questions))


SCORE = FileScoring(
    score,
    frozenset(
        {"text_column", "label_column", "choice_columns", "labels_from", "no_header", "separator", "skip_broken_rows"}
    ),
)
