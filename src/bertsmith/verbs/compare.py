"""compare: is a difference between two models on the same labelled file more than chance?"""

from __future__ import annotations

import gc
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bertsmith.config.verb import Result, verb
from bertsmith.errors import ModelError, OptionError
from bertsmith.evaluation.options import CompareOptions
from bertsmith.evaluation.task_head import LabelledExamples, predict_examples
from bertsmith.metrics.comparison import EXCHANGES, RESAMPLES, Difference, compare_measurements
from bertsmith.metrics.measurements import Measurement
from bertsmith.models.loading import load_config
from bertsmith.reporting.numbers import difference_interval, format_difference, format_metric
from bertsmith.runtime.console import log_info, warn
from bertsmith.runtime.files import sha256_of
from bertsmith.tasks.base import AnyTask, task_class
from bertsmith.tasks.files.reference import FileReference
from bertsmith.tasks.model_config import listed, task_of

METHOD = (
    f"Interval of B - A: expanded percentile bootstrap over the examples, the same {RESAMPLES:,} resamples for both "
    f"models. p-value: paired permutation test that exchanges the answers of single examples ({EXCHANGES:,} times, or "
    "every possible exchange if there are fewer). A difference is real if its 95% interval does not contain 0. "
    "Examples needed: for 80% power at the 5% level, from the standard error found here. These figures say what to "
    "expect on other examples, not with other training seeds."
)

ITSELF = "A and B are the same model, so there is no difference to find."

_MODEL_FILES = ("config.json", "model.safetensors")
_TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt")


@dataclass(frozen=True)
class Comparison(Result):
    """Two models on the same examples.

    Attributes:
        metrics: for each metric `a`, `b`, `difference` (b - a), `low` and `high` (its 95% interval), `real`, `better`
            ("a" or "b", None if the difference is not real), `p_value`, `standard_error`, `examples_needed` and
            `differing_examples` (`metrics.comparison.Difference`).
        main_metric: the metric that `advice` is about.
        truncated_tokens: for `a` and for `b`, the tokens that were cut.
        method: how the figures were computed, in words.
        advice: the conclusion, in words.
    """

    model_a: str
    model_b: str
    metrics: dict[str, dict[str, Any]]
    main_metric: str
    num_examples: int
    truncated_tokens: dict[str, int]
    method: str
    advice: str


@verb(CompareOptions)
def compare(options: CompareOptions) -> Comparison:
    """Compare two fine-tuned models on the same labelled file: is the difference real?

    The models answer one after the other, so that only one of them is in memory.
    """
    models = (options.model_a, options.model_b)
    task, heads, reference = _comparable(options)
    file = LabelledExamples.read(heads[0], options.data, options, reference=reference)
    for head in heads:
        head.targets(file.examples, file.name)  # finds a label that a model lacks before anything is computed
    measured: list[Mapping[str, Measurement]] = []
    cut, lengths = [], []
    for name, model in zip("AB", models, strict=True):
        log_info(f"{name}: {model}")
        found = predict_examples(model, task, file, options=options)
        measured.append(found.head.measure(found.outputs, found.targets))
        cut.append(found.truncated_tokens)
        lengths.append(found.max_length)
        gc.collect()  # models are in reference cycles, so only this frees their memory
    if lengths[0] != lengths[1]:
        warn(f"A reads {lengths[0]} tokens per row, B {lengths[1]}. Try: --max-length N, the same for both")
    found_differences = compare_measurements(*measured)
    same = _have_the_same_files(*models) and not any(it.differing_examples for it in found_differences.values())
    main = heads[0].main_metric
    return Comparison(
        *models,
        {name: asdict(it) | {"better": better(heads[0], name, it)} for name, it in found_differences.items()},
        main,
        len(file.examples),
        {"a": cut[0], "b": cut[1]},
        METHOD,
        ITSELF if same else advice(heads[0], main, found_differences[main], examples=len(file.examples)),
    )


def _have_the_same_files(a: str, b: str) -> bool:
    """Whether two MODELs are the same folder or hub name, or have the same configuration, weights and tokenizer."""
    if not (Path(a).exists() and Path(b).exists()):
        return a == b
    if Path(a).samefile(b):
        return True
    sums = [{name: _checksum(Path(model) / name) for name in (*_MODEL_FILES, *_TOKENIZER_FILES)} for model in (a, b)]
    return sums[0] == sums[1] and all(sums[0][name] is not None for name in _MODEL_FILES)


def _checksum(file: Path) -> str | None:
    return sha256_of(file) if file.is_file() else None


def _comparable(options: CompareOptions) -> tuple[str, list[AnyTask], FileReference | None]:
    """Return the task of both models, their heads, and the form that the labelled file must have.

    Raises ModelError if they cannot be compared.
    """
    models = (options.model_a, options.model_b)
    configs = [load_config(model) for model in models]
    tasks = [task_of(config) for config in configs]
    if tasks == [None, None]:
        raise OptionError(
            f"{models[0]} and {models[1]} are language models, expected fine-tuned models. To compare language "
            f"models, try for each: bertsmith evaluate MODEL {options.data}"
        )
    for model, config, task in zip(models, configs, tasks, strict=True):
        if task is None:
            wanted = next(found for found in tasks if found is not None)
            raise ModelError(
                f"{model}: found no head ({', '.join(config.architectures or ['bare encoder'])}), expected a head of "
                f"{wanted} as in the other model. Try: bertsmith finetune {wanted} --model {model}"
            )
    if tasks[0] != tasks[1]:
        raise ModelError(f"{models[0]} has a head of {tasks[0]}, {models[1]} of {tasks[1]}; expected the same task")
    task = str(tasks[0])
    found = task_class(task)
    heads = [found.for_model(config, options, model) for config, model in zip(configs, models, strict=True)]
    a, b = heads
    if a.problem_type != b.problem_type:
        raise ModelError(
            f"{models[0]} has the problem type {a.problem_type}, {models[1]} {b.problem_type}; expected the same"
        )
    if a.classes != b.classes:
        raise ModelError(_other_labels(models, a.classes, b.classes))
    return task, heads, _same_reference(options, configs, heads)


def _same_reference(options: CompareOptions, configs: Sequence[Any], heads: Sequence[AnyTask]) -> FileReference | None:
    """Return the form that the file must have, from the first model that records it.

    Raises ModelError if one model was trained on pairs and the other on single texts, because no file suits both,
    unless an option names the columns.
    """
    models = (options.model_a, options.model_b)
    found = [head.reference_of_model(config, name) for head, config, name in zip(heads, configs, models, strict=True)]
    known = [reference for reference in found if reference is not None]
    if len(known) == 2 and (known[0].pair is None) != (known[1].pair is None):
        kinds = ["single texts" if each.pair is None else "pairs" for each in known]
        if options.pair_column is None:
            raise ModelError(
                f"{models[0]} was trained on {kinds[0]}, {models[1]} on {kinds[1]}; expected two models with the "
                "same input. Try: --pair-column NAME, so that both read pairs"
            )
    return known[0] if known else None


def _other_labels(models: tuple[str, str], a: list[str], b: list[str]) -> str:
    lines = [f"{models[0]} and {models[1]} have different labels, expected the same labels"]
    for name, model, labels, others in (("A", models[0], a, b), ("B", models[1], b, a)):
        only = [label for label in labels if label not in others]
        lines.append(f"  {name} ({model}): {listed(labels)}" + (f"; only in {name}: {listed(only)}" if only else ""))
    return "\n".join(lines)


def better(task: AnyTask, metric: str, found: Difference) -> str | None:
    """Return the better model, `a` or `b`, or None if the difference is not real."""
    if not found.real:
        return None
    return "b" if task.selection_score(metric, found.difference) > 0 else "a"


def advice(task: AnyTask, metric: str, found: Difference, *, examples: int) -> str:
    """Return the conclusion from a difference in a few sentences."""
    top = task.maximum_score
    if found.examples_needed is None:
        return f"No difference in {metric}: {format_metric(metric, found.a, top)} for both."
    needed = "a single example" if found.examples_needed == 1 else f"{_rounded(found.examples_needed):,} examples"
    figures = (
        f"B - A is {format_difference(metric, found.difference, top)} (95% interval "
        f"{difference_interval(metric, found.low, found.high, most=top)}, "
        f"p = {found.p_value:.2g})"
    )
    which = better(task, metric, found)
    if which is None:
        conclusion = f"No real difference in {metric}"
    else:
        gain = format_difference(metric, abs(found.difference), top).removeprefix("+")
        conclusion = f"{which.upper()} is better by {gain} in {metric}"
    words = (
        f"{conclusion}: {figures}. About {needed} would show a difference of this size with 80% power; this file has "
        f"{examples:,}."
    )
    if found.real != (found.p_value < 0.05):
        words += " The interval and the p-value disagree. Try: more examples"
    return words


def _rounded(count: int) -> int:
    """Round up to two digits, because the number is an estimate."""
    step: int = 10 ** max(len(str(count)) - 2, 0)
    return -(-count // step) * step
