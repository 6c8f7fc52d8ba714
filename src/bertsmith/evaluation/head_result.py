"""The result of `evaluate` for a head on a labelled file: metrics, predictions, and a page with the errors."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from bertsmith.config.verb import Result
from bertsmith.errors import OptionError
from bertsmith.evaluation.dataset_roles import ROLE_NOTES, dataset_role
from bertsmith.evaluation.error_analysis import calibration_figures, calibration_report, error_report
from bertsmith.evaluation.options import EvaluateOptions
from bertsmith.evaluation.page_file import check_page
from bertsmith.evaluation.task_head import LabelledExamples, ScoredExamples, predict_examples
from bertsmith.models.loading import load_config
from bertsmith.records.error_report import Figure
from bertsmith.reporting.error_sections import Provenance, evaluation_page
from bertsmith.reporting.numbers import Cell
from bertsmith.runtime.files import sha256_of, write_text
from bertsmith.runtime.machine import versions
from bertsmith.tasks.base import task_class
from bertsmith.tasks.files.labelled_file import Columns
from bertsmith.tasks.files.table_records import is_data_set
from bertsmith.tasks.slice_columns import column_values


@dataclass(frozen=True)
class HeadFigures(Result):
    """The metrics of a head on a labelled file, each with a bootstrap interval over the examples.

    Attributes:
        windowed_examples: number of examples longer than `max_length`, for heads that read them in windows.
        calibration: `ece`, `brier` and `nll` of a head with probabilities; if the model has a temperature, also
            `temperature`, and `before` with the same metrics without it.
        slices: the requested column: its `metric`, and per value in `rows` `name`, `examples`, `value`, `low`, `high`.
    """

    omitted_if_none: ClassVar[tuple[str, ...]] = ("windowed_examples", "calibration", "slices", "report")
    metrics: dict[str, dict[str, float]]
    num_examples: int
    truncated_tokens: int
    windowed_examples: int | None = None
    calibration: dict[str, Any] | None = None
    slices: dict[str, Any] | None = None
    report: Path | None = None


def evaluate_head(options: EvaluateOptions, task: str) -> HeadFigures:
    """Measure the head of a MODEL, and write the predictions and the page that the options request."""
    _check_outputs(options)
    config = load_config(options.model)
    reference = task_class(task).reference_of_model(config, options.model)
    head = task_class(task).for_model(config, options, options.model)
    file = LabelledExamples.read(head, options.data, options, reference=reference)
    slices = {}
    if options.slice is not None:
        slices[options.slice] = column_values(
            task_class(task), Path(file.name), Columns.of(options), name=options.slice
        )
    found = predict_examples(options.model, task, file, options=options)
    head = found.head
    if options.predictions is not None:
        lines = head.predictions(file.examples, found.outputs)
        write_text(options.predictions, "".join(f"{line}\n" for line in lines))
    metrics = {name: Figure(**each.to_dict()) for name, each in head.score(found.outputs, found.targets).items()}
    calibrated = calibration_report(head, found.outputs, found.targets) if head.has_probabilities else None
    errors = error_report(found, slices) if options.report is not None or slices else None
    if options.report is not None and errors is not None:
        provenance = _provenance(options, file, found)
        page = evaluation_page(options.model, options.data, metrics, errors=errors, provenance=provenance)
        write_text(options.report, page)
    return HeadFigures(
        {name: figure.to_dict() for name, figure in metrics.items()},
        len(file.examples),
        found.truncated_tokens,
        windowed_examples=found.inputs.windowed_examples,
        calibration=None if calibrated is None else calibration_figures(calibrated).to_dict(),
        slices=errors.slices[-1].to_dict() if slices and errors is not None else None,
        report=options.report,
    )


def _check_outputs(options: EvaluateOptions) -> None:
    """Raise OptionError if predictions or page cannot be written, before anything is measured."""
    if options.predictions is not None and options.predictions.is_dir():
        raise OptionError(f"--predictions {options.predictions}: found a folder, expected the name of a file to write")
    if options.predictions is not None and options.predictions.resolve() == Path(options.data).resolve():
        raise OptionError(
            f"--predictions {options.predictions}: found the name of DATA itself, expected a different file"
        )
    if options.report is not None:
        check_page(options.report)


def _provenance(options: EvaluateOptions, file: LabelledExamples, found: ScoredExamples) -> Provenance:
    """Return how a head was measured, for its page."""
    path = Path(file.name)
    sha256 = None if is_data_set(path) else sha256_of(path)
    facts: list[tuple[str, Cell]] = [
        ("file", file.name),
        ("SHA-256", sha256 or "(a dataset, not a file)"),
        ("rows", len(file.examples)),
        ("model", options.model),
        ("maximum tokens per row", found.max_length),
        ("precision", options.precision),
        ("versions", ", ".join(f"{name} {version}" for name, version in versions().items())),
    ]
    return Provenance(
        facts, options.command_line("evaluate"), *ROLE_NOTES[dataset_role(options.model, file.name, sha256)]
    )
