"""The text encoding of a file, as an option."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator

ENCODING = "text encoding of the files"


def _known(value: str) -> str:
    try:
        "".encode(value)
    except LookupError:
        raise ValueError(f"found {value!r}, expected an encoding that Python knows, such as utf-8 or cp1252") from None
    return value


Encoding = Annotated[str, AfterValidator(_known)]
