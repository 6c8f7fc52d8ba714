"""The result of `evaluate` for a head on a labelled file: figures, predictions, and the page with the errors."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from bertsmith.config.verb import Result
from bertsmith.errors import OptionError
from bertsmith.evaluation.errors import calibration_figures, calibration_report, error_report
from bertsmith.evaluation.head import LabelledFile, ScoredExamples, answers
from bertsmith.evaluation.options import EvaluateOptions
from bertsmith.evaluation.page_file import check_page
from bertsmith.evaluation.protocol import ROLE_NOTES, part_of
from bertsmith.models.loading import load_config
from bertsmith.records.errors import Figure
from bertsmith.reporting.errors import Measured, evaluation_page
from bertsmith.reporting.numbers import Cell
from bertsmith.runtime.files import sha256_of, write_text
from bertsmith.runtime.machine import versions
from bertsmith.tasks.base import task_class
from bertsmith.tasks.files.labelled_file import Columns
from bertsmith.tasks.files.records import is_data_set
from bertsmith.tasks.slice_columns import column_values


@dataclass(frozen=True)
class HeadFigures(Result):
    """The metrics of a head on a labelled file, each with a bootstrap interval over the examples.

    `windowed_examples` counts those that are longer than `max_length` and read in windows, for the heads that do so.
    `calibration` holds `ece`, `brier` and `nll` of a head with probabilities; if the model has a temperature also
    that and `before`, the same without it. `slices` are those of the column that was asked for: the `metric`, and in
    `rows` of each value `name`, `examples`, `value`, `low`, `high`.
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
    """Measure the head of a MODEL of this task, and write what the options ask for."""
    _check_outputs(options)
    config = load_config(options.model)
    like = task_class(task).reference_of_model(config, options.model)
    head = task_class(task).for_model(config, options, options.model)
    file = LabelledFile.read(head, options.data, options, like=like)
    slices = {}
    if options.slice is not None:
        slices[options.slice] = column_values(
            task_class(task), Path(file.name), Columns.of(options), name=options.slice
        )
    found = answers(options.model, task, file, options=options)
    head = found.head
    if options.predictions is not None:
        lines = head.predictions(file.examples, found.outputs)
        write_text(options.predictions, "".join(f"{line}\n" for line in lines))
    metrics = {name: Figure(**each.to_dict()) for name, each in head.score(found.outputs, found.targets).items()}
    calibrated = calibration_report(head, found.outputs, found.targets) if head.has_probabilities else None
    errors = error_report(found, slices) if options.report is not None or slices else None
    if options.report is not None and errors is not None:
        measured = _measured(options, file, found)
        page = evaluation_page(options.model, options.data, metrics, errors=errors, measured=measured)
        write_text(options.report, page)
    return HeadFigures(
        {name: figure.to_dict() for name, figure in metrics.items()},
        len(file.examples),
        found.truncated_tokens,
        windowed_examples=found.inputs.windowed,
        calibration=None if calibrated is None else calibration_figures(calibrated).to_dict(),
        slices=errors.slices[-1].to_dict() if slices and errors is not None else None,
        report=options.report,
    )


def _check_outputs(options: EvaluateOptions) -> None:
    """Raises OptionError if predictions or page cannot be written, before anything is measured."""
    if options.predictions is not None and options.predictions.is_dir():
        raise OptionError(f"--predictions {options.predictions}: is a folder, expected the name of a file to write")
    if options.predictions is not None and options.predictions.resolve() == Path(options.data).resolve():
        raise OptionError(f"--predictions {options.predictions}: is DATA itself; expected the name of another file")
    if options.report is not None:
        check_page(options.report)


def _measured(options: EvaluateOptions, file: LabelledFile, found: ScoredExamples) -> Measured:
    """How a head was measured, for its page."""
    path = Path(file.name)
    sha256 = None if is_data_set(path) else sha256_of(path)
    facts: list[tuple[str, Cell]] = [
        ("file", file.name),
        ("SHA-256", sha256 or "a data set, no file"),
        ("rows", len(file.examples)),
        ("model", options.model),
        ("tokens a row, at most", found.max_length),
        ("precision", options.precision),
        ("versions", ", ".join(f"{name} {version}" for name, version in versions().items())),
    ]
    return Measured(facts, options.command_line("evaluate"), *ROLE_NOTES[part_of(options.model, file.name, sha256)])
