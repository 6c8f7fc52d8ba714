"""The page is balanced, self-contained, escaped, accessible, and readable in both themes."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from importlib.resources import files

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bertsmith.reporting.bar_charts import bar_chart
from bertsmith.reporting.line_chart import Series, line_chart
from bertsmith.reporting.page import Page

ATTACK = "<script>alert('&')</script>"
VOID = {"meta", "link", "br", "hr", "img", "input", "wbr"}


class Outline(HTMLParser):
    """Fails on a tag that is not closed in order; collects tags, headings, ids and text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open[-1] == tag, f"</{tag}> closes {self.open[-1:]}"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] != "style":
            self.text.append(data)

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]

    def words(self) -> str:
        return " ".join(" ".join(self.text).split())


def full_page(words: str) -> Page:
    """A page with every kind of block, all of whose texts are `words`."""
    page = Page(words, subtitle=words, refresh_seconds=10)
    page.figures([(words, words, words), (words, 5.5, "")])
    for _ in range(4):
        page.section(words, lead=words)
    page.table([words, "loss"], [[words, 5.42], ["books", None]], caption=words)
    page.chart(bar_chart([(words, 1.0)], title=words), words)
    page.text(words)
    page.code(words)
    page.notice(words, "warning")
    page.masked_sentence(words, words, [(words, 0.5), ("b", 0.2)], truth=words)
    page.masked_sentence(words, words, [], truth=words, truth_note=words)
    page.verdict(words, [words, words], "good")
    page.details(words, {words: words, "seed": 7})
    page.collapsible(words, [words, words])
    page.matrix([words, "b"], [[1, 0], [2, 3]], words, words)
    return page


def test_every_block_is_escaped_and_balanced() -> None:
    html = full_page(ATTACK).html()
    outline = Outline(html)
    assert not outline.named("script")
    assert "<script" not in html.lower()
    assert outline.words().count(ATTACK) >= 20


@settings(max_examples=40)
@given(st.text())
def test_any_text_gives_a_balanced_page(words: str) -> None:
    full_page(words).html().encode("utf-8")
    Outline(full_page(words).html())


def test_options_and_names_break_where_it_can_be_read() -> None:
    """Options are whole, and copied as they are; the name of a title breaks between its parts, not in a word."""
    page = Page("wiki_mini/<b>_2", subtitle="Fine-tuned from runs/wiki_mini")
    page.notice("more --epochs, another --learning-rate: not re--do or -- or STS-B")
    page.text("give <i>--test</i>")
    html = page.html()
    assert "<h1>wiki_<wbr>mini/&lt;b&gt;_<wbr>2</h1>" in html
    assert "<title>wiki_mini/&lt;b&gt;_2</title>" in html
    assert '<p class="subtitle">Fine-tuned from runs/<wbr>wiki_<wbr>mini</p>' in html
    assert re.findall(r'<span class="whole">(.*?)</span>', html) == ["--epochs", "--learning-rate", "--test"]
    assert "&lt;i&gt;" in html and ".whole { white-space: nowrap; }" in html


def test_nothing_comes_from_elsewhere() -> None:
    html = full_page("plain").html()
    assert set(re.findall(r"https?://[^\"'\s]*", html)) == {"http://www.w3.org/2000/svg"}
    assert not re.search(r"\b(src|srcset|@import|url)\b\s*[=(]", html)
    assert {tag for tag, _ in Outline(html).tags}.isdisjoint({"script", "link", "img", "iframe", "object"})
    assert all((a["href"] or "").startswith("#") for a in Outline(html).named("a"))


def test_structure_for_screen_readers() -> None:
    outline = Outline(full_page("words").html())
    assert outline.named("html")[0]["lang"] == "en"
    assert [tag for tag, _ in outline.tags if re.fullmatch("h[1-6]", tag)] == ["h1", "h2", "h2", "h2", "h2"]
    assert all(cell.get("scope") in ("col", "row") for cell in outline.named("th"))
    assert len(outline.named("caption")) == 2
    ids = [attributes["id"] for _, attributes in outline.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {(a["href"] or "")[1:] for a in outline.named("a")} <= set(ids)


@pytest.mark.parametrize(("sections", "contents"), [(0, 0), (3, 0), (4, 1)])
def test_contents_list_from_four_sections_on(sections: int, contents: int) -> None:
    page = Page("title")
    for number in range(sections):
        page.section(f"Section {number}")
    assert len(Outline(page.html()).named("nav")) == contents


def test_columns_of_numbers_are_right_aligned() -> None:
    page = Page("title")
    page.table(["source", "loss"], [["wikipedia", 5.42], ["books", 5.71]])
    outline = Outline(page.html())
    assert [cell.get("class") for cell in outline.named("td")] == ["number", "number"]
    assert [cell.get("class") for cell in outline.named("th")] == [None, "number", None, None]


def test_only_a_refreshing_page_refreshes() -> None:
    refreshing = [m.get("content") for m in Outline(Page("t", refresh_seconds=5).html()).named("meta")]
    assert "5" in refreshing
    assert "http-equiv" not in Page("t").html()


def test_the_true_word_is_named_in_words() -> None:
    page = Page("title")
    page.masked_sentence("The capital of France is ", ".", [("Paris", 0.412), ("Lyon", 0.131)], truth="Paris")
    words = Outline(page.html()).words()
    assert "Paris ✓ true word" in words
    assert words.count("true word") == 1
    assert "41.2%" in words
    assert "not among these" not in words


def test_a_missed_word_is_told_and_only_five_are_shown() -> None:
    page = Page("title")
    guesses = [(f"word{rank}", 0.1) for rank in range(7)]
    page.masked_sentence("She opened the ", ".", guesses, truth="word6")
    words = Outline(page.html()).words()
    assert "word4" in words and "word5" not in words
    assert "True word: word6 , not among these." in words
    assert "✓" not in words


def test_the_rank_of_the_true_word_is_always_shown() -> None:
    page = Page("title")
    page.masked_sentence("The capital of France is ", ".", [("Paris", 0.412)], truth="Paris", truth_note="rank 1 of 9")
    assert "True word: Paris , rank 1 of 9." in Outline(page.html()).words()


def test_an_unknown_truth_is_not_mentioned() -> None:
    page = Page("title")
    page.masked_sentence("a ", "", [("b", 0.1)], truth=None)
    assert "true word" not in Outline(page.html()).words().lower()


def test_options_are_written_as_the_user_would() -> None:
    page = Page("title")
    page.details("All options", {"seed": 12345, "resume": None, "whole_word": True, "learning_rate": 1e-4})
    assert "seed 12345 resume not set whole_word yes learning_rate 0.0001" in Outline(page.html()).words()


def test_a_page_can_grow_after_it_was_written() -> None:
    page = Page("title")
    before = page.html()
    page.section("Later")
    assert "Later" not in before and "Later" in page.html()


# --- colours ---


def themes() -> dict[str, dict[str, str]]:
    css = files("bertsmith.reporting").joinpath("page.css").read_text(encoding="utf-8")
    light, dark = (
        dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", block))
        for block in re.findall(r":root \{(.*?)\}", css, re.DOTALL)[:2]
    )
    return {"light": light, "dark": dark}


def contrast(one: str, other: str) -> float:
    """The contrast ratio of WCAG 2.2."""

    def luminance(colour: str) -> float:
        parts = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
        red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(
    ("ink", "paper"),
    [
        *((ink, paper) for ink in ("ink", "muted") for paper in ("background", "surface")),
        *(("ink", paper) for paper in ("info", "warning", "good")),
        ("accent", "background"),
        ("accent", "info"),
        ("warning-edge", "warning"),
        ("good-edge", "good"),
        ("good-edge", "surface"),
        *((f"series-{number}", "background") for number in range(1, 7)),
    ],
)
def test_contrast(theme: str, ink: str, paper: str) -> None:
    colours = themes()[theme]
    ratio = contrast(colours[ink], colours[paper])
    assert ratio >= 4.5, f"{ink} on {paper} in the {theme} theme: {ratio:.2f}"


def test_both_themes_define_the_same_colours_and_every_used_one() -> None:
    light, dark = themes().values()
    css = files("bertsmith.reporting").joinpath("page.css").read_text(encoding="utf-8")
    assert light.keys() == dark.keys()
    assert set(re.findall(r"var\(--([\w-]+)\)", css)) - {"series", "shade"} <= light.keys()


def test_every_class_of_a_chart_has_a_style() -> None:
    css = files("bertsmith.reporting").joinpath("page.css").read_text(encoding="utf-8")
    series = [Series(f"s{n}", [(0, 1), (1, 2)], "points" if n % 2 else "line") for n in range(7)]
    svg = line_chart([*series, Series("raw", [(0, 1), (1, 2)], "faint")], x_label="x", y_label="y", title="t",
                     reference_lines=[("r", 1.0)])  # fmt: skip
    used = {name for value in re.findall(r'class="([^"]*)"', svg) for name in value.split()}
    assert used - {"chart-label"} <= set(re.findall(r"\.([\w-]+)", css))


def test_rows_of_a_wide_table_are_stacked_on_a_narrow_screen() -> None:
    """Each cell bears the name of its column, as the header is not beside it there."""
    page = Page("title")
    page.table(["metric", "figure"], [("accuracy", "87.2%")])
    page.table([f"column {number}" for number in range(9)], [["some text"] * 9])
    html = page.html()
    assert html.count('class="stacked"') == 1
    assert html.index('class="stacked"') > html.index("87.2%")
    assert '<td data-label="column 8">some text</td>' in html
