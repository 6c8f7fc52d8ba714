"""What holds for the code as a whole: its layers, its public names, what an import costs."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import inspect
import sys
from pathlib import Path

import pytest

import bertsmith
from bertsmith.config.extend_tokenizer import ExtendTokenizerOptions
from bertsmith.config.options import Options
from bertsmith.config.prepare import PrepareOptions, TrainTokenizerOptions
from bertsmith.config.pretrain import PretrainOptions
from bertsmith.config.quickstart import DoctorOptions, QuickstartOptions
from bertsmith.config.report import ReportOptions
from bertsmith.evaluation.options import CompareOptions, EvaluateOptions
from bertsmith.finetuning.glue.options import GlueOptions
from bertsmith.finetuning.options import FinetuneOptions
from bertsmith.tasks.score_options import ScoreOptions
from support.process import run_process

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "bertsmith"

PUBLIC = [
    "BertsmithError",
    "Predictor",
    "PretrainingCollator",
    "PretrainingDataset",
    "TokenStore",
    "compare",
    "doctor",
    "evaluate",
    "extend_tokenizer",
    "finetune",
    "finetune_glue",
    "load",
    "prepare",
    "pretrain",
    "quickstart",
    "report",
    "score",
    "train_tokenizer",
]

SCHEMAS: dict[str, type[Options]] = {
    "doctor": DoctorOptions,
    "compare": CompareOptions,
    "evaluate": EvaluateOptions,
    "extend_tokenizer": ExtendTokenizerOptions,
    "finetune": FinetuneOptions,
    "finetune_glue": GlueOptions,
    "prepare": PrepareOptions,
    "pretrain": PretrainOptions,
    "quickstart": QuickstartOptions,
    "report": ReportOptions,
    "score": ScoreOptions,
    "train_tokenizer": TrainTokenizerOptions,
}


def test_the_layers_hold(tmp_path: Path) -> None:
    """The contract in pyproject.toml, read by import-linter."""
    script = (
        "import sys\n"
        "from importlinter.cli import lint_imports\n"
        f"sys.exit(lint_imports(config_filename={str(ROOT / 'pyproject.toml')!r}, no_cache=True))\n"
    )
    done = run_process([sys.executable, "-c", script], cwd=tmp_path)
    assert done.code == 0, done.shown
    assert "2 kept, 0 broken" in done.stdout


def test_the_public_names() -> None:
    assert bertsmith.__all__ == PUBLIC
    assert dir(bertsmith) == sorted([*PUBLIC, "__version__"])


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_name_has_a_docstring(name: str) -> None:
    value = getattr(bertsmith, name)
    assert value.__name__ == name
    assert value.__doc__
    assert inspect.cleandoc(value.__doc__)[0].isupper() or value.__doc__.strip().startswith("`")


def test_the_types_know_the_public_names() -> None:
    """The imports for type checkers at the top of `bertsmith/__init__.py` are the same names."""
    text = (SOURCE / "__init__.py").read_text(encoding="utf-8")
    typed = [line.split()[-1] for line in text.splitlines() if line.startswith("    from bertsmith.")]
    assert sorted(typed) == PUBLIC


def test_an_unknown_name_is_answered() -> None:
    with pytest.raises(AttributeError, match="no attribute 'pretain'; it has BertsmithError, Predictor"):
        bertsmith.pretain  # noqa: B018


def test_import_bertsmith_imports_nothing_heavy() -> None:
    script = (
        "import sys, bertsmith\n"
        "print(*(name for name in ('torch', 'transformers', 'numpy', 'pyarrow', 'pydantic') if name in sys.modules))"
    )
    done = run_process([sys.executable, "-c", script])
    assert (done.code, done.stdout) == (0, "\n"), done.shown


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_verb_shows_its_options(name: str) -> None:
    function, schema = getattr(bertsmith, name), SCHEMAS[name]
    parameters = inspect.signature(function).parameters
    assert set(parameters) == set(schema.model_fields)
    for option, field in schema.model_fields.items():
        assert f"    {option}: {field.description}" in function.__doc__.splitlines()
        required = parameters[option].default is inspect.Parameter.empty
        many = parameters[option].kind is inspect.Parameter.VAR_POSITIONAL
        assert required == field.is_required() or many


def test_the_command_line_takes_what_python_takes() -> None:
    """A verb's command has the options of the Python function of its name; verbs that predict have none."""
    from bertsmith.cli.app import verbs
    from bertsmith.cli.command import command_of

    commands = [one for command in map(command_of, verbs()) for one in (command, *command.words.values())]
    schemas = {one.name.replace("-", "_").replace(" ", "_"): one.schema for one in commands}
    for name in SCHEMAS:
        function = getattr(bertsmith, name)
        assert set(schemas[name].model_fields) == set(inspect.signature(function).parameters), name
    predicting = set(schemas) - set(SCHEMAS)
    assert predicting == {"answer", "choose", "classify", "embed", "fill_mask", "next_sentence", "tag", "tokenize"}


def modules() -> list[Path]:
    """Every source file of the package."""
    return sorted(SOURCE.rglob("*.py"))


def test_there_are_modules() -> None:
    assert len(modules()) > 60


@pytest.mark.parametrize("path", modules(), ids=lambda path: path.relative_to(SOURCE).as_posix())
def test_a_module(path: Path) -> None:
    """It names no place of the machine it was written on, and says what it is for."""
    text = path.read_text(encoding="utf-8")
    assert "/work/" not in text
    assert not text.strip() or text.startswith(('"""', 'r"""'))


def test_only_safetensors_are_loaded() -> None:
    """No module of ours unpickles: pickle stands nowhere in the source, and torch.load reads tensors alone."""
    loads = 0
    for path in modules():
        text = path.read_text(encoding="utf-8")
        assert "import pickle" not in text, path
        for call in ast.walk(ast.parse(text)):
            if isinstance(call, ast.Call) and ast.unparse(call.func) == "torch.load":
                loads += 1
                assert "weights_only=True" in ast.unparse(call), path
    assert loads == 3, "a checkpoint's optimizer, schedule and random states"


@pytest.mark.parametrize("path", sorted((ROOT / "benchmarks").glob("*.py")), ids=lambda path: path.stem)
def test_what_a_benchmark_takes_from_the_package_is_there(path: Path) -> None:
    """Benchmarks import within their functions, so that a name that moved is not found until they run."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "bertsmith":
            module = importlib.import_module(node.module or "")
            for name in node.names:
                found = hasattr(module, name.name) or importlib.util.find_spec(f"{node.module}.{name.name}")
                assert found, f"{path.name}:{node.lineno}: {node.module} has no {name.name}"
