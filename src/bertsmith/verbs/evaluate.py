"""evaluate: a language model on a STORE or a text, a head on a labelled file."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from bertsmith.config.evaluate import EvaluateOptions
from bertsmith.config.verb import Result, verb
from bertsmith.corpus.reading import ReadingOptions
from bertsmith.corpus.store import HELD_OUT, TokenStore, is_store
from bertsmith.errors import ModelError, OptionError
from bertsmith.evaluation.head import LabelledFile, answers
from bertsmith.evaluation.language_model import LanguageModelFigures
from bertsmith.evaluation.text import frozen_text, part_of_text
from bertsmith.models.loading import LoadedBert, check_model, load_bert, load_config, on_device
from bertsmith.objectives.masks import Vocabulary
from bertsmith.objectives.pairs import OTHER_DOCUMENT
from bertsmith.runtime.console import progress
from bertsmith.runtime.files import read_json, write_text
from bertsmith.runtime.machine import choose_device, choose_precision, prepare_process
from bertsmith.tasks.head import task_of
from bertsmith.tokenization.folder import load_tokenizer

DEFAULT_LENGTH = 128


@dataclass(frozen=True)
class HeadFigures(Result):
    """The metrics of a head on a labelled file, each with a bootstrap interval over the examples.

    `windowed_examples` counts those that are longer than `max_length` and read in windows, for the heads that do so.
    """

    left_out_if_none: ClassVar[tuple[str, ...]] = ("windowed_examples",)
    metrics: dict[str, dict[str, float]]
    num_examples: int
    truncated_tokens: int
    windowed_examples: int | None = None


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
    return _evaluate_language_model(options)


def _evaluate_head(options: EvaluateOptions, task: str) -> HeadFigures:
    if options.predictions is not None and options.predictions.is_dir():
        raise OptionError(f"--predictions {options.predictions}: is a folder, expected the name of a file to write")
    file = LabelledFile.read(task, options.data, options)
    found = answers(options.model, task, file, options)
    if options.predictions is not None:
        lines = found.head.predictions(file.examples, found.outputs)
        write_text(options.predictions, "".join(f"{line}\n" for line in lines))
    metrics = {name: interval.to_dict() for name, interval in found.head.score(found.outputs, found.targets).items()}
    return HeadFigures(metrics, len(file.examples), found.truncated_tokens, found.windowed)


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
