"""evaluate: a language model on a STORE or a text, a head on a labelled file."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bertsmith.config.evaluate import EvaluateOptions
from bertsmith.config.verb import Result, verb
from bertsmith.corpus.reading import ReadingOptions
from bertsmith.corpus.store import HELD_OUT, TokenStore, is_store
from bertsmith.errors import ModelError, OptionError
from bertsmith.evaluation.language_model import LanguageModelFigures
from bertsmith.evaluation.text import frozen_text, part_of_text
from bertsmith.inference.predictor import Predictor
from bertsmith.models.loading import LoadedBert, check_model, load_bert, load_config, on_device
from bertsmith.objectives.masks import Vocabulary
from bertsmith.objectives.pairs import OTHER_DOCUMENT
from bertsmith.runtime.console import progress
from bertsmith.runtime.files import read_json, write_text
from bertsmith.runtime.machine import choose_device, choose_precision, prepare_process
from bertsmith.tasks import sequence_classification as head
from bertsmith.tasks.labelled_file import Columns, read_rows
from bertsmith.tokenization.folder import load_tokenizer
from bertsmith.verbs.finetune import encode_rows

DEFAULT_LENGTH = 128


@dataclass(frozen=True)
class HeadFigures(Result):
    """The metrics of a head on a labelled file, each with a bootstrap interval over the examples."""

    metrics: dict[str, dict[str, float]]
    num_examples: int
    truncated_tokens: int


@verb(EvaluateOptions)
def evaluate(options: EvaluateOptions) -> LanguageModelFigures | HeadFigures:
    """Evaluate a language model on frozen masks, or a head on a labelled file.

    What is measured follows from the MODEL: with a classification head it is the head.
    """
    check_model(options.model)
    architectures = load_config(options.model).architectures or []
    if any(name.endswith("ForSequenceClassification") for name in architectures):
        return _evaluate_head(options)
    if options.predictions is not None:
        raise OptionError("--predictions: a language model makes none; it belongs to a head on a labelled file")
    return _evaluate_language_model(options)


def _evaluate_head(options: EvaluateOptions) -> HeadFigures:
    columns = Columns.of(options)
    rows = read_rows(Path(options.data), columns)
    predictor = Predictor(options.model, precision=options.precision)
    problem_type = options.problem_type or predictor.problem_type
    if (problem_type == head.REGRESSION) != (predictor.config.num_labels == 1):
        raise OptionError(f"--problem-type {problem_type}: {options.model} has {predictor.config.num_labels} outputs")
    id2label = predictor.config.id2label
    labels = [] if problem_type == head.REGRESSION else [id2label[number] for number in range(len(id2label))]
    gold = head.targets(rows, labels, options.data)
    encoded = encode_rows(predictor.tokenizer, rows, min(options.max_length, predictor.max_length))
    with progress("evaluating", unit="texts") as bar:
        logits = predictor.classification_logits(encoded, options.batch_size * options.max_length, bar)
    if options.predictions is not None:
        answers = head.decode(logits, id2label, problem_type)
        lines = [
            json.dumps({"text": row.text, "gold": row.label, **answer}, ensure_ascii=False)
            for row, answer in zip(rows, answers, strict=True)
        ]
        write_text(options.predictions, "".join(f"{line}\n" for line in lines))
    metrics = head.score(logits, gold, problem_type)
    return HeadFigures(
        {name: interval.to_dict() for name, interval in metrics.items()}, len(rows), sum(encoded.truncated_tokens)
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
