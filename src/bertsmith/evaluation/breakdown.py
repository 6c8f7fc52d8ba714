"""The masked predictions of a language model in groups: the tokens that it has learnt, and those that it has not.

Every prediction is in one group of each of four divisions, so the means of a division, weighted by its counts, are the
figures of the whole evaluation. The unigram baseline is next to the loss of each group: a model can beat it on frequent
tokens and lose to it on rare ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional
from transformers import PreTrainedTokenizerBase

from bertsmith.evaluation.language_model import FixedMaskEvaluation
from bertsmith.models.bert import PretrainingOutput
from bertsmith.objectives.collator import IGNORED
from bertsmith.objectives.examples import PaddedExamples

Ints = npt.NDArray[np.int64]

FREQUENCY, PIECE, PLACE, SHOWN = "frequency", "piece", "place", "shown"
GROUPS: Mapping[str, Sequence[str]] = {
    FREQUENCY: ("never", "below 1", "1 to 10", "10 to 100", "100 to 1,000", "1,000 to 10,000", "10,000 or more"),
    PIECE: ("whole word", "first piece of a word", "later piece of a word", "number", "punctuation"),
    PLACE: ("first third", "middle third", "last third"),
    SHOWN: ("[MASK]", "another token", "itself"),
}
"""The groups of each division.

frequency: how often the token occurs in a million tokens of the training part, to below the upper bound.
piece: numbers and punctuation are undivided ones; pieces are of words that the tokenizer divides.
place: by tokens, in the sentence that the token is of, whole as the text has it.
shown: what the input holds at the place; "another token" is a random one.
"""
_BOUNDS = (1, 10, 100, 1_000, 10_000)
_COUNT, _NATS, _RIGHT, _UNIGRAM = range(4)


class Breakdown:
    """Sums over groups of masked predictions, of one evaluation; give it to FixedMaskEvaluation as `observe`.

    Args:
        evaluation: whose predictions they are.
        unigram_counts: int64 of [vocabulary], how often each id occurs in the training part; without them there is no
            division by frequency.
    """

    def __init__(
        self, evaluation: FixedMaskEvaluation, tokenizer: PreTrainedTokenizerBase, unigram_counts: Ints | None = None
    ) -> None:
        self.plan, self.vocabulary = evaluation.plan, evaluation.vocabulary
        self.unigram_nats = evaluation.unigram_nats
        self._whole_kinds = _kinds_of_whole_pieces(tokenizer, self.vocabulary.size)
        self._frequencies = frequency_groups(unigram_counts) if unigram_counts is not None else None
        self._sums = {name: np.zeros((len(groups), 4)) for name, groups in GROUPS.items()}

    def __call__(self, examples: PaddedExamples, batch: Mapping[str, torch.Tensor], output: PretrainingOutput) -> None:
        """Add the predictions of one batch."""
        if output.prediction_logits is None:
            return
        given = batch["masked_labels"]
        logits = output.prediction_logits.float()
        every = functional.cross_entropy(logits, given, reduction="none", ignore_index=IGNORED)
        predicted = (given != IGNORED).cpu().numpy()
        labels = given.cpu().numpy()[predicted]
        values = np.zeros((4, len(labels)))
        values[_COUNT] = 1
        values[_NATS] = every.cpu().numpy()[predicted]
        values[_RIGHT] = (logits.argmax(-1) == given).cpu().numpy()[predicted]
        if self.unigram_nats is not None:
            values[_UNIGRAM] = self.unigram_nats[labels]
        flat = batch["masked_positions"].cpu().numpy()[predicted]
        shown = batch["input_ids"].cpu().numpy().reshape(-1)[flat]
        for name, groups in self._groups(examples, flat, labels, shown=shown).items():
            size = len(GROUPS[name])
            self._sums[name] += np.stack([np.bincount(groups, row, minlength=size) for row in values], axis=1)

    def _groups(self, examples: PaddedExamples, flat: Ints, labels: Ints, *, shown: Ints) -> dict[str, Ints]:
        """The group of each prediction, int64 of [predictions], by division."""
        part = self.plan.part
        tokens = self.token_numbers(examples, flat)
        sentences = np.searchsorted(part.sentence_offsets, tokens, side="right") - 1
        starts, stops = part.sentence_offsets[sentences], part.sentence_offsets[sentences + 1]
        divided = np.zeros(len(labels), bool)
        followed = np.flatnonzero(tokens + 1 < stops)
        after = part.runs(tokens[followed] + 1, tokens[followed] + 2)
        divided[followed] = self.vocabulary.continues[after]
        kinds = np.where(divided, 1, self._whole_kinds[labels])
        kinds[self.vocabulary.continues[labels]] = 2
        groups = {
            PIECE: kinds,
            PLACE: third_of(tokens - starts, stops - starts),
            SHOWN: np.where(shown == self.vocabulary.mask, 0, np.where(shown == labels, 2, 1)),
        }
        return groups | ({FREQUENCY: self._frequencies[labels]} if self._frequencies is not None else {})

    def token_numbers(self, examples: PaddedExamples, flat: Ints) -> Ints:
        """int64 of [predictions]: the token of the part at each place of the flattened batch."""
        spans = [
            self.plan.spans(epoch, index)[:3]
            for epoch, index in zip(examples.epochs.tolist(), examples.indices.tolist(), strict=True)
        ]
        rows, columns = np.divmod(flat, examples.input_ids.shape[1])
        a_start, a_stop, b_start = np.array(spans, np.int64)[rows].T
        size = a_stop - a_start
        numbers: Ints = np.where(columns <= size, a_start + columns - 1, b_start + columns - size - 2)
        return numbers

    def to_dict(self) -> dict[str, list[dict[str, Any]] | None]:
        """JSON: of each division the groups that occur; None for the division by frequency where counts lack.

        A group has its name, `count`, `nats` (the mean loss), `accuracy`, and `unigram_nats` (None without counts).
        """
        found: dict[str, list[dict[str, Any]] | None] = {}
        for name, groups in GROUPS.items():
            rows = zip(groups, self._sums[name].tolist(), strict=True)
            known = name != FREQUENCY or self._frequencies is not None
            found[name] = [self._figures(group, row) for group, row in rows if row[_COUNT]] if known else None
        return found

    def _figures(self, group: str, sums: Sequence[float]) -> dict[str, Any]:
        count = sums[_COUNT]
        return {
            "group": group,
            "count": int(count),
            "nats": sums[_NATS] / count,
            "accuracy": sums[_RIGHT] / count,
            "unigram_nats": sums[_UNIGRAM] / count if self.unigram_nats is not None else None,
        }


def frequency_groups(counts: Ints) -> Ints:
    """int64 of [vocabulary]: the place of each id in the groups by frequency."""
    rates = counts / max(int(counts.sum()), 1) * 1e6
    return np.where(counts > 0, 1 + np.searchsorted(_BOUNDS, rates, side="right"), 0)


def third_of(positions: Ints, lengths: Ints) -> Ints:
    """0, 1 or 2: the third of a sentence in which the middle of a token lies; of two tokens one is in the first third
    and one in the last.
    """
    return 3 * (2 * positions + 1) // (2 * lengths)


def _kinds_of_whole_pieces(tokenizer: PreTrainedTokenizerBase, size: int) -> Ints:
    """int64 of [vocabulary]: what each piece is where it is a word by itself, as a place in the groups by piece."""
    pieces = [piece or "" for piece in tokenizer.convert_ids_to_tokens(list(range(size)))]
    kinds = [0 if any(map(str.isalpha, piece)) else 3 if any(map(str.isnumeric, piece)) else 4 for piece in pieces]
    return np.array(kinds, np.int64)
