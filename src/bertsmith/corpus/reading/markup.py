"""`.md` and `.html`: one document per file, as paragraphs without markup."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from typing import Any

from bertsmith.corpus.document import Document
from bertsmith.corpus.reading.decoding import (
    decode_stream,
    options_by_byte_order_mark,
    read_text_buffers,
    refuse_binary,
)
from bertsmith.corpus.reading.options import ReadingNotes, ReadingOptions
from bertsmith.corpus.reading.sources import SourceFile
from bertsmith.corpus.reading.unpacking import decompress, open_source
from bertsmith.errors import DataError

BLOCK_ELEMENTS = frozenset(
    (
        *(
            "address",
            "article",
            "aside",
            "blockquote",
            "body",
            "caption",
            "cell",
            "center",
            "dd",
            "details",
            "div",
            "dl",
        ),
        *("dt", "fieldset", "figcaption", "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "head"),
        *("header", "hr", "item", "li", "list", "main", "nav", "ol", "option", "p", "pre", "quote", "row", "section"),
        *("summary", "table", "tbody", "td", "tfoot", "th", "thead", "tr", "ul"),
    )
)
"""Block elements, each a separate paragraph: those of HTML, and those of the TEI that trafilatura produces."""
SKIPPED_ELEMENTS = frozenset(("script", "style", "noscript", "template", "svg", "math", "iframe", "object", "textarea"))
_FRONT_MATTER = re.compile(r"---[ \t]*\n[\w-]+[ \t]*:.*?\n(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL)
_CHARSET = re.compile(rb"""<meta[^>]{0,200}?charset\s*=\s*["']?\s*([\w.:-]+)""", re.IGNORECASE)


def read_markdown(file: SourceFile, options: ReadingOptions, notes: ReadingNotes) -> Iterator[Document]:
    """Yield the document of a Markdown file: headings, paragraphs, list items, table cells; no code, no links."""
    text = "".join(read_text_buffers(file, options, notes))
    yield Document(f"{file.name}#0", tuple(_markdown_paragraphs(text, file.location)))


def read_html(file: SourceFile, options: ReadingOptions, notes: ReadingNotes) -> Iterator[Document]:
    """Yield the document of a page: the main text found by trafilatura, or all text if it finds none."""
    with open_source(file) as raw:
        page = b"".join(decompress(file, raw, notes))
    options = options_by_byte_order_mark(file, page, options=options, notes=notes)
    refuse_binary(file.location, page, options.encoding)
    text = _page_text(file, page, options, notes=notes).replace("\0", "")
    yield Document(f"{file.name}#0", tuple(_page_paragraphs(text, file.location)))


def _markdown_paragraphs(text: str, where: str) -> Iterator[str]:
    from markdown_it import MarkdownIt

    # markdown-it would turn NUL into U+FFFD; in other formats cleaning removes NUL
    plain = text.replace("\0", "").replace("\r\n", "\n").replace("\r", "\n")
    if front := _FRONT_MATTER.match(plain):
        plain = plain[front.end() :]
    for token in MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(plain):
        if token.type == "inline":
            paragraph = " ".join("".join(map(_inline_text, token.children or ())).split())
            if paragraph:
                yield paragraph
        elif token.type == "html_block" and (part := _tree(token.content, where)) is not None:
            yield from _blocks(part)


def _inline_text(token: Any) -> str:
    if token.type in ("softbreak", "hardbreak"):
        return " "
    if token.type == "image":
        return "".join(map(_inline_text, token.children or ()))
    return str(token.content) if token.type in ("text", "text_special", "code_inline") else ""


def _page_text(file: SourceFile, page: bytes, options: ReadingOptions, *, notes: ReadingNotes) -> str:
    """Decode the page by --encoding, or by the encoding that the page declares if --encoding fails."""
    named = _named_encoding(page)
    if named is not None and options.encoding_errors == "strict":
        try:
            page.decode(options.encoding)
        except UnicodeDecodeError:
            notes.detected.append(f"{file.name}: read as {named}, which the page declares")
            options = ReadingOptions(encoding=named)
    return "".join(decode_stream(file, (page,), options, notes=notes, name_lines=True))


def _named_encoding(page: bytes) -> str | None:
    """Return the encoding in a page's `<meta charset>` if Python knows it as a text encoding."""
    if (found := _CHARSET.search(page[:4096])) is None:
        return None
    try:
        name = codecs.lookup(found.group(1).decode("ascii", "replace")).name
        "a".encode(name)
    except LookupError:
        return None
    return name


def _page_paragraphs(page: str, where: str) -> list[str]:
    import trafilatura

    tree = _tree(page, where)
    if tree is None:
        return []
    found = trafilatura.bare_extraction(tree, include_comments=False)
    body = getattr(found, "body", None)
    paragraphs = list(_blocks(body)) if body is not None else []
    if paragraphs:
        return paragraphs
    whole = _tree(page, where)  # parse again: trafilatura may have modified the first tree
    return list(_blocks(whole))


def _tree(page: str, where: str) -> Any:
    """Parse a page or a part of a page; return None if it is empty.

    Raises DataError if elements are nested deeper than the parser allows (about 2,000), because the rest would be lost.
    """
    from lxml import etree, html

    parser = html.HTMLParser(encoding="utf-8", huge_tree=True, remove_comments=True, remove_pis=True)
    try:
        tree = html.document_fromstring(page.encode("utf-8", "replace"), parser=parser)
    except etree.ParserError:
        return None
    limit = next((entry for entry in parser.error_log if entry.type_name == "ERR_RESOURCE_LIMIT"), None)
    if limit is not None:
        raise DataError(
            f"{where}: line {limit.line}: the page cannot be read: {limit.message}. Try: repair or remove the file"
        )
    return tree


def _blocks(tree: Any) -> Iterator[str]:
    """Yield the texts of the block elements in order, with normalized white space."""
    from lxml import etree

    parts: list[str] = []
    open_skipped = 0  # number of open elements of SKIPPED_ELEMENTS
    body = tree.find("body")
    top = tree if body is None else body
    for event, element in etree.iterwalk(top, events=("start", "end")):
        starts = event == "start"
        open_skipped += (element.tag in SKIPPED_ELEMENTS) * (1 if starts else -1)
        if element.tag in BLOCK_ELEMENTS:
            if paragraph := " ".join("".join(parts).split()):
                yield paragraph
            parts = []
        elif element.tag in ("br", "lb"):
            parts.append(" ")
        if open_skipped == 0 and (starts or element is not top):
            parts.append((element.text if starts else element.tail) or "")
    if paragraph := " ".join("".join(parts).split()):
        yield paragraph
