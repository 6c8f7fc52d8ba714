"""score: the official metrics of predictions in a file; no model is loaded."""

from __future__ import annotations

from bertsmith.config.verb import verb
from bertsmith.tasks.files.table_records import with_split
from bertsmith.tasks.score_options import ScoreOptions, scoring_of
from bertsmith.tasks.scoring import Scores


@verb(ScoreOptions)
def score(options: ScoreOptions) -> Scores:
    """Score predictions in a file with the official metrics of their task."""
    scored: Scores = scoring_of(options.task).score(
        options.model_copy(update={"labels": with_split(options.labels, "test")})
    )
    return scored
