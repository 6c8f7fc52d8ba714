"""The sentences about sequence-classification in model card and report."""

from __future__ import annotations

from dataclasses import replace

from bertsmith.records.finetuning import FinetuningRecord
from bertsmith.reporting.task_texts import TaskTexts
from bertsmith.tasks.sequence_classification.problem_types import MULTI_LABEL, REGRESSION
from bertsmith.tasks.sequence_classification.task import SequenceClassification

_ONE = TaskTexts(
    use="It assigns one label to a text, or to a pair of texts if its training file has pairs",
    output="one of {count} labels: {labels}",
    wrong="texts get a wrong label",
    limit="Not for texts that fit none of its labels: it always answers with a label.",
    lower_is_better=SequenceClassification.lower_is_better,
)
_SEVERAL = replace(
    _ONE,
    use="It assigns labels to a text: several, one or none",
    output="{count} labels: {labels}",
    wrong="texts have at least one label that is wrong or missing",
    limit=None,
)
_NUMBER = replace(
    _ONE,
    use="It predicts a number for a text, or for a pair of texts if its training file has pairs",
    output=SequenceClassification.output_description,
    limit=None,
)


def texts(record: FinetuningRecord) -> TaskTexts:
    """Return the texts for the problem type."""
    return {MULTI_LABEL: _SEVERAL, REGRESSION: _NUMBER}.get(str(record.options.get("problem_type")), _ONE)


CARD = texts
