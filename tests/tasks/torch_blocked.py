"""A process without torch and transformers, in which the tasks are imported, trained for, used and scored.

    python torch_blocked.py imports             the modules of the tasks that cannot be imported
    python torch_blocked.py cards               the sentences of cards
    python torch_blocked.py head TASK PROBLEM_TYPE FILE...   a labelled file in each of its forms: figures and scores
    python torch_blocked.py verb TASK FOLDER    the verb of a task, by its command, on a runner with random outputs

Each prints one JSON object.
"""

from __future__ import annotations

import importlib
import json
import pkgutil
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

for blocked in ("torch", "transformers"):
    sys.modules[blocked] = None  # type: ignore[assignment]  # importing it raises ModuleNotFoundError

import numpy as np  # noqa: E402
from tokenizers import Tokenizer, normalizers, pre_tokenizers  # noqa: E402
from tokenizers.models import WordPiece  # noqa: E402
from tokenizers.processors import TemplateProcessing  # noqa: E402

import bertsmith.tasks  # noqa: E402
from bertsmith.records.finetuning import FinetuningRecord  # noqa: E402
from bertsmith.tasks.base import AnyTask, task_class  # noqa: E402
from bertsmith.tasks.batching import by_length  # noqa: E402
from bertsmith.tasks.encoded_texts import padded  # noqa: E402
from bertsmith.tasks.files.labelled_file import Columns  # noqa: E402
from bertsmith.tasks.registry import TASKS, trainable_tasks  # noqa: E402
from bertsmith.tasks.score_options import ScoreOptions, scoring_of  # noqa: E402

MAX_LENGTH, HIDDEN = 24, 5
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


class Encodings(dict[str, Any]):
    """A BatchEncoding of transformers."""

    def __init__(self, encodings: Sequence[Any], *, single: bool) -> None:
        columns = {"input_ids": "ids", "token_type_ids": "type_ids", "offset_mapping": "offsets"}
        values = {name: [getattr(each, field) for each in encodings] for name, field in columns.items()}
        super().__init__({name: found[0] if single else found for name, found in values.items()})
        self.encodings = encodings

    def word_ids(self, number: int) -> list[int | None]:
        found: list[int | None] = self.encodings[number].word_ids
        return found

    def sequence_ids(self, number: int) -> list[int | None]:
        found: list[int | None] = self.encodings[number].sequence_ids
        return found


class StandIn:
    """A fast tokenizer of transformers, as far as the tasks need it, on the library tokenizers alone."""

    pad_token_id, unk_token_id, cls_token_id, sep_token_id, mask_token_id = range(5)
    mask_token, name_or_path = "[MASK]", "a stand-in"

    def __init__(self) -> None:
        letters = [chr(code) for code in range(ord("a"), ord("z") + 1)]
        vocabulary = [*SPECIAL, *letters, *(f"##{letter}" for letter in letters)]
        numbers = {token: number for number, token in enumerate(vocabulary)}
        self.backend_tokenizer = backend = Tokenizer(WordPiece(numbers, unk_token="[UNK]"))
        backend.add_special_tokens(list(SPECIAL))
        backend.normalizer, backend.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
        special = [("[CLS]", self.cls_token_id), ("[SEP]", self.sep_token_id)]
        backend.post_processor = TemplateProcessing("[CLS] $A [SEP]", "[CLS] $A [SEP] $B:1 [SEP]:1", special)
        self.deprecation_warnings: dict[str, bool] = {}

    def __len__(self) -> int:
        return int(self.backend_tokenizer.get_vocab_size())

    def __call__(
        self,
        texts: Any,
        pairs: Any = None,
        *,
        add_special_tokens: bool = True,
        truncation: str | None = None,
        max_length: int = 0,
        is_split_into_words: bool = False,
        **_: Any,
    ) -> Encodings:
        single = isinstance(texts, str)
        inputs = [texts] if single else list(texts)
        if pairs is not None:
            inputs = list(zip(inputs, [pairs] if single else pairs, strict=True))
        if truncation is not None:
            self.backend_tokenizer.enable_truncation(max_length, strategy=truncation)
        found = self.backend_tokenizer.encode_batch(
            inputs, is_pretokenized=is_split_into_words, add_special_tokens=add_special_tokens
        )
        return Encodings(found, single=single)

    def decode(self, ids: Sequence[int]) -> str:
        return str(self.backend_tokenizer.decode(list(ids), skip_special_tokens=False))

    def convert_ids_to_tokens(self, number: int) -> str:
        return str(self.backend_tokenizer.id_to_token(number))


class FakeRunner:
    """A MODEL whose outputs are random."""

    max_length = MAX_LENGTH

    def __init__(self, name: str, config: Any) -> None:
        self.name, self.config, self.tokenizer = name, config, StandIn()
        self.config.vocab_size = len(self.tokenizer)
        self.draw, self.made = np.random.default_rng(0), dict[str, Any]()

    def task(self, name: str) -> AnyTask:
        return task_class(name).for_model(self.config, None, self.name)

    def row_length(self, task: str, asked: int | None) -> int:
        return asked or self.max_length

    def outputs_of(self, head: AnyTask, batch: dict[str, Any]) -> dict[str, Any]:
        """The outputs of stock's model for the task: float32."""
        shape = batch["input_ids"].shape
        spans = head.pipeline_tag == "question-answering"
        sizes = {
            "question-answering": shape,
            "multiple-choice": shape[:2],
            "token-classification": (*shape, len(head.labels)),
            "text-classification": (len(batch["input_ids"]), max(len(head.labels), 1)),
        }
        size, names = sizes[head.pipeline_tag], ("start_logits", "end_logits") if spans else ("logits",)
        return {name: self.draw.normal(size=size).astype(np.float32) for name in names}

    def kept(self, head: AnyTask, keep: Callable[..., Any], inputs: Any) -> list[Any]:
        found: list[Any] = [None] * len(inputs.lengths)
        for rows in by_length(inputs.lengths, 4 * MAX_LENGTH):
            batch = head.batch(inputs, rows, self.tokenizer.pad_token_id, with_types=True)
            assert all(values.dtype == np.int64 for values in batch.values()), head
            for row, item in zip(rows, keep(self.outputs_of(head, batch), inputs, rows), strict=True):
                found[row] = item
        return found

    def head_outputs(self, head: AnyTask, inputs: Any) -> Any:
        return head.join(self.kept(head, head.keep, inputs), inputs)

    def forward(self, task: str) -> Callable[..., Iterator[tuple[list[int], Any]]]:
        """Rows of each batch: of masks over the vocabulary, of pairs over two classes, of texts a vector."""
        width = {"fill-mask": len(self.tokenizer), "next-sentence": 2, "embedding": HIDDEN}[task]

        def outputs(encoded: Any, **settings: Any) -> Iterator[tuple[list[int], Any]]:
            for numbers in by_length(encoded.lengths):
                ids = padded(encoded, numbers, self.tokenizer.pad_token_id, with_types=True)["input_ids"]
                count = int((ids == settings["mask_token_id"]).sum()) if task == "fill-mask" else len(numbers)
                yield numbers, self.draw.normal(size=(count, width)).astype(np.float32)

        return outputs

    def doubts(self, head: str) -> list[str] | None:
        return [f"{head} is random"]

    def once(self, key: str, make: Callable[[], Any]) -> Any:
        if key not in self.made:
            self.made[key] = make()
        return self.made[key]


def imports() -> dict[str, Any]:
    """The modules of the tasks, and those that cannot be imported here."""
    found = [module.name for module in pkgutil.walk_packages(bertsmith.tasks.__path__, "bertsmith.tasks.")]
    lacking = []
    for name in found:
        try:
            importlib.import_module(name)
        except ModuleNotFoundError as error:
            assert (error.name or "").partition(".")[0] in ("torch", "transformers"), name
            lacking.append(name.removeprefix("bertsmith.tasks."))
    return {"modules": len(found), "lacking": sorted(lacking)}


def asked(problem_type: str) -> Any:
    return SimpleNamespace(problem_type=problem_type, labels_are=None, model_fields_set=set())


def head(name: str, problem_type: str, *files: str) -> dict[str, Any]:
    """A labelled file in several forms: all are read alike; the examples are encoded, answered, measured and scored."""
    found = task_class(name)
    paths = [Path(file) for file in files]
    examples, *others = [found.read(path, Columns()) for path in paths]
    columns = found.following(Columns(), examples, paths[0])
    options = asked(problem_type)
    task = found.for_training(examples, options)
    items = [item.texts for item in task.items(examples)]
    assert all([item.texts for item in task.items(other)] == items for other in others), paths
    targets = task.targets(examples, files[0])
    runner = FakeRunner("a model", SimpleNamespace(**task.config_values(), **task.chosen))
    inputs = task.encode(runner.tokenizer, task.trainable_examples(examples), MAX_LENGTH)
    outputs = runner.head_outputs(task, inputs)
    rows = range(len(inputs.lengths))
    assert len(task.row_targets(inputs, targets, rows)) == len(rows)
    taught = task.gather_logits(runner.kept(task, task.logits, inputs), inputs)
    assert task.soft_targets(inputs, lambda number: taught[number].ravel(), rows).dtype == np.float32
    with_tuned_thresholds = task.with_tuned_thresholds(outputs, targets)
    figures = {metric: interval.to_dict() for metric, interval in with_tuned_thresholds.score(outputs, targets).items()}
    labelled_predictions = list(with_tuned_thresholds.labelled_predictions(examples, outputs, targets))
    with_tuned_thresholds.score(*with_tuned_thresholds.some(outputs, targets, np.arange(3)))
    if task.has_probabilities:
        assert task.decisions(outputs, targets).logits.dtype == np.float64
        with_tuned_thresholds = task.calibrated(outputs, targets) or with_tuned_thresholds
    confusion_counts = with_tuned_thresholds.confusion_counts(outputs, targets)
    written = paths[0].with_name("predictions" + (".json" if name == "question-answering" else ".txt"))
    written.write_text(
        "".join(f"{line}\n" for line in with_tuned_thresholds.predictions(examples, outputs)), encoding="utf-8"
    )
    scored = scoring_of(name).score(ScoreOptions.build({"task": name, "gold": paths[0], "predictions": written}))
    if name != "question-answering":
        assert len(task.read_unlabelled(paths[0], columns)) == len(examples)
    return {
        "figures": {metric: figure["value"] for metric, figure in figures.items()},
        "scored": {metric: figure.value for metric, figure in scored.metrics.items()},
        "baseline": with_tuned_thresholds.baseline(targets, targets),
        "judged": len(labelled_predictions),
        "examples": len(examples),
        "rows": len(rows),
        "tally": None if confusion_counts is None else list(confusion_counts.labels),
        "labels": dict(task.label_counts(examples)),
    }


LABELS = {"id2label": {0: "good", 1: "bad", 2: "neither"}, "num_labels": 3, "problem_type": None}
TAGS = {"id2label": {0: "O", 1: "B-ANIMAL", 2: "I-ANIMAL"}, "num_labels": 3}
LONG = "the horse " * 30
VERBS: dict[str, list[tuple[dict[str, Any], dict[str, Any]]]] = {
    "fill-mask": [({}, {"texts": ("a [MASK] and a [MASK]", "", "the [MASK]"), "top_k": 3})],
    "next-sentence": [({}, {"a": "he came", "b": "she went"})],
    "embedding": [({}, {"texts": ("one text", "", LONG)}), ({}, {"texts": ("one text",), "pooling": "cls"})],
    "sequence-classification": [
        (LABELS, {"texts": ("one text", "", LONG)}),
        (LABELS, {"texts": ("one text",), "pair": "a second"}),
        (LABELS | {"problem_type": "multi_label_classification"}, {"texts": ("one text", "")}),
        (LABELS | {"num_labels": 1}, {"texts": ("one text", "")}),
    ],
    "token-classification": [
        (TAGS, {"texts": ("a horse, a river", "", LONG)}),
        (TAGS | {"id2label": {0: "NOUN", 1: "VERB"}, "num_labels": 2}, {"texts": ("a horse runs",)}),
    ],
    "question-answering": [
        ({}, {"question": "who runs", "context": LONG, "top_k": 4}),
        ({"no_answer_threshold": 0.0}, {"question": "who runs", "context": "a horse"}),
    ],
    "multiple-choice": [({}, {"prompt": "the horse", "choice": ("runs", "reads", LONG)})],
}


def verb(name: str, folder: str) -> dict[str, Any]:
    """The results of the verb of a task, as its command line makes them."""
    command = TASKS[name].module("command").COMMAND
    results, shown = [], []
    for config, values in VERBS[name]:
        runner = FakeRunner(folder, SimpleNamespace(model_type="bert", **config))
        options = command.schema.build({"model": folder, **values})
        found = list(command.predict(runner, options, command.read(options, command.name)))
        results.append([result.to_dict() for result in found])
        shown += [command.show(result) for result in found]
    return {"results": results, "shown": shown, "arguments": command.arguments(LABELS)}


def cards() -> dict[str, Any]:
    """The sentences of cards and reports."""
    return {name: TASKS[name].module("card").CARD(record_of(name)).use for name in trainable_tasks()}


def record_of(task: str) -> FinetuningRecord:
    """A RUN of the task with the options by default."""
    return FinetuningRecord.model_validate({"kind": "finetuning", "task": task, "options": {}, "data": {"files": []}})


if __name__ == "__main__":
    what, *arguments = sys.argv[1:]
    answer = {"imports": imports, "head": head, "verb": verb, "cards": cards}[what](*arguments)
    assert not {name.partition(".")[0] for name, module in sys.modules.items() if module} & {"torch", "transformers"}
    print(json.dumps(answer))  # noqa: T201
