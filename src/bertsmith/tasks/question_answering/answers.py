"""The answers of a model to questions: the best spans of the contexts, and the probability of no answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bertsmith.metrics.probabilities import sigmoid, softmax
from bertsmith.tasks.question_answering.encoding import ContextTokens, EncodedQuestions
from bertsmith.tasks.question_answering.span_search import Spans, best_spans, merge_spans
from bertsmith.tasks.question_answering.squad_file import ContextQuestion
from bertsmith.tasks.values import Ints, Logits, ModelOutputs

CANDIDATES = 20
"""Number of spans kept per window and per question, as in run_squad.py (`n_best_size`)."""
LONGEST = 30
"""Maximum tokens of an answer, as in run_squad.py (`max_answer_length`)."""

Kept = tuple[np.float32, Logits, Ints, Ints]
"""The outputs kept of a window: the score of "no answer", and the scores, starts and ends of its best spans."""


@dataclass(frozen=True)
class Answers:
    """The answers to some questions.

    Attributes:
        spans: the candidates of each question, in characters of its context, end exclusive.
        no_answer: float64 of [questions], from 0 to 1: the logistic function of the score of "no answer" (lowest over
            the windows) minus the score of the best span. Above 0.5, "no answer" has the higher score.
    """

    spans: Spans
    no_answer: npt.NDArray[np.float64]

    def candidates(self, question: int) -> list[tuple[int, int, float]]:
        """Return start, end and probability of the candidates of a question; none for an empty context.

        The probabilities add up to 1.
        """
        scores = self.spans.scores[question].astype(np.float64)
        found = int(np.sum(scores > -np.inf))
        if not found:
            return []
        starts, ends = self.spans.starts[question], self.spans.ends[question]
        return list(zip(starts[:found].tolist(), ends[:found].tolist(), softmax(scores[:found]).tolist(), strict=True))

    def select(self, numbers: Ints) -> Answers:
        """Return the answers to some of the questions."""
        spans = Spans(self.spans.scores[numbers], self.spans.starts[numbers], self.spans.ends[numbers])
        return Answers(spans, self.no_answer[numbers])


def best_of_windows(outputs: ModelOutputs, inputs: EncodedQuestions, rows: Sequence[int]) -> list[Kept]:
    """Return the best spans of each window, in tokens of the context, and the score of "no answer"."""
    start, end = outputs["start_logits"], outputs["end_logits"]
    numbers = np.asarray(rows, dtype=np.int64)
    spans = best_spans(
        start, end, inputs.offsets[numbers], count=inputs.counts[numbers], top_k=CANDIDATES, longest=LONGEST
    )
    firsts = inputs.firsts[numbers][:, None]
    return list(zip(start[:, 0] + end[:, 0], spans.scores, spans.starts + firsts, spans.ends + firsts, strict=True))


def merge_windows(kept: Sequence[Kept], inputs: EncodedQuestions) -> Answers:
    """Merge the windows of each question: the best spans of all windows, and the lowest score of "no answer"."""
    count = len(inputs.questions)
    width = max(len(item[1]) for item in kept)
    scores = np.full((len(kept), width), -np.inf, dtype=np.float32)
    starts, ends = np.zeros((2, len(kept), width), dtype=np.int64)
    nothing = np.full(count, np.inf)
    for row, item in enumerate(kept):
        size = len(item[1])
        scores[row, :size], starts[row, :size], ends[row, :size] = item[1:]
    np.minimum.at(nothing, inputs.owners, np.array([item[0] for item in kept], dtype=np.float64))
    merged_spans = merge_spans(Spans(scores, starts, ends), inputs.owners, count, top_k=CANDIDATES)
    for question in range(count):
        _convert_to_characters(merged_spans, question, inputs.contexts[inputs.context_of[question]])
    return Answers(merged_spans, sigmoid(nothing - merged_spans.scores[:, 0]))


def _convert_to_characters(spans: Spans, question: int, context: ContextTokens) -> None:
    """Convert the spans of a question from tokens to characters of its context, in place.

    If several tokens share a character, different token spans have the same characters; the best of them is kept.
    """
    found = int(np.sum(spans.scores[question] > -np.inf))
    if not found:
        return
    starts, ends = context.starts[spans.starts[question, :found]], context.ends[spans.ends[question, :found]]
    kept = np.sort(np.unique(np.stack([starts, ends]), axis=1, return_index=True)[1])
    scores = spans.scores[question, kept]
    spans.scores[question], spans.starts[question], spans.ends[question] = -np.inf, 0, 0
    spans.scores[question, : len(kept)] = scores
    spans.starts[question, : len(kept)], spans.ends[question, : len(kept)] = starts[kept], ends[kept]


def best_texts(questions: Sequence[ContextQuestion], outputs: Answers) -> dict[str, str]:
    """Return the best span of each question as text, ignoring "no answer"; empty if the context has no tokens."""
    starts, ends = outputs.spans.starts[:, 0].tolist(), outputs.spans.ends[:, 0].tolist()
    return {
        question.id: question.context[start:end] for question, start, end in zip(questions, starts, ends, strict=True)
    }
