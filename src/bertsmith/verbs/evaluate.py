"""evaluate: measure a language model on a STORE or a text, or a fine-tuned model on a labelled file."""

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

LANGUAGE_MODEL_OPTIONS = ("details", "pseudo_perplexity", "max_sentences", "sequence_length", "seed")
HEAD_OPTIONS = (
    "slice", "label_column", "pair_column", "choice_columns", "labels_from", "no_header", "format", "skip_broken_rows",
    "labels_are", "label_names", "problem_type", "max_length",
)  # fmt: skip
"""Options that apply to only one kind of MODEL."""


@verb(EvaluateOptions)
def evaluate(options: EvaluateOptions) -> LanguageModelResult | HeadFigures:
    """Evaluate a language model on fixed masks, or a fine-tuned model on a labelled file.

    The MODEL decides: if it has the head of a task, it is evaluated on that task.
    """
    check_model(options.model)
    task = task_of(load_config(options.model))
    if task is not None:
        for name in given(options, LANGUAGE_MODEL_OPTIONS):
            raise OptionError(
                f"--{name}: only for language models; {options.model} is a {task} model. Try: leave the option out"
            )
        return evaluate_head(options, task)
    if options.predictions is not None:
        raise OptionError(
            f"--predictions: only for fine-tuned models; {options.model} is a language model. Try: leave the option out"
        )
    for name in given(options, HEAD_OPTIONS):
        raise OptionError(
            f"--{name}: only for fine-tuned models; {options.model} is a language model. Try: leave the option out"
        )
    if not options.pseudo_perplexity and given(options, ("max_sentences",)):
        raise OptionError(
            "--max-sentences: found without --pseudo-perplexity, expected both. Try: add --pseudo-perplexity"
        )
    return evaluate_language_model(options)


def given(options: EvaluateOptions, names: Sequence[str]) -> list[str]:
    """Return the command-line names of those options whose values are not the default."""
    fields = type(options).model_fields
    return [external_name(name) for name in names if getattr(options, name) != fields[name].default]
