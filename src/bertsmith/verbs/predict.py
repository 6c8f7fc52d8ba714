"""load: make a Predictor from a MODEL."""

from __future__ import annotations

from pathlib import Path

from bertsmith.inference.predictor import Predictor


def load(model: str | Path, *, precision: str = "fp32") -> Predictor:
    """Load a MODEL for use: a RUN, a folder of the BERT family, or a hub name.

        model = bertsmith.load("runs/books")
        model.fill_mask("I really [MASK] the movie. It was quite interesting.", top_k=5)
        model.next_sentence("He opened the door.", "The room was dark.").is_next_probability
        model.embed(["first text", "second text"])
        model.hidden_states("Hello, how are you?")          # [1, tokens, hidden size]

    Args:
        precision: `fp32` gives the same results as stock transformers, `bf16` is faster on hardware that supports it,
            `auto` chooses.

    Raises ModelError if `model` is not a MODEL, with what was found instead.
    """
    return Predictor(str(model), precision=precision)
