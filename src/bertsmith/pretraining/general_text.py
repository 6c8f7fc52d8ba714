"""A general text in addition to the STORE of a run: measured before, during and after, it shows forgetting."""

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
from bertsmith.corpus.store import TokenPart
from bertsmith.errors import DataError, OptionError
from bertsmith.evaluation.text import frozen_text, part_of_text
from bertsmith.objectives.masks import Vocabulary
from bertsmith.records.pretraining import MeasuredText, PretrainingRecord
from bertsmith.runtime.console import log_info, warn


@dataclass(frozen=True)
class GeneralText:
    """The text as ids, and what it can be measured by: without pairs where it is too short for them."""

    source: str
    part: TokenPart
    objective: str

    def record(self) -> MeasuredText:
        """Its part of run.json."""
        tokens = self.part.num_tokens
        digest = hashlib.sha256(self.part.tokens(0, tokens).tobytes()).hexdigest()
        return MeasuredText(source=self.source, tokens=tokens, objective=self.objective, checksum=digest)


def read_general_text(
    options: PretrainOptions, tokenizer: Any, started: PretrainingRecord | None
) -> GeneralText | None:
    """The text of `--general-text`, if there is one; each process of a run encodes it for itself.

    A text file of any ending will do. Raises DataError where it is missing or empty, OptionError if the resumed
    run was `started` with a different text.
    """
    source = options.general_text
    if source is None:
        return None
    try:
        with tempfile.TemporaryDirectory(prefix="bertsmith-") as aside:
            part = part_of_text(source, _reading(source), tokenizer, aside=Path(aside))  # it stays mapped
        if part.num_tokens < MIN_TOKENS:
            warn(
                f"--general-text: {source} has {part.num_tokens:,} tokens; a loss on fewer than {MIN_TOKENS:,} is "
                "mostly chance. Give more text"
            )
        frozen = frozen_text(
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
            f"--general-text {source}: holds another text than when {options.out} was started; give that one back, or "
            "another --out to start anew"
        )
    return text


def _reading(source: str) -> ReadingOptions:
    """How the files are read: as UTF-8; in UTF-16 or Windows-1252, printed, if the first of them is not UTF-8."""
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
    log_info(f"--general-text: {first.path} is not UTF-8 and is read as {encoding}")
    return ReadingOptions(encoding=encoding, encoding_errors="replace")
