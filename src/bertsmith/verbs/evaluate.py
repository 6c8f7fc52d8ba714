"""evaluate: a language model on a STORE or a text, a head on a labelled file."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from bertsmith.config.options import external_name
from bertsmith.config.verb import Result, verb
from bertsmith.corpus.reading import ReadingOptions
from bertsmith.corpus.store import HELD_OUT, TRAIN, TokenStore, is_store
from bertsmith.errors import ModelError, OptionError
from bertsmith.evaluation.breakdown import Breakdown
from bertsmith.evaluation.errors import calibration_figures, calibration_report, error_report
from bertsmith.evaluation.head import Answered, LabelledFile, answers, measured_head
from bertsmith.evaluation.language_model import FrozenEvaluation, LanguageModelFigures
from bertsmith.evaluation.options import EvaluateOptions
from bertsmith.evaluation.protocol import SAID, part_of
from bertsmith.evaluation.pseudo_perplexity import pseudo_perplexity
from bertsmith.evaluation.sentence_vectors import SENTENCES, sentence_vectors
from bertsmith.evaluation.sentences import random_sentences
from bertsmith.evaluation.text import frozen_text, part_of_text
from bertsmith.models.loading import LoadedBert, check_model, load_bert, load_config, on_device
from bertsmith.models.model_tokenizer import load_model_tokenizer
from bertsmith.models.run_record import run_record
from bertsmith.objectives.audit import audit_pairs
from bertsmith.objectives.masks import Vocabulary
from bertsmith.objectives.pairs import OTHER_DOCUMENT, joined, plan_epoch
from bertsmith.reporting.errors import Measured, evaluation_page
from bertsmith.reporting.language_model_report import language_model_report
from bertsmith.reporting.numbers import Cell
from bertsmith.runtime.console import progress, say
from bertsmith.runtime.files import sha256_of, write_text
from bertsmith.runtime.machine import choose_device, choose_precision, prepare_process, versions
from bertsmith.tasks.base import task_class
from bertsmith.tasks.files.columns import column_values
from bertsmith.tasks.files.labelled_file import Columns
from bertsmith.tasks.files.records import is_data_set
from bertsmith.tasks.files.reference import Reference
from bertsmith.tasks.model_config import task_of
from bertsmith.tokenization.folder import load_tokenizer

DEFAULT_LENGTH = 128
OF_LANGUAGE_MODELS = ("details", "pseudo_perplexity", "max_sentences", "sequence_length", "seed")
OF_HEADS = (
    "slice", "label_column", "pair_column", "choice_columns", "labels_from", "no_header", "format", "skip_broken_rows",
    "labels_are", "label_names", "problem_type", "max_length",
)  # fmt: skip
"""Options that only the one kind of MODEL has a use for."""


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


@dataclass(frozen=True)
class LanguageModelResult(LanguageModelFigures):
    """The figures of a language model, and what else was asked for.

    With `details`: `breakdown` (evaluation/breakdown.py), `next_sentence_length_only` (the `length_only` of
    objectives/audit.py; left out without a STORE, as it is learnt from training pairs) and `sentence_vectors`
    (evaluation/sentence_vectors.py). With `pseudo_perplexity`: evaluation/pseudo_perplexity.py. `report` is the page.
    """

    left_out_if_none: ClassVar[tuple[str, ...]] = (
        "pseudo_perplexity",
        "breakdown",
        "next_sentence_length_only",
        "sentence_vectors",
        "report",
    )
    pseudo_perplexity: dict[str, Any] | None = None
    breakdown: dict[str, Any] | None = None
    next_sentence_length_only: dict[str, float] | None = None
    sentence_vectors: dict[str, Any] | None = None
    report: Path | None = None


@verb(EvaluateOptions)
def evaluate(options: EvaluateOptions) -> LanguageModelResult | HeadFigures:
    """Evaluate a language model on frozen masks, or a head on a labelled file.

    What is measured follows from the MODEL: with a head of one of the tasks it is the head.
    """
    check_model(options.model)
    config = load_config(options.model)
    task = task_of(config)
    if task is not None:
        for name in given(options, OF_LANGUAGE_MODELS):
            raise OptionError(f"--{name}: belongs to a language model; {options.model} is a {task} model")
        return _evaluate_head(options, task, task_class(task).reference_of_model(config, options.model))
    if options.predictions is not None:
        raise OptionError("--predictions: a language model makes none; it belongs to a head on a labelled file")
    for name in given(options, OF_HEADS):
        raise OptionError(f"--{name}: belongs to a head on a labelled file, and {options.model} has none")
    if not options.pseudo_perplexity and given(options, ("max_sentences",)):
        raise OptionError("--max-sentences: belongs to --pseudo-perplexity, which is missing")
    return _evaluate_language_model(options)


def given(options: EvaluateOptions, names: Sequence[str]) -> list[str]:
    """Those of some options that are not as by default, by their names on the command line."""
    fields = type(options).model_fields
    return [external_name(name) for name in names if getattr(options, name) != fields[name].default]


def _evaluate_head(options: EvaluateOptions, task: str, like: Reference | None) -> HeadFigures:
    if options.predictions is not None and options.predictions.is_dir():
        raise OptionError(f"--predictions {options.predictions}: is a folder, expected the name of a file to write")
    if options.predictions is not None and options.predictions.resolve() == Path(options.data).resolve():
        raise OptionError(f"--predictions {options.predictions}: is DATA itself; expected the name of another file")
    if options.report is not None:
        _check_page(options.report)
    head = measured_head(task, load_config(options.model), options, options.model)
    file = LabelledFile.read(head, options.data, options, like)
    column = options.slice
    values = {}
    if column is not None:
        values[column] = column_values(task_class(task), Path(file.name), Columns.of(options), column)
    found = answers(options.model, task, file, options)
    head = found.head
    if options.predictions is not None:
        lines = head.predictions(file.examples, found.outputs)
        write_text(options.predictions, "".join(f"{line}\n" for line in lines))
    metrics = {name: interval.to_dict() for name, interval in head.score(found.outputs, found.targets).items()}
    calibrated = calibration_report(head, found.outputs, found.targets) if head.has_probabilities else None
    errors = error_report(found, values) if options.report is not None or values else {}
    if options.report is not None:
        page = evaluation_page(options.model, options.data, metrics, errors, _measured(options, file, found))
        write_text(options.report, page)
    return HeadFigures(
        metrics,
        len(file.examples),
        found.truncated_tokens,
        found.inputs.windowed,
        None if calibrated is None else calibration_figures(calibrated),
        errors["slices"][-1] if values else None,
        options.report,
    )


def _measured(options: EvaluateOptions, file: LabelledFile, found: Answered) -> Measured:
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
    return Measured(facts, options.command_line("evaluate"), *SAID[part_of(options.model, file.name, sha256)])


def _evaluate_language_model(options: EvaluateOptions) -> LanguageModelResult:
    if options.report is not None:
        _check_page(options.report)
    prepare_process()
    device = choose_device().value
    precision = choose_precision(options.precision, device).value
    loaded = load_bert(options.model)
    on_device(loaded.model, device)
    tokenizer = load_model_tokenizer(options.model)
    record = run_record(Path(options.model))
    length = options.sequence_length or record.get("options", {}).get("sequence_length") or DEFAULT_LENGTH
    positions = loaded.model.config.max_position_embeddings
    if length > positions:
        raise OptionError(f"--sequence-length {length}: the model has {positions} positions")
    objective = _objective(options.model, loaded, record)
    if options.pseudo_perplexity and objective == "nsp":
        raise ModelError(
            f"{options.model}: has no trained MLM head, which --pseudo-perplexity measures; "
            f"bertsmith pretrain STORE --from {options.model} --objective mlm trains one"
        )
    with tempfile.TemporaryDirectory(prefix="bertsmith-") as aside:
        store = _store(options, tokenizer)
        counts: npt.NDArray[np.int64] | None
        if store is not None:
            part, counts = store.part(HELD_OUT), store.unigram_counts()
        else:
            reading = ReadingOptions(
                text_column=options.text_column, encoding=options.encoding, separator=options.separator
            )
            part = part_of_text(options.data, reading, tokenizer, Path(aside))
            counts = np.asarray(record["unigram_counts"]) if "unigram_counts" in record else None
        vocabulary = Vocabulary.of(tokenizer)
        evaluation = frozen_text(
            part,
            vocabulary,
            objective=objective,
            sequence_length=length,
            batch_size=options.batch_size,
            negatives=record.get("options", {}).get("negatives", OTHER_DOCUMENT),
            seed=options.seed,
            unigram_counts=counts,
        )
        looks = options.details or options.report is not None
        breakdown = Breakdown(evaluation, tokenizer, counts) if looks and objective != "nsp" else None
        with progress("evaluating", unit="examples") as bar:
            figures = evaluation(loaded.model, precision=precision, bar=bar, observe=breakdown)
        result = LanguageModelResult(**asdict(figures))
        settings: dict[str, Any] = {"max_length": length, "precision": precision}
        if options.pseudo_perplexity:
            sample = random_sentences(part, options.max_sentences, purpose="pseudo-perplexity", seed=options.seed)
            with progress("masking every token alone", unit="sentences") as bar:
                measured = pseudo_perplexity(loaded.model, vocabulary, sample, bar=bar, **settings)
            if measured is None:
                say("no token can be predicted (all of them are unknown), so there is no pseudo-perplexity")
            result = replace(result, pseudo_perplexity=measured.to_dict() if measured is not None else None)
        if not looks:
            return result
        sample = random_sentences(part, SENTENCES, purpose="sentence vectors", seed=options.seed)
        with progress("comparing sentence vectors", unit="sentences") as bar:
            vectors = sentence_vectors(loaded.model, vocabulary, sample, bar=bar, **settings)
        audit = _audit(evaluation, store, record.get("options", {}).get("seed", 0))
        detailed = replace(
            result,
            breakdown=breakdown.to_dict() if breakdown is not None else None,
            next_sentence_length_only=audit["length_only"] if audit is not None else None,
            sentence_vectors=vectors,
        )
        if options.report is not None:
            page = language_model_report(options.model, options.data, detailed.to_dict(), audit, options.to_dict())
            write_text(options.report, page)
        return replace(detailed if options.details else result, report=options.report)


def _store(options: EvaluateOptions, tokenizer: Any) -> TokenStore | None:
    """The STORE that is measured on; None where it is a text. Raises ModelError where its tokenizer is another."""
    if not is_store(Path(options.data)):
        return None
    if options.separator is not None:
        raise OptionError(f"--separator: {options.data} is a STORE, which is no table; leave it out")
    store = TokenStore(options.data)
    if load_tokenizer(str(store.tokenizer_folder)).get_vocab() != tokenizer.get_vocab():
        raise ModelError(
            f"{options.data} was prepared with another tokenizer than that of {options.model}; evaluate on "
            f"text, or prepare it again with --tokenizer {options.model}"
        )
    return store


def _audit(evaluation: FrozenEvaluation, store: TokenStore | None, seed: int) -> dict[str, Any] | None:
    """The audit of the pairs that are judged; None where none are. `seed` is that of the training pairs."""
    if evaluation.objective == "mlm":
        return None
    plan = evaluation.plan
    train = joined([])
    if store is None:
        say("what lengths alone tell of next sentences is learnt from the training pairs of a STORE; a text has none")
    else:
        train = plan_epoch(
            store.part(TRAIN), plan.objective, plan.sequence_length, negatives=plan.negatives, seed=seed, epoch=0
        )
    return audit_pairs(train, plan.first, swap=evaluation.objective == "mlm+sop")


def _check_page(report: Path) -> None:
    """Raises OptionError where no page can be written, before anything is measured."""
    if report.is_dir() or report.suffix.lower() != ".html":
        what = "is a folder, " if report.is_dir() else ""
        raise OptionError(f"--report {report}: {what}expected the name of an .html file to write")
    if not report.parent.is_dir():
        raise OptionError(
            f"--report {report}: there is no folder {report.parent}; make it first: mkdir -p {report.parent}"
        )


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
