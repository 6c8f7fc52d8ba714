"""The report of a STORE: every section with its figures, from a complete, a partial and an empty manifest."""

from __future__ import annotations

import math
import re
from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertsmith.corpus import cleaning
from bertsmith.corpus.deduplication import DUPLICATE, DUPLICATE_PARAGRAPHS, NEAR_DUPLICATE
from bertsmith.corpus.stages.dropped_texts import WITHOUT_TOKENS
from bertsmith.records.manifest import Manifest
from bertsmith.reporting.bar_charts import bar_chart
from bertsmith.reporting.histograms import doubling_histogram
from bertsmith.reporting.store.report import store_report

SVG = "{http://www.w3.org/2000/svg}"
ATTACK = "<b>R&D</b>"
SECTIONS = [
    "Documents",
    "Paragraphs",
    "Languages",
    "Lengths",
    "Words and vocabulary",
    "Duplicates",
    "Parts",
    "Tokenizer",
    "Time",
    "How it was made",
]


class Outline(HTMLParser):
    """Fails on a tag that is not closed in order; collects the words, the headings, and the table cells."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.text: list[str] = []
        self.headings: list[str] = []
        self.tables: list[list[list[str]]] = []
        self.feed(re.sub(r'<wbr>|<span class="whole">([^<]*)</span>', r"\1", html))  # line break hints are not words
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag == "meta":
            return
        self.open.append(tag)
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")
        elif tag == "h2":
            self.headings.append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open[-1] == tag, f"</{tag}> closes {self.open[-1:]}"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        inner = self.open[-1] if self.open else ""
        if inner in ("td", "th"):
            self.tables[-1][-1][-1] += data
        elif inner == "h2":
            self.headings[-1] += data
        if inner != "style":
            self.text.append(data)

    def words(self) -> str:
        return " ".join(" ".join(self.text).split())

    def table(self, *header: str) -> list[list[str]]:
        return next(rows[1:] for rows in self.tables if tuple(rows[0]) == header)


def manifest() -> dict[str, Any]:
    """A manifest with all figures."""
    return {
        "format": 2,
        "options": {"language": "en", "near_duplicates": 0.5, "tokenizer": None, "sources": ["a.txt"]},
        "choices": [{"name": "vocabulary size", "value": "1000", "reason": "by the text"}],
        "result": {
            "documents_in": 2_000,
            "documents_kept": 1_500,
            "dropped": {"duplicate": 300, "near-duplicate": 120, "too short": 80},
            "dropped_paragraphs": {"boilerplate": 41, "duplicate paragraphs": 7, "too short": 83},
            "held_out_documents": 30,
            "sentences": 10_111,
            "tokens": 202_222,
            "vocab_size": 1_000,
            "tokenizer_sha256": "ab12" * 16,
            "stages": {"read and clean": 61.5, "encode": 12.25},
            "seconds": 80.0,
        },
        "parts": {
            "train": {"documents": 1_470, "sentences": 9_909, "tokens": 198_178},
            "held_out": {"documents": 30, "sentences": 202, "tokens": 4_044},
        },
        "held_out": {"by": "documents", "reason": "2.0% of the documents, chosen by a hash of their id"},
        "detected": [f"file-{number}.txt: blank lines between documents" for number in range(25)],
        "characters": 987_654,
        "replaced_bytes": 17,
        "cleaning": {
            "paragraphs_dropped": {"boilerplate": 41, "too short": 83},
            "characters_dropped": {"boilerplate": 4_321, "too short": 830},
            "paragraphs_repaired": {"unicode": 66, "white space": 9},
            "characters_removed": {"unicode": -3, "white space": 12},
        },
        "duplicates": [
            {"kind": "duplicate", "similarity": 1.0, "kept": ATTACK, "dropped": ["<x>", "a&b", "c", "d"], "size": 31},
            {"kind": "near-duplicate", "similarity": 0.734, "kept": "u" * 300, "dropped": ["v"], "size": 2},
        ],
        "statistics": {
            "document_characters": {"9": 400, "10": 1_100, "11": 300},
            "languages": {"en": 60, "de": 15, "und": 5},
            "sentence_tokens": {"0": 1, "3": 2_000, "4": 6_000, "5": 2_100, "9": 10},
            "vocabulary_used": 700,
            "unknown_rate": 0.0234,
            "frequent_words": {f"w{'abcdefghij'[n // 10]}{'abcdefghij'[n % 10]}": 5_000 - n for n in range(60)},
        },
        "versions": {"bertsmith": "0.1.0"},
        "files": {
            "train/data-00000-of-00001.arrow": {"bytes": 400_000, "sha256": "0"},
            "held_out/data-00000-of-00001.arrow": {"bytes": 90_000, "sha256": "1"},
            "tokenizer/tokenizer.json": {"bytes": 9_000, "sha256": "2"},
            "unigram.json": {"bytes": 1_000, "sha256": "3"},
        },
    }


def page_of(name: str, content: dict[str, Any]) -> str:
    return store_report(name, Manifest.model_validate(content))


def number(cell: str) -> int:
    return int(cell.replace(",", ""))


@pytest.fixture(scope="module")
def outline() -> Outline:
    return Outline(page_of("corpus", manifest()))


def test_every_section_is_there(outline: Outline) -> None:
    assert outline.headings == SECTIONS
    assert "script" not in outline.tags
    assert not {"img", "link", "iframe"} & set(outline.tags)


@pytest.mark.parametrize(
    "words",
    [
        "1,500 of 2,000 read",
        "987,654 after cleaning",
        "10,111 in both parts",
        "202,222 in both parts",
        "500 kB token ids and tokenizer",
        "Replaced 17 bytes that are not valid in the encoding",
        "file-24.txt: blank lines between documents",
        "Documents dropped, by reason: 500 of 2,000",
        "Single paragraphs dropped, by reason: 48 in total.",
        "Another 83 paragraphs were dropped with their documents: 83 too short.",
        "a sample of 80 documents",
        "none: no letters",
        "20 of the 80 documents in the sample are in other languages",
        "1,800 in total. The median document has 1,024 to 2,047 characters.",
        "10,111 in total. The median sentence has 16 to 31 tokens, the mean is 20.0.",
        "512 tokens or more: 10 (0.099%)",
        "Entries that occur 700 of 1,000, 70.0%",
        "Unknown tokens 2.3%",
        "2.3% of the tokens are [UNK]",
        "300 entries never occur",
        "The 30 most frequent words",
        "300 duplicates and 120 near-duplicates were dropped. STORE/duplicates.jsonl lists all",
        "from a similarity of 0.5 (--near-duplicates)",
        "Held out: 2.0% of the documents, chosen by a hash of their id.",
        "WordPiece with 1,000 entries, trained on the training part.",
        "vocabulary size: 1000 (by the text).",
        "ab12" * 16,
        "61.50 s",
        "80.0 seconds in total",
        "a.txt",
        "0.1.0",
    ],
)
def test_every_figure_is_told(outline: Outline, words: str) -> None:
    assert words in outline.words().replace("\u00a0", " ")


def test_documents_add_up(outline: Outline) -> None:
    rows = {row[0]: number(row[1]) for row in outline.table("", "documents", "share")}
    assert rows.pop("read") == sum(rows.values())
    assert rows["dropped: duplicate"] == 300


def test_the_parts_add_up(outline: Outline) -> None:
    train, held_out, both = outline.table("part", "documents", "sentences", "tokens", "of all tokens")
    for column in (1, 2, 3):
        assert number(train[column]) + number(held_out[column]) == number(both[column])
    assert both[2] == "10,111" and both[3] == "202,222"
    assert held_out[4] == "2.0%"


def test_the_bytes_add_up(outline: Outline) -> None:
    rows = outline.table("files", "bytes", "share")
    assert [row[0] for row in rows] == ["training part", "held-out part", "tokenizer", "others"]
    assert sum(number(row[1]) for row in rows) == 500_000


def test_paragraphs_of_whole_documents_are_not_among_those_dropped_by_themselves(outline: Outline) -> None:
    rows = outline.table("dropped", "paragraphs", "characters")
    assert rows == [["boilerplate", "41", "4,321"], ["duplicate paragraphs", "7", ""]]
    assert outline.table("repaired", "paragraphs", "shorter by")[0] == ["unicode", "66", "-3"]


def test_groups_of_duplicates_are_named_and_escaped() -> None:
    html = page_of(ATTACK, manifest())
    outline = Outline(html)
    exact, near = outline.table("kept", "documents", "similarity", "kind", "dropped")
    assert exact == [ATTACK, "31", "1.00", "duplicate", "<x>, a&b and 28 more"]
    assert near[1:] == ["2", "0.73", "near-duplicate", "v"]
    assert near[0].startswith("uuu") and "…" in near[0] and len(near[0]) <= 40
    assert ATTACK not in html and "<x>" not in html and "a&b" not in html


def test_frequent_words_are_escaped_and_thirty() -> None:
    whole = manifest()
    whole["statistics"]["frequent_words"] = {"<i>&": 9_000, **whole["statistics"]["frequent_words"]}
    html = page_of("corpus", whole)
    chart = next(svg for svg in re.findall(r"<svg.*?</svg>", html, re.DOTALL) if "most frequent words" in svg)
    root = ElementTree.fromstring(chart)
    labels = [node.text for node in root.iter(f"{SVG}text") if node.attrib["class"] == "chart-label"]
    assert len(labels) == 30 and labels[0] == "<i>&"
    assert "<i>" not in html


@pytest.mark.parametrize("key", sorted(manifest()))
def test_a_manifest_without_a_key_still_has_every_section(key: str) -> None:
    partial = manifest()
    del partial[key]
    assert Outline(page_of("corpus", partial)).headings == SECTIONS


@pytest.mark.parametrize("part", ["result", "statistics", "cleaning", "parts", "held_out", "options"])
def test_a_part_without_one_of_its_figures_still_has_every_section(part: str) -> None:
    for name in manifest()[part]:
        partial = manifest()
        del partial[part][name]
        assert Outline(page_of("corpus", partial)).headings == SECTIONS


def test_nothing_counted_is_said() -> None:
    outline = Outline(page_of("corpus", {**manifest(), "statistics": {}, "duplicates": [], "cleaning": {}}))
    assert outline.words().count("lacks these figures") == 3
    assert "the manifest does not list them" in outline.words()
    assert Outline(page_of("corpus", {})).headings == SECTIONS


def test_a_clean_corpus_is_said_to_be_clean() -> None:
    whole = manifest()
    whole["result"] |= {"documents_kept": 2_000, "dropped": {}, "dropped_paragraphs": {}}
    whole["duplicates"] = []
    whole["cleaning"]["paragraphs_repaired"] = {}
    words = Outline(page_of("corpus", whole)).words()
    assert "No document was dropped as a duplicate" in words
    assert "No single paragraph was dropped." in words
    assert "No paragraph needed a repair." in words


def test_much_that_is_dropped_is_warned_of() -> None:
    whole = manifest()
    assert "More than half" not in page_of("corpus", whole)
    whole["result"] |= {"documents_kept": 800, "dropped": {"repetitive": 1_200}}
    assert "More than half" in page_of("corpus", whole)


def test_held_out_paragraphs_are_told_apart_from_documents() -> None:
    whole = manifest()
    whole["held_out"] = {"by": "paragraphs", "reason": "few documents"}
    outline = Outline(page_of("corpus", whole))
    assert outline.table("part", "fragments", "sentences", "tokens", "of all tokens")
    assert "The held-out fragments come from 30 of 1,500 documents." in outline.words()


@pytest.mark.parametrize(
    "reason",
    [
        cleaning.BOILERPLATE,
        cleaning.EMPTY,
        cleaning.OTHER_LANGUAGE,
        cleaning.REPETITIVE,
        cleaning.SYMBOLS,
        cleaning.TOO_SHORT,
        DUPLICATE,
        DUPLICATE_PARAGRAPHS,
        NEAR_DUPLICATE,
        WITHOUT_TOKENS,
    ],
)
def test_every_reason_is_explained(reason: str) -> None:
    whole = manifest()
    whole["result"]["dropped"] = {reason: 500}
    tables = Outline(page_of("corpus", whole)).tables
    assert [row[1] for table in tables for row in table if row[0] == reason and len(row) == 2 and row[1]]


def test_bars_of_a_doubling_histogram_are_equally_wide_and_in_proportion() -> None:
    root = ElementTree.fromstring(doubling_histogram({4: 10, 5: 40, 7: 20}, title="t", x_label="x", y_label="y"))
    bars = list(root.iter(f"{SVG}rect"))
    widths = [float(bar.attrib["width"]) for bar in bars]
    heights = [float(bar.attrib["height"]) for bar in bars]
    starts = [float(bar.attrib["x"]) for bar in bars]
    assert max(widths) - min(widths) < 0.05
    assert math.isclose(heights[1], 4 * heights[0], abs_tol=0.1)
    assert math.isclose(starts[2] - starts[1], 2 * (starts[1] - starts[0]), abs_tol=0.1), "the empty class keeps room"
    titles = [node.text for bar in bars for node in bar]
    assert titles == ["16 to 31: 10", "32 to 63: 40", "128 to 255: 20"]
    ticks = [node.text for node in root.iter(f"{SVG}text") if node.attrib["class"] == "chart-tick"]
    assert {"16", "32", "64", "128", "256", "14%", "57%", "29%"} <= set(ticks)


def test_a_doubling_histogram_of_nothing_says_so() -> None:
    for classes in ({}, {3: 0}, {-1: 5}, {61: 5}):
        assert "no data yet" in doubling_histogram(classes, title="t", x_label="x")


@given(st.dictionaries(st.integers(-2, 70), st.integers(-2, 10**15)), st.text())
def test_any_doubling_histogram_is_well_formed(classes: dict[int, int], words: str) -> None:
    root = ElementTree.fromstring(doubling_histogram(classes, title=words, x_label=words, y_label=words))
    for bar in root.iter(f"{SVG}rect"):
        assert float(bar.attrib["width"]) > 0 and float(bar.attrib["height"]) >= 0


def test_dense_bars_do_not_touch() -> None:
    root = ElementTree.fromstring(bar_chart([("a", 2.0), ("b", 1.0)], title="t", dense=True))
    first, second = root.iter(f"{SVG}rect")
    assert float(first.attrib["y"]) + float(first.attrib["height"]) < float(second.attrib["y"])
    usual = ElementTree.fromstring(bar_chart([("a", 2.0), ("b", 1.0)], title="t"))
    assert float(root.attrib["viewBox"].split()[3]) < float(usual.attrib["viewBox"].split()[3])
