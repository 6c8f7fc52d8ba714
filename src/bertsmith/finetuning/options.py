"""Options of `finetune`: MODEL and labelled files to RUN."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, field_validator, model_validator

from bertsmith.config import tutorial_names
from bertsmith.config.option_names import external_name
from bertsmith.config.options import SEEDS, Options
from bertsmith.errors import OptionError
from bertsmith.finetuning.search_space import DEFAULT, parse_space, space_text
from bertsmith.tasks.files.options import LabelledOptions, parted
from bertsmith.tasks.registry import default_lengths, known_task, trainable_tasks

SUITES = ("glue",)
"""Suites of tasks: `finetune glue` trains several tasks and has its own options."""

OWNERS = {
    "lora_alpha": "lora",
    "lora_targets": "lora",
    "distil_weight": "teacher",
    "distil_temperature": "teacher",
    "unlabelled": "teacher",
    "search_space": "search",
}
"""Options that say more of another one."""


class LabelledFilesOptions(LabelledOptions):
    """A task, a MODEL, labelled files, and the folder of the RUN."""

    task: str = Field(description=f"the task: {', '.join(trainable_tasks())}; or a suite of tasks: {', '.join(SUITES)}")
    model: str = Field(description="the MODEL to start from")
    train: Path = Field(description="the labelled file, or data set hf:NAME[/CONFIG][:SPLIT], to train on")
    dev: Path = Field(description="the same that the best checkpoint and seed are chosen on (hf: its validation part)")
    test: Path | None = Field(None, description="the same that nothing is chosen on, for the reported figures")
    out: Path = Field(description="the folder of the RUN")
    problem_type: Literal["single_label_classification", "multi_label_classification", "regression"] = Field(
        "single_label_classification",
        description="one class a text, several labels or none, or a number; labels that are decimals need it",
    )
    metric: str | None = Field(
        None,
        description="the figure on the dev file that the best checkpoint and seed are chosen by (default: by task)",
    )

    @field_validator("task")
    @classmethod
    def _known_task(cls, value: str) -> str:
        if value in SUITES:
            raise ValueError(
                f"{value!r} is a suite of tasks with options of its own; the word stands right behind the verb: "
                f"bertsmith finetune {value} --help (in Python bertsmith.finetune_{value})"
            )
        return known_task(value, SUITES)


def _record_of(file: Path) -> dict[str, Any] | None:
    """The record of a run, None if there is none or it is damaged."""
    try:
        record = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return record if isinstance(record, dict) else None


class HeadTrainingOptions(Options):
    """How a head is trained, whatever it is trained on."""

    verb: ClassVar[str] = "finetune"
    record_file: ClassVar[str] = "run.json"
    record_kind: ClassVar[str] = "finetuning"
    """What the record of such a training is called, and the `kind` in it."""

    max_train_examples: int | None = Field(
        None, gt=0, description="train on so many examples of the training file, a fixed random part (default: all)"
    )
    max_length: int | None = Field(
        None,
        ge=8,
        description=f"tokens a row (default: {default_lengths()}); what is longer is cut and counted, or read in "
        "windows (token-classification, question-answering)",
    )
    epochs: float | None = Field(
        None, gt=0, description="passes over what is trained on (default: 3, up to 10 for a small file)"
    )
    batch_size: int = Field(32, gt=0, description="examples an update")
    eval_batch_size: int = Field(64, gt=0, description="examples at once in evaluation")
    eval_every: int | None = Field(None, gt=0, description="updates between evaluations (default: once an epoch)")
    learning_rate: float | None = Field(None, gt=0, description="the highest learning rate (default: by width)")
    weight_decay: float = Field(0.01, ge=0, description="AdamW's weight decay")
    precision: Literal["auto", "bf16", "fp32"] = Field("auto", description="number format of the matrix products")
    patience: int | None = Field(
        None, gt=0, description="end a seed's training after so many evaluations without a better one"
    )
    layer_decay: float = Field(
        1.0, gt=0, le=1, description="each layer below the head learns at so much of the rate of the one above it"
    )
    freeze_layers: int | None = Field(
        None, ge=0, description="the embeddings and the first so many layers stay as they are (default: all learn)"
    )
    lora: int | None = Field(
        None, gt=0, description="train low-rank adapters of this rank in place of the encoder's weights (needs peft)"
    )
    lora_alpha: float | None = Field(
        None, gt=0, description="what adapters add counts alpha / rank (default: twice the rank)"
    )
    lora_targets: tuple[str, ...] | None = Field(
        None,
        description="the linear layers that get adapters, parted by commas, or all-linear (default: those of the "
        "queries and values)",
    )
    layers: int | None = Field(
        None, gt=0, description="keep so many of the MODEL's layers, evenly spaced (default: all)"
    )
    micro_batch_tokens: int = Field(
        8_192, gt=0, description="tokens at once in training, padding included; the result does not depend on it"
    )
    save_every: int | None = Field(
        None, gt=0, description="updates between checkpoints (default: ten times a run, but a minute apart)"
    )
    seeds: int = Field(1, gt=0, description="train with so many seeds; mean and interval are reported")
    seed: int = Field(0, ge=0, lt=SEEDS, description="the first of these seeds")
    overwrite: bool = Field(False, description="replace the folder at --out")
    resume: bool = Field(
        False,
        description="resume the run in --out with the options that it was started with; a larger --seeds adds seeds",
    )
    dry_run: bool = Field(False, description="read the files and report what would be trained; train nothing")

    @classmethod
    def completed(cls, given: dict[str, Any]) -> dict[str, Any]:
        """With `resume` the options that are not given are those that the run was started with."""
        if given.get("resume") is not True:
            return given
        again = f"bertsmith {cls.verb} --resume --out OUT"
        if given.get("out") is None:
            raise OptionError(f"--resume: --out is missing; name the folder of the run to resume: {again}")
        out = Path(given["out"])
        record = _record_of(out / cls.record_file)
        if record is None:
            if all(name in given for name, field in cls.model_fields.items() if field.is_required()):
                return given  # nothing to resume, or a damaged record: the verb says so
            found = f"has no {cls.record_file} that can be read" if out.exists() else "does not exist"
            raise OptionError(
                f"--resume: {out} {found}, expected the folder of a run that bertsmith {cls.verb} started; to start "
                f"one, give its options instead of --resume (bertsmith {cls.verb} --help)"
            )
        if record.get("kind", cls.record_kind) != cls.record_kind:
            raise OptionError(
                f"--resume: {out} is a run of {record['kind']}, expected one that bertsmith {cls.verb} started"
            )
        for name, kind, words in (("options", dict, "an object"), ("given", list, "a list")):
            if not isinstance(record.get(name, kind()), kind):
                raise OptionError(
                    f"--resume: {out / cls.record_file}: `{name}`: found {record[name]!r}, expected {words}; the file "
                    f"was edited. Give all options, with --overwrite (bertsmith {cls.verb} --help)"
                )
        return cls.as_started(record, record.get("options", {})) | given

    @classmethod
    def as_started(cls, record: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
        """The options in a record, by the names of their fields, that are not as by default."""
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
    def _parted_targets(cls, value: object) -> object:
        return parted(value)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for name, owner in OWNERS.items():
            if getattr(self, owner, None) is None and getattr(self, name, None) is not None:
                raise ValueError(f"--{external_name(name)} belongs to --{owner}, which is missing")
        if self.overwrite and self.resume:
            raise ValueError("--overwrite starts again and --resume goes on: give one of them")
        return self


class FinetuneOptions(HeadTrainingOptions, LabelledFilesOptions):
    """Fine-tune a head on labelled text."""

    positional: ClassVar[tuple[str, ...]] = ("task",)
    says_more_if_given: ClassVar[tuple[str, ...]] = ("problem_type",)
    names_in_other_tools: ClassVar[Mapping[str, str]] = tutorial_names.FINETUNE

    class_weights: Literal["balanced"] | None = Field(
        None, description="balanced: the loss counts each label by its inverse frequency (default: each loss counts 1)"
    )
    calibrate: bool = Field(
        False, description="fit a temperature on the dev file that makes the model's probabilities honest"
    )
    teacher: str | None = Field(
        None, description="a MODEL that has learnt the task; its answers are learnt beside the labels (distillation)"
    )
    distil_weight: float | None = Field(
        None, gt=0, le=1, description="the share of the teacher's answers in the loss (default: 0.5)"
    )
    distil_temperature: float | None = Field(
        None, gt=0, description="what softens the answers of teacher and student (default: 2)"
    )
    unlabelled: Path | None = Field(
        None,
        description="further examples, with the columns of the training file, of which the teacher's answers alone are "
        "learnt, not the labels; an epoch has the rows of both files",
    )
    search: int | None = Field(
        None,
        ge=2,
        description="try so many settings, the defaults first, each by one training judged on the dev file; the best "
        "is then trained with all seeds (needs optuna)",
    )
    search_space: str | None = Field(
        None,
        description="what --search varies, such as 'learning_rate=1e-5..1e-4,batch_size=16|32,epochs' (default: "
        f"{', '.join(DEFAULT)} around their defaults, but what is given stays)",
    )

    @model_validator(mode="before")
    @classmethod
    def _default_space(cls, values: Any) -> Any:
        """The names of the options that are searched are part of the options, so that the recorded command has them."""
        if not isinstance(values, Mapping) or values.get("search") is None or values.get("search_space") is not None:
            return values
        names = [name for name in DEFAULT if values.get(name) is None]
        if not names:
            raise ValueError(
                f"--search varies {', '.join(DEFAULT)}, and all of them are given; leave one out, or name others by "
                "--search-space"
            )
        return {**values, "search_space": ",".join(names)}

    @field_validator("search_space", mode="before")
    @classmethod
    def _one_text(cls, value: object) -> str | None:
        return None if value is None else space_text(parse_space(value, cls.model_fields))

    @model_validator(mode="after")
    def _free_to_vary(self) -> Self:
        for name in parse_space(self.search_space, type(self).model_fields) if self.search_space else ():
            flag, owner = external_name(name), OWNERS.get(name)
            if owner is not None and getattr(self, owner) is None:
                raise ValueError(f"--search-space: {name} belongs to --{owner}, which is missing")
            if name in self.model_fields_set and getattr(self, name) is not None:
                value = getattr(self, name)
                raise ValueError(
                    f"--search-space: {name} is to be varied, and --{flag} {value} holds it; leave one of them out"
                )
        return self
