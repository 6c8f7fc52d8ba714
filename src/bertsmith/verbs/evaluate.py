"""evaluate: a language model on a STORE or a text, a head on a labelled file."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from bertsmith.config.evaluate import EvaluateOptions
from bertsmith.config.tasks import default_length
from bertsmith.config.verb import Result, verb
from bertsmith.corpus.reading import ReadingOptions
from bertsmith.corpus.store import HELD_OUT, TokenStore, is_store
from bertsmith.errors import ModelError, OptionError
from bertsmith.evaluation.errors import (
    Scored,
    calibration_figures,
    calibration_report,
    error_report,
)
from bertsmith.evaluation.language_model import LanguageModelFigures
from bertsmith.evaluation.text import frozen_text, part_of_text
from bertsmith.inference.predictor import Predictor
from bertsmith.models.loading import LoadedBert, check_model, load_bert, load_config, on_device
from bertsmith.objectives.masks import Vocabulary
from bertsmith.objectives.pairs import OTHER_DOCUMENT
from bertsmith.reporting.errors import evaluation_page
from bertsmith.runtime.console import progress, say
from bertsmith.runtime.files import read_json, write_text
from bertsmith.runtime.machine import choose_device, choose_precision, prepare_process
from bertsmith.tasks.columns import column_values
from bertsmith.tasks.head import head_class, task_of
from bertsmith.tasks.labelled_file import Columns
from bertsmith.tasks.records import with_split
from bertsmith.tokenization.folder import load_tokenizer

DEFAULT_LENGTH = 128


@dataclass(frozen=True)
class HeadFigures(Result):
    """The metrics of a head on a labelled file, each with a bootstrap interval over the examples.

    `windowed_examples` counts those that are longer than `max_length` and read in windows, for the heads that do so.
    `calibration` holds `ece`, `brier` and `nll` of a head with probabilities; where the model has a temperature also
    that and `before`, the same without it. `slices` are those of the column that was asked for: the `metric`, and in
    `rows` of each value `name`, `examples`, `value`, `low`, `high`.
    """

    left_out_if_none: ClassVar[tuple[str, ...]] = ("windowed_examples", "calibration", "slices", "report")
    metrics: dict[str, dict[str, float]]
    num_examples: int
    truncated_tokens: int
    windowed_examples: int | None = None
    calibration: dict[str, Any] | None = None
    slices: dict[str, Any] | None = None
    report: Path | None = None


@verb(EvaluateOptions)
def evaluate(options: EvaluateOptions) -> LanguageModelFigures | HeadFigures:
    """Evaluate a language model on frozen masks, or a head on a labelled file.

    What is measured follows from the MODEL: with a head of one of the tasks it is the head.
    """
    check_model(options.model)
    task = task_of(load_config(options.model))
    if task is not None:
        return _evaluate_head(options, task)
    if options.predictions is not None:
        raise OptionError("--predictions: a language model makes none; it belongs to a head on a labelled file")
    for name in ("report", "slice"):
        if getattr(options, name) is not None:
            raise OptionError(f"--{name}: belongs to a head on a labelled file, and {options.model} has none")
    return _evaluate_language_model(options)


def _evaluate_head(options: EvaluateOptions, task: str) -> HeadFigures:
    if options.predictions is not None and options.predictions.is_dir():
        raise OptionError(f"--predictions {options.predictions}: is a folder, expected the name of a file to write")
    if options.report is not None and (options.report.suffix.lower() != ".html" or options.report.is_dir()):
        raise OptionError(f"--report {options.report}: expected the name of a file to write that ends in .html")
    data = with_split(Path(options.data), "test")
    columns = Columns.of(options)
    examples = head_class(task).read(data, columns)
    column = options.slice
    asked = {} if column is None else {column: column_values(head_class(task), data, columns, column)}
    predictor = Predictor(options.model, precision=options.precision)
    head = head_class(task).for_model(predictor.config, options.problem_type, options.model)
    gold = head.targets(examples, str(data))
    length = min(options.max_length or default_length(task), predictor.max_length)
    inputs = head.encode(predictor.tokenizer, examples, length)
    if inputs.windowed:
        say(f"{options.data}: {inputs.windowed:,} examples longer than {length} tokens are read in overlapping windows")
    with progress("evaluating", unit="texts") as bar:
        outputs = predictor.head_outputs(head, inputs, options.batch_size * length, bar)
    if options.predictions is not None:
        write_text(options.predictions, "".join(f"{line}\n" for line in head.predictions(examples, outputs)))
    metrics = {name: interval.to_dict() for name, interval in head.score(outputs, gold).items()}
    scored = Scored(head, examples, inputs, outputs, gold, length)
    calibrated = calibration_report(head, outputs, gold) if head.has_probabilities else None
    errors = error_report(scored, asked) if options.report is not None or asked else {}
    if options.report is not None:
        write_text(options.report, evaluation_page(options.model, options.data, metrics, errors))
    return HeadFigures(
        metrics,
        len(examples),
        sum(inputs.truncated_tokens),
        inputs.windowed,
        None if calibrated is None else calibration_figures(calibrated),
        errors["slices"][-1] if asked else None,
        options.report,
    )


def _evaluate_language_model(options: EvaluateOptions) -> LanguageModelFigures:
    prepare_process()
    device = choose_device().value
    precision = choose_precision(options.precision, device).value
    loaded = load_bert(options.model)
    on_device(loaded.model, device)
    tokenizer = load_tokenizer(options.model)
    run_file = Path(options.model) / "run.json"
    record: dict[str, Any] = read_json(run_file) if run_file.is_file() else {}
    length = options.sequence_length or record.get("options", {}).get("sequence_length") or DEFAULT_LENGTH
    positions = loaded.model.config.max_position_embeddings
    if length > positions:
        raise OptionError(f"--sequence-length {length}: the model has {positions} positions")
    objective = _objective(options.model, loaded, record)
    counts = np.asarray(record["unigram_counts"]) if "unigram_counts" in record else None
    with tempfile.TemporaryDirectory(prefix="bertsmith-") as aside:
        if is_store(Path(options.data)):
            store = TokenStore(options.data)
            if load_tokenizer(str(store.tokenizer_folder)).get_vocab() != tokenizer.get_vocab():
                raise ModelError(
                    f"{options.data} was prepared with another tokenizer than that of {options.model}; evaluate on "
                    f"text, or prepare it again with --tokenizer {options.model}"
                )
            part, counts = store.part(HELD_OUT), store.unigram_counts()
        else:
            reading = ReadingOptions(text_column=options.text_column, encoding=options.encoding)
            part = part_of_text(options.data, reading, tokenizer, Path(aside))
        evaluation = frozen_text(
            part,
            Vocabulary.of(tokenizer),
            objective=objective,
            sequence_length=length,
            batch_size=options.batch_size,
            negatives=record.get("options", {}).get("negatives", OTHER_DOCUMENT),
            seed=options.seed,
            unigram_counts=counts,
        )
        with progress("evaluating", unit="examples") as bar:
            return evaluation(loaded.model, precision=precision, bar=bar)


def _objective(name: str, loaded: LoadedBert, record: dict[str, Any]) -> str:
    """What a MODEL can be measured by: what it was trained with, or what heads it has."""
    trained = record.get("options", {}).get("objective")
    if trained is not None:
        return str(trained)
    if loaded.has_mlm_head:
        return "mlm+nsp" if loaded.has_nsp_head else "mlm"
    if loaded.has_nsp_head:
        return "nsp"
    raise ModelError(
        f"{name}: has neither an MLM nor an NSP head, so there is no language model to evaluate; "
        f"bertsmith pretrain STORE --from {name} trains them"
    )
