"""The text of `--general-text`: measured before, during and after a run, it shows how much the model forgets."""

from __future__ import annotations

import codecs
import hashlib
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bertsmith.config.pretrain import PretrainOptions
from bertsmith.corpus.reading import ReadingOptions, find_files
from bertsmith.corpus.splitting import MIN_TOKENS
from bertsmith.corpus.store import TokenPart, is_store
from bertsmith.errors import DataError, OptionError
from bertsmith.evaluation.held_out_text import fixed_evaluation_text, held_out_text
from bertsmith.objectives.masks import Vocabulary
from bertsmith.records.pretraining import MeasuredText, PretrainingRecord
from bertsmith.runtime.console import log_info, warn


@dataclass(frozen=True)
class GeneralText:
    """The text as ids, and the objective it is measured by: without pairs if it is too short for them."""

    source: str
    part: TokenPart
    objective: str

    def record(self) -> MeasuredText:
        """Return the entry for run.json."""
        tokens = self.part.num_tokens
        digest = hashlib.sha256(self.part.tokens(0, tokens).tobytes()).hexdigest()
        return MeasuredText(source=self.source, tokens=tokens, objective=self.objective, checksum=digest)


def read_general_text(
    options: PretrainOptions, tokenizer: Any, started: PretrainingRecord | None
) -> GeneralText | None:
    """Read and encode the text of `--general-text`, if there is one; each process of a run does so.

    The file name may have any extension. Raises DataError if the text is missing or empty, OptionError if it is a
    STORE, or if the resumed run was `started` with a different text.
    """
    source = options.general_text
    if source is None:
        return None
    if is_store(Path(source)):
        raise OptionError(
            f"--general-text {source}: found a STORE, expected text. Try: the files that it was made from"
        )
    try:
        with tempfile.TemporaryDirectory(prefix="bertsmith-") as folder:
            # The encoded text stays mapped after its folder is removed.
            part = held_out_text(source, _reading_options(source), tokenizer, temporary_folder=Path(folder))
        if part.num_tokens < MIN_TOKENS:
            warn(
                f"--general-text {source}: found {part.num_tokens:,} tokens, expected at least {MIN_TOKENS:,}: with "
                "fewer, the loss is mostly chance. Try: more text"
            )
        frozen = fixed_evaluation_text(
            part,
            Vocabulary.of(tokenizer),
            objective=options.objective,
            sequence_length=options.sequence_length,
            negatives=options.negatives,
            batch_size=1,
        )
    except DataError as error:
        raise DataError(f"--general-text: {error}") from None
    text = GeneralText(source, part, frozen.objective)
    recorded = started.general_text if started is not None else None
    if recorded is not None and recorded.checksum != text.record().checksum:
        raise OptionError(
            f"--general-text {source}: the text has changed since {options.out} was started. Try: restore it, or a "
            "different --out to start a new run"
        )
    return text


def _reading_options(source: str) -> ReadingOptions:
    """Choose the encoding: UTF-8, or UTF-16 or Windows-1252 if the first file is not UTF-8, which is logged."""
    first = next((file for file in find_files((source,), any_ending=True) if file.path.is_file()), None)
    if first is None or first.compression or first.form == ".parquet":
        return ReadingOptions()
    content = first.path.read_bytes()
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encoding = "utf-16"
    else:
        try:
            content.decode("utf-8")
        except UnicodeDecodeError:
            encoding = "cp1252"
        else:
            return ReadingOptions()
    log_info(f"--general-text: {first.path} is not UTF-8; reading it as {encoding}")
    return ReadingOptions(encoding=encoding, encoding_errors="replace")
