"""The Predictor: a MODEL in use.

    model = bertsmith.load("runs/books")
    model.fill_mask("I really [MASK] the movie.", top_k=5)

Each head is loaded when it is first asked for. Texts are sorted by length and batched by a budget of tokens; the MLM
head runs on the masked positions alone. Answers equal stock transformers' in float32 (to rounding).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from functools import cached_property
from typing import Any, overload

import torch
from torch import Tensor, nn
from transformers import PreTrainedTokenizerBase

from bertsmith.errors import InputError, ModelError, OptionError, shortened
from bertsmith.inference.batched import batches, head_outputs, kept_rows
from bertsmith.inference.input_length import input_length, warn_of_cuts
from bertsmith.inference.pooling import POOLINGS, pooled
from bertsmith.inference.results import (
    Answer,
    AnswerCandidate,
    Choice,
    Classification,
    Embedding,
    FilledMasks,
    MaskPrediction,
    NextSentence,
    TaggedEntity,
    Tagging,
    Tokenized,
    TokenPrediction,
)
from bertsmith.inference.texts import check_texts
from bertsmith.inference.tokenizing import tokenize_text
from bertsmith.models.loading import LoadedBert, check_model, load_auto, load_bert, load_config, max_tokens, on_device
from bertsmith.models.model_tokenizer import load_model_tokenizer
from bertsmith.models.sentence_encoder import sentence_encoder
from bertsmith.reporting.numbers import counted
from bertsmith.runtime.computing import computing
from bertsmith.runtime.console import Progress, say, warn
from bertsmith.runtime.machine import choose_device, choose_precision, prepare_process
from bertsmith.tasks.base import AnyTask, task_class
from bertsmith.tasks.batching import TOKENS_A_BATCH
from bertsmith.tasks.encoded_texts import Encoded, encode, without_tokens
from bertsmith.tasks.files.reference import text_columns_of
from bertsmith.tasks.model_config import INPUT_LENGTH, has_head
from bertsmith.tasks.multiple_choice.encoding import encode_choices
from bertsmith.tasks.multiple_choice.task import MultipleChoice, probabilities
from bertsmith.tasks.question_answering.answers import CANDIDATES
from bertsmith.tasks.question_answering.encoding import encode_questions
from bertsmith.tasks.question_answering.task import QuestionAnswering
from bertsmith.tasks.registry import trainable_tasks
from bertsmith.tasks.sequence_classification.problem_types import MULTI_LABEL
from bertsmith.tasks.sequence_classification.task import SequenceClassification
from bertsmith.tasks.token_classification.encoding import encode_words
from bertsmith.tasks.token_classification.task import TokenClassification
from bertsmith.tasks.values import Inputs, Logits
from bertsmith.tasks.words_of_text import Pieces, words_of_text

LABELS = ("IsNext", "NotNext")
PRECISIONS = ("auto", "bf16", "fp32")


class Predictor:
    """A MODEL and everything that it can answer. Made by `bertsmith.load`."""

    def __init__(self, model: str, *, precision: str = "fp32") -> None:
        """Check a MODEL and load its tokenizer. Raises ModelError where it is none."""
        if precision not in PRECISIONS:
            raise OptionError(f"precision: found {precision!r}, expected auto, bf16 or fp32")
        self.name = check_model(model)
        self.config = load_config(model)
        self.tokenizer: PreTrainedTokenizerBase = load_model_tokenizer(model)
        prepare_process()
        self.device = choose_device().value
        self.precision = choose_precision(precision, self.device).value
        self.max_length = max_tokens(self.config)
        self._head_models: dict[str, nn.Module] = {}
        self._doubted: set[str] = set()
        self._said_lengths: set[str] = set()

    # Models, each loaded when it is needed

    @cached_property
    def _bert(self) -> LoadedBert:
        loaded = load_bert(self.name)
        on_device(loaded.model, self.device)
        return loaded

    @cached_property
    def _pooling(self) -> str:
        """How the folder of a sentence encoder pools; the mean for every other model."""
        encoder = sentence_encoder(self.name)
        said = None if encoder is None else encoder.pooling
        if said is None or said == POOLINGS[0]:
            return POOLINGS[0]
        if said not in POOLINGS:
            warn(f"{self.name}: its pooling is {said}, which embed does not have: the mean is taken instead")
            return POOLINGS[0]
        say(f"pooling: {said} (the 1_Pooling of {self.name}; --pooling overrides it)")
        return said

    @cached_property
    def _encoder(self) -> nn.Module:
        if self.config.model_type == "bert":
            return self._bert.model.bert
        model: nn.Module = load_auto(self.name, "AutoModel", "encoder").to(self.device)
        return model

    @cached_property
    def _masked_language_model(self) -> nn.Module:
        model: nn.Module = load_auto(self.name, "AutoModelForMaskedLM", "MLM head").to(self.device)
        return model

    def _doubts(self, head: str) -> list[str] | None:
        """What stands against the answers of a pre-training head, also said the first time; None where nothing does."""
        if self.config.model_type != "bert" or head not in self._bert.doubts:
            return None
        doubt = f"{self.name}: {self._bert.doubts[head]}"
        if head not in self._doubted:
            warn(doubt)
            self._doubted.add(head)
        return [doubt]

    def row_length(self, head: type[AnyTask], asked: int | None) -> int:
        """Tokens per row of a head that is the model's own, by `input_length`; printed if config.json does not say it.

        Raises OptionError for a length that the model does not take.
        """
        task = _task(head)
        length, reason = input_length(self.name, self.config, task, asked)
        if asked is None and getattr(self.config, INPUT_LENGTH, None) is None and task not in self._said_lengths:
            self._said_lengths.add(task)
            say(f"{self.name}: rows of at most {length} tokens ({reason}); --max-length sets a different length")
        return length

    def _with_head(self, head: type[AnyTask]) -> nn.Module:
        """The model with a head of the task, which must be its own."""
        if head.auto_class not in self._head_models:
            task = _task(head)
            if not has_head(self.config, task):
                architectures = ", ".join(self.config.architectures or []) or "bare encoder"
                raise ModelError(
                    f"{self.name}: has no {head.called} (it is a {architectures}); "
                    f"bertsmith finetune {task} --model {self.name} makes one"
                )
            model = load_auto(self.name, head.auto_class, head.called).to(self.device)
            self._head_models[head.auto_class] = model
        return self._head_models[head.auto_class]

    def head_outputs(
        self, head: AnyTask, inputs: Inputs, budget: int = TOKENS_A_BATCH, bar: Progress | None = None
    ) -> Any:
        """The outputs of a head that is the model's own, by examples; `budget` is in tokens a batch."""
        model, pad = self._with_head(type(head)), int(self.tokenizer.pad_token_id)
        return head_outputs(head, model, inputs, pad, precision=self.precision, budget=budget, bar=bar)

    def head_logits(
        self, head: AnyTask, inputs: Inputs, budget: int = TOKENS_A_BATCH, bar: Progress | None = None
    ) -> Sequence[Logits]:
        """What a student learns from a head that is the model's own, in the form of `Head.join_logits`."""
        model, pad = self._with_head(type(head)), int(self.tokenizer.pad_token_id)
        kept = kept_rows(head, head.logits, model, inputs, pad, precision=self.precision, budget=budget, bar=bar)
        return head.join_logits(kept, inputs)

    def _computing(self) -> AbstractContextManager[Any]:
        return computing(self.precision, self.device)

    # Text to ids

    def tokenize(self, text: str) -> Tokenized:
        """The pieces of a text and the three tensors that a model takes, as lists."""
        check_texts("tokenize", [text])
        return tokenize_text(self.tokenizer, text)

    def _encode(self, texts: Sequence[str], pairs: Sequence[str] | None, length: int) -> Encoded:
        """Encode, and cut at a length with a warning."""
        encoded = encode(self.tokenizer, texts, pairs, length)
        warn_of_cuts(encoded, length)
        return encoded

    def _with_tokens(self, inputs: Sequence[Sequence[str]], noun: str, lacking: str) -> list[int]:
        """The numbers of the inputs of which each text has a token; a warning counts the others."""
        found = iter(without_tokens(self.tokenizer, [text for texts in inputs for text in texts]))
        empty = [sum(next(found) for _ in texts) > 0 for texts in inputs]
        count = sum(empty)
        if count:
            verbs = "is empty (no token) and gets" if count == 1 else "are empty (no token) and get"
            warn(f"{count} of {counted(len(inputs), noun)} {verbs} {lacking}")
        return [number for number, nothing in enumerate(empty) if not nothing]

    def _refuse_long(self, encoded: Encoded, what: str) -> None:
        for ids, lost in zip(encoded.input_ids, encoded.truncated_tokens, strict=True):
            if lost:
                raise InputError(
                    f"{what}: the text has {len(ids) + lost} tokens, the model takes {self.max_length}; shorten it"
                )

    def _batches(self, encoded: Encoded) -> Iterator[tuple[list[int], dict[str, Tensor]]]:
        return batches(encoded, self.config, int(self.tokenizer.pad_token_id), self.device)

    # Answers

    @overload
    def fill_mask(self, text: str, top_k: int = 5) -> FilledMasks: ...
    @overload
    def fill_mask(self, text: list[str], top_k: int = 5) -> list[FilledMasks]: ...
    @torch.inference_mode()
    def fill_mask(self, text: str | list[str], top_k: int = 5) -> FilledMasks | list[FilledMasks]:
        """The `top_k` most probable tokens for each [MASK], each mask by itself.

        A text without a token has no masks. Raises InputError for a text without [MASK] or beyond the model's length,
        ModelError without a trained MLM head.
        """
        if top_k < 1:
            raise InputError(f"top_k: found {top_k}, expected at least 1")
        texts = [text] if isinstance(text, str) else list(text)
        check_texts("fill-mask", texts)
        places = self._with_tokens([(given,) for given in texts], "text", "no answer")
        encoded = encode(self.tokenizer, [texts[place] for place in places], None, self.max_length)
        self._refuse_long(encoded, "fill-mask")
        mask = self.tokenizer.mask_token_id
        for place, ids in zip(places, encoded.input_ids, strict=True):
            if mask not in ids:
                raise InputError(f"fill-mask: no {self.tokenizer.mask_token} in the text {shortened(texts[place])!r}")
        top_k, warnings = min(top_k, int(self.config.vocab_size)), self._doubts("mlm")
        answers = [FilledMasks(given, [], warnings) for given in texts]
        for numbers, batch in self._batches(encoded):
            rows, columns = (batch["input_ids"] == mask).nonzero(as_tuple=True)
            with self._computing():
                logits = self._mask_logits(batch, rows, columns)
            probabilities, tokens = logits.float().softmax(-1).topk(top_k)
            for row, number in enumerate(numbers):
                mine = (rows == row).nonzero().flatten().tolist()
                masks = [
                    self._filled(encoded.input_ids[number], int(columns[at]), tokens[at], probabilities[at])
                    for at in mine
                ]
                answers[places[number]].masks.extend(masks)
        return answers[0] if isinstance(text, str) else answers

    def _mask_logits(self, batch: dict[str, Tensor], rows: Tensor, columns: Tensor) -> Tensor:
        """float of [masks, vocabulary]."""
        if self.config.model_type == "bert":
            if not self._bert.has_mlm_head:
                raise ModelError(
                    f"{self.name}: has no trained MLM head; bertsmith pretrain STORE --from {self.name} trains one"
                )
            hidden = self._encoder(**batch).last_hidden_state[rows, columns]
            logits: Tensor = self._bert.model.cls.predictions(hidden)
            return logits
        every: Tensor = self._masked_language_model(**batch).logits
        return every[rows, columns]

    def _filled(self, ids: list[int], position: int, tokens: Tensor, probabilities: Tensor) -> MaskPrediction:
        predictions = []
        for token, probability in zip(tokens.tolist(), probabilities.tolist(), strict=True):
            text = str(self.tokenizer.decode([*ids[:position], token, *ids[position + 1 :]][1:-1]))
            name = str(self.tokenizer.convert_ids_to_tokens(token))
            predictions.append(TokenPrediction(name, token, probability, text))
        return MaskPrediction(position, predictions)

    @torch.inference_mode()
    def next_sentence(self, a: str, b: str) -> NextSentence:
        """Whether B is the sentence after A; no label if one of them has no token.

        Raises InputError where both are longer than the model, ModelError without a trained NSP head.
        """
        if self.config.model_type != "bert":
            raise ModelError(f"{self.name}: is a {self.config.model_type}, which has no NSP head; give a BERT")
        if not self._bert.has_nsp_head:
            raise ModelError(
                f"{self.name}: has no trained NSP head; bertsmith pretrain STORE --from {self.name} "
                "--objective mlm+nsp trains one"
            )
        check_texts("next-sentence", [a, b])
        encoded = encode(self.tokenizer, [a], [b], self.max_length)
        self._refuse_long(encoded, "next-sentence")
        if not self._with_tokens([(a, b)], "pair", "no label"):
            return NextSentence(warnings=self._doubts("nsp"))
        _, batch = next(self._batches(encoded))
        with self._computing():
            pooled = self._encoder(**batch).pooler_output
            logits = self._bert.model.cls.seq_relationship(pooled)[0].float()
        probability = float(logits.softmax(-1)[0])
        return NextSentence(probability, LABELS[int(logits.argmax())], logits.tolist(), self._doubts("nsp"))

    @torch.inference_mode()
    def hidden_states(self, text: str, layer: int = -1) -> Tensor:
        """float32 of [1, tokens, hidden size]: the vectors of a text's tokens, [CLS] and [SEP] included.

        `layer` 0 is the embeddings, -1 the last (`last_hidden_state` of stock's BertModel).
        """
        check_texts("hidden-states", [text])
        encoded = self._encode([text], None, self.max_length)
        _, batch = next(self._batches(encoded))
        return self._hidden(batch, layer).cpu()

    def _hidden(self, batch: dict[str, Tensor], layer: int) -> Tensor:
        count = int(self.config.num_hidden_layers)
        if not -count - 1 <= layer <= count:
            raise InputError(
                f"--layer {layer}: the model has layers 0 (the embeddings) to {count}, or -{count + 1} to -1"
            )
        with self._computing():
            output = self._encoder(**batch, output_hidden_states=True)
        hidden: Tensor = output.hidden_states[layer]
        return hidden.float()

    @overload
    def embed(self, text: str, pooling: str | None = None, layer: int = -1) -> Embedding: ...
    @overload
    def embed(self, text: list[str], pooling: str | None = None, layer: int = -1) -> list[Embedding]: ...
    @torch.inference_mode()
    def embed(self, text: str | list[str], pooling: str | None = None, layer: int = -1) -> Embedding | list[Embedding]:
        """One vector per text: the mean or maximum over its tokens ([CLS] and [SEP] included), or that of [CLS].

        Without `pooling` it is that of a sentence encoder's folder (1_Pooling), for every other model the mean. A text
        without a token has no vector.
        """
        pooling = self._pooling if pooling is None else pooling
        texts = [text] if isinstance(text, str) else list(text)
        check_texts("embed", texts)
        places = self._with_tokens([(given,) for given in texts], "text", "no vector")
        encoded = self._encode([texts[place] for place in places], None, self.max_length)
        answers = [Embedding(given) for given in texts]
        for numbers, batch in self._batches(encoded):
            vectors = pooled(self._hidden(batch, layer), batch["attention_mask"], pooling)
            for number, vector in zip(numbers, vectors.tolist(), strict=True):
                place = places[number]
                answers[place] = Embedding(texts[place], vector, encoded.truncated_tokens[number])
        return answers[0] if isinstance(text, str) else answers

    @overload
    def classify(self, text: str, pair: str | None = None, *, max_length: int | None = None) -> Classification: ...
    @overload
    def classify(
        self, text: list[str], pair: list[str] | None = None, *, max_length: int | None = None
    ) -> list[Classification]: ...
    def classify(
        self, text: str | list[str], pair: str | list[str] | None = None, *, max_length: int | None = None
    ) -> Classification | list[Classification]:
        """The label of a text, or of a pair of texts (`labels` if the model gives several).

        A text is cut at `max_length` tokens, by default the length that the model was fine-tuned with. One without a
        token has no label, nor has a pair whose first text has none.

        Raises ModelError without a classification head, InputError for pairs if the model was fine-tuned on single
        texts, and the reverse.
        """
        texts = [text] if isinstance(text, str) else list(text)
        pairs = [pair] if isinstance(pair, str) else list(pair) if pair is not None else None
        if pairs is not None and len(pairs) != len(texts):
            raise InputError(f"classify: {len(texts)} texts and {len(pairs)} second texts, expected one for each")
        check_texts("classify", texts)
        check_texts("classify", pairs or (), "second text")
        if not texts:
            return []
        self._with_head(SequenceClassification)
        self._check_pairs(pairs is not None)
        head = SequenceClassification.for_model(self.config, None, self.name)
        length = self.row_length(SequenceClassification, max_length)
        none: list[str] | None = [] if head.problem_type == MULTI_LABEL else None
        answers = [Classification(given, labels=none) for given in texts]
        # A second text may be empty, as in labelled files.
        places = self._with_tokens([(given,) for given in texts], "text", "no label")
        if places:
            second = None if pairs is None else [pairs[place] for place in places]
            encoded = self._encode([texts[place] for place in places], second, length)
            decoded = head.answers(self.head_outputs(head, encoded))
            for place, item, cut in zip(places, decoded, encoded.truncated_tokens, strict=True):
                answers[place] = Classification(texts[place], truncated_tokens=cut, **item)
        return answers[0] if isinstance(text, str) else answers

    @property
    def text_columns(self) -> tuple[str, ...] | None:
        """The columns that the model was fine-tuned on: one text, or the two of a pair; None if it does not say."""
        known = text_columns_of(self.config, self.name)
        return None if known is None else tuple(name for name in (known.text, known.pair) if name is not None)

    def _check_pairs(self, pairs: bool) -> None:
        """Raise InputError for pairs if the model was fine-tuned on single texts, and the reverse."""
        columns = self.text_columns
        if columns is None or pairs == (len(columns) == 2):
            return
        if pairs:
            raise InputError(
                f"classify: found a pair of texts; {self.name} was fine-tuned on single texts (column {columns[0]!r}). "
                "Leave the second text out"
            )
        first, second = columns
        raise InputError(
            f"classify: found a single text; {self.name} was fine-tuned on pairs (columns {first!r} and {second!r}, in "
            "this order). Give the second text with --pair, or lines of the first text, a tab, the second with --input"
        )

    @overload
    def choose(self, prompt: str, choices: Sequence[str], *, max_length: int | None = None) -> Choice: ...
    @overload
    def choose(
        self, prompt: list[str], choices: Sequence[Sequence[str]], *, max_length: int | None = None
    ) -> list[Choice]: ...
    def choose(
        self,
        prompt: str | list[str],
        choices: Sequence[str] | Sequence[Sequence[str]],
        *,
        max_length: int | None = None,
    ) -> Choice | list[Choice]:
        """Which of several texts goes with a prompt; for a list of prompts a list of choices each.

        Raises InputError for fewer than two choices, ModelError without a multiple-choice head.
        """
        prompts = [prompt] if isinstance(prompt, str) else list(prompt)
        given: list[Any] = [choices] if isinstance(prompt, str) else list(choices)
        if len(given) != len(prompts):
            raise InputError(f"choose: {len(prompts)} prompts and choices for {len(given)}, expected some for each")
        if not prompts:
            return []
        for found in given:
            if isinstance(found, str) or len(found) < 2:
                raise InputError(f"choose: found {found!r}, expected a list of at least two choices")
            check_texts("choose", found, "choice")
        check_texts("choose", prompts, "prompt")
        self._with_head(MultipleChoice)
        head = MultipleChoice.for_model(self.config, None, self.name)
        length = self.row_length(MultipleChoice, max_length)
        answers = [Choice(asked) for asked in prompts]
        questions = [(asked, *offered) for asked, offered in zip(prompts, given, strict=True)]
        places = self._with_tokens(questions, "question", "no choice")
        if places:
            asked, offered = [prompts[place] for place in places], [given[place] for place in places]
            encoded = encode_choices(self.tokenizer, asked, offered, length)
            warn_of_cuts(encoded, length, "prompts with their choices")
            outputs = self.head_outputs(head, encoded)
            for place, scores, cut in zip(places, outputs, encoded.truncated_tokens, strict=True):
                index, shares = int(scores.argmax()), probabilities(scores, head.temperature)
                answers[place] = Choice(prompts[place], given[place][index], index, shares, cut)
        return answers[0] if isinstance(prompt, str) else answers

    @overload
    def tag(self, text: str, *, max_length: int | None = None) -> Tagging: ...
    @overload
    def tag(self, text: list[str], *, max_length: int | None = None) -> list[Tagging]: ...
    def tag(self, text: str | list[str], *, max_length: int | None = None) -> Tagging | list[Tagging]:
        """The entities of a text; with plain labels (parts of speech) every word.

        Words are those that the tokenizer sees: for BERT runs of letters and digits, and each mark by itself. A text
        of more than `max_length` tokens, by default the length that the model was fine-tuned with, is read in
        overlapping windows. Raises ModelError without a tagging head.
        """
        texts = [text] if isinstance(text, str) else list(text)
        check_texts("tag", texts)
        self._with_head(TokenClassification)
        head = TokenClassification.for_model(self.config, None, self.name)
        length = self.row_length(TokenClassification, max_length)
        answers = [Tagging(given, []) for given in texts]
        self._with_tokens([(given,) for given in texts], "text", "no label")
        pieces: list[Pieces] = []
        places: list[tuple[int, list[tuple[int, int]]]] = []
        for number, (words, spans) in enumerate(words_of_text(self.tokenizer, texts)):
            if words:
                pieces.append(words)
                places.append((number, spans))
        if pieces:
            inputs = encode_words(self.tokenizer, iter(pieces), length)
            warn_of_cuts(inputs, length)
            outputs = self.head_outputs(head, inputs)
            for (number, spans), found in zip(places, head.spans(outputs), strict=True):
                for span in found:
                    start, end = spans[span.start][0], spans[span.end - 1][1]
                    entity = TaggedEntity(span.label, texts[number][start:end], start, end, span.score)
                    answers[number].entities.append(entity)
        return answers[0] if isinstance(text, str) else answers

    @overload
    def answer(
        self,
        question: str,
        context: str,
        *,
        top_k: int = 1,
        no_answer_threshold: float | None = None,
        max_length: int | None = None,
    ) -> Answer: ...
    @overload
    def answer(
        self,
        question: list[str],
        context: list[str],
        *,
        top_k: int = 1,
        no_answer_threshold: float | None = None,
        max_length: int | None = None,
    ) -> list[Answer]: ...
    def answer(
        self,
        question: str | list[str],
        context: str | list[str],
        *,
        top_k: int = 1,
        no_answer_threshold: float | None = None,
        max_length: int | None = None,
    ) -> Answer | list[Answer]:
        """The span of a context that answers a question; lists: a context for each question.

        A long context is read in overlapping windows of `max_length` tokens, by default the length that the model was
        fine-tuned with, or 384 if it does not say one. With `top_k` above 1 the answer has candidates. A question whose
        probability of no answer is above the threshold is left unanswered: the option's, else the model's, else every
        question is answered.

        Raises InputError for an empty question or context, ModelError without a question-answering head.
        """
        if not 1 <= top_k <= CANDIDATES:
            raise InputError(f"top_k: found {top_k}, expected 1 to {CANDIDATES}")
        questions = [question] if isinstance(question, str) else list(question)
        contexts = [context] if isinstance(context, str) else list(context)
        if len(questions) != len(contexts):
            raise InputError(f"answer: {len(questions)} questions and {len(contexts)} contexts, expected one for each")
        check_texts("answer", questions, "question")
        check_texts("answer", contexts, "context")
        for number, pair in enumerate(zip(questions, contexts, strict=True), start=1):
            for name, text in zip(("question", "context"), pair, strict=True):
                if not text.strip():
                    raise InputError(f"answer: {name} {number} is empty")
        self._with_head(QuestionAnswering)
        if not questions:
            return []
        head = QuestionAnswering.for_model(self.config, None, self.name)
        threshold = head.threshold if no_answer_threshold is None else no_answer_threshold
        length = self.row_length(QuestionAnswering, max_length)
        inputs = encode_questions(self.tokenizer, questions, contexts, length)
        warn_of_cuts(inputs, length, "questions")
        outputs = self.head_outputs(head, inputs)
        answers = []
        for number, text in enumerate(contexts):
            found = [AnswerCandidate(text[at:to], at, to, share) for at, to, share in outputs.candidates(number)]
            nothing = float(outputs.no_answer[number])
            best = found[0] if found and nothing <= threshold else AnswerCandidate("", 0, 0, nothing)
            candidates = found[:top_k] if top_k > 1 else None
            answers.append(Answer(best.answer, best.start, best.end, best.score, nothing, candidates))
        return answers[0] if isinstance(question, str) else answers


def _task(head: type[AnyTask]) -> str:
    return next(name for name in trainable_tasks() if task_class(name) is head)
