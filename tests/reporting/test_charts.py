"""Charts are well-formed, drawn in finite coordinates, and say what they show."""

from __future__ import annotations

import math
import re
from itertools import pairwise
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertsmith.reporting.bar_charts import bar_chart, compared_bars
from bertsmith.reporting.histograms import histogram, reliability_diagram
from bertsmith.reporting.line_chart import Series, line_chart
from bertsmith.reporting.svg import FONT_SIZE, WIDTH, shorten_to_width, text_width

SVG = "{http://www.w3.org/2000/svg}"
ATTACK = '<script>alert("&\'")</script>'

numbers = st.floats(allow_nan=True, allow_infinity=True)
points = st.lists(st.tuples(numbers, numbers), max_size=60)
emphases = st.sampled_from(["line", "faint", "points"])
many_series = st.lists(st.builds(Series, st.text(), points, emphases), max_size=8)


def parsed(svg: str) -> ElementTree.Element:
    """The drawing as XML, after the checks that hold for every chart."""
    root = ElementTree.fromstring(svg)
    assert root.tag == f"{SVG}svg"
    assert root.attrib["role"] == "img"
    assert root.find(f"{SVG}title") is not None
    for node in root.iter():
        for name in ("x", "y", "x1", "x2", "y1", "y2", "cx", "cy", "width", "height"):
            value = node.attrib.get(name)
            assert value is None or (math.isfinite(float(value)) and abs(float(value)) < 10_000), (
                name,
                value,
            )
        for name in ("width", "height"):
            assert float(node.attrib.get(name, 0)) >= 0
        for number in re.split("[ ,]", node.attrib.get("points", "0")):
            assert math.isfinite(float(number))
    return root


def texts(root: ElementTree.Element) -> str:
    return " ".join(node.text or "" for node in root.iter())


def polyline(root: ElementTree.Element) -> list[list[float]]:
    node = root.find(f".//{SVG}polyline")
    assert node is not None
    return [[float(number) for number in pair.split(",")] for pair in node.attrib["points"].split()]


def simple_line(values: list[tuple[float, float]], **options: object) -> ElementTree.Element:
    return parsed(line_chart([Series("a", values)], x_label="x", y_label="y", title="t", **options))  # type: ignore[arg-type]


def test_a_falling_loss_falls_on_the_page() -> None:
    drawn = polyline(simple_line([(0, 9.0), (10, 7.0), (20, 6.0)]))
    assert drawn[0][0] < drawn[1][0] < drawn[2][0]
    assert drawn[0][1] < drawn[1][1] < drawn[2][1], "y grows downwards in SVG"


def test_nonfinite_points_are_skipped_and_the_rest_sorted() -> None:
    drawn = polyline(simple_line([(3, 1.0), (1, 2.0), (2, math.nan), (math.inf, 1.0), (4, -math.inf)]))
    assert len(drawn) == 2
    assert drawn[0][0] < drawn[1][0]


def test_a_long_series_is_thinned() -> None:
    assert len(polyline(simple_line([(step, step % 5) for step in range(900)]))) == 300


def test_the_chart_says_what_it_cuts_off() -> None:
    steady = [(step, 6 + step % 3) for step in range(100)]
    assert "↑ up to 5,000" in texts(simple_line([(0, 5000.0), *steady]))
    assert "↑" not in texts(simple_line(list(steady)))


def test_reference_lines_are_labelled_inside_and_apart() -> None:
    references = [
        ("unigram baseline", 6.53),
        ("bigram baseline", 6.5),
        ("uniform", 10.3),
        ("broken", math.nan),
    ]
    root = simple_line([(0, 6.0), (1, 5.5)], reference_lines=references)
    heights = [float(n.attrib["y1"]) for n in root.iter() if n.attrib.get("class") == "chart-reference"]
    labels = [n for n in root.iter() if n.attrib.get("class") == "chart-halo"]
    assert sorted(n.text or "" for n in labels) == [
        "bigram baseline 6.5",
        "uniform 10.3",
        "unigram baseline 6.53",
    ]
    assert all(0 < height < float(root.attrib["viewBox"].split()[3]) for height in heights)
    baselines = sorted(float(n.attrib["y"]) for n in labels)
    assert all(later - earlier >= 20 for earlier, later in pairwise(baselines))


def test_colours_skip_the_faint_series() -> None:
    series = [
        Series("raw", [(0, 1)], "faint"),
        Series("mean", [(0, 1)]),
        Series("held-out", [(0, 1)], "points"),
    ]
    svg = line_chart(series, x_label="x", y_label="y", title="t")
    assert "chart-series-1" in svg and "chart-series-2" in svg and "chart-series-3" not in svg


def test_no_address_but_the_namespace() -> None:
    svg = line_chart([Series("a", [(0, 1), (1, 2)])], x_label="x", y_label="y", title="t")
    assert re.findall(r"https?:[^\"]*", svg) == ["http://www.w3.org/2000/svg"]
    assert "href" not in svg


def test_marks_put_a_dot_on_every_point() -> None:
    values = [(0.0, 1.0), (1.0, 2.0), (2.0, 3.0)]
    assert len(simple_line(values).findall(f".//{SVG}circle")) == 0
    assert len(simple_line(values, marks=True).findall(f".//{SVG}circle")) == 3


@pytest.mark.parametrize(("layers", "shown"), [(1, "0 1"), (2, "0 1 2"), (3, "0 1 2 3"), (12, "0 2 4 6 8 10 12")])
def test_there_are_no_half_layers(layers: int, shown: str) -> None:
    root = simple_line([(float(layer), layer / 7) for layer in range(layers + 1)], whole_x=True)
    ticks = [node for node in root.iter(f"{SVG}text") if node.attrib["class"] == "chart-tick"]
    axis = max(float(node.attrib["y"]) for node in ticks)
    assert " ".join(node.text or "" for node in ticks if float(node.attrib["y"]) == axis) == shown


@given(st.lists(st.tuples(numbers, numbers), max_size=5))
def test_whole_numbers_of_anything_are_drawn(drawn: list[tuple[float, float]]) -> None:
    simple_line(drawn, whole_x=True)


def test_letters_are_eleven_pixels_high_on_a_phone() -> None:
    """Where a page of 390 px leaves 358 to a chart."""
    assert FONT_SIZE * 358 / WIDTH >= 11


def test_nothing_to_draw() -> None:
    nothing = [
        line_chart([], x_label="x", y_label="y", title="t"),
        line_chart([Series("a", [(0, math.nan)])], x_label="x", y_label="y", title="t"),
        bar_chart([], title="t"),
        histogram([], title="t", x_label="x"),
        histogram([(1.0, 1.0, 3)], title="t", x_label="x"),
    ]
    for svg in nothing:
        assert "no data yet" in texts(parsed(svg))


def test_labels_are_escaped() -> None:
    charts = [
        line_chart(
            [Series(ATTACK, [(0, 1), (1, 2)])],
            x_label=ATTACK,
            y_label=ATTACK,
            title=ATTACK,
            reference_lines=[(ATTACK, 1.0)],
        ),
        bar_chart([(ATTACK, 1.0)], title=ATTACK, highlight=ATTACK),
        histogram([(0, 1, 2)], title=ATTACK, x_label=ATTACK),
    ]
    for svg in charts:
        root = parsed(svg)
        assert root.attrib["aria-label"] == ATTACK
        assert not [node for node in root.iter() if "script" in node.tag]


def test_bars_are_in_proportion_and_negative_ones_grow_left() -> None:
    root = parsed(bar_chart([("a", 2.0), ("b", 1.0), ("c", -1.0), ("d", math.nan)], title="t"))
    widths = [float(bar.attrib["width"]) for bar in root.iter(f"{SVG}rect")]
    starts = [float(bar.attrib["x"]) for bar in root.iter(f"{SVG}rect")]
    assert len(widths) == 3
    assert math.isclose(widths[0], 2 * widths[1], abs_tol=0.05)
    assert math.isclose(starts[2] + widths[2], starts[0], abs_tol=0.05)
    assert "n/a" in texts(root)


def test_one_bar_stands_out_also_by_weight() -> None:
    root = parsed(bar_chart([("a", 1.0), ("b", 2.0)], title="t", highlight="b"))
    strong = [node.text for node in root.iter(f"{SVG}text") if "chart-strong" in node.attrib["class"]]
    assert strong == ["b", "2.00"]
    assert [bar.attrib["class"] for bar in root.iter(f"{SVG}rect")] == ["chart-bar-muted", "chart-bar"]


def test_long_labels_are_shortened_and_kept_in_the_tooltip() -> None:
    label = "a reason that goes on " * 10
    root = parsed(bar_chart([(label, 1.0)], title="t"))
    shown = next(node for node in root.iter(f"{SVG}text") if "chart-label" in node.attrib["class"])
    assert (shown.text or "").endswith("…")
    tooltip = shown.find(f"{SVG}title")
    assert tooltip is not None and tooltip.text == label


def test_histogram_heights_follow_the_counts() -> None:
    root = parsed(histogram([(0, 10, 4), (10, 20, 2), (20, 30, 0)], title="t", x_label="tokens"))
    heights = [float(bar.attrib["height"]) for bar in root.iter(f"{SVG}rect")]
    assert math.isclose(heights[0], 2 * heights[1], abs_tol=0.05)
    assert heights[2] == 0
    assert "0 to 10: 4" in texts(root)
    ticks = [node.text for node in root.iter(f"{SVG}text") if node.attrib["class"] == "chart-tick"]
    assert ticks[:5] == ["0", "1", "2", "3", "4"], "no half documents on the axis of counts"


def test_reliability_has_a_bar_for_each_bin_and_its_count() -> None:
    svg = reliability_diagram([(0.4, 0.5, 0.5, 12), (0.9, 1.0, 1.0, 3_400), (0.5, 0.6, 0.0, 0)], title="t")
    bars = [dict(bar.attrib) for bar in ElementTree.fromstring(svg).iter() if bar.get("class") == "chart-bar"]
    assert len(bars) == 2, "none where there are no cases"
    assert float(bars[0]["height"]) == pytest.approx(float(bars[1]["height"]) / 2, abs=0.02)
    assert ">12</text>" in svg and ">3k</text>" in svg
    assert "40.0% to 50.0%: 50.0% of 12 correct" in svg and "3,412 cases in 2 bins" in svg
    assert svg.count("chart-reference") == 1
    assert "no data yet" in reliability_diagram([], title="t")


def test_bins_beyond_a_limit_are_grey() -> None:
    root = parsed(histogram([(0, 10, 4), (10, 20, 2), (20, 30, 1)], title="t", x_label="tokens", muted_from=10))
    kinds = [bar.attrib["class"] for bar in root.iter(f"{SVG}rect")]
    assert kinds == ["chart-bar", "chart-bar-muted", "chart-bar-muted"]


@given(many_series, st.lists(st.tuples(st.text(), numbers), max_size=4), st.text(), st.booleans())
def test_any_line_chart_is_well_formed(
    series: list[Series], references: list[tuple[str, float]], words: str, marks: bool
) -> None:
    parsed(line_chart(series, x_label=words, y_label=words, title=words, reference_lines=references, marks=marks))


@given(st.lists(st.tuples(st.text(), numbers), max_size=8), st.text())
def test_any_bar_chart_is_well_formed(rows: list[tuple[str, float]], title: str) -> None:
    parsed(bar_chart(rows, title=title, value_format="{:.3g}"))


@given(st.lists(st.tuples(numbers, numbers, st.integers(-5, 10**12)), max_size=8), st.text())
def test_any_histogram_is_well_formed(bins: list[tuple[float, float, int]], label: str) -> None:
    parsed(histogram(bins, title=label, x_label=label))


@given(st.text(), st.floats(20, 600))
def test_shortened_text_fits(content: str, room: float) -> None:
    assert text_width(shorten_to_width(content, room)) <= room


# Bars beside each other


def compared(svg: str) -> list[tuple[str, float, float]]:
    """The class, width and top of every bar, without the legend's."""
    rects = [item.attrib for item in parsed(svg).iter(f"{SVG}rect")]
    return [(item["class"], float(item["width"]), float(item["y"])) for item in rects if float(item["y"]) > 20]


def test_bars_are_as_long_as_their_values_and_each_stands_over_its_grey_one() -> None:
    svg = compared_bars([("one", 2.0, 4.0), ("two", 1.0, None)], names=("model", "baseline"), title="Loss")
    (_, first, top), (_, grey, under), (_, second, last) = found = compared(svg)
    assert [kind for kind, *_ in found] == ["chart-bar", "chart-bar-muted", "chart-bar"]
    assert grey == pytest.approx(2 * first, abs=0.02) == pytest.approx(4 * second, abs=0.03)
    assert top < under < last
    assert "one, baseline: 4.00; two, model: 1.00" in svg


def test_without_grey_bars_the_legend_has_none() -> None:
    svg = compared_bars([("one", 2.0, None)], names=("model", "baseline"), title="Loss")
    assert ">model<" in svg and ">baseline<" not in svg


def test_what_cannot_be_drawn_has_no_bar() -> None:
    svg = compared_bars([("one", float("nan"), 1.0), ("two", -1.0, 0.0)], names=("a", "b"), title="Loss")
    assert len(compared(svg)) == 1 and ">n/a<" in svg and ">-1.00<" in svg
    assert "no data yet" in compared_bars([], names=("a", "b"), title="Loss")


@given(st.lists(st.tuples(st.text(), numbers, st.none() | numbers), max_size=8))
def test_any_compared_bars_are_well_formed(rows: list[tuple[str, float, float | None]]) -> None:
    parsed(compared_bars(rows, names=(ATTACK, "baseline"), title=ATTACK))
