"""evaluate: a language model on a STORE or a text, a head on a labelled file."""

from __future__ import annotations

from collections.abc import Sequence

from bertsmith.config.option_names import external_name
from bertsmith.config.verb import verb
from bertsmith.errors import OptionError
from bertsmith.evaluation.head_result import HeadFigures, evaluate_head
from bertsmith.evaluation.language_model_result import LanguageModelResult, evaluate_language_model
from bertsmith.evaluation.options import EvaluateOptions
from bertsmith.models.loading import check_model, load_config
from bertsmith.tasks.model_config import task_of

OF_LANGUAGE_MODELS = ("details", "pseudo_perplexity", "max_sentences", "sequence_length", "seed")
OF_HEADS = (
    "slice", "label_column", "pair_column", "choice_columns", "labels_from", "no_header", "format", "skip_broken_rows",
    "labels_are", "label_names", "problem_type", "max_length",
)  # fmt: skip
"""Options that only the one kind of MODEL has a use for."""


@verb(EvaluateOptions)
def evaluate(options: EvaluateOptions) -> LanguageModelResult | HeadFigures:
    """Evaluate a language model on frozen masks, or a head on a labelled file.

    What is measured follows from the MODEL: with a head of one of the tasks it is the head.
    """
    check_model(options.model)
    task = task_of(load_config(options.model))
    if task is not None:
        for name in given(options, OF_LANGUAGE_MODELS):
            raise OptionError(f"--{name}: belongs to a language model; {options.model} is a {task} model")
        return evaluate_head(options, task)
    if options.predictions is not None:
        raise OptionError("--predictions: a language model makes none; it belongs to a head on a labelled file")
    for name in given(options, OF_HEADS):
        raise OptionError(f"--{name}: belongs to a head on a labelled file, and {options.model} has none")
    if not options.pseudo_perplexity and given(options, ("max_sentences",)):
        raise OptionError("--max-sentences: belongs to --pseudo-perplexity, which is missing")
    return evaluate_language_model(options)


def given(options: EvaluateOptions, names: Sequence[str]) -> list[str]:
    """Those of some options that are not as by default, by their names on the command line."""
    fields = type(options).model_fields
    return [external_name(name) for name in names if getattr(options, name) != fields[name].default]
