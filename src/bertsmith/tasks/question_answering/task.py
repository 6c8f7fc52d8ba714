"""question-answering: the span of a context that answers a question, or "no answer" (SQuAD 1.1 and 2.0).

A model scores each token as the start and as the end of the answer. [CLS] (position 0) means "no answer"; it is also
the target of a window without the whole answer (Devlin et al. 2019, sections 4.2 and 4.3). Answers are cut from the
characters of the context, never decoded from tokens.
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
from bertsmith.tasks.question_answering.answers import Answers, Kept, best_of_windows, best_texts, merge_windows
from bertsmith.tasks.question_answering.encoding import EncodedQuestions, encode_questions
from bertsmith.tasks.question_answering.squad_file import ContextQuestion, read_context_questions
from bertsmith.tasks.values import (
    MISSING_LOGIT,
    SINGLE_LABEL,
    ComparisonItem,
    Ints,
    LabelledPrediction,
    Logits,
    ModelInputs,
    ModelOutputs,
    TaskOptions,
    Tokenizer,
)

NO_ANSWER_THRESHOLD = "no_answer_threshold"
"""The configuration key of the threshold: questions with a higher probability of no answer are left unanswered."""
ALWAYS_ANSWERS = 1.0
NO_ANSWER = "(no answer)"
"""The display name of a missing answer."""


class QuestionAnswering(Task[ContextQuestion, EncodedQuestions, Sequence[ContextQuestion], Answers]):
    """Rows of a question and a window of its context."""

    auto_class = "AutoModelForQuestionAnswering"
    pipeline_tag = "question-answering"
    head_name = "question-answering head"
    config_keys = (NO_ANSWER_THRESHOLD,)
    output_description = "a span of the context"
    maximum_score = 100.0
    needs_same_rows = True

    # Labels

    @classmethod
    def for_training(cls, examples: Sequence[ContextQuestion], options: TaskOptions) -> QuestionAnswering:
        """Return the task, which has no labels. Raises DataError if the file has no answer to learn from."""
        if options.problem_type != SINGLE_LABEL:
            raise OptionError(f"--problem-type {options.problem_type} is not for question-answering")
        if all(example.span is None for example in examples):
            raise DataError("no question of the training file has an answer that occurs in its context")
        return cls()

    @classmethod
    def for_model(cls, config: Any, options: TaskOptions | None, name: str) -> QuestionAnswering:
        """Return the task with the threshold of the MODEL; a model without a threshold always answers."""
        if options is not None and options.problem_type is not None:
            raise OptionError(
                f"--problem-type {options.problem_type}: {name} is a question-answering model. Try: leave the option "
                "out"
            )
        task = cls()
        threshold = getattr(config, NO_ANSWER_THRESHOLD, None)
        if threshold is None:
            return task
        if isinstance(threshold, bool) or not isinstance(threshold, (int, float)):
            raise ModelError(f"{name}: {NO_ANSWER_THRESHOLD} in its config.json is {threshold!r}, expected a number")
        return task.with_threshold(float(threshold))

    def with_threshold(self, threshold: float) -> QuestionAnswering:
        """Return the task that leaves questions with a higher probability of no answer unanswered."""
        return self.with_fitted_values({NO_ANSWER_THRESHOLD: threshold})

    @property
    def threshold(self) -> float:
        """Questions with a higher probability of no answer are left unanswered; with 1, every question is answered."""
        return float(self.fitted_values.get(NO_ANSWER_THRESHOLD, ALWAYS_ANSWERS))

    def config_values(self) -> dict[str, Any]:
        """Return the number of outputs: start and end."""
        return {"num_labels": 2}

    def targets(self, examples: Sequence[ContextQuestion], where: str) -> Sequence[ContextQuestion]:
        """Return the questions themselves."""
        return examples

    def label_counts(self, examples: Sequence[ContextQuestion]) -> Mapping[str, int]:
        """Return nothing: answers are not labels."""
        return {}

    # Files

    @classmethod
    def read(cls, path: Path, columns: Columns) -> list[ContextQuestion]:
        """Read the questions of SQuAD JSON, of a table or of a dataset."""
        return read_context_questions(path, columns)

    def read_unlabelled(self, path: Path, columns: Columns) -> list[ContextQuestion]:
        """Raise OptionError: a missing answer means that the question has no answer."""
        raise OptionError(
            f"--unlabelled {path} is not for question-answering, where a missing answer is a label (the context does "
            "not answer the question). Try: leave the option out"
        )

    def trainable_examples(self, examples: Sequence[ContextQuestion]) -> list[ContextQuestion]:
        """Return the questions without answers, and the questions with an answer in their context."""
        return [example for example in examples if example.span is not None or not example.answers]

    def comparison_items(self, examples: Sequence[ContextQuestion]) -> Iterator[ComparisonItem]:
        """Yield the question with its context, and the first answer."""
        for example in examples:
            answer = example.answers[0] if example.answers else ""
            yield ComparisonItem((example.question, example.context), answer, example.place)

    def quantity(self, examples: Sequence[ContextQuestion]) -> tuple[str, list[float]]:
        """Return the number of words of the first answer."""
        name = "words of the answer, 0 if there is none"
        return name, [float(len(example.answers[0].split())) if example.answers else 0.0 for example in examples]

    def predictions(self, examples: Sequence[ContextQuestion], outputs: Answers) -> Iterator[str]:
        """Yield the lines of a JSON object of id to text (the official format), one line per question."""
        texts = self.texts(examples, outputs)
        yield "{"
        for number, (name, text) in enumerate(texts.items(), start=1):
            pair = f"{json.dumps(name, ensure_ascii=False)}: {json.dumps(text, ensure_ascii=False)}"
            yield pair if number == len(texts) else f"{pair},"
        yield "}"

    # Encoding

    def encode(self, tokenizer: Tokenizer, examples: Sequence[ContextQuestion], max_length: int) -> EncodedQuestions:
        """Encode each question with its context, in windows if the context is long."""
        texts = [example.question for example in examples], [example.context for example in examples]
        return encode_questions(tokenizer, *texts, max_length)

    def batch(
        self, inputs: EncodedQuestions, rows: Sequence[int], pad_token_id: int, *, with_types: bool
    ) -> ModelInputs:
        """Return a batch as `padded` does."""
        return padded(inputs.rows(rows), range(len(rows)), pad_token_id, with_types=with_types)

    def row_targets(self, inputs: EncodedQuestions, targets: Sequence[ContextQuestion], rows: Sequence[int]) -> Ints:
        """Return positions of the answer's first and last token, and the tokens of the row: int64 of [rows, 3].

        Both positions are 0 if the row does not contain the whole answer.
        """
        found, lengths = np.zeros((len(rows), 3), dtype=np.int64), inputs.row_lengths(rows)
        for place, (row, length) in enumerate(zip(rows, lengths, strict=True)):
            owner = int(inputs.owners[row])
            span, first, count = targets[owner].span, int(inputs.firsts[row]), int(inputs.counts[row])
            found[place, 2] = length
            if span is not None and count:
                start, end = inputs.token_span(owner, *span)
                if first <= start and end < first + count:
                    offset = int(inputs.offsets[row]) - first
                    found[place, :2] = start + offset, end + offset
        return found

    def soft_targets(self, inputs: EncodedQuestions, logits: Callable[[int], Logits], rows: Sequence[int]) -> Logits:
        """Return the teacher's logits: float32 of [rows, 2, length]."""
        found = [logits(row).reshape(2, -1) for row in rows]
        soft = np.full((len(rows), 2, max(each.shape[1] for each in found)), MISSING_LOGIT, dtype=np.float32)
        for place, each in enumerate(found):
            soft[place, :, : each.shape[1]] = each
        return soft

    # Prediction

    def extract_outputs(self, outputs: ModelOutputs, inputs: EncodedQuestions, rows: Sequence[int]) -> list[Kept]:
        """Return the best spans of each window, in tokens of the context, and the score of "no answer"."""
        return best_of_windows(outputs, inputs, rows)

    def gather_outputs(self, kept: Sequence[Kept], inputs: EncodedQuestions) -> Answers:
        """Return the best spans of each question over all of its windows."""
        return merge_windows(kept, inputs)

    def logits(self, outputs: ModelOutputs, inputs: EncodedQuestions, rows: Sequence[int]) -> Iterator[Logits]:
        """Yield start and end logits per row: float32 of [2, length of the row]."""
        logits = np.stack([outputs["start_logits"], outputs["end_logits"]], axis=1)
        for found, length in zip(logits, inputs.row_lengths(rows), strict=True):
            yield found[:, :length]

    def texts(self, questions: Sequence[ContextQuestion], outputs: Answers) -> dict[str, str]:
        """Return the answer to each question by id; empty if the question is left unanswered."""
        best = best_texts(questions, outputs)
        answered = outputs.no_answer <= self.threshold
        return {name: text if given else "" for (name, text), given in zip(best.items(), answered, strict=True)}

    def with_tuned_thresholds(self, outputs: Answers, targets: Sequence[ContextQuestion]) -> QuestionAnswering:
        """Return the task with the threshold of highest F1; the threshold is 1 if every question has an answer.

        The threshold is half-way to the next higher probability, so that rounding in a different batch has no effect.
        """
        if all(question.answers for question in targets):
            return self.with_threshold(ALWAYS_ANSWERS)
        scores = squad.question_scores(targets, best_texts(targets, outputs))
        threshold = squad.best_threshold(scores.f1, scores, outputs.no_answer)[1]
        above = outputs.no_answer[outputs.no_answer > threshold]
        return self.with_threshold((threshold + float(above.min(initial=ALWAYS_ANSWERS))) / 2)

    def select_examples(
        self, outputs: Answers, targets: Sequence[ContextQuestion], numbers: Ints
    ) -> tuple[Answers, Sequence[ContextQuestion]]:
        """Return the answers and targets of some questions."""
        return outputs.select(numbers), [targets[number] for number in numbers]

    # Scoring

    @property
    def main_metric(self) -> str:
        """F1 over words."""
        return "f1"

    def measure(self, outputs: Answers, targets: Sequence[ContextQuestion]) -> dict[str, SumMeasurement]:
        """Return `f1` and `exact_match`, from 0 to 100, also by whether a question has an answer if some have none."""
        found = squad.measure(squad.question_scores(targets, self.texts(targets, outputs)))
        return {"f1": found["f1"]} | found

    @property
    def baseline_answer(self) -> str:
        """A constant answer, possibly "no answer"."""
        return "always giving the most frequent answer"

    def baseline(self, train: Sequence[ContextQuestion], targets: Sequence[ContextQuestion]) -> dict[str, float]:
        """Return the metrics of always giving the most frequent answer of the training file, possibly "no answer"."""
        counts = Counter(question.answers[0] if question.answers else "" for question in train)
        constant = counts.most_common(1)[0][0]
        scores = squad.question_scores(targets, {question.id: constant for question in targets})
        return {name: measurement.value for name, measurement in squad.measure(scores).items()}

    # Errors

    @property
    def error_name(self) -> str:
        """1 - F1; of two answers with equal F1, the more probable answer ranks as worse."""
        return "1 - F1"

    def labelled_predictions(
        self, examples: Sequence[ContextQuestion], outputs: Answers, targets: Sequence[ContextQuestion]
    ) -> Iterator[LabelledPrediction]:
        """Yield the expected and the predicted answer to each question, with the probability as in `answer`."""
        texts = self.texts(examples, outputs)
        scores = squad.question_scores(examples, texts)
        for number, example in enumerate(examples):
            found, nothing = outputs.candidates(number), float(outputs.no_answer[number])
            share = found[0][2] if found and nothing <= self.threshold else nothing
            label = " / ".join(dict.fromkeys(example.answers)) or NO_ANSWER
            wrong, lacking = not scores.exact[number], 1 - float(scores.f1[number])
            yield LabelledPrediction(label, texts[example.id] or NO_ANSWER, wrong, lacking, share)


TASK = QuestionAnswering
