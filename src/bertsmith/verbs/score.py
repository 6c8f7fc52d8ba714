"""score: the official metrics of predictions that are in a file; no model is loaded."""

from __future__ import annotations

from bertsmith.config.verb import verb
from bertsmith.tasks.files.table_records import with_split
from bertsmith.tasks.score_options import ScoreOptions, scoring_of
from bertsmith.tasks.scoring import Scores


@verb(ScoreOptions)
def score(options: ScoreOptions) -> Scores:
    """Score predictions that are in a file by the official metrics of their task."""
    scored: Scores = scoring_of(options.task).score(
        options.model_copy(update={"gold": with_split(options.gold, "test")})
    )
    return scored
