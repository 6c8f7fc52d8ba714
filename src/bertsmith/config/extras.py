"""Extras: packages that only some options need."""

from __future__ import annotations

from importlib.util import find_spec

from bertsmith.errors import OptionError


def require_extra(extra: str, option: str, module: str | None = None) -> None:
    """Raise OptionError with the install command if the package of an option is not installed."""
    if find_spec(module or extra) is None:
        raise OptionError(
            f"{option} needs {module or extra}, which is not installed. Try: pip install 'bertsmith[{extra}]'"
        )
