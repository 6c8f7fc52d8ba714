"""question-answering: the span of a context that answers a question, or that there is none (SQuAD 1.1 and 2.0).

A model scores each token as the start and as the end of the answer; [CLS] (position 0) stands for "no answer", which is
also what is true of a window that does not hold the whole answer (Devlin et al. 2019, sections 4.2 and 4.3). An answer
is always characters of the context, never put together from pieces.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional
from transformers import PreTrainedTokenizerBase

from bertsmith.errors import DataError, ModelError, OptionError
from bertsmith.metrics import squad
from bertsmith.metrics.measurements import OfSums
from bertsmith.tasks.base import NO_ANSWER_THRESHOLD, SINGLE_LABEL, Head, Item, Judged, Logits
from bertsmith.tasks.encoded_texts import padded
from bertsmith.tasks.files.labelled_file import Columns
from bertsmith.tasks.question_answering.questions import EncodedQuestions, Pieces, encode_questions
from bertsmith.tasks.question_answering.span_search import Spans, best_spans, merged
from bertsmith.tasks.question_answering.squad_file import ContextQuestion, read_context_questions
from bertsmith.tasks.soft_targets import NOT_THERE, soft_losses
from bertsmith.tasks.token_classification.tag_kinds import LabelsAre

CANDIDATES = 20
"""Spans that are kept of a window and of a question, as in run_squad.py (`n_best_size`)."""
LONGEST = 30
"""Tokens of an answer, as there (`max_answer_length`)."""
ALWAYS_ANSWERS = 1.0
NO_ANSWER = "(no answer)"
"""What stands for "no answer", for people."""

Kept = tuple[Any, npt.NDArray[np.float32], npt.NDArray[np.int64], npt.NDArray[np.int64]]
"""Of a window: the score of "no answer", and the scores, starts and ends of its best spans."""


@dataclass(frozen=True)
class Answers:
    """What a model says of some questions.

    Attributes:
        spans: the candidates of each question, in characters of its context, the end exclusive.
        no_answer: float64 of [questions], from 0 to 1: the logistic function of the score of "no answer" (in the window
            in which it is lowest) less that of the best span. Above 0.5 "no answer" has the higher score.
    """

    spans: Spans
    no_answer: npt.NDArray[np.float64]

    def candidates(self, question: int) -> list[tuple[int, int, float]]:
        """Start, end and probability of the candidates of a question, which add up to 1; none for an empty context."""
        scores = self.spans.scores[question].astype(np.float64)
        found = int(np.sum(scores > -np.inf))
        if not found:
            return []
        weights = np.exp(scores[:found] - scores[0])
        starts, ends = self.spans.starts[question], self.spans.ends[question]
        probabilities = weights / weights.sum()
        return list(zip(starts[:found].tolist(), ends[:found].tolist(), probabilities.tolist(), strict=True))


class QuestionAnswering(Head[ContextQuestion, EncodedQuestions, Sequence[ContextQuestion], Answers]):
    """Rows of a question and a window of its context."""

    auto_class = "AutoModelForQuestionAnswering"
    pipeline_tag = "question-answering"
    called = "question-answering head"
    without_labels = "a span of the context"
    top = 100.0

    @classmethod
    def for_training(
        cls, examples: Sequence[ContextQuestion], problem_type: str, *, labels_are: LabelsAre | None = None
    ) -> QuestionAnswering:
        """It has no labels. Raises DataError where nothing can be learnt from the file."""
        if problem_type != SINGLE_LABEL:
            raise OptionError(f"--problem-type {problem_type}: the answers of question-answering are spans")
        if all(example.span is None for example in examples):
            raise DataError("no question of the training file has an answer that stands in its context")
        return cls((), "")

    @classmethod
    def for_model(cls, config: Any, problem_type: str | None, name: str) -> QuestionAnswering:
        """With the threshold of the MODEL; one that says none always answers."""
        if problem_type is not None:
            raise OptionError(f"--problem-type {problem_type}: the answers of {name} are spans; leave it out")
        head = cls((), "")
        threshold = getattr(config, NO_ANSWER_THRESHOLD, None)
        if threshold is None:
            return head
        if isinstance(threshold, bool) or not isinstance(threshold, (int, float)):
            raise ModelError(f"{name}: {NO_ANSWER_THRESHOLD} in its config.json is {threshold!r}, expected a number")
        return head.with_threshold(float(threshold))

    def with_threshold(self, threshold: float) -> QuestionAnswering:
        """The head that leaves questions unanswered whose probability of no answer is above this."""
        return self.with_chosen({NO_ANSWER_THRESHOLD: threshold})

    @property
    def threshold(self) -> float:
        """A question whose probability of no answer is above it is left unanswered; 1 answers all."""
        return float(self.chosen.get(NO_ANSWER_THRESHOLD, ALWAYS_ANSWERS))

    def config_values(self) -> dict[str, Any]:
        """Two outputs: start and end."""
        return {"num_labels": 2}

    # Files

    @classmethod
    def read(cls, path: Path, columns: Columns) -> list[ContextQuestion]:
        """The questions of SQuAD JSON, of a file with a question per row, or of a data set."""
        return read_context_questions(path, columns)

    def read_unlabelled(self, path: Path, columns: Columns) -> list[ContextQuestion]:
        """None: raises OptionError."""
        raise OptionError(
            f"--unlabelled {path}: question-answering has none: a question without an answer in the file is one that "
            "its context does not answer, which is a label; leave the option out"
        )

    def learnable(self, examples: Sequence[ContextQuestion]) -> list[ContextQuestion]:
        """Those without answers, and those with an answer in their context."""
        return [example for example in examples if example.span is not None or not example.answers]

    def targets(self, examples: Sequence[ContextQuestion], where: str) -> Sequence[ContextQuestion]:
        """The questions themselves."""
        return examples

    def label_counts(self, examples: Sequence[ContextQuestion]) -> Mapping[str, int]:
        """None: an answer is no label."""
        return {}

    def items(self, examples: Sequence[ContextQuestion]) -> Iterator[Item]:
        """The question with its context, and the first of the answers."""
        for example in examples:
            answer = example.answers[0] if example.answers else ""
            yield Item((example.question, example.context), answer, example.place)

    def predictions(self, examples: Sequence[ContextQuestion], outputs: Answers) -> Iterator[str]:
        """One JSON object of id to text, a line a question: the official form."""
        texts = self.texts(examples, outputs)
        yield "{"
        for number, (name, text) in enumerate(texts.items(), start=1):
            pair = f"{json.dumps(name, ensure_ascii=False)}: {json.dumps(text, ensure_ascii=False)}"
            yield pair if number == len(texts) else f"{pair},"
        yield "}"

    # Encode

    def encode(
        self, tokenizer: PreTrainedTokenizerBase, examples: Sequence[ContextQuestion], max_length: int
    ) -> EncodedQuestions:
        """Each question with its context, in windows where that is long."""
        texts = [example.question for example in examples], [example.context for example in examples]
        return encode_questions(tokenizer, *texts, max_length)

    def batch(
        self, inputs: EncodedQuestions, rows: Sequence[int], pad_token_id: int, *, with_types: bool
    ) -> dict[str, Tensor]:
        """As `padded`."""
        return padded(inputs.rows(rows), range(len(rows)), pad_token_id, with_types=with_types)

    # Train

    def gold(self, inputs: EncodedQuestions, targets: Sequence[ContextQuestion], rows: Sequence[int]) -> Tensor:
        """int64 of [rows, 3]: the positions of the first and the last token of the answer, and the tokens of the row.

        Both positions are 0 where the row does not hold the whole answer.
        """
        gold, lengths = torch.zeros(len(rows), 3, dtype=torch.int64), inputs.lengths_of(rows)
        for place, (row, length) in enumerate(zip(rows, lengths, strict=True)):
            owner = int(inputs.owners[row])
            span, first, count = targets[owner].span, int(inputs.firsts[row]), int(inputs.counts[row])
            gold[place, 2] = length
            if span is not None and count:
                start, end = inputs.pieces_of(owner, *span)
                if first <= start and end < first + count:
                    offset = int(inputs.offsets[row]) - first
                    gold[place, 0], gold[place, 1] = start + offset, end + offset
        return gold

    def loss_count(self, gold: Tensor) -> int:
        """One loss a row."""
        return len(gold)

    def loss_sum(self, output: Any, gold: Tensor) -> Tensor:
        """The mean of the cross-entropies of start and end in nats, over the tokens of the row, summed over the rows.

        Stock's model has the padding among what is chosen from, so that its loss depends on the batch; a row alone has
        the same loss here and there.
        """
        logits = torch.stack([output.start_logits, output.end_logits]).float()
        padding = torch.arange(logits.shape[2], device=logits.device) >= gold[:, 2, None]
        logits = logits.masked_fill(padding, -torch.inf)
        positions = gold[:, :2].T.flatten()
        return functional.cross_entropy(logits.flatten(0, 1), positions, reduction="sum") / 2

    # Learn from a teacher

    needs_same_rows = True

    def logits(self, output: Any, inputs: EncodedQuestions, rows: Sequence[int]) -> Iterator[Logits]:
        """float32 of [2, length of the row]: of the start and of the end."""
        logits = torch.stack([output.start_logits, output.end_logits], 1).float().cpu().numpy()
        for found, length in zip(logits, inputs.lengths_of(rows), strict=True):
            yield found[:, :length]

    def soft_targets(self, inputs: EncodedQuestions, logits: Callable[[int], Logits], rows: Sequence[int]) -> Tensor:
        """float32 of [2, rows, length]."""
        found = [torch.from_numpy(logits(row)).view(2, -1) for row in rows]
        soft = torch.full((2, len(rows), max(each.shape[1] for each in found)), NOT_THERE)
        for place, each in enumerate(found):
            soft[:, place, : each.shape[1]] = each
        return soft

    def soft_loss_sum(self, output: Any, soft: Tensor, gold: Tensor, temperature: float) -> Tensor:
        """One loss a row: the mean of those of start and end."""
        logits = torch.stack([output.start_logits, output.end_logits]).float()
        padding = torch.arange(logits.shape[2], device=logits.device) >= gold[:, 2, None]
        return soft_losses(logits.masked_fill(padding, NOT_THERE), soft, temperature).sum() / 2

    # Decode and score

    def keep(self, output: Any, inputs: EncodedQuestions, rows: Sequence[int]) -> Iterator[Kept]:
        """The best spans of each window, in pieces of the context, and the score of "no answer"."""
        start, end = output.start_logits, output.end_logits
        numbers = np.asarray(rows, dtype=np.int64)
        first, count = (torch.from_numpy(part[numbers]).to(start.device) for part in (inputs.offsets, inputs.counts))
        spans = best_spans(start, end, first, count, top=CANDIDATES, longest=LONGEST)
        firsts = inputs.firsts[numbers]
        nothing = (start[:, 0].float() + end[:, 0].float()).cpu().numpy()
        yield from zip(nothing, spans.scores, spans.starts + firsts[:, None], spans.ends + firsts[:, None], strict=True)

    def join(self, kept: Sequence[Kept], inputs: EncodedQuestions) -> Answers:
        """The best spans over all windows of a question; "no answer" has its lowest score over them."""
        count = len(inputs.questions)
        width = max(len(item[1]) for item in kept)
        scores = np.full((len(kept), width), -np.inf, dtype=np.float32)
        starts, ends = np.zeros((2, len(kept), width), dtype=np.int64)
        nothing = np.full(count, np.inf)
        for row, item in enumerate(kept):
            size = len(item[1])
            scores[row, :size], starts[row, :size], ends[row, :size] = item[1:]
        np.minimum.at(nothing, inputs.owners, np.array([item[0] for item in kept], dtype=np.float64))
        spans_of = merged(Spans(scores, starts, ends), inputs.owners, count, top=CANDIDATES)
        for question in range(count):
            _in_characters(spans_of, question, inputs.contexts[inputs.context_of[question]])
        with np.errstate(over="ignore"):
            no_answer = 1 / (1 + np.exp(spans_of.scores[:, 0].astype(np.float64) - nothing))
        return Answers(spans_of, no_answer)

    def texts(self, questions: Sequence[ContextQuestion], outputs: Answers) -> dict[str, str]:
        """The text of the answer of each question by its id; the empty text where it is left unanswered."""
        best = _best_texts(questions, outputs)
        answered = outputs.no_answer <= self.threshold
        return {name: text if said else "" for (name, text), said in zip(best.items(), answered, strict=True)}

    def settled(self, outputs: Answers, targets: Sequence[ContextQuestion]) -> QuestionAnswering:
        """The head with the threshold that F1 is highest with; 1 where every question has an answer.

        It stands half-way to the next probability above, so that rounding in another batch changes nothing.
        """
        if all(question.answers for question in targets):
            return self.with_threshold(ALWAYS_ANSWERS)
        scores = squad.question_scores(targets, _best_texts(targets, outputs))
        threshold = squad.best_threshold(scores.f1, scores, outputs.no_answer)[1]
        above = outputs.no_answer[outputs.no_answer > threshold]
        return self.with_threshold((threshold + float(above.min(initial=ALWAYS_ANSWERS))) / 2)

    @property
    def main_metric(self) -> str:
        """F1 of words."""
        return "f1"

    def measure(self, outputs: Answers, targets: Sequence[ContextQuestion]) -> dict[str, OfSums]:
        """`f1` and `exact_match`, from 0 to 100; with questions without an answer also those of either kind."""
        found = squad.measure(squad.question_scores(targets, self.texts(targets, outputs)))
        return {"f1": found["f1"]} | found

    @property
    def baseline_answer(self) -> str:
        """An answer, or none."""
        return "always giving the most frequent answer"

    def baseline(self, train: Sequence[ContextQuestion], targets: Sequence[ContextQuestion]) -> dict[str, float]:
        """Always the most frequent answer of the training file: "no answer" where such questions are in it."""
        counts = Counter(question.answers[0] if question.answers else "" for question in train)
        constant = counts.most_common(1)[0][0]
        scores = squad.question_scores(targets, {question.id: constant for question in targets})
        return {name: measurement.value for name, measurement in squad.measure(scores).items()}

    # Look at errors

    @property
    def error(self) -> str:
        """What an answer lacks; of answers that lack as much the surer one is worse."""
        return "1 - F1"

    def judged(
        self, examples: Sequence[ContextQuestion], outputs: Answers, targets: Sequence[ContextQuestion]
    ) -> Iterator[Judged]:
        """The answers; the probability is as `answer` gives it."""
        texts = self.texts(examples, outputs)
        scores = squad.question_scores(examples, texts)
        for number, example in enumerate(examples):
            found, nothing = outputs.candidates(number), float(outputs.no_answer[number])
            share = found[0][2] if found and nothing <= self.threshold else nothing
            true = " / ".join(dict.fromkeys(example.answers)) or NO_ANSWER
            wrong, lacking = not scores.exact[number], 1 - float(scores.f1[number])
            yield Judged(true, texts[example.id] or NO_ANSWER, wrong, lacking, share)

    def some(
        self, outputs: Answers, targets: Sequence[ContextQuestion], numbers: npt.NDArray[np.int64]
    ) -> tuple[Answers, Sequence[ContextQuestion]]:
        """The questions with their candidates."""
        spans = Spans(outputs.spans.scores[numbers], outputs.spans.starts[numbers], outputs.spans.ends[numbers])
        return Answers(spans, outputs.no_answer[numbers]), [targets[number] for number in numbers]

    def quantity(self, examples: Sequence[ContextQuestion]) -> tuple[str, list[float]]:
        """Words of the first answer."""
        name = "words of the answer, 0 where there is none"
        return name, [float(len(example.answers[0].split())) if example.answers else 0.0 for example in examples]


def _in_characters(spans: Spans, question: int, context: Pieces) -> None:
    """Give the spans of a question, which are in pieces, in characters of its context.

    Pieces of one character make spans of the same characters; such a span is kept once, at its best score.
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


def _best_texts(questions: Sequence[ContextQuestion], outputs: Answers) -> dict[str, str]:
    """The best span of each question, never left unanswered; the empty text where the context has no tokens."""
    return {
        question.id: question.context[start:end]
        for question, start, end in zip(
            questions, outputs.spans.starts[:, 0].tolist(), outputs.spans.ends[:, 0].tolist(), strict=True
        )
    }


TASK = QuestionAnswering
