"""Reading Markdown and web pages."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bertsmith.corpus.document import Document
from bertsmith.corpus.reading import ReadingNotes
from bertsmith.errors import DataError

Read = Callable[..., list[Document]]
ReadNoting = Callable[..., tuple[list[Document], ReadingNotes]]
Pack = Callable[[bytes, str], bytes]

MARKDOWN = """---
title: Left out
---
# A *title* of `code`

One paragraph
over two lines, with a [link](https://example.org "t") and ![an image](i.png).

- first item
- second item

  its second paragraph
1. numbered

> quoted \\* text &amp; more

| head | of |
| ---- | -- |
| cell | **two** |

```python
left = "out"
```

    left out too

<div align="center">Kept <b>text</b><script>not()</script></div>

Below
=====
"""
PARAGRAPHS = (
    *("A title of code", "One paragraph over two lines, with a link and an image.", "first item", "second item"),
    *("its second paragraph", "numbered", "quoted * text & more", "head", "of", "cell", "two", "Kept text", "Below"),
)

PAGE = """<!DOCTYPE html><html><head><title>T</title><style>p {}</style><script>x()</script></head><body>
<nav><a href="/">Home</a> <a href="/about">About</a></nav>
<article><h1>The bread of the village</h1>
<p>The baker found a wooden boat near the river while it rained, and nobody noticed.</p>
<p>A sailor carried some bread to the market,<br>again and without a <b>single</b> word.</p>
<ul><li>The queen sold it before the winter came.</li></ul></article>
<footer>Copyright</footer></body></html>"""


@pytest.mark.parametrize("compression", ["", ".gz", ".zst", ".xz"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_markdown(read: Read, packed: Pack, tmp_path: Path, compression: str, end: str) -> None:
    (tmp_path / f"a.md{compression}").write_bytes(packed(MARKDOWN.replace("\n", end).encode(), compression))
    assert read(tmp_path) == [Document(f"a.md{compression}#0", PARAGRAPHS)]


def test_a_rule_at_the_top_of_markdown_is_no_front_matter(read: Read, tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("---\n\nOne.\n\n---\n\nTwo.\n")
    assert read(tmp_path)[0].paragraphs == ("One.", "Two.")


@pytest.mark.parametrize("compression", ["", ".gz", ".zst", ".xz"])
def test_a_page(read: Read, packed: Pack, tmp_path: Path, compression: str) -> None:
    (tmp_path / f"a.html{compression}").write_bytes(packed(PAGE.encode(), compression))
    (document,) = read(tmp_path)
    assert document.id == f"a.html{compression}#0"
    assert document.paragraphs[-3:] == (
        "The baker found a wooden boat near the river while it rained, and nobody noticed.",
        "A sailor carried some bread to the market, again and without a single word.",
        "The queen sold it before the winter came.",
    )
    assert not {"Home", "About", "p {}", "x()"} & set(document.paragraphs)


@pytest.mark.parametrize(
    ("page", "paragraphs"),
    [
        ("<p>One.<p>Two <i>and</i> more.", ("One.", "Two and more.")),
        ("<table><tr><td>a<td>b</table>", ("a", "b")),
        ('<?xml version="1.0" encoding="utf-8"?><html><body><p>One.</p></body></html>', ("One.",)),
        ("Plain words & more", ("Plain words & more",)),
        ("<div>a<!-- b -->c<script>d</script>e</div>f", ("ace", "f")),
        ("<p>O\0ne. " + "word " * 2_000, ("One. " + ("word " * 2_000).strip(),)),
    ],
)
def test_pages_without_a_main_part_give_all_their_text(
    read: Read, tmp_path: Path, page: str, paragraphs: tuple[str, ...]
) -> None:
    (tmp_path / "a.htm").write_bytes(page.encode())
    assert read(tmp_path) == [Document("a.htm#0", paragraphs)]


@pytest.mark.parametrize("name", ["a.html", "a.htm", "a.md"])
@pytest.mark.parametrize(
    "content", ["", " \n", "<html><body></body></html>", "<!-- one -->", "<p>", "<script>x</script>"]
)
def test_a_page_without_text_is_a_document_without_paragraphs(
    read: Read, capfd: pytest.CaptureFixture[str], tmp_path: Path, name: str, content: str
) -> None:
    (tmp_path / name).write_text(content)
    assert read(tmp_path) == [Document(f"{name}#0", ())]
    assert capfd.readouterr() == ("", "")


def test_a_page_may_name_its_encoding(read_noting: ReadNoting, tmp_path: Path) -> None:
    (tmp_path / "a.html").write_bytes('<meta charset="windows-1252"><p>Das schöne Café.'.encode("cp1252"))
    documents, notes = read_noting(tmp_path)
    assert documents[0].paragraphs == ("Das schöne Café.",)
    assert notes.detected == ["a.html: read as cp1252, which the page declares"]
    (tmp_path / "a.html").write_bytes("<p>Das\nschöne Café.".encode("cp1252"))
    with pytest.raises(DataError, match=r"a\.html: line 2, byte 10 \(0xf6\) is not utf-8"):
        read_noting(tmp_path)
    documents, notes = read_noting(tmp_path, encoding_errors="replace")
    assert documents[0].paragraphs == ("Das sch\ufffdne Caf\ufffd.",)
    assert notes.replaced_bytes == 2


@pytest.mark.parametrize("depth", [300, 2_000, 5_000])
def test_a_page_of_elements_in_elements(read: Read, tmp_path: Path, depth: int) -> None:
    (tmp_path / "a.html").write_text("<div>" * depth + "<p>deep</p>" + "</div>" * depth)
    if depth < 5_000:
        assert read(tmp_path)[0].paragraphs == ("deep",)
    else:
        with pytest.raises(DataError, match=r"a\.html: line 1: the page cannot be read: .*depth"):
            read(tmp_path)
