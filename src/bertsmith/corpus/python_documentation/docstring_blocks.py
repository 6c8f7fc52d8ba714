"""Split a docstring into blocks: paragraphs that may be prose, and blocks that cannot be prose, with the reason.

Lines and indentation decide, in four dialects (reST, numpy, Google, Markdown). A single pass of regular expressions
over the lines processes about 2.5 MB of docstrings per second on one core.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple


class DocstringBlock(NamedTuple):
    """Lines of a docstring; `reason` is empty for a paragraph that may be prose."""

    lines: list[str]
    reason: str


# Sections whose entries are names with types: heading and body are dropped.
_FIELD_SECTIONS = (
    r"(?:(?:other|keyword|optional|required|positional|additional)[ -])?"
    r"(?:args?|arguments?|param(?:eter)?s?|kwargs|returns?|yields?|raises|throws|warns|receives|"
    r"attributes?|properties|methods?|inputs?|outputs?|shapes?|references?|see also|signature|members|fields|"
    r"keys|options|keywords|exceptions?|dependencies|usage|authors?|routine listings|type parameters|"
    r"constructors?|class variables|functions|bibliography|todo|return types?|return values?)"
)
_FIELD_HEADING = re.compile(_FIELD_SECTIONS, re.IGNORECASE)
_GOOGLE_HEADING = re.compile(rf"(?:\*\*)?{_FIELD_SECTIONS}(?:\*\*)?\s?:(?:\*\*)?(?P<entry>\s+\S.*)?:?", re.IGNORECASE)
_UNDERLINE = re.compile(r"""([=\-~^"'*#+.`:_])\1{2,}""")
_MARKDOWN_HEADING = re.compile(r"#{1,6}\s.*|\*\*[^*]+\*\*:?")

_DOCTEST = re.compile(r">>|In \[\d+\]:|\$ |% ")
_FENCE = re.compile(r"(```+|~~~+)")
_DIRECTIVE = re.compile(r"\.\.\s+(?:\|[^|]+\|\s+)?(?P<name>[\w:+-]+?)\s?::(?:\s+(?P<argument>.*))?")
_VERSION_DIRECTIVE = re.compile(r"versionadded|versionchanged|versionremoved|deprecated")
_PROSE_DIRECTIVE = re.compile(
    rf"notes?|warning|tip|important|caution|hint|attention|danger|error|seealso|{_VERSION_DIRECTIVE.pattern}"
)
_EXPLICIT_MARKUP = re.compile(r"\.\.(?:\s|$)")
_FIELD = re.compile(r"(?::(?!\w+:`)[A-Za-z][^:`]*(?:`[^`]*`[^:`]*)*:|@\w+(?:\s+\w+)?:)(?:\s|$)")
ENTRY = re.compile(r"\*{0,2}`{0,2}\*{0,2}\w+`{0,2}(?:, \*{0,2}\w+)*(?: ?\([`~\[\w]|:\s|\s:\s)")
_SIMPLE_TABLE_BORDER = re.compile(r"[=-]{2,}(?:\s+[=-]{2,})+")
_TABLE_ROW = re.compile(r"\|.*\||\+[-=+ ]+\+")
_TABLE_RULE_CHARACTERS = frozenset("|-:+= ")
_BULLET = re.compile(r"(?:[-*+•]|\(?(?:\d{1,2}|[a-zA-Z]|[ivx]{1,4})[.)])\s+(?=\S)")
_SIGNATURE = re.compile(r"[\w.]+\([^()]*(?:\([^()]*\)[^()]*)*\)(?:\s*(?:->|-->|=>|:).*)?")


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _end_of_body(lines: list[str], start: int, indent: int) -> int:
    """Return the first line from `start` on that is not blank and not indented by more than `indent`."""
    for index in range(start, len(lines)):
        if lines[index].strip() and _indent(lines[index]) <= indent:
            return index
    return len(lines)


def _end_of_paragraph(lines: list[str], start: int) -> int:
    return next((index for index in range(start, len(lines)) if not lines[index].strip()), len(lines))


def _is_underlined(lines: list[str], index: int) -> bool:
    if index + 1 >= len(lines) or not lines[index].strip():
        return False
    underline = lines[index + 1].strip()
    if not underline or underline[0].isalnum():
        return False
    return bool(_UNDERLINE.fullmatch(underline)) and not _UNDERLINE.fullmatch(lines[index].strip())


def _end_of_section(lines: list[str], start: int) -> int:
    return next((index for index in range(start, len(lines)) if _is_underlined(lines, index)), len(lines))


def _dropped_span(lines: list[str], index: int) -> tuple[int, str] | None:
    """Return the end of a block that begins at `index` and cannot be prose, and the reason; None if it may be prose."""
    text = lines[index].strip()
    if _is_underlined(lines, index):
        if _FIELD_HEADING.fullmatch(text.rstrip(":")):
            return _end_of_section(lines, index + 2), "parameters"
        return index + 2, "heading"
    indent = _indent(lines[index])
    if not text[0].isalpha() and (span := _span_of_symbols(lines, index, text=text, indent=indent)):
        return span
    if _DOCTEST.match(text):
        return _end_of_paragraph(lines, index), "doctest"
    if ":" in text and (heading := _GOOGLE_HEADING.fullmatch(text)):
        following = next((line for line in lines[index + 1 :] if line.strip()), "")
        if not heading["entry"] and _indent(following) > indent:
            return _end_of_body(lines, index + 1, indent), "parameters"
        return _end_of_paragraph(lines, index), "parameters"
    if "(" in text and _SIGNATURE.fullmatch(text):
        return index + 1, "signature"
    return None


def _span_of_symbols(lines: list[str], index: int, *, text: str, indent: int) -> tuple[int, str] | None:
    """Apply `_dropped_span` to lines that do not begin with a letter."""
    if fence := _FENCE.match(text):
        closing = (end + 1 for end in range(index + 1, len(lines)) if lines[end].strip().startswith(fence[1]))
        return next(closing, len(lines)), "code"
    if _SIMPLE_TABLE_BORDER.fullmatch(text):
        for end in range(index + 1, len(lines)):
            is_last = end + 1 == len(lines) or not lines[end + 1].strip()
            if is_last and _SIMPLE_TABLE_BORDER.fullmatch(lines[end].strip()):
                return end + 1, "table"
        return _end_of_paragraph(lines, index), "table"
    if _TABLE_ROW.fullmatch(text) or ("|" in text and _TABLE_RULE_CHARACTERS.issuperset(text)):
        return _end_of_paragraph(lines, index), "table"
    if _UNDERLINE.fullmatch(text) or _MARKDOWN_HEADING.fullmatch(text):
        return index + 1, "heading"
    if directive := _DIRECTIVE.fullmatch(text):
        if _PROSE_DIRECTIVE.fullmatch(directive["name"].lower()):
            return None
        return _end_of_body(lines, index + 1, indent), "code"
    if _EXPLICIT_MARKUP.match(text):
        return _end_of_body(lines, index + 1, indent), "reference"
    if _FIELD.match(text):
        return min(_end_of_body(lines, index + 1, indent), _end_of_paragraph(lines, index)), "parameters"
    return None


def docstring_blocks(lines: list[str]) -> Iterator[DocstringBlock]:
    """Split the lines into blocks that cannot be prose, with their reason, and paragraphs that may be prose."""
    paragraph: list[str] = []
    indent = 0
    index = 0
    while index < len(lines):
        line = lines[index]
        text = line.strip()
        span = _dropped_span(lines, index) if text else (index + 1, "")
        if span is None and paragraph and _begins_paragraph(text, _indent(line), paragraph=paragraph, indent=indent):
            yield DocstringBlock(paragraph, "")
            paragraph = []
        if span is None:
            bullet = _BULLET.match(text)
            if directive := _DIRECTIVE.fullmatch(text):
                text = (directive["argument"] or "").strip()
                if _VERSION_DIRECTIVE.fullmatch(directive["name"].lower()):
                    text = text.partition(" ")[2]
            elif bullet:
                text = text[bullet.end() :]
            if not paragraph or _indent(line) > indent:
                indent = _indent(line) + (bullet.end() if bullet else 0)
            if text:
                paragraph.append(text)
            index += 1
            continue
        if paragraph:
            yield DocstringBlock(paragraph, "")
        end, reason = span
        if reason:
            yield DocstringBlock([line.strip() for line in lines[index:end] if line.strip()], reason)
        elif paragraph and paragraph[-1].endswith("::"):
            # reST: an indented block after a double colon is literal.
            outer = min(indent, _indent(lines[index - 1]))
            end = _end_of_body(lines, index, outer)
            if literal := [line.strip() for line in lines[index:end] if line.strip()]:
                yield DocstringBlock(literal, "code")
            end = max(end, index + 1)
        paragraph = []
        index = end
    if paragraph:
        yield DocstringBlock(paragraph, "")


def _begins_paragraph(text: str, line_indent: int, *, paragraph: list[str], indent: int) -> bool:
    """Return whether a line without a blank line before it starts a list item or entry."""
    previous_end = paragraph[-1][-1]
    if _BULLET.match(text) and (line_indent != indent or previous_end in ".:;,!?" or text[0] in "-*+•"):
        return True
    if _DIRECTIVE.fullmatch(text):
        return True
    if line_indent == indent:
        return False
    if ENTRY.match(text):
        return True
    return previous_end in ".:;!?" or not text[0].islower()
