"""Docstrings to prose: keep the sentences that people wrote, without code, tables, parameter lists and markup.

Documentation is the one large body of English on every machine, but less than half of it is English: the rest is
examples, signatures, shapes and parameter lists in four dialects (reST, numpy, Google, Markdown). A model pre-trained
on those learns brackets. Lines and indentation separate blocks (`docstring_blocks.py`); the words decide whether a
block is prose. In doubt a block is dropped, because there is plenty of text.

Every block is returned, with the reason if it was dropped.
"""

from __future__ import annotations

import functools
import re
from typing import NamedTuple

from bertsmith.corpus.python_documentation.docstring_blocks import ENTRY, docstring_blocks

MINIMUM_WORDS = 6


class Paragraph(NamedTuple):
    """A block of a docstring: clean prose if `reason` is empty, else the dropped lines."""

    text: str
    reason: str


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

# Inline markup: a character that the pattern needs to match, the pattern, its replacement. Applied in this order:
# links and roles before the quotes inside them.
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
# A lead-in that ends in one of these words continues in the following code, so it never becomes a sentence.
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
    """Return the blocks of a docstring in order, as prose or with the reason for dropping them."""
    # A docstring may contain half a surrogate pair ("\\ud800"), which cannot be encoded.
    lines = docstring.encode("utf-8", errors="replace").decode("utf-8").expandtabs().splitlines()
    paragraphs: list[Paragraph] = []
    for block in docstring_blocks(lines):
        if block.reason:
            paragraphs.append(Paragraph(" ".join(block.lines), block.reason))
        else:
            is_summary = all(paragraph.reason == "signature" for paragraph in paragraphs)
            paragraphs.append(_clean_paragraph(block.lines, is_summary=is_summary))
    return paragraphs


def _without_markup(text: str) -> str:
    for character, pattern, replacement in _INLINE:
        if character in text:
            text = pattern.sub(replacement, text)
    return " ".join(text.split())


def _whole_sentences(text: str, *, is_summary: bool) -> str:
    """Return the text up to its last full stop.

    Two kinds of sentence get a missing full stop: a lead-in to an example ("... as follows:"), and the summary line of
    a docstring, which is often written without one.
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


def _clean_paragraph(lines: list[str], *, is_summary: bool) -> Paragraph:
    """Remove the markup of a paragraph and decide from its words whether it consists of English sentences."""
    raw = " ".join(" ".join(lines).split())
    if reason := _why_not_prose(raw, lines):
        return Paragraph(raw, reason)
    text = _whole_sentences(_LABEL.sub("", _without_markup(raw), count=1), is_summary=is_summary)
    if reason := _why_not_sentences(text):
        return Paragraph(raw, reason)
    # A sentence may begin with a name in the code, but so does an entry of a list.
    begins_with_name = raw[0] in "`:" and not ENTRY.match(text)
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
