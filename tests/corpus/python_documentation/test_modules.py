"""Which modules and distributions are read."""

from __future__ import annotations

import importlib.metadata
import re
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from bertsmith.corpus.python_documentation import distributions
from bertsmith.corpus.python_documentation.distributions import BASE_DISTRIBUTIONS, missing_distributions
from bertsmith.corpus.python_documentation.modules import documentation_modules

PROJECT = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_direct_dependencies_are_read_and_tools_for_development_are_not() -> None:
    def names(requirements: list[str]) -> set[str]:
        return {re.split(r"[^\w-]", requirement, maxsplit=1)[0].lower() for requirement in requirements}

    assert names(PROJECT["dependencies"]) <= set(BASE_DISTRIBUTIONS)
    tools = names(PROJECT["optional-dependencies"]["dev"]) | {"grimp", "mypy-extensions", "pluggy", "iniconfig"}
    assert tools.isdisjoint(BASE_DISTRIBUTIONS)
    assert "bertsmith" not in BASE_DISTRIBUTIONS
    assert list(BASE_DISTRIBUTIONS) == sorted(set(BASE_DISTRIBUTIONS))


def test_modules_are_found_in_the_standard_library_and_in_packages() -> None:
    modules = {module.id: module for module in documentation_modules()}
    assert list(modules) == sorted(modules)
    assert modules["argparse"].package == "python"
    assert modules["json"].path.name == "__init__.py"
    assert modules["jinja2.environment"].package == "jinja2"
    assert modules["torch.nn.functional"].package == "torch"
    assert not any("tests" in module.path.parts or "__pycache__" in module.path.parts for module in modules.values())
    assert {module.package for module in modules.values()} <= {"python", *BASE_DISTRIBUTIONS}


def test_a_distribution_that_is_not_installed_is_left_out_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    find: Callable[[str], importlib.metadata.Distribution] = importlib.metadata.distribution

    def without_torch(name: str) -> importlib.metadata.Distribution:
        if name == "torch":
            raise importlib.metadata.PackageNotFoundError(name)
        return find(name)

    monkeypatch.setattr(importlib.metadata, "distribution", without_torch)
    monkeypatch.setattr(distributions, "BASE_DISTRIBUTIONS", ("jinja2", "torch"))
    assert missing_distributions() == ["torch"]
    assert {module.package for module in documentation_modules()} == {"python", "jinja2"}
