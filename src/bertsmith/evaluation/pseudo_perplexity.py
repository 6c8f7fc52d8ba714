"""Pseudo-perplexity: each token of a sentence is masked separately and predicted from all other tokens.

Per token (Salazar et al. 2020, "Masked Language Model Scoring", section 2): the pseudo-perplexity is the exponential of
the mean loss. It depends on the tokenizer, so it can compare only models with the same tokenizer.

Per word: the later tokens of a word are easy to guess from the first, so the sum of the losses above favours tokenizers
that split words. Therefore, while a token is predicted, the later tokens of its word are masked too (Kauf and Ivanova
2023, "A Better Way to Do Masked Language Model Scoring"). The sum over the tokens of a word is then minus the log
probability of the word in its context. A word is a run of letters and digits, or a punctuation mark, as in BERT's
pre-tokenization. So nats per word can compare models with different vocabularies.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from bertsmith.config.verb import Result
from bertsmith.inference.head_outputs import batches
from bertsmith.models.bert import BertForPreTraining
from bertsmith.objectives.masks import Vocabulary
from bertsmith.runtime.computing import computing
from bertsmith.runtime.console import Progress
from bertsmith.tasks.encoded_texts import EncodedTexts

SENTENCES_AT_ONCE = 64
"""Number of sentences of similar length that are converted to rows at once."""


@dataclass(frozen=True)
class PseudoPerplexity(Result):
    """Losses of some sentences, in nats.

    Standard errors are those of a ratio of sums over independent sentences. Unknown tokens are in the input but are not
    predicted, because no model learns to predict them. `cut_sentences` counts sentences longer than a row; only their
    beginning is measured.
    """

    pseudo_perplexity: float
    nats_per_token: float
    nats_per_token_standard_error: float | None
    nats_per_word: float
    nats_per_word_standard_error: float | None
    sentences: int
    tokens: int
    words: int
    unknown_tokens: int
    cut_sentences: int


@dataclass(frozen=True)
class _Row:
    """A sentence with one token to predict, and whether its loss counts per token and per word."""

    sentence: int
    input_ids: list[int]
    position: int
    label: int
    counts_for_tokens: bool
    counts_for_words: bool


@torch.inference_mode()
def pseudo_perplexity(
    model: BertForPreTraining,
    vocabulary: Vocabulary,
    sentences: Sequence[Sequence[int]],
    *,
    max_length: int,
    precision: str = "fp32",
    bar: Progress | None = None,
) -> PseudoPerplexity | None:
    """Measure sentences, given as ids without special tokens; None if there is no token to predict.

    A row is [CLS] sentence [SEP] with one token masked, or with a token and all later tokens of its word. Rows are
    batched within a budget of tokens. The model is in evaluation mode during the call; its mode is restored afterwards.

    Args:
        max_length: tokens per row, including [CLS] and [SEP]; longer sentences are cut before a word.
    """
    was_training = model.training
    model.eval()
    kept = [_cut(ids, vocabulary, max_length - 2) for ids in sentences]
    # Per sentence: the loss per token, the number of tokens, the loss per word, the number of words.
    sums = np.zeros((4, len(kept)))
    order = sorted(range(len(kept)), key=lambda number: len(kept[number]))
    for start in range(0, len(order), SENTENCES_AT_ONCE):
        chosen = order[start : start + SENTENCES_AT_ONCE]
        rows = [row for number in chosen for row in _rows(number, kept[number], vocabulary)]
        nats = _losses(model, vocabulary, rows, precision=precision)
        for row, loss in zip(rows, nats.tolist(), strict=True):
            sums[:2, row.sentence] += row.counts_for_tokens * loss, row.counts_for_tokens
            sums[2:, row.sentence] += (
                row.counts_for_words * loss,
                row.counts_for_tokens and not vocabulary.continues[row.label],
            )
        if bar is not None:
            bar.update(start + len(chosen), total=len(order))
    model.train(was_training)
    token_nats, tokens, word_nats, words = sums.sum(axis=1).tolist()
    if not tokens:
        return None
    return PseudoPerplexity(
        pseudo_perplexity=math.exp(min(token_nats / tokens, 700.0)),
        nats_per_token=token_nats / tokens,
        nats_per_token_standard_error=_standard_error(sums[0], sums[1]),
        nats_per_word=word_nats / words,
        nats_per_word_standard_error=_standard_error(sums[2], sums[3]),
        sentences=int((sums[1] > 0).sum()),
        tokens=int(tokens),
        words=int(words),
        unknown_tokens=sum(map(len, kept)) - int(tokens),
        cut_sentences=sum(len(short) < len(whole) for short, whole in zip(kept, sentences, strict=True)),
    )


def _cut(ids: Sequence[int], vocabulary: Vocabulary, most: int) -> list[int]:
    """Cut a sentence to at most `most` tokens, before a word if possible."""
    if len(ids) <= most:
        return list(ids)
    stop = most
    while stop and vocabulary.continues[ids[stop]]:
        stop -= 1
    return list(ids[: stop or most])


def _rows(number: int, ids: list[int], vocabulary: Vocabulary) -> list[_Row]:
    """Return the rows of a sentence: one per token, plus one for each token that is not the last of its word."""
    hidden = vocabulary.special_or_padding
    rows = []
    end = len(ids)
    for at in reversed(range(len(ids))):
        label = ids[at]
        if not hidden[label]:
            last_piece = end == at + 1
            rows.append(
                _row(
                    number,
                    ids,
                    at,
                    end=at + 1,
                    vocabulary=vocabulary,
                    counts_for_tokens=True,
                    counts_for_words=last_piece,
                )
            )
            if not last_piece:
                rows.append(
                    _row(
                        number, ids, at, end=end, vocabulary=vocabulary, counts_for_tokens=False, counts_for_words=True
                    )
                )
        if not vocabulary.continues[label]:
            end = at
    return rows


def _row(
    number: int,
    ids: list[int],
    at: int,
    *,
    end: int,
    vocabulary: Vocabulary,
    counts_for_tokens: bool,
    counts_for_words: bool,
) -> _Row:
    masked = [vocabulary.cls, *ids[:at], *[vocabulary.mask] * (end - at), *ids[end:], vocabulary.sep]
    return _Row(number, masked, at + 1, ids[at], counts_for_tokens, counts_for_words)


def _losses(
    model: BertForPreTraining, vocabulary: Vocabulary, rows: Sequence[_Row], *, precision: str
) -> npt.NDArray[np.float64]:
    """Return the cross-entropy of each row's token in nats: float64 of [rows]."""
    ids = [row.input_ids for row in rows]
    encoded = EncodedTexts(ids, [[0] * len(row) for row in ids], [0] * len(ids))
    device = next(model.parameters()).device
    losses = np.zeros(len(rows))
    for numbers, batch in batches(encoded, model.config, vocabulary.pad, str(device)):
        length = batch["input_ids"].shape[1]
        positions = torch.tensor([row * length + rows[number].position for row, number in enumerate(numbers)])
        labels = torch.tensor([rows[number].label for number in numbers]).to(device)
        with computing(precision, device.type):
            output = model(**batch, masked_positions=positions.to(device), masked_labels=labels)
        nats = functional.cross_entropy(output.prediction_logits.float(), labels, reduction="none")
        losses[numbers] = nats.cpu().numpy()
    return losses


def _standard_error(sums: npt.NDArray[np.float64], counts: npt.NDArray[np.float64]) -> float | None:
    """Return the standard error of a ratio of two sums (Cochran 1977, section 2.11); None for a single sentence."""
    size, total = len(sums), counts.sum()
    if size < 2:
        return None
    residuals = sums - sums.sum() / total * counts
    return float(math.sqrt(size / (size - 1) * np.square(residuals).sum()) / total)
