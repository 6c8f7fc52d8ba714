"""question-answering: the span of a context that answers a question, or that there is none (SQuAD 1.1 and 2.0).

A model scores each token as the start and as the end of the answer; [CLS] (position 0) means "no answer", which is also
the target of a window that does not hold the whole answer (Devlin et al. 2019, sections 4.2 and 4.3). An answer is
always characters of the context, never put together from pieces.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bertsmith.errors import DataError, ModelError, OptionError
from bertsmith.metrics import squad
from bertsmith.metrics.measurements import SumMeasurement
from bertsmith.tasks.base import Task
from bertsmith.tasks.encoded_texts import padded
from bertsmith.tasks.files.labelled_file import Columns
from bertsmith.tasks.question_answering.answers import Answers, Kept, answers_of, best_of_windows, best_texts
from bertsmith.tasks.question_answering.encoding import EncodedQuestions, encode_questions
from bertsmith.tasks.question_answering.squad_file import ContextQuestion, read_context_questions
from bertsmith.tasks.values import (
    MISSING_LOGIT,
    SINGLE_LABEL,
    Batch,
    ComparisonItem,
    Ints,
    LabelledPrediction,
    Logits,
    ModelOutputs,
    TaskOptions,
    Tokenizer,
)

NO_ANSWER_THRESHOLD = "no_answer_threshold"
"""The key in a model's configuration of the probability of no answer above which a question is left unanswered."""
ALWAYS_ANSWERS = 1.0
NO_ANSWER = "(no answer)"
"""A question without an answer, for people."""


class QuestionAnswering(Task[ContextQuestion, EncodedQuestions, Sequence[ContextQuestion], Answers]):
    """Rows of a question and a window of its context."""

    auto_class = "AutoModelForQuestionAnswering"
    pipeline_tag = "question-answering"
    called = "question-answering head"
    config_keys = (NO_ANSWER_THRESHOLD,)
    without_labels = "a span of the context"
    top = 100.0
    needs_same_rows = True

    # Labels

    @classmethod
    def for_training(cls, examples: Sequence[ContextQuestion], options: TaskOptions) -> QuestionAnswering:
        """It has no labels. Raises DataError if nothing can be learnt from the file."""
        if options.problem_type != SINGLE_LABEL:
            raise OptionError(f"--problem-type {options.problem_type}: the answers of question-answering are spans")
        if all(example.span is None for example in examples):
            raise DataError("no question of the training file has an answer that stands in its context")
        return cls()

    @classmethod
    def for_model(cls, config: Any, options: TaskOptions | None, name: str) -> QuestionAnswering:
        """With the threshold of the MODEL; a model without one always answers."""
        if options is not None and options.problem_type is not None:
            raise OptionError(f"--problem-type {options.problem_type}: the answers of {name} are spans; leave it out")
        task = cls()
        threshold = getattr(config, NO_ANSWER_THRESHOLD, None)
        if threshold is None:
            return task
        if isinstance(threshold, bool) or not isinstance(threshold, (int, float)):
            raise ModelError(f"{name}: {NO_ANSWER_THRESHOLD} in its config.json is {threshold!r}, expected a number")
        return task.with_threshold(float(threshold))

    def with_threshold(self, threshold: float) -> QuestionAnswering:
        """The task that leaves questions unanswered whose probability of no answer is above this."""
        return self.with_fitted_values({NO_ANSWER_THRESHOLD: threshold})

    @property
    def threshold(self) -> float:
        """A question whose probability of no answer is above it is left unanswered; 1 answers all."""
        return float(self.chosen.get(NO_ANSWER_THRESHOLD, ALWAYS_ANSWERS))

    def config_values(self) -> dict[str, Any]:
        """Two outputs: start and end."""
        return {"num_labels": 2}

    def targets(self, examples: Sequence[ContextQuestion], where: str) -> Sequence[ContextQuestion]:
        """The questions themselves."""
        return examples

    def label_counts(self, examples: Sequence[ContextQuestion]) -> Mapping[str, int]:
        """None: an answer is no label."""
        return {}

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

    def trainable_examples(self, examples: Sequence[ContextQuestion]) -> list[ContextQuestion]:
        """Those without answers, and those with an answer in their context."""
        return [example for example in examples if example.span is not None or not example.answers]

    def items(self, examples: Sequence[ContextQuestion]) -> Iterator[ComparisonItem]:
        """The question with its context, and the first of the answers."""
        for example in examples:
            answer = example.answers[0] if example.answers else ""
            yield ComparisonItem((example.question, example.context), answer, example.place)

    def quantity(self, examples: Sequence[ContextQuestion]) -> tuple[str, list[float]]:
        """Words of the first answer."""
        name = "words of the answer, 0 where there is none"
        return name, [float(len(example.answers[0].split())) if example.answers else 0.0 for example in examples]

    def predictions(self, examples: Sequence[ContextQuestion], outputs: Answers) -> Iterator[str]:
        """One JSON object of id to text, one line per question: the official form."""
        texts = self.texts(examples, outputs)
        yield "{"
        for number, (name, text) in enumerate(texts.items(), start=1):
            pair = f"{json.dumps(name, ensure_ascii=False)}: {json.dumps(text, ensure_ascii=False)}"
            yield pair if number == len(texts) else f"{pair},"
        yield "}"

    # Encoding

    def encode(self, tokenizer: Tokenizer, examples: Sequence[ContextQuestion], max_length: int) -> EncodedQuestions:
        """Each question with its context, in windows if that is long."""
        texts = [example.question for example in examples], [example.context for example in examples]
        return encode_questions(tokenizer, *texts, max_length)

    def batch(self, inputs: EncodedQuestions, rows: Sequence[int], pad_token_id: int, *, with_types: bool) -> Batch:
        """As `padded`."""
        return padded(inputs.rows(rows), range(len(rows)), pad_token_id, with_types=with_types)

    def row_targets(self, inputs: EncodedQuestions, targets: Sequence[ContextQuestion], rows: Sequence[int]) -> Ints:
        """int64 of [rows, 3]: the positions of the first and the last token of the answer, and the tokens of the row.

        Both positions are 0 if the row does not hold the whole answer.
        """
        found, lengths = np.zeros((len(rows), 3), dtype=np.int64), inputs.lengths_of(rows)
        for place, (row, length) in enumerate(zip(rows, lengths, strict=True)):
            owner = int(inputs.owners[row])
            span, first, count = targets[owner].span, int(inputs.firsts[row]), int(inputs.counts[row])
            found[place, 2] = length
            if span is not None and count:
                start, end = inputs.pieces_of(owner, *span)
                if first <= start and end < first + count:
                    offset = int(inputs.offsets[row]) - first
                    found[place, :2] = start + offset, end + offset
        return found

    def soft_targets(self, inputs: EncodedQuestions, logits: Callable[[int], Logits], rows: Sequence[int]) -> Logits:
        """float32 of [rows, 2, length]."""
        found = [logits(row).reshape(2, -1) for row in rows]
        soft = np.full((len(rows), 2, max(each.shape[1] for each in found)), MISSING_LOGIT, dtype=np.float32)
        for place, each in enumerate(found):
            soft[place, :, : each.shape[1]] = each
        return soft

    # Prediction

    def keep(self, outputs: ModelOutputs, inputs: EncodedQuestions, rows: Sequence[int]) -> list[Kept]:
        """The best spans of each window, in pieces of the context, and the score of "no answer"."""
        return best_of_windows(outputs, inputs, rows)

    def join(self, kept: Sequence[Kept], inputs: EncodedQuestions) -> Answers:
        """The best spans over all windows of a question."""
        return answers_of(kept, inputs)

    def logits(self, outputs: ModelOutputs, inputs: EncodedQuestions, rows: Sequence[int]) -> Iterator[Logits]:
        """float32 of [2, length of the row]: of the start and of the end."""
        logits = np.stack([outputs["start_logits"], outputs["end_logits"]], axis=1)
        for found, length in zip(logits, inputs.lengths_of(rows), strict=True):
            yield found[:, :length]

    def texts(self, questions: Sequence[ContextQuestion], outputs: Answers) -> dict[str, str]:
        """The text of the answer of each question by its id; the empty text if it is left unanswered."""
        best = best_texts(questions, outputs)
        answered = outputs.no_answer <= self.threshold
        return {name: text if said else "" for (name, text), said in zip(best.items(), answered, strict=True)}

    def with_tuned_thresholds(self, outputs: Answers, targets: Sequence[ContextQuestion]) -> QuestionAnswering:
        """The task with the threshold that F1 is highest with; 1 if every question has an answer.

        It is half-way to the next probability above, so that rounding in a different batch changes nothing.
        """
        if all(question.answers for question in targets):
            return self.with_threshold(ALWAYS_ANSWERS)
        scores = squad.question_scores(targets, best_texts(targets, outputs))
        threshold = squad.best_threshold(scores.f1, scores, outputs.no_answer)[1]
        above = outputs.no_answer[outputs.no_answer > threshold]
        return self.with_threshold((threshold + float(above.min(initial=ALWAYS_ANSWERS))) / 2)

    def some(
        self, outputs: Answers, targets: Sequence[ContextQuestion], numbers: Ints
    ) -> tuple[Answers, Sequence[ContextQuestion]]:
        """The questions with their candidates."""
        return outputs.some(numbers), [targets[number] for number in numbers]

    # Scoring

    @property
    def main_metric(self) -> str:
        """F1 of words."""
        return "f1"

    def measure(self, outputs: Answers, targets: Sequence[ContextQuestion]) -> dict[str, SumMeasurement]:
        """`f1` and `exact_match`, from 0 to 100; with questions without an answer also those of either kind."""
        found = squad.measure(squad.question_scores(targets, self.texts(targets, outputs)))
        return {"f1": found["f1"]} | found

    @property
    def baseline_answer(self) -> str:
        """An answer, or none."""
        return "always giving the most frequent answer"

    def baseline(self, train: Sequence[ContextQuestion], targets: Sequence[ContextQuestion]) -> dict[str, float]:
        """Always the most frequent answer of the training file: "no answer" if it has such questions."""
        counts = Counter(question.answers[0] if question.answers else "" for question in train)
        constant = counts.most_common(1)[0][0]
        scores = squad.question_scores(targets, {question.id: constant for question in targets})
        return {name: measurement.value for name, measurement in squad.measure(scores).items()}

    # Errors

    @property
    def error(self) -> str:
        """The part that an answer lacks; of two answers that lack as much the more probable one is worse."""
        return "1 - F1"

    def labelled_predictions(
        self, examples: Sequence[ContextQuestion], outputs: Answers, targets: Sequence[ContextQuestion]
    ) -> Iterator[LabelledPrediction]:
        """The answers; the probability is as `answer` gives it."""
        texts = self.texts(examples, outputs)
        scores = squad.question_scores(examples, texts)
        for number, example in enumerate(examples):
            found, nothing = outputs.candidates(number), float(outputs.no_answer[number])
            share = found[0][2] if found and nothing <= self.threshold else nothing
            true = " / ".join(dict.fromkeys(example.answers)) or NO_ANSWER
            wrong, lacking = not scores.exact[number], 1 - float(scores.f1[number])
            yield LabelledPrediction(true, texts[example.id] or NO_ANSWER, wrong, lacking, share)


TASK = QuestionAnswering
