"""`--resume` of `finetune` needs only --out: the record of the run has the other options."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bertsmith.errors import OptionError
from bertsmith.finetuning.claim import identity
from bertsmith.finetuning.glue.options import GlueOptions
from bertsmith.finetuning.options import FinetuneOptions

GIVEN: dict[str, Any] = {
    "task": "sequence-classification",
    "model": "m",
    "train": "t.csv",
    "dev": "d.csv",
    "search": 3,
    "lora": 4,
    "lora_targets": "query,value",
    "epochs": 2,
    "seeds": 2,
    "save_every": 7,
}


def started(out: Path, **more: Any) -> FinetuneOptions:
    """The record of a run that was started with these options."""
    options = FinetuneOptions.build({**GIVEN, **more, "out": out})
    record = {
        "kind": "finetuning",
        "options": identity(options) | {"save_every": options.save_every},
        "given": [name for name in options.explicit_defaults if name in options.model_fields_set],
        "seeds": options.seeds,
    }
    out.mkdir(exist_ok=True)
    (out / "run.json").write_text(json.dumps(record))
    return options


@pytest.mark.parametrize("problem", [{}, {"problem_type": "single_label_classification"}, {"no_header": True}])
def test_the_options_are_those_of_the_start(tmp_path: Path, problem: dict[str, Any]) -> None:
    before = started(tmp_path / "run", **problem)
    resumed = FinetuneOptions.build({"resume": True, "out": tmp_path / "run"})
    assert resumed.to_dict() == before.to_dict() | {"resume": True}
    for name in ("problem_type", "batch_size", "learning_rate"):
        assert (name in resumed.model_fields_set) == (name in before.model_fields_set), name
    leave_out = ("resume",)
    assert resumed.command_line("finetune", leave_out=leave_out) == before.command_line("finetune")


def test_what_is_given_again_comes_first(tmp_path: Path) -> None:
    started(tmp_path / "run")
    again = FinetuneOptions.build({"resume": True, "out": tmp_path / "run", "seeds": 5, "epochs": 3})
    assert (again.seeds, again.epochs, again.save_every) == (5, 3, 7)
    fresh = FinetuneOptions.build({**GIVEN, "resume": True, "out": tmp_path / "nothing"})
    assert fresh.epochs == 2, "with all options there need be nothing to resume"


def test_a_default_that_is_given_stands_in_the_command(tmp_path: Path) -> None:
    command = started(tmp_path / "run").command_line("finetune")
    assert "--problem-type" not in command and "--batch-size" not in command
    insisted = started(tmp_path / "run", problem_type="single_label_classification", batch_size=32)
    assert "--problem-type single_label_classification" in insisted.command_line("finetune")
    assert "--batch-size" not in insisted.command_line("finetune")


@pytest.mark.parametrize("schema", [FinetuneOptions, GlueOptions])
def test_there_is_nothing_to_resume(tmp_path: Path, schema: type[FinetuneOptions | GlueOptions]) -> None:
    def refused(**values: Any) -> str:
        with pytest.raises(OptionError) as raised:
            schema.build({"resume": True, **values})
        message = str(raised.value)
        assert message.startswith("--resume: ") and "\n" not in message
        return message

    assert f"--resume: --out is missing, the folder of the run. Try: bertsmith {schema.verb} --resume" in refused()
    assert f"{tmp_path / 'no'} does not exist, expected the folder of a run of bertsmith {schema.verb}" in refused(
        out=tmp_path / "no"
    )
    for content in (None, "{", "[]"):
        if content is not None:
            (tmp_path / schema.record_file).write_text(content)
        assert f"{tmp_path} has no readable {schema.record_file}" in refused(out=tmp_path)
    (tmp_path / schema.record_file).write_text('{"kind": "pretraining"}')
    assert f"found {tmp_path}, a run of pretraining, expected a run of bertsmith {schema.verb}" in refused(out=tmp_path)


def test_without_resume_the_folder_is_not_looked_at(tmp_path: Path) -> None:
    started(tmp_path / "run")
    with pytest.raises(OptionError, match="--model is missing"):
        FinetuneOptions.build({"out": tmp_path / "run"})


def test_a_suite_has_its_tasks_and_seeds(tmp_path: Path) -> None:
    from bertsmith.finetuning.glue.suite_folder import new_record

    before = GlueOptions.build({"model": "m", "data": "d", "out": tmp_path, "tasks": "RTE,MRPC", "seeds": 3})
    (tmp_path / "suite.json").write_text(json.dumps(new_record(before).to_dict()))
    resumed = GlueOptions.build({"out": tmp_path, "resume": True})
    assert resumed.to_dict() == before.to_dict() | {"resume": True}
    more = GlueOptions.build({"out": tmp_path, "resume": True, "tasks": "CoLA", "over_seeds": "best"})
    assert (more.tasks, more.over_seeds, more.seeds) == (("CoLA",), "best", 3)
