"""Help is fast and complete; --json is exactly one object an answer; everything else is on standard error."""

from __future__ import annotations

import dataclasses
import importlib
import itertools
import json
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bertsmith import __version__
from bertsmith.cli.app import verbs
from bertsmith.cli.command import command_of as command
from bertsmith.cli.command import execute
from bertsmith.config.option_names import external_name
from bertsmith.config.options import Options
from bertsmith.tasks.registry import TASKS
from support.process import run_process

VERBS = verbs()
HEAVY = ("torch", "transformers", "datasets", "tokenizers", "accelerate", "numpy", "pyarrow")


def flat(text: str) -> str:
    """A help text without its line breaks."""
    return " ".join(text.replace("│", " ").replace("\\\n", " ").split())


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_its_command(verb: str) -> None:
    assert command(verb).name == verb
    assert command(verb).example.startswith("bertsmith " + verb)


def test_every_command_is_a_verb() -> None:
    """A module of bertsmith.cli with a COMMAND that `verbs` does not list would never be found."""
    folder = Path(importlib.import_module("bertsmith.cli").__path__[0])
    modules = [importlib.import_module(f"bertsmith.cli.{path.stem}") for path in sorted(folder.glob("[!_]*.py"))]
    own = {module.COMMAND.name for module in modules if hasattr(module, "COMMAND")}
    of_tasks = {entry.module("command").COMMAND.name for entry in TASKS.values()}
    assert own | of_tasks == set(VERBS) and not own & of_tasks


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"], ["help"]])
def test_the_help_lists_every_verb(bertsmith: Callable[..., Any], arguments: list[str]) -> None:
    answer = bertsmith(*arguments)
    assert answer.code == 0
    listed = [line.split()[0] for line in answer.stdout.splitlines() if line.startswith("  ") and line.strip()]
    assert [word for word in listed if word in VERBS] == list(VERBS)
    assert all(line in answer.stdout for line in VERBS.values())


def test_the_version(bertsmith: Callable[..., Any]) -> None:
    assert bertsmith("--version").stdout == f"{__version__}\n"


@pytest.mark.parametrize("verb", VERBS)
def test_the_help_of_a_verb(bertsmith: Callable[..., Any], verb: str) -> None:
    answer = bertsmith(verb, "--help")
    said = flat(answer.stdout)
    assert answer.code == 0
    assert answer.stderr == ""
    assert flat(f"Example: {command(verb).example}") in said
    assert flat(command(verb).summary) in said
    schema = command(verb).schema
    for name in schema.model_fields:
        shown = external_name(name).upper() if name in schema.positional else f"--{external_name(name)}"
        assert shown in said, f"{shown} is not in the help of {verb}"
    for shown in ("--json", "--config", "--set"):
        assert shown in said


@pytest.mark.parametrize("verb", VERBS)
def test_the_example_fits_into_a_terminal_and_can_be_copied(bertsmith: Callable[..., Any], verb: str) -> None:
    printed = bertsmith(verb, "--help").stdout.split("Example:")[1].strip("\n")
    assert all(len(line) <= 80 for line in printed.splitlines())
    assert shlex.split(printed.replace("\\\n", " ")) == shlex.split(command(verb).example)


def test_the_help_of_a_word_behind_a_verb(bertsmith: Callable[..., Any]) -> None:
    """`finetune glue` has options of its own, and its verb says that it is there."""
    glue = command("finetune").words["glue"]
    answer = bertsmith("finetune", "glue", "--help")
    said = flat(answer.stdout)
    assert answer.code == 0 and answer.stderr == ""
    assert flat(f"Example: {glue.example}") in said
    assert all(f"--{external_name(name)}" in said for name in glue.schema.model_fields)
    assert "--train " not in said
    assert "or the suite glue, which has different options" in flat(bertsmith("finetune", "--help").stdout)


@pytest.mark.parametrize("verb", VERBS)
def test_the_example_reaches_the_verb_as_it_is_written(verb: str) -> None:
    """The verb is called once, with the options that the example names; nothing that it needs is missing."""
    received: list[Options] = []

    def receive(options: Options) -> list[Any]:
        received.append(options)
        return []

    words = shlex.split(command(verb).example)[2:]
    assert execute(dataclasses.replace(command(verb), run=receive), words) == 0
    (options,) = received
    names = {external_name(name): name for name in type(options).model_fields}
    for flag, following in zip(words, [*words[1:], "--"], strict=True):
        if flag.startswith("--") and flag != "--json":
            value = getattr(options, names[flag.removeprefix("--")])
            assert value is True if following.startswith("--") else same(following, value), flag
    given = {value for name in options.positional for value in flattened(getattr(options, name))}
    leading = list(itertools.takewhile(lambda word: not word.startswith("--"), words))
    assert given >= set(leading)


def flattened(value: object) -> list[str]:
    """A value, or the values of a list, as they are written."""
    return [str(one) for one in value] if isinstance(value, list | tuple) else [str(value)]


def same(written: str, value: object) -> bool:
    """Whether an option has the value that was written."""
    if isinstance(value, int | float):
        return float(written) == value
    return written.split(",") == ",".join(flattened(value)).split(",") or written in flattened(value)


def test_help_imports_nothing_heavy() -> None:
    """One process prints every help text, and names the heavy libraries that came with it."""
    script = (
        "import sys\n"
        "from bertsmith.cli.app import run, verbs\n"
        "for arguments in [['--help'], *([verb, '--help'] for verb in verbs())]:\n"
        "    assert run(arguments) == 0, arguments\n"
        f"print('heavy:', *(name for name in {HEAVY} if name in sys.modules))\n"
    )
    done = run_process([sys.executable, "-c", script])
    assert done.code == 0, done.shown
    assert done.stdout.splitlines()[-1] == "heavy:"


def test_the_list_of_verbs_imports_no_schema() -> None:
    script = (
        "import sys\n"
        "from bertsmith.cli.app import run\n"
        "assert run(['--help']) == 0\n"
        "print('heavy:', *(name for name in ('pydantic', 'cyclopts', 'yaml') if name in sys.modules))\n"
    )
    done = run_process([sys.executable, "-c", script])
    assert done.code == 0, done.shown
    assert done.stdout.splitlines()[-1] == "heavy:"


def test_a_mistake_in_an_option_imports_nothing_heavy() -> None:
    script = (
        "import sys\n"
        "from bertsmith.cli.app import run\n"
        "assert run(['pretrain', 'store', '--out', 'run', '--size', 'bsae']) == 2\n"
        f"print('heavy:', *(name for name in {HEAVY} if name in sys.modules))\n"
    )
    done = run_process([sys.executable, "-c", script])
    assert done.code == 0, done.shown
    assert done.stdout.splitlines() == ["heavy:"]
    assert "did you mean 'base'?" in done.stderr


def test_the_program_as_a_process(bertsmith_process: Callable[..., Any]) -> None:
    answer = bertsmith_process("fill-maks", "model", "text")
    assert answer.code == 2
    assert answer.stdout == ""
    assert answer.stderr == ("error: there is no verb 'fill-maks'; did you mean 'fill-mask'? Try: bertsmith --help\n")


# --json, and where inputs come from

TEXTS = ["the baker [MASK] some bread.", "a sailor sold [MASK] horses on the [MASK]."]


def test_json_is_one_object_for_one_text(bertsmith: Callable[..., Any], run: Path) -> None:
    answer = bertsmith("fill-mask", run, TEXTS[0], "--json")
    assert answer.stderr == ""
    assert answer.json["text"] == TEXTS[0]
    assert [mask["position"] for mask in answer.json["masks"]] == [answer.json["masks"][0]["position"]]
    assert set(answer.json["masks"][0]["predictions"][0]) == {"token", "id", "probability", "text"}


def test_json_is_one_object_a_line_for_several_texts(bertsmith: Callable[..., Any], run: Path) -> None:
    answers = bertsmith("fill-mask", run, *TEXTS, "--json").json_lines
    assert [answer["text"] for answer in answers] == TEXTS
    assert [len(answer["masks"]) for answer in answers] == [1, 2]


@pytest.mark.parametrize("verb", ["fill-mask", "embed", "tokenize"])
def test_texts_come_from_arguments_a_file_or_standard_input(
    bertsmith: Callable[..., Any], run: Path, tmp_path: Path, verb: str
) -> None:
    content = "\ufeff" + "\r\n".join([TEXTS[0], "", TEXTS[1], ""])
    (tmp_path / "texts.txt").write_text(content, encoding="utf-8", newline="")
    by_arguments = bertsmith(verb, run, *TEXTS, "--json")
    assert len(by_arguments.json_lines) == 2
    first, blank, second = bertsmith(verb, run, "--input", tmp_path / "texts.txt", "--json").json_lines
    assert [first, second] == by_arguments.json_lines and blank["text"] == ""
    assert bertsmith(verb, run, "--json", stdin="\n".join(TEXTS)).stdout == by_arguments.stdout


def test_pairs_come_from_arguments_a_file_or_standard_input(
    bertsmith: Callable[..., Any], run: Path, tmp_path: Path
) -> None:
    (tmp_path / "pairs.txt").write_text("the queen sold a map.\tit was red.\n", encoding="utf-8")
    by_arguments = bertsmith("next-sentence", run, "the queen sold a map.", "it was red.", "--json")
    assert set(by_arguments.json) == {"is_next_probability", "label", "logits"}
    assert bertsmith("next-sentence", run, "--input", tmp_path / "pairs.txt", "--json").stdout == by_arguments.stdout
    from_stdin = bertsmith("next-sentence", run, "--json", stdin="the queen sold a map.\tit was red.\n")
    assert from_stdin.stdout == by_arguments.stdout


def test_without_texts_a_terminal_is_not_waited_for(bertsmith: Callable[..., Any], run: Path) -> None:
    answer = bertsmith("fill-mask", run)
    assert answer.code == 2
    assert (
        'found no text. Try: bertsmith fill-mask MODEL "A text.", or lines of text in --input FILE or on standard'
        in answer.stderr
    )


def test_texts_from_two_sides_are_refused(bertsmith: Callable[..., Any], run: Path, tmp_path: Path) -> None:
    answer = bertsmith("embed", run, "a text", "--input", tmp_path / "texts.txt")
    assert answer.code == 2
    assert answer.stderr == "error: embed: found texts as arguments and --input, expected one of the two\n"


def test_a_text_that_begins_with_a_hyphen(bertsmith: Callable[..., Any], run: Path) -> None:
    assert bertsmith("tokenize", run, "--json", "--", "- a bell").json["text"] == "- a bell"
    answer = bertsmith("tokenize", run, "- a bell")
    assert answer.code == 2
    assert "'- a bell' begins with a hyphen, like an option. Try: -- before this text" in answer.stderr


def test_notes_are_on_standard_error_alone(
    bertsmith: Callable[..., Any], store: Path, corpus_file: Path, tmp_path: Path, tiny: dict[str, Any]
) -> None:
    options = [word for name, value in tiny.items() for word in (f"--{external_name(name)}", str(value))]
    prepared = bertsmith("prepare", corpus_file, "--out", tmp_path / "store", "--vocab-size", 192, "--json")
    assert prepared.json["vocab_size"] == 192
    assert "held out: " in prepared.stderr
    trained = bertsmith("pretrain", store, "--out", tmp_path / "run", "--steps", 1, *options, "--json")
    assert trained.json["steps"] == 1
    assert "Model: 1 layer, hidden size 32" in trained.stderr


@pytest.mark.parametrize("verb", ["doctor", "report"])
def test_json_of_verbs_without_texts(bertsmith: Callable[..., Any], run: Path, verb: str) -> None:
    found = bertsmith(verb, *([run] if verb == "report" else []), "--json").json
    assert set(found) == ({"report"} if verb == "report" else {"machine", "versions", "choices"})


def test_people_read_text(bertsmith: Callable[..., Any], run: Path) -> None:
    for arguments in (
        ("fill-mask", run, TEXTS[1]),
        ("embed", run, "the red letter"),
        ("tokenize", run, "the red letter"),
        ("next-sentence", run, "the red letter", "it was red."),
        ("doctor",),
    ):
        answer = bertsmith(*arguments)
        assert answer.code == 0, answer.stderr
        with pytest.raises(json.JSONDecodeError):
            json.loads(answer.stdout)


def test_the_reference_is_made_from_the_schemas() -> None:
    """docs/reference.md is what `make docs` writes now."""
    from bertsmith.cli.reference import reference

    file = Path(__file__).resolve().parents[2] / "docs" / "reference.md"
    assert file.read_text(encoding="utf-8") == reference(), "run `make docs`"
