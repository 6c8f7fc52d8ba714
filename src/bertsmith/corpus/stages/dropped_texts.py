"""The dropped texts of a shard with their reasons, for people to read: `STORE/dropped`, with --keep-dropped."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bertsmith.corpus.cleaning import DroppedText
from bertsmith.corpus.decisions import Decision, to_json_lines
from bertsmith.corpus.deduplication import DUPLICATE_PARAGRAPHS
from bertsmith.corpus.shards import Shard
from bertsmith.corpus.work_folder import CLEAN, STORE, stage_file
from bertsmith.runtime.files import write_text

WITHOUT_TOKENS = "no tokens"
"""The reason for dropping a document whose characters the tokenizer ignores (such as zero-width spaces)."""


def write_dropped(
    folder: Path, number: int, shard: Shard, *, decision: Decision, without_tokens: npt.NDArray[Any]
) -> None:
    """Write one line per dropped document and paragraph of a shard."""
    rows = []
    for document in [*np.flatnonzero(decision.documents).tolist(), *without_tokens.tolist()]:
        sentences = shard.texts(*shard.document_sentences[document : document + 2].tolist())
        dropped = DroppedText(decision.reason(document) or WITHOUT_TOKENS, " ".join(sentences), None)
        rows.append({"id": shard.ids[document], **asdict(dropped)})
    for document, paragraph in decision.paragraphs.tolist():
        if not decision.documents[document]:
            sentences = shard.texts(*shard.sentence_offsets[paragraph : paragraph + 2].tolist())
            index = paragraph - int(shard.paragraph_offsets[document])
            rows.append(
                {"id": shard.ids[document], **asdict(DroppedText(DUPLICATE_PARAGRAPHS, " ".join(sentences), index))}
            )
    cleaned = stage_file(folder, CLEAN, number, suffix=".dropped.jsonl").read_text(encoding="utf-8")
    write_text(folder / STORE / "dropped" / f"{number:05d}.jsonl", cleaned + to_json_lines(rows))
