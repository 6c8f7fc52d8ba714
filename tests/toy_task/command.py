"""The verb of shouting."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bertsmith.tasks.files.labelled_file import Row
from toy_task.task import Shouting


# To be adapted once verbs of tasks are declarations: then this is a COMMAND, and `bertsmith shout MODEL TEXT` runs it.
def shout(predictor: Any, texts: Sequence[str]) -> list[dict[str, Any]]:
    task = Shouting.for_model(predictor.config, None, predictor.name)
    length = predictor.row_length(Shouting, None)
    inputs = task.encode(predictor.tokenizer, [Row(text, None, "") for text in texts], length)
    labels = task.answers(predictor.head_outputs(task, inputs))
    return [{"text": text, "label": label} for text, label in zip(texts, labels, strict=True)]
