"""Every option of every verb has a test that shows its effect.

Each test in this folder that is marked with `@effect(Schema, "option", ...)` runs the verb with two values of the
option (or with and without it) and asserts the difference that the option promises, in files, figures, weights or
behaviour. An option without such a test fails here, so that no option comes in without an effect.
"""

from __future__ import annotations

import importlib.util
import inspect
from collections import Counter
from pathlib import Path
from types import ModuleType

from bertsmith.cli.app import verbs
from bertsmith.cli.command import command_of
from bertsmith.config.options import Options


def schemas() -> list[type[Options]]:
    """The schema of every verb of the command line, and of the words that may follow one."""
    commands = map(command_of, verbs())
    return [one.schema for command in commands for one in (command, *command.words.values())]


def load(file: Path) -> ModuleType:
    """The module of a file of tests."""
    spec = importlib.util.spec_from_file_location(f"effects_{file.stem}", file)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def shown() -> Counter[str]:
    """How many tests in this folder show the effect of each option."""
    found = Counter[str]()
    for file in sorted(Path(__file__).parent.glob("test_*_effects.py")):
        for name, function in inspect.getmembers(load(file), inspect.isfunction):
            options = getattr(function, "effects", [])
            assert not options or name.startswith("test_"), f"{file.name}: pytest does not run {name}"
            found.update(f"{schema.__name__}.{option}" for schema, option in options)
    return found


def test_every_option_has_one_test_of_its_effect() -> None:
    options = [f"{schema.__name__}.{name}" for schema in schemas() for name in schema.model_fields]
    assert len(options) > 200
    found = shown()
    assert sorted(set(options) - set(found)) == [], "options without a test marked @effect"
    assert sorted(set(found) - set(options)) == [], "tests of options that do not exist"
    assert [name for name, tests in found.items() if tests > 1] == [], "options with two tests"


def test_every_verb_is_covered() -> None:
    """All verbs of the command line, and `finetune glue`; only doctor has no option."""
    assert len(verbs()) == 19
    assert len(schemas()) == len(verbs()) + 1
    (without,) = [schema for schema in schemas() if not schema.model_fields]
    assert without.__name__ == "DoctorOptions"
