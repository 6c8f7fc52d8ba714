"""What is pasted from tutorials is answered with an option that there really is."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from transformers import TrainingArguments

from bertsmith.config.option_names import external_name
from bertsmith.config.options import Options
from bertsmith.config.pretrain import PretrainOptions
from bertsmith.errors import OptionError
from bertsmith.finetuning.glue.options import GlueOptions
from bertsmith.finetuning.options import FinetuneOptions

SCHEMAS: list[type[Options]] = [FinetuneOptions, GlueOptions, PretrainOptions]


@pytest.mark.parametrize("schema", SCHEMAS)
def test_every_option_that_an_answer_names_is_there(schema: type[Options]) -> None:
    known = {external_name(name) for name in schema.model_fields}
    assert len(schema.names_in_other_tools) > 50
    for name, answer in schema.names_in_other_tools.items():
        assert set(re.findall(r"--([a-z-]+)", answer)) <= known, name
        assert name.replace("_", "-") not in known, f"{name} is an option and has no need of an answer"


@pytest.mark.parametrize("schema", SCHEMAS)
@pytest.mark.parametrize(
    "name",
    [
        *("evaluation_strategy", "eval_strategy", "per_device_train_batch_size", "per_device_eval_batch_size"),
        *("num_train_epochs", "weight_decay", "warmup_ratio", "warmup_steps", "overwrite_output_dir", "output_dir"),
        *("group_by_length", "train_sampling_strategy", "fp16", "bf16", "gradient_accumulation_steps"),
        *("load_best_model_at_end", "metric_for_best_model", "save_strategy", "logging_steps", "report_to"),
        *("lr_scheduler_type", "label_smoothing_factor", "model_name_or_path", "train_file", "validation_file"),
        *("max_seq_length", "do_train", "learning_rate", "seed", "max_grad_norm", "adam_beta1", "optim", "max_steps"),
        *("save_total_limit", "push_to_hub", "resume_from_checkpoint", "gradient_checkpointing", "mlm_probability"),
    ],
)
def test_the_names_of_tutorials_are_options_or_answered(schema: type[Options], name: str) -> None:
    assert name in schema.names_in_other_tools or name in schema.model_fields


def test_the_names_are_those_of_transformers() -> None:
    """Most of the table is of TrainingArguments; a name there that is renamed shows here."""
    theirs = set(TrainingArguments.__dataclass_fields__)
    assert len(theirs & set(FinetuneOptions.names_in_other_tools)) > 40


@pytest.mark.parametrize(
    ("schema", "name", "answer"),
    [
        (FinetuneOptions, "num_train_epochs", "there is no option 'num_train_epochs'; it is --epochs here"),
        (FinetuneOptions, "--num-train-epochs", "there is no option '--num-train-epochs'; it is --epochs here"),
        (FinetuneOptions, "max_seq_length", "it is --max-length here"),
        (PretrainOptions, "max_seq_length", "it is --sequence-length here"),
        (PretrainOptions, "mlm_probability", "it is --mask-rate here"),
        (FinetuneOptions, "load_best_model_at_end", "it is always so: the best weights by --dev become the RUN"),
        (GlueOptions, "train_file", "it is --data here: a folder that holds the tasks"),
        (GlueOptions, "task_name", "it is --tasks here"),
        (GlueOptions, "calibrate", "a task by itself has it: bertsmith finetune sequence-classification"),
        (FinetuneOptions, "epoch", "there is no option 'epoch'; did you mean 'epochs'?"),
    ],
)
def test_answers(schema: type[Options], name: str, answer: str) -> None:
    with pytest.raises(OptionError) as raised:
        schema.build({name: 1})
    assert answer in str(raised.value)


def test_on_every_way_in(bertsmith: Callable[..., Any], tmp_path: Path) -> None:
    """The command line, --set, YAML and Python say the same."""
    from bertsmith.verbs.finetune import finetune

    file = tmp_path / "run.yaml"
    file.write_text("evaluation_strategy: epoch\n")
    expected = "'; it is --eval-every here, in updates; once an epoch without it"
    for given in (
        ("--evaluation_strategy", "epoch"),
        ("--evaluation-strategy", "epoch"),
        ("--set", "evaluation_strategy=epoch"),
        ("--config", file),
    ):
        answer = bertsmith("finetune", "sequence-classification", *given)
        assert answer.code == 2 and answer.stdout == ""
        assert expected in answer.stderr, given
    with pytest.raises(OptionError, match="it is --eval-every here, in updates"):
        finetune("sequence-classification", evaluation_strategy="epoch")
