"""Only `head.py` and `losses.py` of the tasks need torch: an exported model reads, answers and is scored without it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bertsmith.tasks.registry import trainable_tasks

IMPORTS = """
import importlib, pkgutil, sys
for name in ("torch", "transformers"):
    sys.modules[name] = None  # importing it raises ImportError
import bertsmith.tasks
found = [it.name for it in pkgutil.walk_packages(bertsmith.tasks.__path__, "bertsmith.tasks.")]
needs_torch = []
for name in found:
    try:
        importlib.import_module(name)
    except ModuleNotFoundError:
        needs_torch.append(name)
print(len(found) > 40, sorted(name for name in needs_torch if name.rpartition(".")[2] not in ("head", "losses")))
"""

ANSWERS = """
import json, sys
from pathlib import Path
from types import SimpleNamespace
for name in ("torch", "transformers"):
    sys.modules[name] = None
import numpy as np
from tokenizers import Tokenizer, normalizers, pre_tokenizers
from tokenizers.models import WordPiece
from tokenizers.processors import TemplateProcessing
from bertsmith.tasks.base import task_class
from bertsmith.tasks.files.labelled_file import Columns


class Encodings(dict):
    def __init__(self, encodings, single):
        columns = {"input_ids": "ids", "token_type_ids": "type_ids", "offset_mapping": "offsets"}
        values = {name: [getattr(each, field) for each in encodings] for name, field in columns.items()}
        super().__init__({name: found[0] if single else found for name, found in values.items()})
        self.encodings = encodings

    def word_ids(self, number):
        return self.encodings[number].word_ids

    def sequence_ids(self, number):
        return self.encodings[number].sequence_ids


class StandIn:
    "A fast tokenizer of transformers, as far as encoding needs it, on the library tokenizers alone."
    pad_token_id, unk_token_id, cls_token_id, sep_token_id = range(4)

    def __init__(self):
        vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *"abcdefghijklmnopqrstuvwxyz"]
        vocabulary += [f"##{letter}" for letter in vocabulary[4:]]
        numbers = {token: number for number, token in enumerate(vocabulary)}
        self.backend_tokenizer = backend = Tokenizer(WordPiece(numbers, unk_token="[UNK]"))
        backend.normalizer, backend.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
        special = [("[CLS]", 2), ("[SEP]", 3)]
        backend.post_processor = TemplateProcessing("[CLS] $A [SEP]", "[CLS] $A [SEP] $B:1 [SEP]:1", special)
        self.deprecation_warnings, self.name_or_path = {}, "a stand-in"

    def __call__(self, texts, pairs=None, *, add_special_tokens=True, truncation=None, max_length=0, **options):
        single = isinstance(texts, str)
        inputs = [texts] if single else list(texts)
        if pairs is not None:
            inputs = list(zip(inputs, [pairs] if single else pairs))
        if truncation is not None:
            self.backend_tokenizer.enable_truncation(max_length, strategy=truncation)
        split = options.get("is_split_into_words", False)
        special = add_special_tokens
        found = self.backend_tokenizer.encode_batch(inputs, is_pretokenized=split, add_special_tokens=special)
        return Encodings(found, single)


name, file, draw = sys.argv[1], Path(sys.argv[2]), np.random.default_rng(0)
found = task_class(name)
examples = found.read(file, Columns())
asked = SimpleNamespace(problem_type="single_label_classification", labels_are=None, model_fields_set=set())
task = found.for_training(examples, asked)
targets = task.targets(examples, str(file))
inputs = task.encode(StandIn(), examples, 24)
kept = []
for row in range(len(inputs.lengths)):
    batch = task.batch(inputs, [row], 0, with_types=True)
    targets_of_row = task.row_targets(inputs, targets, [row])
    assert len(targets_of_row) == 1 and batch["input_ids"].dtype == np.int64
    shape = batch["input_ids"].shape
    size = {"question-answering": shape, "multiple-choice": shape[:2]}.get(name)
    size = size or (*shape[: 1 + (name == "token-classification")], len(task.labels))
    names = ("start_logits", "end_logits") if name == "question-answering" else ("logits",)
    outputs = {each: draw.normal(size=size).astype(np.float32) for each in names}
    kept.extend(task.keep(outputs, inputs, [row]))
outputs = task.join(kept, inputs)
figures = {each: interval.to_dict() for each, interval in task.score(outputs, targets).items()}
judged = list(task.judged(examples, outputs, targets))
lines = list(task.predictions(examples, outputs))
settled = task.settled(outputs, targets)
if task.has_probabilities:
    assert task.decisions(outputs, targets).logits.shape[0] > 0
print(json.dumps({"figures": figures, "judged": len(judged), "lines": len(lines), "examples": len(examples)}))
"""


def run(script: str, *arguments: object) -> str:
    done = subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_only_heads_and_losses_import_torch() -> None:
    assert run(IMPORTS) == "True []\n"


def sample(task: str) -> list[dict[str, Any]]:
    """Ten examples, some longer than a row."""
    lines = []
    for number in range(10):
        words = [("bread", "horse")[number % 2], *["near", "the", "river"] * (1 + number % 3)]
        text, kind = " ".join(words), ("food", "animal")[number % 2]
        lines.append(
            {
                "sequence-classification": {"text": text, "label": kind},
                "token-classification": {"tokens": words, "tags": [f"B-{kind}", *["O"] * (len(words) - 1)]},
                "question-answering": {
                    "question": "what",
                    "context": text,
                    "answers": [{"text": words[0], "start": 0}],
                },
                "multiple-choice": {"prompt": text, "choices": ["bread", "horse"], "label": number % 2},
            }[task]
        )
    return lines


@pytest.mark.parametrize("task", trainable_tasks())
def test_every_task_reads_encodes_answers_and_is_scored(task: str, tmp_path: Path) -> None:
    file = tmp_path / "sample.jsonl"
    file.write_text("".join(f"{json.dumps(line)}\n" for line in sample(task)))
    found = json.loads(run(ANSWERS, task, file))
    assert found["judged"] == found["examples"] == 10 and found["lines"] >= 10
    assert found["figures"] and all(0 <= figure["value"] <= 100 for figure in found["figures"].values() if figure)
