"""Evaluations of a pre-training run on the held-out part of the STORE, and on the text of `--general-text`."""

from __future__ import annotations

from typing import Any

from bertsmith.corpus.store import HELD_OUT, TokenPart
from bertsmith.evaluation.language_model import FixedMaskEvaluation
from bertsmith.pretraining.components import Components
from bertsmith.records.language_model_figures import LanguageModelFigures
from bertsmith.records.pretraining import Evaluated
from bertsmith.runtime.console import progress
from bertsmith.training.training_plan import Measure


def measures(components: Components, examples: int) -> tuple[Measure, Measure | None]:
    """Return the functions that measure a model on the held-out part and on the general text, if there is one.

    Args:
        examples: the most examples that are measured per text.
    """
    precision = components.computation.precision

    def of(evaluation: FixedMaskEvaluation) -> Measure:
        return lambda model: evaluation(model, precision=precision).to_dict()  # type: ignore[arg-type]

    general = _of_general_text(components, examples)
    return of(_of_held_out(components, examples)), of(general) if general is not None else None


def measure_model(
    components: Components, examples: int, *, title: str, model: Any = None
) -> dict[str, LanguageModelFigures]:
    """Measure the model; return its figures as `evaluation` (held-out part) and `general_evaluation` (general text)."""
    model = components.setup.model if model is None else model
    found = {}
    for name, evaluation in (
        ("evaluation", _of_held_out(components, examples)),
        ("general_evaluation", _of_general_text(components, examples)),
    ):
        if evaluation is not None:
            with progress(title, unit="examples") as bar:
                found[name] = evaluation(model, precision=components.computation.precision, bar=bar)
    return found


def curve_end(components: Components, examples: int, *, step: int, model: Any = None) -> Evaluated:
    """Measure the first or last point of the curves that the evaluations during the run draw, on as many examples."""
    return Evaluated(step=step, **measure_model(components, examples, title="evaluating", model=model))


def _of_held_out(components: Components, examples: int) -> FixedMaskEvaluation:
    part, objective = components.store.part(HELD_OUT), components.options.objective
    return _frozen(components, part, objective=objective, examples=examples)


def _of_general_text(components: Components, examples: int) -> FixedMaskEvaluation | None:
    text = components.general
    if text is None:
        return None
    return _frozen(components, text.part, objective=text.objective, examples=examples)


def _frozen(components: Components, part: TokenPart, *, objective: str, examples: int) -> FixedMaskEvaluation:
    return FixedMaskEvaluation(
        part,
        components.batches.vocabulary,
        objective=objective,
        sequence_length=components.options.sequence_length,
        negatives=components.options.negatives,
        batch_size=64,
        unigram_counts=components.store.unigram_counts(),
        max_examples=examples,
    )
