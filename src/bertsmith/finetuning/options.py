"""Options of `finetune`: MODEL and labelled files to RUN."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, field_validator, model_validator

from bertsmith.config import help_groups, tutorial_names
from bertsmith.config.option_names import external_name
from bertsmith.config.options import SEED_LIMIT, Options
from bertsmith.config.shared_options import OVERWRITE, SAVE_EVERY, Precision, check_overwrite_or_resume
from bertsmith.errors import OptionError
from bertsmith.finetuning.search_space import DEFAULT, parse_space, space_text
from bertsmith.tasks.files.options import LabelledOptions, comma_separated
from bertsmith.tasks.registry import default_lengths, known_task, trainable_tasks

SUITES = ("glue",)
"""Suites of tasks: `finetune glue` trains several tasks and has different options."""

REQUIRED_OPTIONS = {
    "lora_alpha": "lora",
    "lora_targets": "lora",
    "distil_weight": "teacher",
    "distil_temperature": "teacher",
    "unlabelled": "teacher",
    "search_space": "search",
}
"""Options that need the option on the right."""


class LabelledFilesOptions(LabelledOptions):
    """Task, MODEL, labelled files, and the folder of the RUN."""

    groups: ClassVar[Mapping[str, tuple[str, ...]]] = {
        help_groups.INPUT_OUTPUT: ("task", "model", "train", "dev", "test", "out"),
        help_groups.EVALUATION: ("metric",),
    }

    task: str = Field(
        description=f"task to train: {', '.join(trainable_tasks())}; or the suite {', '.join(SUITES)}, which has "
        "different options (`bertsmith finetune glue --help`)"
    )
    model: str = Field(description="MODEL to start from: RUN, model folder or hub name")
    train: Path = Field(description="labelled file to train on, or hf:NAME[/CONFIG][:SPLIT]")
    dev: Path = Field(
        description="labelled file, or hf:NAME (its validation split), that chooses the best checkpoint and seed"
    )
    test: Path | None = Field(
        None,
        description="labelled file, or hf:NAME (its test split), for the final figures only (default: figures are of "
        "--dev)",
    )
    out: Path = Field(description="folder to write the RUN to: model, metrics, report.html")
    problem_type: Literal["single_label_classification", "multi_label_classification", "regression"] = Field(
        "single_label_classification",
        description="labels of a text: one, several or none, or a number (sequence-classification; labels that are "
        "decimals need regression)",
    )
    metric: str | None = Field(
        None,
        description="figure on --dev that chooses the best checkpoint and seed, such as accuracy or f1 (default: by "
        "task)",
    )

    @field_validator("task")
    @classmethod
    def _known_task(cls, value: str) -> str:
        if value in SUITES:
            raise ValueError(
                f"found {value!r}, a suite of tasks, expected a task. Try: bertsmith finetune {value} --help, with "
                f"{value} directly after finetune (in Python bertsmith.finetune_{value})"
            )
        return known_task(value, SUITES)


def _record_of(file: Path) -> dict[str, Any] | None:
    """Return the record of a run, or None if it is missing or damaged."""
    try:
        record = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return record if isinstance(record, dict) else None


class HeadTrainingOptions(Options):
    """How to train a head, on one task or on a suite."""

    verb: ClassVar[str] = "finetune"
    record_file: ClassVar[str] = "run.json"
    record_kind: ClassVar[str] = "finetuning"
    """File of the record that a training writes, and the `kind` in it."""

    groups: ClassVar[Mapping[str, tuple[str, ...]]] = {
        help_groups.MODEL: ("layers", "freeze_layers", "lora", "lora_alpha", "lora_targets"),
        help_groups.LENGTH: ("epochs", "patience", "max_train_examples"),
        help_groups.BATCHES: ("batch_size", "max_length", "micro_batch_tokens", "eval_batch_size"),
        help_groups.LEARNING: ("learning_rate", "layer_decay", "weight_decay"),
        help_groups.EVALUATION: ("eval_every",),
        help_groups.SEEDS: ("seeds", "seed"),
        help_groups.MACHINE: ("precision",),
        help_groups.SAVING: ("save_every", "resume", "overwrite", "dry_run"),
    }

    max_train_examples: int | None = Field(
        None, gt=0, description="train on a random choice of N examples, the same for every seed (default: all)"
    )
    max_length: int | None = Field(
        None,
        ge=8,
        description="tokens per row; longer rows are cut and counted, or (token-classification, question-answering) "
        f"read in windows (default: {default_lengths()})",
    )
    epochs: float | None = Field(
        None,
        gt=0,
        description="train for N passes over the training data; may be fractional (default: 3; for small files "
        "more, at most 10)",
    )
    batch_size: int = Field(32, gt=0, description="examples per update")
    eval_batch_size: int = Field(
        64, gt=0, description="size of evaluation batches: N x --max-length tokens, padding included"
    )
    eval_every: int | None = Field(None, gt=0, description="updates between evaluations (default: once per epoch)")
    learning_rate: float | None = Field(
        None,
        gt=0,
        description="peak learning rate (default: by hidden width, 0.00004 at 768; 10 times that with --lora)",
    )
    weight_decay: float = Field(0.01, ge=0, description="weight decay of AdamW; none for biases and LayerNorm")
    precision: Precision = "auto"
    patience: int | None = Field(
        None,
        gt=0,
        description="stop a seed after N evaluations in a row without a better --metric (default: no early stop)",
    )
    layer_decay: float = Field(
        1.0,
        gt=0,
        le=1,
        description="learning-rate decay per layer: factor from each layer to the layer below, above 0 and up to 1",
    )
    freeze_layers: int | None = Field(
        None,
        ge=0,
        description="freeze the embeddings and the first N layers (0: only the embeddings; default: train all)",
    )
    lora: int | None = Field(
        None,
        gt=0,
        description="rank of LoRA: train low-rank adapters instead of the encoder's weights (needs the package peft)",
    )
    lora_alpha: float | None = Field(
        None,
        gt=0,
        description="scale of the adapters: alpha / rank multiplies their output (needs --lora; default: 2 x rank)",
    )
    lora_targets: tuple[str, ...] | None = Field(
        None,
        description="comma-separated names of the linear layers that get adapters, or all-linear (needs --lora; "
        "default: query and value)",
    )
    layers: int | None = Field(None, gt=0, description="keep N of the MODEL's layers, evenly spaced (default: all)")
    micro_batch_tokens: int = Field(
        8_192,
        gt=0,
        description="tokens per forward and backward pass, padding included; changes memory and speed, not the result",
    )
    save_every: int | None = Field(None, gt=0, description=SAVE_EVERY)
    seeds: int = Field(
        1, gt=0, description="number of seeds to train; figures are means with intervals, the best seed becomes the RUN"
    )
    seed: int = Field(0, ge=0, lt=SEED_LIMIT, description="first random seed; further seeds count up from it")
    overwrite: bool = Field(False, description=OVERWRITE)
    resume: bool = Field(
        False,
        description="continue the RUN at --out from its newest checkpoint with its own options (give no others); "
        "a larger --seeds adds seeds",
    )
    dry_run: bool = Field(False, description="check the files and print the plan; train nothing")

    @classmethod
    def completed(cls, given: dict[str, Any]) -> dict[str, Any]:
        """Return the given options; with `resume` the others are those of the run."""
        if given.get("resume") is not True:
            return given
        again = f"bertsmith {cls.verb} --resume --out OUT"
        if given.get("out") is None:
            raise OptionError(f"--resume: --out is missing, the folder of the run. Try: {again}")
        out = Path(given["out"])
        record = _record_of(out / cls.record_file)
        if record is None:
            if all(name in given for name, field in cls.model_fields.items() if field.is_required()):
                return given  # nothing to resume, or a damaged record: the verb reports it
            found = f"has no readable {cls.record_file}" if out.exists() else "does not exist"
            raise OptionError(
                f"--resume: {out} {found}, expected the folder of a run of bertsmith {cls.verb}. Try: start the run, "
                f"with its options instead of --resume (bertsmith {cls.verb} --help)"
            )
        if record.get("kind", cls.record_kind) != cls.record_kind:
            raise OptionError(
                f"--resume: found {out}, a run of {record['kind']}, expected a run of bertsmith {cls.verb}"
            )
        for name, kind, words in (("options", dict, "an object"), ("given", list, "a list")):
            if not isinstance(record.get(name, kind()), kind):
                raise OptionError(
                    f"--resume: {out / cls.record_file}: `{name}`: found {record[name]!r}, expected {words}; the file "
                    f"was edited. Try: start over with all options and --overwrite (bertsmith {cls.verb} --help)"
                )
        return cls.as_started(record, record.get("options", {})) | given

    @classmethod
    def as_started(cls, record: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
        """Return the options in a record that differ from their defaults, by field."""
        stored = {"seeds": record.get("seeds"), **options}
        values = {name: stored.get(external_name(name, "_")) for name in cls.model_fields}
        given = record.get("given", ())
        return {
            name: value
            for name, value in values.items()
            if value is not None and (value != cls.model_fields[name].default or name in given)
        }

    @field_validator("lora_targets", mode="before")
    @classmethod
    def _comma_separated_targets(cls, value: object) -> object:
        return comma_separated(value)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for name, required in REQUIRED_OPTIONS.items():
            if getattr(self, required, None) is None and getattr(self, name, None) is not None:
                raise ValueError(f"--{external_name(name)} needs --{required}, which is missing")
        check_overwrite_or_resume(overwrite=self.overwrite, resume=self.resume)
        return self


class FinetuneOptions(HeadTrainingOptions, LabelledFilesOptions):
    """Fine-tune a head on labelled text."""

    positional: ClassVar[tuple[str, ...]] = ("task",)
    explicit_defaults: ClassVar[tuple[str, ...]] = ("problem_type",)
    names_in_other_tools: ClassVar[Mapping[str, str]] = tutorial_names.FINETUNE

    groups: ClassVar[Mapping[str, tuple[str, ...]]] = {
        help_groups.LEARNING: ("learning_rate", "layer_decay", "weight_decay", "class_weights"),
        help_groups.EVALUATION: ("metric", "eval_every", "calibrate"),
        help_groups.DISTILLATION: ("teacher", "unlabelled", "distil_weight", "distil_temperature"),
        help_groups.SEEDS: ("seeds", "seed", "search", "search_space"),
    }

    class_weights: Literal["balanced"] | None = Field(
        None,
        description="weights of labels in the loss; balanced: by inverse frequency (token-classification, and "
        "sequence-classification with one label per text; default: equal)",
    )
    calibrate: bool = Field(
        False,
        description="calibrate the probabilities: fit a temperature on --dev after training (not question-answering, "
        "multi-label or regression)",
    )
    teacher: str | None = Field(
        None, description="fine-tuned MODEL to distil from: its predictions are learned along with the labels"
    )
    distil_weight: float | None = Field(
        None, gt=0, le=1, description="teacher's share of the loss, above 0 and up to 1 (needs --teacher; default: 0.5)"
    )
    distil_temperature: float | None = Field(
        None,
        gt=0,
        description="temperature that divides the logits of teacher and student (needs --teacher; default: 2)",
    )
    unlabelled: Path | None = Field(
        None,
        description="file of extra training texts for the teacher to label; needs no label column, is part of "
        "each epoch (needs --teacher; not question-answering)",
    )
    search: int | None = Field(
        None,
        ge=2,
        description="try N settings, the defaults first, one training each; the setting with the best --dev figure is "
        "trained with all seeds (needs the package optuna)",
    )
    search_space: str | None = Field(
        None,
        description="options that --search varies, as in learning_rate=1e-5..1e-4,batch_size=16|32,epochs (default: "
        f"{', '.join(DEFAULT)}, unless given as options)",
    )

    @model_validator(mode="before")
    @classmethod
    def _default_space(cls, values: Any) -> Any:
        """Add the searched options to `search_space`, so that the recorded command has them."""
        if not isinstance(values, Mapping) or values.get("search") is None or values.get("search_space") is not None:
            return values
        names = [name for name in DEFAULT if values.get(name) is None]
        if not names:
            raise ValueError(
                f"--search varies {', '.join(DEFAULT)}, and all of them are given. Try: leave one out, or name other "
                "options with --search-space"
            )
        return {**values, "search_space": ",".join(names)}

    @field_validator("search_space", mode="before")
    @classmethod
    def _one_text(cls, value: object) -> str | None:
        return None if value is None else space_text(parse_space(value, cls.model_fields))

    @model_validator(mode="after")
    def _free_to_vary(self) -> Self:
        for name in parse_space(self.search_space, type(self).model_fields) if self.search_space else ():
            flag, required = external_name(name), REQUIRED_OPTIONS.get(name)
            if required is not None and getattr(self, required) is None:
                raise ValueError(f"--search-space: {name} needs --{required}, which is missing")
            if name in self.model_fields_set and getattr(self, name) is not None:
                value = getattr(self, name)
                raise ValueError(
                    f"--search-space: found {name}, which --{flag} {value} fixes. Try: leave out one of them"
                )
        return self
