"""Examples: a data set over a STORE for any training loop, one example per index, not masked yet."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from bertsmith.corpus.store import TRAIN, TokenPart, TokenStore
from bertsmith.errors import DataError
from bertsmith.objectives.masks import Vocabulary
from bertsmith.objectives.pairs import OTHER_DOCUMENT, PairPlan, plan_epoch
from bertsmith.runtime import random

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Example:
    """One example: the ids of [CLS] A [SEP] B [SEP], its types, its label, and its epoch and index."""

    input_ids: Ints
    token_type_ids: Ints
    next_sentence_label: int
    epoch: int
    index: int


@dataclass(frozen=True, slots=True)
class PaddedExamples:
    """Several examples as arrays.

    Attributes:
        input_ids, token_type_ids: int64 of [examples, length], padded.
        lengths: int64 of [examples], tokens per example.
        next_sentence_label, epochs, indices: int64 of [examples].
    """

    input_ids: Ints
    token_type_ids: Ints
    lengths: Ints
    next_sentence_label: Ints
    epochs: Ints
    indices: Ints

    def __len__(self) -> int:
        return len(self.lengths)


class EpochPlan:
    """The examples of a part in the order of an epoch: a pure function of (seed, epoch).

    Every epoch counts as many examples as epoch 0, so example n of the training is found without planning earlier
    epochs. The packing of epochs differs by well under one percent of their examples: an epoch with more leaves out the
    last of its random order, an epoch with fewer repeats the first.
    """

    def __init__(
        self,
        part: TokenPart,
        objective: str,
        sequence_length: int,
        *,
        negatives: str = OTHER_DOCUMENT,
        seed: int,
    ) -> None:
        self.part, self.objective, self.sequence_length, self.seed = part, objective, sequence_length, seed
        self.negatives = negatives
        self._epoch = -1
        self._plan: PairPlan
        self._order: Ints
        self.first = self._load(0)
        self.size = len(self.first)

    def _load(self, epoch: int) -> PairPlan:
        if epoch != self._epoch:
            plan = plan_epoch(
                self.part, self.objective, self.sequence_length, negatives=self.negatives, seed=self.seed, epoch=epoch
            )
            if not len(plan):
                raise DataError(
                    f"{self.part.folder}: found {self.part.num_tokens} tokens, too few for one example of "
                    f"{self.objective} in epoch {epoch}. Try: a STORE of more text"
                )
            self._plan = plan
            self._order = random.generator("order", self.seed, epoch).permutation(len(plan))
            self._epoch = epoch
        return self._plan

    def spans(self, epoch: int, index: int) -> tuple[int, int, int, int, int]:
        """Return the token spans of segments A and B in the part, and the label."""
        plan = self._load(epoch)
        at = int(self._order[index % len(plan)])
        return (
            int(plan.a_start[at]),
            int(plan.a_stop[at]),
            int(plan.b_start[at]),
            int(plan.b_stop[at]),
            int(plan.label[at]),
        )

    def documents(self, epoch: int, index: int) -> list[str]:
        """Return the ids of the documents of an example, each once: a row of `mlm` can have several."""
        a_start, a_stop, b_start, b_stop, _ = self.spans(epoch, index)
        part, ids = self.part, list[str]()
        for start, stop in ((a_start, a_stop), (b_start, b_stop)):
            if stop > start:
                sentences = np.searchsorted(part.sentence_offsets, [start, stop - 1], side="right") - 1
                first, last = (np.searchsorted(part.document_offsets, sentences, side="right") - 1).tolist()
                ids += part.document_ids[first : last + 1]
        return list(dict.fromkeys(ids))

    def example(self, epoch: int, index: int, vocabulary: Vocabulary) -> Example:
        """Return an example without padding."""
        rows = self.padded(np.array([epoch * self.size + index]), vocabulary)
        length = int(rows.lengths[0])
        return Example(
            rows.input_ids[0, :length],
            rows.token_type_ids[0, :length],
            int(rows.next_sentence_label[0]),
            epoch,
            index,
        )

    def padded(self, numbers: Ints, vocabulary: Vocabulary) -> PaddedExamples:
        """Return examples of the training as arrays: number n is example n mod N of epoch n div N.

        Args:
            numbers: int64 of [examples], ascending, because an epoch is planned when its first example is needed.
        """
        epochs, indices = np.divmod(numbers, self.size)
        starts, stops = np.empty((2, len(numbers), 2), np.int64)
        label = np.empty(len(numbers), np.int64)
        for epoch in dict.fromkeys(epochs.tolist()):
            plan, rows = self._load(epoch), epochs == epoch
            at = self._order[indices[rows] % len(plan)]
            starts[rows, 0], stops[rows, 0] = plan.a_start[at], plan.a_stop[at]
            starts[rows, 1], stops[rows, 1] = plan.b_start[at], plan.b_stop[at]
            label[rows] = plan.label[at]
        size_a, size_b = (stops - starts).T
        lengths = size_a + size_b + np.where(size_b > 0, 3, 2)
        every, columns = np.arange(len(numbers)), np.arange(self.sequence_length)
        used = columns < lengths[:, None]
        types = (used & (columns > size_a[:, None] + 1)).astype(np.int64)
        # The rest of `used` is text, A and then B in each row: the order of `runs`.
        ends = size_a + 1, lengths - 1
        used[:, 0] = used[every, ends[0]] = used[every, ends[1]] = False
        input_ids = np.full(used.shape, vocabulary.pad, np.int64)
        input_ids[used] = self.part.gather_ranges(starts.reshape(-1), stops.reshape(-1))
        input_ids[:, 0] = vocabulary.cls
        input_ids[every, ends[0]] = input_ids[every, ends[1]] = vocabulary.sep
        return PaddedExamples(input_ids, types, lengths, label, epochs, indices)


class PretrainingDataset(torch.utils.data.Dataset[Example]):
    """The examples of a STORE for your own training loop, with `PretrainingCollator`.

    `set_epoch`, which `Trainer` calls, packs and pairs the text again for each epoch.

        dataset = bertsmith.PretrainingDataset("data/books", sequence_length=128)
        collator = bertsmith.PretrainingCollator.for_store("data/books")
        Trainer(model=BertForPreTraining(config), train_dataset=dataset, data_collator=collator, args=...).train()
    """

    def __init__(
        self,
        store: str | Path,
        *,
        part: str = TRAIN,
        objective: str = "mlm+nsp",
        sequence_length: int = 128,
        negatives: str = OTHER_DOCUMENT,
        seed: int = 0,
    ) -> None:
        from bertsmith.tokenization.folder import load_tokenizer

        opened = TokenStore(store)
        self.vocabulary = Vocabulary.of(load_tokenizer(str(opened.tokenizer_folder)))
        self.plan = EpochPlan(opened.part(part), objective, sequence_length, negatives=negatives, seed=seed)
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Use the pairs and the order of this epoch."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.plan.size

    def __getitem__(self, index: int) -> Example:
        if not 0 <= index < self.plan.size:
            raise IndexError(index)
        return self.plan.example(self.epoch, index, self.vocabulary)
