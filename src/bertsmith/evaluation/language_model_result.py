"""The result of `evaluate` for a language model on a STORE or a text: figures, details, and the page of both."""

from __future__ import annotations

import tempfile
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from bertsmith.corpus.reading import ReadingOptions
from bertsmith.corpus.store import HELD_OUT, TRAIN, TokenStore, is_store
from bertsmith.errors import ModelError, OptionError
from bertsmith.evaluation.breakdown import Breakdown
from bertsmith.evaluation.language_model import FixedMaskEvaluation
from bertsmith.evaluation.options import EvaluateOptions
from bertsmith.evaluation.page_file import check_page
from bertsmith.evaluation.pseudo_perplexity import pseudo_perplexity
from bertsmith.evaluation.sentence_vectors import SENTENCES, sentence_vectors
from bertsmith.evaluation.sentences import random_sentences
from bertsmith.evaluation.text import frozen_text, part_of_text
from bertsmith.models.loading import LoadedBert, load_bert, on_device
from bertsmith.models.model_tokenizer import load_model_tokenizer
from bertsmith.objectives.audit import audit_pairs
from bertsmith.objectives.masks import Vocabulary
from bertsmith.objectives.pairs import OTHER_DOCUMENT, joined, plan_epoch
from bertsmith.records.any_run import run_of_model
from bertsmith.records.language_model_figures import LanguageModelFigures
from bertsmith.records.pretraining import PairAudit, PretrainingRecord
from bertsmith.reporting.language_model_report import language_model_report
from bertsmith.runtime.console import log_info, progress
from bertsmith.runtime.files import write_text
from bertsmith.runtime.machine import choose_device, choose_precision, prepare_process
from bertsmith.tokenization.folder import load_tokenizer

DEFAULT_LENGTH = 128


@dataclass(frozen=True)
class LanguageModelResult(LanguageModelFigures):
    """The figures of a language model, and what else was asked for.

    With `details`: `breakdown` (evaluation/breakdown.py), `next_sentence_length_only` (the `length_only` of
    objectives/audit.py; left out without a STORE, as it is learnt from training pairs) and `sentence_vectors`
    (evaluation/sentence_vectors.py). With `pseudo_perplexity`: evaluation/pseudo_perplexity.py. `report` is the page.
    """

    omitted_if_none: ClassVar[tuple[str, ...]] = (
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


@dataclass(frozen=True)
class _Model:
    """The MODEL, and how it is measured.

    Attributes:
        trained_with: the options of its training, if it is a RUN.
        unigram_counts: those of its training text, if it is a pre-trained RUN.
        length: tokens per row.
    """

    loaded: LoadedBert
    tokenizer: Any
    trained_with: dict[str, Any]
    unigram_counts: list[int] | None
    objective: str
    length: int
    precision: str


@dataclass(frozen=True)
class _Data:
    """The text that is measured on; `store` is None if it was not prepared."""

    part: Any
    unigram_counts: npt.NDArray[np.int64] | None
    store: TokenStore | None


def evaluate_language_model(options: EvaluateOptions) -> LanguageModelResult:
    """Measure a language model on frozen masks, with the details that the options ask for."""
    if options.report is not None:
        check_page(options.report)
    model = _load(options)
    with tempfile.TemporaryDirectory(prefix="bertsmith-") as aside:
        data, vocabulary = _read(options, model, Path(aside)), Vocabulary.of(model.tokenizer)
        evaluation = frozen_text(
            data.part,
            vocabulary,
            objective=model.objective,
            sequence_length=model.length,
            batch_size=options.batch_size,
            negatives=model.trained_with.get("negatives", OTHER_DOCUMENT),
            seed=options.seed,
            unigram_counts=data.unigram_counts,
        )
        looks = options.details or options.report is not None
        breakdown = None
        if looks and model.objective != "nsp":
            breakdown = Breakdown(evaluation, model.tokenizer, data.unigram_counts)
        with progress("evaluating", unit="examples") as bar:
            figures = evaluation(model.loaded.model, precision=model.precision, bar=bar, observe=breakdown)
        result = LanguageModelResult(**asdict(figures))
        if options.pseudo_perplexity:
            result = replace(result, pseudo_perplexity=_pseudo_perplexity(options, model, data))
        if not looks:
            return result
        vectors = _sentence_vectors(options, model, data)
        audit = _audit(evaluation, data.store, model.trained_with.get("seed", 0))
    lengths = audit.length_only if audit is not None else None
    detailed = replace(
        result,
        breakdown=breakdown.to_dict() if breakdown is not None else None,
        next_sentence_length_only=lengths.to_dict() if lengths is not None else None,
        sentence_vectors=vectors,
    )
    if options.report is not None:
        page = language_model_report(
            options.model,
            options.data,
            figures,
            details=detailed.to_dict(),
            audit=audit,
            options=options.to_dict(),
        )
        write_text(options.report, page)
    return replace(detailed if options.details else result, report=options.report)


def _load(options: EvaluateOptions) -> _Model:
    """Load the MODEL. Raises OptionError or ModelError if it cannot be measured as the options say."""
    prepare_process()
    device = choose_device().value
    precision = choose_precision(options.precision, device).value
    loaded = load_bert(options.model)
    on_device(loaded.model, device)
    record = run_of_model(Path(options.model))
    trained_with = record.options if record is not None else {}
    length = options.sequence_length or trained_with.get("sequence_length") or DEFAULT_LENGTH
    positions = loaded.model.config.max_position_embeddings
    if length > positions:
        raise OptionError(f"--sequence-length {length}: the model has {positions} positions")
    objective = _objective(options.model, loaded, trained_with.get("objective"))
    if options.pseudo_perplexity and objective == "nsp":
        raise ModelError(
            f"{options.model}: has no trained MLM head, which --pseudo-perplexity measures; "
            f"bertsmith pretrain STORE --from {options.model} --objective mlm trains one"
        )
    return _Model(
        loaded,
        load_model_tokenizer(options.model),
        trained_with,
        unigram_counts=record.unigram_counts if isinstance(record, PretrainingRecord) else None,
        objective=objective,
        length=length,
        precision=precision,
    )


def _objective(name: str, loaded: LoadedBert, trained: str | None) -> str:
    """What a MODEL can be measured by: what it was trained with, or what heads it has."""
    if trained is not None:
        return trained
    if loaded.has_mlm_head:
        return "mlm+nsp" if loaded.has_nsp_head else "mlm"
    if loaded.has_nsp_head:
        return "nsp"
    raise ModelError(
        f"{name}: has neither an MLM nor an NSP head, so there is no language model to evaluate; "
        f"bertsmith pretrain STORE --from {name} trains them"
    )


def _read(options: EvaluateOptions, model: _Model, aside: Path) -> _Data:
    """The held-out part of a STORE, or a text, which is read into the folder `aside`."""
    store = _store(options, model.tokenizer)
    if store is not None:
        return _Data(store.part(HELD_OUT), store.unigram_counts(), store)
    reading = ReadingOptions(text_column=options.text_column, encoding=options.encoding, separator=options.separator)
    part = part_of_text(options.data, reading, model.tokenizer, aside=aside)
    counts = None if model.unigram_counts is None else np.asarray(model.unigram_counts)
    return _Data(part, counts, None)


def _store(options: EvaluateOptions, tokenizer: Any) -> TokenStore | None:
    """The STORE that is measured on; None for a text. Raises ModelError if its tokenizer is not that of the MODEL."""
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


def _pseudo_perplexity(options: EvaluateOptions, model: _Model, data: _Data) -> dict[str, Any] | None:
    sample = random_sentences(data.part, options.max_sentences, purpose="pseudo-perplexity", seed=options.seed)
    vocabulary = Vocabulary.of(model.tokenizer)
    with progress("masking every token alone", unit="sentences") as bar:
        measured = pseudo_perplexity(
            model.loaded.model, vocabulary, sample, max_length=model.length, precision=model.precision, bar=bar
        )
    if measured is None:
        log_info("no token can be predicted (all of them are unknown), so there is no pseudo-perplexity")
        return None
    return measured.to_dict()


def _sentence_vectors(options: EvaluateOptions, model: _Model, data: _Data) -> dict[str, Any] | None:
    sample = random_sentences(data.part, SENTENCES, purpose="sentence vectors", seed=options.seed)
    with progress("comparing sentence vectors", unit="sentences") as bar:
        return sentence_vectors(
            model.loaded.model,
            Vocabulary.of(model.tokenizer),
            sample,
            max_length=model.length,
            precision=model.precision,
            bar=bar,
        )


def _audit(evaluation: FixedMaskEvaluation, store: TokenStore | None, seed: int) -> PairAudit | None:
    """The audit of the pairs that are judged, if there are any; `seed` is that of the training pairs."""
    if evaluation.objective == "mlm":
        return None
    plan = evaluation.plan
    train = joined([])
    if store is None:
        log_info(
            "what lengths alone tell of next sentences is learnt from the training pairs of a STORE; a text has none"
        )
    else:
        train = plan_epoch(
            store.part(TRAIN), plan.objective, plan.sequence_length, negatives=plan.negatives, seed=seed, epoch=0
        )
    return audit_pairs(train, plan.first, swap=evaluation.objective == "mlm+sop")
