"""Options: every mistake in our own words, and the same values from YAML, --set, the command line and Python."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertsmith.cli.command import command_of, execute
from bertsmith.cli.tokenize import TokenizeOptions
from bertsmith.config.option_names import external_name
from bertsmith.config.options import Options, read_assignments, read_yaml
from bertsmith.config.prepare import PrepareOptions, TrainTokenizerOptions
from bertsmith.config.pretrain import PretrainOptions
from bertsmith.config.verb import signature
from bertsmith.errors import OptionError
from bertsmith.evaluation.options import EvaluateOptions
from bertsmith.finetuning.options import FinetuneOptions
from bertsmith.tasks.embedding.command import EmbedOptions
from bertsmith.tasks.fill_mask.command import FillMaskOptions

PREPARE = {"sources": "a.txt", "out": "s"}
PRETRAIN = {"store": "s", "out": "r"}
FINETUNE = {"task": "sequence-classification", "model": "m", "train": "t.csv", "dev": "d.csv", "out": "r"}
EMBED = {"model": "m"}


def refused(schema: type[Options], *values: dict[str, Any]) -> str:
    """The message for these values."""
    merged = {key: value for part in values for key, value in part.items()}
    with pytest.raises(OptionError) as error:
        schema.build(merged)
    return str(error.value)


MISTAKES: list[tuple[type[Options], dict[str, Any], str]] = [
    # What is missing is named with its description.
    (
        PretrainOptions,
        {"store": "s"},
        "--out is missing: folder to write the RUN to: model, checkpoints, metrics, report.html",
    ),
    (PretrainOptions, {"out": "r"}, "STORE is missing: STORE to train on, as written by `bertsmith prepare`"),
    (
        PrepareOptions,
        {"out": "s"},
        "SOURCES is missing: files, folders, globs or URLs of .txt .jsonl .csv .tsv .parquet .md .html, also in .gz "
        ".zst .xz; or hf:NAME[/CONFIG][:SPLIT]",
    ),
    (PrepareOptions, {"sources": [], "out": "s"}, "SOURCES: found (), expected at least one value"),
    # Unknown names, with the nearest.
    (PretrainOptions, {**PRETRAIN, "batch-sise": 3}, "there is no option 'batch-sise'; did you mean 'batch-size'?"),
    (PretrainOptions, {**PRETRAIN, "mask_rat": 3}, "there is no option 'mask_rat'; did you mean 'mask-rate'?"),
    (PretrainOptions, {**PRETRAIN, "zzzz": 3}, "there is no option 'zzzz'"),
    # One of several values.
    (
        PretrainOptions,
        {**PRETRAIN, "size": "bsae"},
        "--size: found 'bsae', expected one of tiny, mini, small, medium, base, large; did you mean 'base'?",
    ),
    (
        PretrainOptions,
        {**PRETRAIN, "objective": "clm"},
        "--objective: found 'clm', expected one of mlm+nsp, mlm, nsp, mlm+sop; did you mean 'mlm'?",
    ),
    (EmbedOptions, {**EMBED, "pooling": 3}, "--pooling: found 3, expected one of mean, cls, max"),
    (
        FinetuneOptions,
        {**FINETUNE, "task": "classification"},
        "TASK: found 'classification', expected one of sequence-classification, token-classification, "
        "question-answering, multiple-choice, or the suite glue; did you mean 'sequence-classification'?",
    ),
    (
        FinetuneOptions,
        {**FINETUNE, "task": "NER"},
        "TASK: found 'NER', expected one of sequence-classification, token-classification, "
        "question-answering, multiple-choice, or the suite glue; did you mean 'token-classification'?",
    ),
    (
        FinetuneOptions,
        {**FINETUNE, "task": "token-clasification"},
        "TASK: found 'token-clasification', expected one of sequence-classification, token-classification, "
        "question-answering, multiple-choice, or the suite glue; did you mean 'token-classification'?",
    ),
    # Ranges.
    (PretrainOptions, {**PRETRAIN, "steps": 0}, "--steps: found 0, expected above 0"),
    (PretrainOptions, {**PRETRAIN, "warmup": 1}, "--warmup: found 1, expected below 1.0"),
    (PretrainOptions, {**PRETRAIN, "dropout": -0.1}, "--dropout: found -0.1, expected at least 0.0"),
    (PretrainOptions, {**PRETRAIN, "sequence_length": 7}, "--sequence-length: found 7, expected at least 8"),
    (PretrainOptions, {**PRETRAIN, "seed": 2**32}, "--seed: found 4294967296, expected below 4294967296"),
    (PretrainOptions, {**PRETRAIN, "epochs": "inf"}, "--epochs: found 'inf', expected a finite number"),
    (PretrainOptions, {**PRETRAIN, "minutes": "nan"}, "--minutes: found 'nan', expected a finite number"),
    (PrepareOptions, {**PREPARE, "held_out": 0.6}, "--held-out: found 0.6, expected a share above 0 and at most 0.5"),
    (
        PrepareOptions,
        {**PREPARE, "held_out": "no-such-file"},
        "--held-out: found 'no-such-file', expected a share such as 0.02 or a file of document ids",
    ),
    # Types.
    (PretrainOptions, {**PRETRAIN, "steps": "ten"}, "--steps: found 'ten', expected a whole number"),
    (PretrainOptions, {**PRETRAIN, "steps": 2.5}, "--steps: found 2.5, expected a whole number"),
    (PretrainOptions, {**PRETRAIN, "mask_rate": "half"}, "--mask-rate: found 'half', expected a number"),
    (PretrainOptions, {**PRETRAIN, "overwrite": "perhaps"}, "--overwrite: found 'perhaps', expected true or false"),
    (PretrainOptions, {**PRETRAIN, "out": 3}, "--out: found 3, expected a path"),
    (EvaluateOptions, {"model": 3, "data": "d"}, "MODEL: found 3, expected a text"),
    (PrepareOptions, {"sources": 3, "out": "s"}, "SOURCES: found 3, expected a list"),
    (TokenizeOptions, {"model": "m", "texts": [3]}, "TEXTS: found 3, expected a text"),
    (TokenizeOptions, {"model": "m", "texts": {"a": 1}}, "TEXTS: found {'a': 1}, expected a list"),
    (
        PrepareOptions,
        {**PREPARE, "encoding": "utf-9"},
        "--encoding: found 'utf-9', expected an encoding that Python knows, such as utf-8 or cp1252",
    ),
    (
        EvaluateOptions,
        {"model": "m", "data": "d", "encoding": "utf-9"},
        "--encoding: found 'utf-9', expected an encoding that Python knows, such as utf-8 or cp1252",
    ),
    (
        PretrainOptions,
        {**PRETRAIN, "mask_split": "80,20"},
        "--mask-split: found '80,20', expected three percentages such as 80,10,10",
    ),
    (
        PretrainOptions,
        {**PRETRAIN, "mask_split": [80, 10, 5, 5]},
        "--mask-split: found [80, 10, 5, 5], expected three percentages such as 80,10,10",
    ),
    (
        PretrainOptions,
        {**PRETRAIN, "mask_split": "80,10,5"},
        "--mask-split: found (80.0, 10.0, 5.0), expected three percentages that add up to 100, such as 80,10,10",
    ),
    (PretrainOptions, {**PRETRAIN, "mask_split": "80,10,x"}, "--mask-split: found 'x', expected a number"),
    # Options that contradict each other.
    (
        PretrainOptions,
        {**PRETRAIN, "minutes": 1, "steps": 5},
        "found --minutes and --steps, expected at most one of --minutes, --steps, --epochs",
    ),
    (
        PretrainOptions,
        {**PRETRAIN, "steps": 5, "epochs": 1},
        "found --steps and --epochs, expected at most one of --minutes, --steps, --epochs",
    ),
    (
        PretrainOptions,
        {**PRETRAIN, "overwrite": True, "resume": True},
        "found --overwrite and --resume, expected one of them: --overwrite starts over, --resume continues",
    ),
    (
        PretrainOptions,
        {**PRETRAIN, "from": "m", "hidden_size": 64, "max_positions": 64, "initial_values": "random"},
        "found --hidden-size, --max-positions, --initial-values with --from, which keeps the shape of its MODEL. "
        "Try: leave out --hidden-size, --max-positions, --initial-values; --layers N keeps N of its layers",
    ),
    (
        PretrainOptions,
        {**PRETRAIN, "from": "m", "size": "mini"},
        "found --size with --from, which keeps the shape of its MODEL. Try: leave out --size; --layers N keeps N "
        "of its layers",
    ),
    (PretrainOptions, {**PRETRAIN, "distil_weight": 0.3}, "--distil-weight needs --teacher, which is missing"),
    (
        PretrainOptions,
        {**PRETRAIN, "teacher": "m", "objective": "nsp"},
        "--teacher predicts masked tokens, and --objective nsp masks none. Try: --objective mlm+nsp",
    ),
    (
        PretrainOptions,
        {**PRETRAIN, "teacher": "m", "overfit_one_batch": True},
        "found --overfit-one-batch with --teacher, which it excludes. Try: leave out --teacher",
    ),
    (
        PretrainOptions,
        {**PRETRAIN, "micro_batch_size": 64},
        "--micro-batch-size: found 64, expected at most --batch-size, 32",
    ),
    (
        PrepareOptions,
        {**PREPARE, "tokenizer": "m", "vocab_size": 100},
        "found --vocab-size and --tokenizer, expected one of them: a new tokenizer, or that of a MODEL",
    ),
    (
        PrepareOptions,
        {**PREPARE, "tokenizer": "m", "cased": True},
        "found --cased and --tokenizer, expected one of them: the tokenizer of a MODEL has its own setting",
    ),
    (
        PrepareOptions,
        {**PREPARE, "overwrite": True, "resume": True},
        "found --overwrite and --resume, expected one of them: --overwrite starts over, --resume continues",
    ),
    (
        FinetuneOptions,
        {**FINETUNE, "overwrite": True, "resume": True},
        "found --overwrite and --resume, expected one of them: --overwrite starts over, --resume continues",
    ),
]


@pytest.mark.parametrize(("schema", "values", "message"), MISTAKES, ids=lambda value: None)
def test_a_mistake_is_answered_in_our_own_words(schema: type[Options], values: dict[str, Any], message: str) -> None:
    assert refused(schema, values) == message


def test_every_mistake_has_a_line() -> None:
    message = refused(PretrainOptions, PRETRAIN, {"steps": "ten", "optimizer": "sgd", "dropout": 2})
    assert [line.split(":")[0] for line in message.splitlines()] == ["--steps", "--optimizer", "--dropout"]


def test_the_place_of_the_values_leads_each_line() -> None:
    with pytest.raises(OptionError) as error:
        PretrainOptions.build({**PRETRAIN, "steps": "ten", "dropout": 2}, where="run.yaml: ")
    assert all(line.startswith("run.yaml: --") for line in str(error.value).splitlines())


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.binary(max_size=4),
    st.lists(st.integers() | st.text(max_size=3), max_size=5),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)


@given(st.dictionaries(st.sampled_from(sorted(PretrainOptions.model_fields)), SCALARS))
def test_no_value_brings_a_library_s_words(values: dict[str, Any]) -> None:
    """Whatever is given, it is taken or answered with OptionError, and never in pydantic's words."""
    try:
        PretrainOptions.build(values)
    except OptionError as error:
        for words in ("Input should", "validation", "Value error", "pydantic", "different type"):
            assert words not in str(error) or words in repr(values), str(error)


SPELLINGS = ["learning_rate", "learning-rate", "--learning-rate", "--learning_rate"]


@pytest.mark.parametrize("word", [*SPELLINGS, " learning-rate ", "learning_rate_"])
def test_an_option_has_one_name_in_every_spelling(word: str) -> None:
    assert external_name(word) == "learning-rate"
    assert external_name(word, "_") == "learning_rate"
    assert PretrainOptions.field_of(word) == "learning_rate"
    assert PretrainOptions.field_of("learning") is None


@pytest.mark.parametrize("key", ["vocab_size", "vocab-size", "--vocab-size"])
def test_hyphens_and_underscores_are_one(key: str) -> None:
    assert PrepareOptions.build({**PREPARE, key: 99}).vocab_size == 99


@pytest.mark.parametrize("key", ["from", "from_", "--from"])
def test_a_keyword_of_python_has_an_underscore(key: str) -> None:
    options = PretrainOptions.build({**PRETRAIN, key: "runs/a"})
    assert options.from_ == "runs/a"
    assert options.to_dict()["from"] == "runs/a"


def test_to_dict_can_be_built_again() -> None:
    options = PretrainOptions.build({**PRETRAIN, "mask_split": "70/20/10", "size": "tiny", "steps": "5"})
    assert options.mask_split == (70, 20, 10)
    again = PretrainOptions.build({key: value for key, value in options.to_dict().items() if value is not None})
    assert again == options


def test_a_model_can_be_a_path_in_python(tmp_path: Path) -> None:
    assert EvaluateOptions.build({"model": tmp_path, "data": tmp_path / "d"}).data == str(tmp_path / "d")
    assert PretrainOptions.build({**PRETRAIN, "from_": tmp_path}).from_ == str(tmp_path)
    assert PrepareOptions.build({"sources": [tmp_path], "out": tmp_path}).sources == (str(tmp_path),)


def test_columns_can_be_numbers() -> None:
    assert FinetuneOptions.build({**FINETUNE, "text_column": 0, "label_column": 1}).label_column == "1"


def test_one_text_is_a_list_of_one() -> None:
    assert FillMaskOptions.build({"model": "m", "texts": "a [MASK]"}).texts == ("a [MASK]",)
    assert TrainTokenizerOptions.build({"sources": "a.txt", "out": "t", "vocab_size": 50}).sources == ("a.txt",)


def test_options_do_not_change() -> None:
    options = PretrainOptions.build(PRETRAIN)
    with pytest.raises(ValueError, match="frozen"):
        options.steps = 3  # type: ignore[misc]


# YAML and --set


def test_yaml_is_read(tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text("steps: 5\nmask-split: [70, 20, 10]\nsize: tiny  # small\n", encoding="utf-8")
    assert read_yaml(file) == {"steps": 5, "mask-split": [70, 20, 10], "size": "tiny"}


@pytest.mark.parametrize("content", ["", "# nothing\n"])
def test_an_empty_yaml_holds_nothing(tmp_path: Path, content: str) -> None:
    (tmp_path / "run.yaml").write_text(content, encoding="utf-8")
    assert read_yaml(tmp_path / "run.yaml") == {}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"steps: [1", "not YAML"),
        (b"- steps\n- 3\n", "found list, expected lines of the form 'key: value'"),
        (b"just words", "found str, expected lines of the form 'key: value'"),
        (b"steps: \xff", "not YAML"),
    ],
)
def test_what_is_not_yaml_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    file = tmp_path / "run.yaml"
    file.write_bytes(content)
    with pytest.raises(OptionError, match=message) as error:
        read_yaml(file)
    assert str(error.value).startswith(f"--config {file}: ")


def test_a_missing_yaml_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="No such file"):
        read_yaml(tmp_path / "none.yaml")


def test_assignments_are_yaml_values() -> None:
    found = read_assignments(["steps=5", "mask-split=[70, 20, 10]", "size=tiny", "overwrite=true", "from=", "a=b=c"])
    expected = {"steps": 5, "mask-split": [70, 20, 10], "size": "tiny", "overwrite": True, "from": None, "a": "b=c"}
    assert found == expected


@pytest.mark.parametrize("text", ["steps", "=5", "steps=[1"])
def test_what_is_no_assignment_is_refused(text: str) -> None:
    with pytest.raises(OptionError, match="--set "):
        read_assignments([text])


@pytest.fixture
def dry_run(bertsmith: Callable[..., Any], store: Path, tmp_path: Path) -> Callable[..., str]:
    """What a dry run of `pretrain` with some options prints."""

    def call(*arguments: str, config: str = "", code: int = 0) -> str:
        file = tmp_path / "run.yaml"
        file.write_text(config, encoding="utf-8")
        shape = ("--hidden-size", "32", "--attention-heads", "2", "--sequence-length", "32", "--dry-run")
        answer = bertsmith("pretrain", store, "--out", tmp_path / "run", *shape, *arguments, "--config", file)
        assert answer.code == code, answer.stderr
        return str(answer.stderr)

    return call


def test_the_command_line_wins_over_set_and_set_over_yaml(dry_run: Callable[..., str]) -> None:
    assert "Model: 3 layers, hidden size 32" in dry_run(config="layers: 3\n")
    assert "Model: 2 layers, hidden size 32" in dry_run("--set", "layers=2", config="layers: 3\n")
    assert "Model: 1 layer, hidden size 32" in dry_run("--layers", "1", "--set", "layers=2", config="layers: 3\n")
    assert "Model: 4 layers, hidden size 32" in dry_run("--set", "layers=2", "--set", "layers=4")


@pytest.mark.parametrize("word", SPELLINGS)
def test_command_line_yaml_set_and_python_take_the_same_spellings(word: str, tmp_path: Path) -> None:
    bare, file, found = word.removeprefix("--"), tmp_path / "run.yaml", []

    def keep(options: PretrainOptions) -> list[Any]:
        found.append(options)
        return []

    file.write_text(f"{word}: 0.5\n", encoding="utf-8")
    command = replace(command_of("pretrain"), run=keep)
    for arguments in (["--set", f"{bare}=0.5"], [f"--{bare}", "0.5"], ["--config", str(file)]):
        execute(command, [*("s", "--out", "r"), *arguments])
    assert found == [PretrainOptions.build({**PRETRAIN, word: 0.5})] * 3
    assert found[0].learning_rate == 0.5


def test_a_mistyped_key_names_its_place_and_the_nearest(dry_run: Callable[..., str], tmp_path: Path) -> None:
    said = dry_run(config="batch_sise: 8\n", code=2)
    expected = f"error: --config {tmp_path / 'run.yaml'}: there is no option 'batch_sise'; did you mean 'batch-size'?\n"
    assert said == expected
    said = dry_run("--set", "batch_sise=8", code=2)
    assert said == "error: --set: there is no option 'batch_sise'; did you mean 'batch-size'?\n"


def test_required_options_may_stand_in_yaml(bertsmith: Callable[..., Any], store: Path, tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text(f"store: {store}\nout: {tmp_path / 'run'}\ndry-run: true\nsequence-length: 32\n", encoding="utf-8")
    assert bertsmith("pretrain", "--config", file).code == 0


# Verbs in Python


def test_the_signature_is_the_schema() -> None:
    found = signature(PrepareOptions)
    assert found.parameters["sources"].kind is inspect.Parameter.VAR_POSITIONAL
    assert found.parameters["out"].default is inspect.Parameter.empty
    assert found.parameters["held_out"].default == "0.02"
    assert all(
        parameter.kind is inspect.Parameter.KEYWORD_ONLY
        for name, parameter in found.parameters.items()
        if name != "sources"
    )


def test_a_verb_takes_options_or_values(corpus_file: Path, tmp_path: Path) -> None:
    from bertsmith.verbs.prepare import prepare

    options = PrepareOptions.build({"sources": corpus_file, "out": tmp_path / "a", "dry_run": True, "vocab_size": 77})
    one, two = prepare(options), prepare(corpus_file, out=tmp_path / "a", dry_run=True, vocab_size=77)
    measured = ("seconds", "free_bytes")
    assert [{name: value for name, value in item.to_dict().items() if name not in measured} for item in (one, two)] == [
        {name: value for name, value in one.to_dict().items() if name not in measured}
    ] * 2
    assert prepare([corpus_file, corpus_file], out=tmp_path / "a", dry_run=True).store == tmp_path / "a"


def test_too_many_values_by_position_are_refused() -> None:
    from bertsmith.verbs.report import report

    with pytest.raises(OptionError, match="found 2 values by position, expected at most 1: folder"):
        report("a", "b")


def test_a_command_line_gives_the_options_that_it_is_made_of() -> None:
    """Only what is not as it is by default; zero is a value, and a flag stands alone."""
    from bertsmith.config.pretrain import PretrainOptions

    values = {
        "store": "a store", "out": "RUN", "dropout": 0, "learning_rate": 1.23456789e-4, "mask_split": "70,20,10",
        "short_phase": "64,0.75", "tensorboard": True, "steps": 5, "from": "MODEL", "workers": 0, "overwrite": True,
    }  # fmt: skip
    line = PretrainOptions.build(values).command_line("pretrain", leave_out=("overwrite",))
    assert line == (
        "bertsmith pretrain 'a store' --out RUN --from MODEL --steps 5 --short-phase 64,0.75 --learning-rate "
        "0.000123456789 --mask-split 70,20,10 --dropout 0 --tensorboard"
    )
