"""Docstrings to prose: the sentences that people wrote, without code, tables, parameter lists and markup.

Documentation is the one large body of English that is on every machine, but less than half of it is English:
the rest is examples, signatures, shapes and lists of parameters in four dialects (reST, numpy, Google,
Markdown). A model that is pre-trained on those learns brackets. Lines and indentation decide what is a block,
the words themselves what is prose. Both would rather lose a good sentence than keep a bad one: text is
plentiful.

Nothing is dropped in silence: every block comes back, with the reason if it was dropped. One pass of regular
expressions over the lines, about 2.5 MB of docstrings a second on one core.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from typing import NamedTuple

MINIMUM_WORDS = 6


class Paragraph(NamedTuple):
    """A block of a docstring: clean prose where `reason` is empty, else the lines as they were dropped."""

    text: str
    reason: str


class _Block(NamedTuple):
    lines: list[str]
    reason: str


# Sections whose entries are names with types: the body is dropped with the heading.
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
_ENTRY = re.compile(r"\*{0,2}`{0,2}\*{0,2}\w+`{0,2}(?:, \*{0,2}\w+)*(?: ?\([`~\[\w]|:\s|\s:\s)")
_SIMPLE_TABLE_BORDER = re.compile(r"[=-]{2,}(?:\s+[=-]{2,})+")
_TABLE_ROW = re.compile(r"\|.*\||\+[-=+ ]+\+")
_TABLE_RULE_CHARACTERS = frozenset("|-:+= ")
_BULLET = re.compile(r"(?:[-*+•]|\(?(?:\d{1,2}|[a-zA-Z]|[ivx]{1,4})[.)])\s+(?=\S)")
_SIGNATURE = re.compile(r"[\w.]+\([^()]*(?:\([^()]*\)[^()]*)*\)(?:\s*(?:->|-->|=>|:).*)?")
_CODE_LINE = re.compile(
    r"(?:from [\w.]+ import |import [\w.]+(?: as \w+)?$|(?:async )?def \w+\(|class \w+[(:]|@\w|return$|#|"
    r"\.\.\. |[\w.\[\]\"', ()*]+ (?:[-+*/|]|::?|\*\*)?= ?\S|(?:if|for|while|with|elif|except)\b.*:$|"
    r"(?:else|try|finally):$|(?:print|assert|del|raise|yield|lambda|await)\b.*[()=\[\]]|"
    r"[\[{(<].*[\]})>],?$|.*[;{}\\]$|-{1,2}\w)"
)

_LICENCE_WORDS = (
    *(
        "copyright",
        "©",
        "license",
        "licence",
        "all rights reserved",
        "permission is hereby",
        "without warrant",
    ),
    *("public domain", "spdx-", "redistribut"),
)

# Inline markup: a character without which the pattern cannot match, the pattern, what it becomes. Applied in
# this order: links and roles before the quotes that they hold.
_INLINE = tuple(
    (character, re.compile(pattern), replacement)
    for character, pattern, replacement in (
        ("!", r"!\[[^\]]*\]\([^)]*\)", ""),  # an image
        (">", r"</?[A-Za-z][\w-]*(?:\s[^<>]*)?/?>(?!`)", ""),  # an HTML tag
        ("]", r"\s?\[(?:\d+|#\w*|\w+\d+)\]_", ""),  # a footnote's mark
        (
            "]",
            r"\[(?:`+[~!]?|~)([^`\]]+)`*\](?:\([^)\s]*\))?",
            r"\1",
        ),  # a transformers reference: [`~torch.Tensor`]
        ("]", r"\[([^\[\]]+)\]\([^)\s]+\)", r"\1"),  # a Markdown link
        ("`", r"(?::[\w+.-]+){1,2}:`[~!.]*([^`<]+?) ?<[^`>]+>`", r"\1"),  # :func:`text <target>`
        ("`", r"(?::[\w+.-]+){1,2}:`+[~!.]*([^`]+)`+", r"\1"),  # :class:`~torch.Tensor`
        ("`", r"`([^`<]+?) ?<[^`>]+>`_{0,2}", r"\1"),  # `text <url>`_
        ("`", r"``+ ?([^`]+?) ?``+", r"\1"),
        ("`", r"`[~!]?([^`]+)`_{0,2}", r"\1"),
        ("*", r"(?<![\w*])\*\*(?=[^\s*])([^*]+?)(?<=[^\s*])\*\*(?![\w*])", r"\1"),
        ("*", r"(?<![\w*])\*(?=[^\s*])([^*]+?)(?<=[^\s*])\*(?![\w*])", r"\1"),
        ("\\", r"\\(?=[ *`_|]) ?", ""),  # a reST escape
    )
)
_MATHS = re.compile(r":math:`[^`]*[\\^_{][^`]*`|\\\(|\$[^$]*[\\^_{][^$]*\$|\\[a-zA-Z]{3,}")
_ADDRESS_WORDS = ("://", "www.", "doi:", "DOI:", "arxiv", "arXiv")
_LABEL = re.compile(
    r"(?:NOTES?|Notes?|WARNING|Warning|TODO|FIXME|XXX|TIP|Tip|IMPORTANT|Important)(?:\([\w-]+\))? ?:\s+"
)
_CODE_WORD = re.compile(r"[`|{}=<>\\$~^]|::|->|\w\[|\w\(\w|__\w|\.\.\.,|-{2,}|\w\*|@|_$")
_SENTENCE_END = re.compile(r"""(?<!\be\.g)(?<!\bi\.e)(?<!\betc)(?<!\bvs)[.!?]["')\]]*(?=\s+["'(]?[A-Z]|$)""")
# A lead-in that ends in one of these goes on in the code that follows it: no full stop makes it a sentence.
_DANGLING_TEXT = """
a an the and or of to in is are be by as if that with like for so example e.g. i.e. see includes are following
"""
_DANGLING = frozenset(_DANGLING_TEXT.split())
_WORD = re.compile(r"""[("'\[]*(?:[A-Z]?[a-z]+|[A-Z]{1,5}s?|[A-Za-z]+(?:[-'/’][A-Za-z]+)+)["')\]]*[.,;:!?]*["')\]]*""")
_FUNCTION_TEXT = """
a an the this that these those it its is are was were be been has have had do does not no of to in on at by
for from with without as into over and or but if then than when where which who whose while so such will would
can could should may might must we you they i there their your our all any each both either also only because
between after before same other whether one
"""
_FUNCTION_WORDS = frozenset(_FUNCTION_TEXT.split())


def clean_docstring(docstring: str) -> list[Paragraph]:
    """The blocks of a docstring in order, as prose or with the reason for which they were dropped."""
    # A docstring may spell half a character ("\\ud800"), which no file can hold.
    lines = docstring.encode("utf-8", errors="replace").decode("utf-8").expandtabs().splitlines()
    paragraphs: list[Paragraph] = []
    for block in _blocks(lines):
        if block.reason:
            paragraphs.append(Paragraph(" ".join(block.lines), block.reason))
        else:
            is_summary = all(paragraph.reason == "signature" for paragraph in paragraphs)
            paragraphs.append(_judge(block.lines, is_summary=is_summary))
    return paragraphs


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _end_of_body(lines: list[str], start: int, indent: int) -> int:
    """The first line from `start` on that is neither blank nor indented by more than `indent`."""
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
    """Where a block that begins at `index` and cannot be prose ends, and why; None if it may be prose."""
    text = lines[index].strip()
    if _is_underlined(lines, index):
        if _FIELD_HEADING.fullmatch(text.rstrip(":")):
            return _end_of_section(lines, index + 2), "parameters"
        return index + 2, "heading"
    indent = _indent(lines[index])
    if not text[0].isalpha() and (span := _span_of_symbols(lines, index, text, indent)):
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


def _span_of_symbols(lines: list[str], index: int, text: str, indent: int) -> tuple[int, str] | None:
    """The part of `_dropped_span` for lines that begin with something else than a letter."""
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


def _blocks(lines: list[str]) -> Iterator[_Block]:
    """Cut the lines into blocks that cannot be prose, with their reason, and paragraphs that may be."""
    paragraph: list[str] = []
    indent = 0
    index = 0
    while index < len(lines):
        line = lines[index]
        text = line.strip()
        span = _dropped_span(lines, index) if text else (index + 1, "")
        if span is None and paragraph and _begins_paragraph(text, _indent(line), paragraph, indent):
            yield _Block(paragraph, "")
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
            yield _Block(paragraph, "")
        end, reason = span
        if reason:
            yield _Block([line.strip() for line in lines[index:end] if line.strip()], reason)
        elif paragraph and paragraph[-1].endswith("::"):
            # reST: what is indented after a double colon is literal.
            outer = min(indent, _indent(lines[index - 1]))
            end = _end_of_body(lines, index, outer)
            if literal := [line.strip() for line in lines[index:end] if line.strip()]:
                yield _Block(literal, "code")
            end = max(end, index + 1)
        paragraph = []
        index = end
    if paragraph:
        yield _Block(paragraph, "")


def _begins_paragraph(text: str, line_indent: int, paragraph: list[str], indent: int) -> bool:
    """Whether a line that follows another without a blank line is an entry or a list item by itself."""
    previous_end = paragraph[-1][-1]
    if _BULLET.match(text) and (line_indent != indent or previous_end in ".:;,!?" or text[0] in "-*+•"):
        return True
    if _DIRECTIVE.fullmatch(text):
        return True
    if line_indent == indent:
        return False
    if _ENTRY.match(text):
        return True
    return previous_end in ".:;!?" or not text[0].islower()


def _without_markup(text: str) -> str:
    for character, pattern, replacement in _INLINE:
        if character in text:
            text = pattern.sub(replacement, text)
    return " ".join(text.split())


def _whole_sentences(text: str, *, is_summary: bool) -> str:
    """The text up to its last full stop.

    Two kinds of sentence get the full stop that they lack: a lead-in to an example ("... as follows:"), and
    the summary line of a docstring, which many write without one.
    """
    end = 0
    for match in _SENTENCE_END.finditer(text):
        end = match.end()
    rest = text[end:].split()
    if len(rest) >= MINIMUM_WORDS and rest[-1].rstrip(":").lower() not in _DANGLING:
        last = text[-1]
        if last == ":" or (is_summary and not end and (last.isalnum() or last in ")\"'")):
            return text.rstrip(": ") + "."
    return text[:end]


@functools.lru_cache(maxsize=1 << 16)
def _is_plain_word(word: str) -> bool:
    return _WORD.fullmatch(word) is not None


def _judge(lines: list[str], *, is_summary: bool) -> Paragraph:
    """Remove the markup of a paragraph and decide by its words whether it reads as English sentences."""
    raw = " ".join(" ".join(lines).split())
    if reason := _why_not_prose(raw, lines):
        return Paragraph(raw, reason)
    text = _whole_sentences(_LABEL.sub("", _without_markup(raw), count=1), is_summary=is_summary)
    if reason := _why_not_sentences(text):
        return Paragraph(raw, reason)
    # A sentence may begin with the name of something in the code; an entry of a list does as well.
    begins_with_name = raw[0] in "`:" and not _ENTRY.match(text)
    if not (text[0].isupper() or text[0] in "\"'(" or begins_with_name):
        return Paragraph(raw, "fragment")
    return Paragraph(text, "")


def _why_not_prose(raw: str, lines: list[str]) -> str:
    if raw.count(" ") + 1 < MINIMUM_WORDS:
        return "short"
    if sum(1 for line in lines if _CODE_LINE.match(line)) * 3 >= len(lines):
        return "code"
    lowered = raw.lower()
    if any(word in lowered for word in _LICENCE_WORDS):
        return "licence"
    if ("\\" in raw or "$" in raw or ":math:" in raw) and _MATHS.search(raw):
        return "maths"
    return ""


def _why_not_sentences(text: str) -> str:
    if not text:
        return "unfinished"
    if any(word in text for word in _ADDRESS_WORDS):
        return "address"
    words = text.split()
    if len(words) < MINIMUM_WORDS:
        return "short"
    odd = [word for word in words if not _is_plain_word(word)]
    code = sum(1 for word in odd if _CODE_WORD.search(word))
    if len(odd) > 0.25 * len(words) or sum(map(len, odd)) > 0.4 * len(text) or code > 1 + len(words) // 16:
        return "symbols"
    if sum(1 for word in words if word.lower() in _FUNCTION_WORDS) < 0.1 * len(words):
        return "terse"
    return ""
