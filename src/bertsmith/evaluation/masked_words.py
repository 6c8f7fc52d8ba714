"""Held-out sentences with one masked word, and a model's predictions for the word: samples for the report."""

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
class MaskedWord:
    """A sentence as ids, the position of the masked word, and its id."""

    ids: list[int]
    position: int
    token_id: int


def masked_words(
    part: TokenPart, tokenizer: PreTrainedTokenizerBase, count: int, *, positions: int, seed: int = 0
) -> list[MaskedWord]:
    """Choose up to `count` sentences of 8 to 28 tokens, and a word in each; reproducible.

    The word is a single token of letters. With [CLS] and [SEP], the sentences fit a model with `positions` positions.
    """
    lengths = part.sentence_offsets[1:] - part.sentence_offsets[:-1]
    longest = min(LONGEST, positions - 2)
    fitting = [index for index, length in enumerate(lengths) if SHORTEST <= length <= longest]
    order = random.generator("samples", seed).permutation(len(fitting))
    chosen: list[MaskedWord] = []
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
            position = whole[random.key("sample", seed, fitting[at]) % len(whole)]
            chosen.append(MaskedWord(ids, position, ids[position]))
    return chosen


@torch.no_grad()
def predict_masked_words(
    model: BertForPreTraining, tokenizer: PreTrainedTokenizerBase, hidden: list[MaskedWord], *, top_k: int = 5
) -> list[Sample]:
    """Return the model's predictions for each masked word, and the rank and probability of the correct word."""
    was_training = model.training
    model.eval()
    device = next(model.parameters()).device
    samples = []
    for hidden_word in hidden:
        ids = [tokenizer.cls_token_id, *hidden_word.ids, tokenizer.sep_token_id]
        ids[hidden_word.position + 1] = tokenizer.mask_token_id
        inputs = torch.tensor([ids], device=device)
        masked = torch.tensor([hidden_word.position + 1], device=device)
        output = model(
            inputs, masked_positions=masked, masked_labels=torch.tensor([hidden_word.token_id], device=device)
        )
        distribution = output.prediction_logits[0].float().softmax(-1)
        probabilities, tokens = distribution.topk(top_k)
        token_probability = distribution[hidden_word.token_id]
        found = zip(tokenizer.convert_ids_to_tokens(tokens.tolist()), probabilities.tolist(), strict=True)
        samples.append(
            Sample(
                before=_text(tokenizer, hidden_word.ids[: hidden_word.position]) + " " * (hidden_word.position > 0),
                after=_text(tokenizer, hidden_word.ids[hidden_word.position :]).removeprefix(
                    _text(tokenizer, [hidden_word.token_id])
                ),
                predictions=[
                    HiddenWordPrediction(token=token, probability=probability) for token, probability in found
                ],
                truth=str(tokenizer.convert_ids_to_tokens(hidden_word.token_id)),
                truth_rank=int((distribution > token_probability).sum()) + 1,
                truth_probability=float(token_probability),
                vocabulary=len(distribution),
            )
        )
    model.train(was_training)
    return samples


def _text(tokenizer: PreTrainedTokenizerBase, ids: list[int]) -> str:
    return str(tokenizer.decode(ids, clean_up_tokenization_spaces=True))
