"""Comparison with stock transformers: the same inputs, every output compared, the tolerance in one place."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import transformers
from torch import Tensor

TOLERANCE = 1e-5
"""Absolute and relative: float32 differs by less if only the order of adding is different."""


def load_stock(folder: Path | str, name: str, *, unused: bool = False) -> Any:
    """Return stock's model of this class in evaluation mode. The folder has a weight for each of its parameters.

    Args:
        unused: whether the folder may have weights that this class has no place for, such as other heads.
    """
    model, info = getattr(transformers, name).from_pretrained(folder, dtype=torch.float32, output_loading_info=True)
    assert not info["missing_keys"] and not info["mismatched_keys"], info
    assert unused or not info["unexpected_keys"], info
    return model.eval()


class Stock:
    """A folder in stock's hands: a model and its tokenizer. Called with a text or a pair, it answers as stock does."""

    def __init__(self, folder: Path | str, name: str, *, unused: bool = False) -> None:
        self.model = load_stock(folder, name, unused=unused)
        self.tokenizer = transformers.AutoTokenizer.from_pretrained(folder)

    def __call__(self, *texts: str, output_hidden_states: bool = False, **encoding: Any) -> Any:
        """Return the outputs for one text or pair; further options are the tokenizer's."""
        inputs = self.tokenizer(*texts, return_tensors="pt", **encoding)
        with torch.no_grad():
            return self.model(**inputs, output_hidden_states=output_hidden_states)

    def probabilities(self, *texts: str, **encoding: Any) -> Tensor:
        """Return the softmax of the logits for one text or pair, without the dimension of the batch."""
        return self(*texts, **encoding).logits[0].softmax(-1)


def assert_same(found: Any, expected: Any, *, exactly: bool = False) -> None:
    """Check that tensors, numbers, or every output of two models agree, within TOLERANCE or to the bit."""
    if isinstance(expected, Mapping):
        missing = [name for name in expected if getattr(found, name, None) is None]
        assert not missing, f"stock has outputs that are missing here: {missing}"
        for name, value in expected.items():
            assert_same(getattr(found, name), value, exactly=exactly)
    elif isinstance(expected, tuple | list) and any(isinstance(value, Tensor) for value in expected):
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            assert_same(one, other, exactly=exactly)
    else:
        one, other = torch.as_tensor(found), torch.as_tensor(expected)
        within = 0.0 if exactly else TOLERANCE
        torch.testing.assert_close(one.to(other.dtype), other, rtol=within, atol=within)


def assert_same_model(own: Any, stock: Any, inputs: Mapping[str, Tensor], *, exactly: bool = False) -> None:
    """Check that a model answers the inputs as stock's model does: every output that stock has, and no other loss."""
    with torch.no_grad():
        found, expected = own(**inputs), stock(**inputs)
    assert_same(found, expected, exactly=exactly)
    assert ("loss" in found) == ("loss" in expected)
