"""The sentences of model card and report for sequence-classification."""

from __future__ import annotations

from dataclasses import replace

from bertsmith.records.finetuning import FinetuningRecord
from bertsmith.reporting.task_texts import TaskTexts
from bertsmith.tasks.sequence_classification.problem_types import MULTI_LABEL, REGRESSION
from bertsmith.tasks.sequence_classification.task import SequenceClassification

_ONE = TaskTexts(
    use="It says which label a text has, or a pair of texts where its training file has pairs",
    output="one of {count} labels: {labels}",
    wrong="texts get a wrong label",
    limit="Not for texts that none of its labels fits: it answers with one of them all the same.",
    lower_is_better=SequenceClassification.lower_is_better,
)
_SEVERAL = replace(
    _ONE,
    use="It says which labels a text has: several, one or none",
    output="{count} labels: {labels}",
    wrong="texts have at least one label that is wrong or missing",
    limit=None,
)
_NUMBER = replace(
    _ONE,
    use="It says a number of a text, or of a pair of texts where its training file has pairs",
    output=SequenceClassification.output_description,
    limit=None,
)


def texts(record: FinetuningRecord) -> TaskTexts:
    """The texts of the problem type."""
    return {MULTI_LABEL: _SEVERAL, REGRESSION: _NUMBER}.get(str(record.options.get("problem_type")), _ONE)


CARD = texts
