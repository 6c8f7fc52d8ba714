"""Stock fine-tuning for finetune_quality.py and finetune_speed.py: transformers.Trainer in its own process.

It follows transformers' examples run_glue.py and run_ner.py: AutoModelForSequenceClassification with pairs padded to
`max_length`, or AutoModelForTokenClassification with the label at the first piece of each word and batches padded to
their longest row. Settings that `Stock` does not name are the defaults of TrainingArguments. The process imports
nothing of bertsmith and has the environment of the benchmark's start (contestants.py).
"""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import contestants

Record = dict[str, Any]
Example = dict[str, Any]


@dataclass(frozen=True)
class Stock:
    """Settings of a fine-tuning by stock transformers; the defaults are those of TrainingArguments and run_glue.py.

    Attributes:
        train, dev: JSON lines of texts and labels, or CoNLL columns if the name ends in .conll.
        out: a folder for the Trainer and the record.
        columns: the columns of text, pair (or None) and label in JSON lines.
        regression: whether the labels are numbers.
        max_length: texts are padded and cut to this length; sentences of words are cut to the model's own length.
        allocator: whether glibc keeps freed memory, as bertsmith/runtime/machine.py sets it.
        evaluate: whether the dev file is evaluated after each epoch; the Trainer keeps the last weights either way.
        predict: whether the dev file is predicted at the end of training.
    """

    model: str
    train: str
    dev: str
    out: str
    seed: int
    columns: tuple[str, str | None, str] = ("text", None, "label")
    regression: bool = False
    epochs: float = 3.0
    batch_size: int = 8
    eval_batch_size: int = 8
    learning_rate: float = 5e-5
    weight_decay: float = 0.0
    max_length: int = 128
    bf16: bool = True
    allocator: bool = True
    evaluate: bool = False
    predict: bool = True


def run(job: Stock) -> Record:
    """Do a job in a fresh process and return its record: training seconds, predictions, settings, versions."""
    Path(job.out).mkdir(parents=True, exist_ok=True)
    contestants.run_quietly([sys.executable, __file__, json.dumps(asdict(job))])
    record: Record = json.loads((Path(job.out) / "record.json").read_text(encoding="utf-8"))
    return record


def read_json_lines(file: Path) -> list[Example]:
    """Read the objects of a file."""
    return [json.loads(line) for line in file.read_text(encoding="utf-8").split("\n") if line]


def read_conll(file: Path) -> list[tuple[list[str], list[str]]]:
    """Read words and tags of each sentence: the first and last tab-separated columns."""
    sentences = []
    for block in file.read_text(encoding="utf-8").rstrip("\n").split("\n\n"):
        columns = [line.split("\t") for line in block.split("\n")]
        sentences.append(([row[0] for row in columns], [row[-1] for row in columns]))
    return sentences


# The rest runs in the process of the contestant.


def stock(job: Stock) -> Record:
    """Fine-tune with stock transformers."""
    import torch
    from transformers import (
        AutoModelForSequenceClassification,
        AutoModelForTokenClassification,
        AutoTokenizer,
        DataCollatorForTokenClassification,
        Trainer,
        TrainerCallback,
        TrainingArguments,
        default_data_collator,
        set_seed,
    )

    torch.set_num_threads(len(os.sched_getaffinity(0)))
    if job.allocator:
        contestants.keep_freed_memory()
    set_seed(job.seed)
    tokenizer = AutoTokenizer.from_pretrained(job.model)
    words = job.train.endswith(".conll")
    data: Words | Texts = Words(job, tokenizer) if words else Texts(job, tokenizer)
    names = dict(enumerate(data.labels)) or {0: "LABEL_0"}
    kind = AutoModelForTokenClassification if words else AutoModelForSequenceClassification
    model = kind.from_pretrained(
        job.model, num_labels=len(names), id2label=names, label2id={name: number for number, name in names.items()}
    )
    each_epoch: list[list[Any]] = []

    class Clock(TrainerCallback):
        """Seconds from the first batch of an epoch to its last update, summed over epochs."""

        seconds = 0.0

        def on_epoch_begin(self, args: Any, state: Any, control: Any, **more: Any) -> None:
            self.mark = time.perf_counter()

        def on_epoch_end(self, args: Any, state: Any, control: Any, **more: Any) -> None:
            self.seconds += time.perf_counter() - self.mark
            if job.evaluate:
                each_epoch.append(answers())

    def answers() -> list[Any]:
        return data.answers(trainer.predict(data.dev).predictions)

    clock = Clock()
    trainer = Trainer(
        model=model,
        args=TrainingArguments(
            output_dir=str(Path(job.out) / "trainer"),
            num_train_epochs=job.epochs,
            per_device_train_batch_size=job.batch_size,
            per_device_eval_batch_size=job.eval_batch_size,
            learning_rate=job.learning_rate,
            weight_decay=job.weight_decay,
            seed=job.seed,
            bf16=job.bf16,
            use_cpu=not torch.cuda.is_available(),
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
        ),
        train_dataset=data.train,
        data_collator=DataCollatorForTokenClassification(tokenizer) if words else default_data_collator,
        processing_class=tokenizer,
        callbacks=[clock],
    )
    others = contestants.Others()
    trainer.train()
    cores = others.cores()
    record = {
        "seconds": clock.seconds,
        "updates": trainer.state.global_step,
        "predictions": (each_epoch[-1] if job.evaluate else answers()) if job.predict else None,
        "gold": data.gold if job.predict else None,
        "each_epoch": each_epoch,
        "busy_cores": cores,
        "settings": {name: value for name, value in asdict(job).items() if name not in ("model", "out")},
        "optimizer": type(trainer.optimizer).__name__,
        "threads": torch.get_num_threads(),
        "versions": {name: version(name) for name in ("torch", "transformers", "tokenizers", "accelerate")},
    }
    if "bertsmith" in sys.modules:
        raise SystemExit("bertsmith was imported: this is not stock")
    return record


class Texts:
    """Texts or pairs, padded and cut, and their labels: sorted classes, or numbers."""

    def __init__(self, job: Stock, tokenizer: Any) -> None:
        self.job, self.tokenizer = job, tokenizer
        train, dev = (read_json_lines(Path(file)) for file in (job.train, job.dev))
        label = job.columns[2]
        self.labels = [] if job.regression else sorted({str(row[label]) for row in train})
        self.gold = [float(row[label]) if job.regression else str(row[label]) for row in dev]
        number = {name: place for place, name in enumerate(self.labels)}
        self.train = self.encoded(train)
        for row, example in zip(train, self.train, strict=True):
            example["label"] = float(row[label]) if job.regression else number[str(row[label])]
        self.dev = self.encoded(dev)

    def encoded(self, rows: list[Example]) -> list[Example]:
        """Return the inputs of the model."""
        texts = [[str(row[name]) for row in rows] for name in self.job.columns[:2] if name is not None]
        found = self.tokenizer(*texts, padding="max_length", truncation=True, max_length=self.job.max_length)
        return [{name: found[name][place] for name in found} for place in range(len(rows))]

    def answers(self, logits: Any) -> list[Any]:
        """Return the class or number of each text."""
        if self.job.regression:
            return [float(row[0]) for row in logits]
        return [self.labels[int(row.argmax())] for row in logits]


class Words:
    """Sentences of words; the label of a word is at its first piece."""

    def __init__(self, job: Stock, tokenizer: Any) -> None:
        self.tokenizer = tokenizer
        train, dev = (read_conll(Path(file)) for file in (job.train, job.dev))
        self.labels = sorted({tag for _, tags in train for tag in tags})
        self.gold = [tags for _, tags in dev]
        number = {name: place for place, name in enumerate(self.labels)}
        self.train, places = self.encoded([words for words, _ in train])
        for (_, tags), example, firsts in zip(train, self.train, places, strict=True):
            example["labels"] = [-100] * len(example["input_ids"])
            for word, place in firsts.items():
                example["labels"][place] = number[tags[word]]
        self.dev, self.places = self.encoded([words for words, _ in dev])

    def encoded(self, sentences: list[list[str]]) -> tuple[list[Example], list[dict[int, int]]]:
        """Return the inputs of the model, and the positions of the first pieces of words."""
        found = self.tokenizer(sentences, truncation=True, is_split_into_words=True)
        rows, places = [], []
        for number in range(len(sentences)):
            rows.append({name: found[name][number] for name in found})
            firsts: dict[int, int] = {}
            for place, word in enumerate(found.word_ids(number)):
                if word is not None:
                    firsts.setdefault(word, place)
            places.append(firsts)
        return rows, places

    def answers(self, logits: Any) -> list[Any]:
        """Return the tags of each sentence; a word without pieces is O."""
        return [
            [
                self.labels[int(row[firsts[word]].argmax())] if word in firsts else "O"
                for word in range(len(tags))
            ]
            for row, firsts, tags in zip(logits, self.places, self.gold, strict=True)
        ]  # fmt: skip


def main() -> None:
    """Do the job in the JSON on the command line and write its record."""
    given = json.loads(sys.argv[1])
    job = Stock(**given | {"columns": tuple(given["columns"])})
    contestants.write_json(Path(job.out) / "record.json", stock(job))


if __name__ == "__main__":
    main()
