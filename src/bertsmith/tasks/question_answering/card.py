"""The sentences of model card and report for question-answering."""

from __future__ import annotations

from bertsmith.records.finetuning import FinetuningRecord
from bertsmith.reporting.task_texts import TaskTexts
from bertsmith.tasks.question_answering.task import QuestionAnswering


def texts(record: FinetuningRecord) -> TaskTexts:
    """The texts of every model with this task."""
    return TaskTexts(
        use="It marks the words of a context that answer a question",
        output=QuestionAnswering.output_description,
        wrong="questions get an answer that differs from the expected one",
        limit="Not for questions to which the context holds no answer, unless its training file had such.",
    )


CARD = texts
