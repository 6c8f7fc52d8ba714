"""Examples: a data set over a STORE for anybody's training loop, one example an index, nothing masked yet."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from bertsmith.corpus.store import TRAIN, TokenPart, TokenStore
from bertsmith.errors import DataError
from bertsmith.objectives.masks import Vocabulary
from bertsmith.objectives.pairs import PairPlan, plan_epoch
from bertsmith.runtime import random

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Example:
    """One example: the ids of [CLS] A [SEP] B [SEP], its types, its label, and what it is known by."""

    input_ids: Ints
    token_type_ids: Ints
    next_sentence_label: int
    epoch: int
    index: int


class EpochPlan:
    """The examples of a part in their order of one epoch: a pure function of (seed, epoch).

    Every epoch has as many examples as epoch 0, so that example n of the whole training is found without planning
    the epochs before its own. Epochs differ by well under a percent in how many examples their packing gives: one
    that has more leaves the last of its random order out, one that has fewer begins it again.
    """

    def __init__(self, part: TokenPart, objective: str, sequence_length: int, *, seed: int) -> None:
        self.part, self.objective, self.sequence_length, self.seed = part, objective, sequence_length, seed
        self._epoch = -1
        self._plan: PairPlan
        self._order: Ints
        self.first = self._load(0)
        self.size = len(self.first)
        if self.size == 0:
            raise DataError(f"{part.folder}: no example can be made of the {part.num_tokens} tokens there")

    def _load(self, epoch: int) -> PairPlan:
        if epoch != self._epoch:
            self._plan = plan_epoch(self.part, self.objective, self.sequence_length, seed=self.seed, epoch=epoch)
            self._order = random.generator("order", self.seed, epoch).permutation(len(self._plan))
            self._epoch = epoch
        return self._plan

    def spans(self, epoch: int, index: int) -> tuple[int, int, int, int, int]:
        """Where segments A and B of an example lie in the part (token numbers), and its label."""
        plan = self._load(epoch)
        at = int(self._order[index % len(plan)])
        return (
            int(plan.a_start[at]),
            int(plan.a_stop[at]),
            int(plan.b_start[at]),
            int(plan.b_stop[at]),
            int(plan.label[at]),
        )

    def example(self, epoch: int, index: int, vocabulary: Vocabulary) -> Example:
        """The example's ids and types, unpadded."""
        a_start, a_stop, b_start, b_stop, label = self.spans(epoch, index)
        a, b = self.part.tokens(a_start, a_stop), self.part.tokens(b_start, b_stop)
        pair = b_stop > b_start
        ids = np.empty(len(a) + len(b) + (3 if pair else 2), dtype=np.int64)
        types = np.zeros(len(ids), dtype=np.int64)
        ids[0], ids[1 : len(a) + 1], ids[len(a) + 1] = vocabulary.cls, a, vocabulary.sep
        if pair:
            ids[len(a) + 2 : -1], ids[-1] = b, vocabulary.sep
            types[len(a) + 2 :] = 1
        return Example(ids, types, label, epoch, index)


class PretrainingDataset(torch.utils.data.Dataset[Example]):
    """The examples of a STORE, for a training loop of one's own, with `PretrainingCollator`.

    `set_epoch` (which `Trainer` calls) packs and pairs the text anew.

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
        seed: int = 0,
    ) -> None:
        from bertsmith.tokenization.folder import load_tokenizer

        opened = TokenStore(store)
        self.vocabulary = Vocabulary.of(load_tokenizer(str(opened.tokenizer_folder)))
        self.plan = EpochPlan(opened.part(part), objective, sequence_length, seed=seed)
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Take the pairs and order of this epoch."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.plan.size

    def __getitem__(self, index: int) -> Example:
        if not 0 <= index < self.plan.size:
            raise IndexError(index)
        return self.plan.example(self.epoch, index, self.vocabulary)
