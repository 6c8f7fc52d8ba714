"""A general text beside the STORE of a run: measured before, during and after, it shows what the run forgets."""

from __future__ import annotations

import hashlib
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bertsmith.config.pretrain import PretrainOptions
from bertsmith.corpus.reading import ReadingOptions
from bertsmith.corpus.splitting import MIN_TOKENS
from bertsmith.corpus.store import TokenPart
from bertsmith.errors import DataError, OptionError
from bertsmith.evaluation.text import frozen_text, part_of_text
from bertsmith.objectives.masks import Vocabulary


@dataclass(frozen=True)
class GeneralText:
    """The text as ids, and what it can be measured by: without pairs where it is too short for them."""

    source: str
    part: TokenPart
    objective: str

    def record(self) -> dict[str, Any]:
        """What run.json says of it."""
        tokens = self.part.num_tokens
        digest = hashlib.sha256(self.part.tokens(0, tokens).tobytes()).hexdigest()
        return {"source": self.source, "tokens": tokens, "objective": self.objective, "checksum": digest}


def read_general_text(options: PretrainOptions, tokenizer: Any, record: dict[str, Any]) -> GeneralText | None:
    """The text of `--general-text`, if there is one; each process of a run encodes it for itself.

    Raises DataError where it is missing, empty or too short, OptionError where the run that goes on (`record`) was
    started with another text.
    """
    source = options.general_text
    if source is None:
        return None
    try:
        with tempfile.TemporaryDirectory(prefix="bertsmith-") as aside:
            part = part_of_text(source, ReadingOptions(), tokenizer, Path(aside))  # it stays mapped
        if part.num_tokens < MIN_TOKENS:
            raise DataError(
                f"{source} has {part.num_tokens:,} tokens, expected at least {MIN_TOKENS:,}: a loss on fewer says "
                "nothing. Give more text"
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
    if record and record["general_text"]["checksum"] != text.record()["checksum"]:
        raise OptionError(
            f"--general-text {source}: holds another text than when {options.out} was started; give that one back, or "
            "another --out to start anew"
        )
    return text
