"""Held-out sentences with one hidden word, and a model's predictions for it: for people to read."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from transformers import PreTrainedTokenizerBase

from bertsmith.corpus.store import TokenPart
from bertsmith.models.bert import BertForPreTraining
from bertsmith.records.pretraining import HiddenWordPrediction, Sample
from bertsmith.runtime import random

SHORTEST, LONGEST = 8, 28


@dataclass(frozen=True)
class Hidden:
    """A sentence as ids, the place of the hidden word, and its id."""

    ids: list[int]
    place: int
    truth: int


def masked_words(
    part: TokenPart, tokenizer: PreTrainedTokenizerBase, count: int, *, positions: int, seed: int = 0
) -> list[Hidden]:
    """Up to `count` sentences of 8 to 28 tokens, each with one whole word of letters hidden; the same each time.

    With [CLS] and [SEP] they fit a model with this many `positions`.
    """
    lengths = part.sentence_offsets[1:] - part.sentence_offsets[:-1]
    longest = min(LONGEST, positions - 2)
    fitting = [index for index, length in enumerate(lengths) if SHORTEST <= length <= longest]
    order = random.generator("samples", seed).permutation(len(fitting))
    chosen: list[Hidden] = []
    for at in order:
        if len(chosen) == count:
            break
        start, stop = part.sentence_offsets[fitting[at]], part.sentence_offsets[fitting[at] + 1]
        ids = part.tokens(int(start), int(stop)).astype(int).tolist()
        pieces = tokenizer.convert_ids_to_tokens(ids)
        whole = [
            index
            for index, piece in enumerate(pieces[:-1])
            if piece.isalpha() and len(piece) > 3 and not pieces[index + 1].startswith("##")
        ]
        if whole:
            place = whole[random.key("sample", seed, fitting[at]) % len(whole)]
            chosen.append(Hidden(ids, place, ids[place]))
    return chosen


@torch.no_grad()
def guess(
    model: BertForPreTraining, tokenizer: PreTrainedTokenizerBase, hidden: list[Hidden], *, top_k: int = 5
) -> list[Sample]:
    """The guesses of the model for each hidden word, and the rank and probability of the true one, for the reports."""
    was_training = model.training
    model.eval()
    device = next(model.parameters()).device
    samples = []
    for item in hidden:
        ids = [tokenizer.cls_token_id, *item.ids, tokenizer.sep_token_id]
        ids[item.place + 1] = tokenizer.mask_token_id
        inputs = torch.tensor([ids], device=device)
        masked = torch.tensor([item.place + 1], device=device)
        output = model(inputs, masked_positions=masked, masked_labels=torch.tensor([item.truth], device=device))
        distribution = output.prediction_logits[0].float().softmax(-1)
        probabilities, tokens = distribution.topk(top_k)
        of_truth = distribution[item.truth]
        found = zip(tokenizer.convert_ids_to_tokens(tokens.tolist()), probabilities.tolist(), strict=True)
        samples.append(
            Sample(
                before=_text(tokenizer, item.ids[: item.place]) + " " * (item.place > 0),
                after=_text(tokenizer, item.ids[item.place :]).removeprefix(_text(tokenizer, [item.truth])),
                predictions=[
                    HiddenWordPrediction(token=token, probability=probability) for token, probability in found
                ],
                truth=str(tokenizer.convert_ids_to_tokens(item.truth)),
                truth_rank=int((distribution > of_truth).sum()) + 1,
                truth_probability=float(of_truth),
                vocabulary=len(distribution),
            )
        )
    model.train(was_training)
    return samples


def _text(tokenizer: PreTrainedTokenizerBase, ids: list[int]) -> str:
    return str(tokenizer.decode(ids, clean_up_tokenization_spaces=True))
