"""The sentences about question-answering in model card and report."""

from __future__ import annotations

from bertsmith.records.finetuning import FinetuningRecord
from bertsmith.reporting.task_texts import TaskTexts
from bertsmith.tasks.question_answering.task import QuestionAnswering


def texts(record: FinetuningRecord) -> TaskTexts:
    """Return the texts for any model with this task."""
    return TaskTexts(
        use="It finds the words of a context that answer a question",
        output=QuestionAnswering.output_description,
        wrong="questions get an answer that differs from the expected one",
        limit="Not for questions that the context does not answer, unless its training file had such questions.",
    )


CARD = texts
