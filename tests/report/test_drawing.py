from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import matplotlib
import pytest

from dcgan_edge.report.drawing import (
    COLOURS,
    DASHES,
    HEIGHT,
    SHAPES,
    WIDTH,
    Canvas,
    draw,
    marker,
    stroke,
)
from dcgan_edge.report.keys import PATHS, key, roof_key, swatch

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def everything(axes: Axes) -> None:
    for index in range(8):
        axes.plot([1, 2, 3], [index, 3, 2], **stroke(index))
        axes.plot([1, 2, 3], [index, 3, 2], **marker(index, hollow=index % 2 == 0))
    axes.fill_between([1, 2], [1, 2], [2, 3], color=COLOURS[0], alpha=0.2)
    axes.set(xlabel="time (ms)", ylabel="a < b & c")


@pytest.fixture(scope="module")
def svg() -> str:
    return draw("first", 'a "title" <b>', "words & <i>", everything)


@pytest.fixture(scope="module")
def root(svg: str) -> ElementTree.Element:
    return ElementTree.fromstring(svg)  # raises unless it is well-formed


def test_every_colour_is_one_of_the_page(svg: str) -> None:
    assert "var(--s0)" in svg
    assert "var(--paper)" in svg
    assert not re.search(r"#[0-9a-fA-F]{3,6}\b(?!-)|rgb\(|black|white", re.sub(r"#first-\w+", "", svg))


def test_nothing_reaches_outside_the_drawing(svg: str, root: ElementTree.Element) -> None:
    assert not re.search(r"https?:|<style|<metadata|<!DOCTYPE|<\?xml|font-family", svg)
    for element in root.iter():
        assert element.get("id", "first-").startswith("first-")
    ids = {element.get("id") for element in root.iter()}
    targets = set(re.findall(r'(?:url\(|href=")#([\w-]+)', svg))
    assert targets
    assert targets <= ids


def test_a_screen_reader_gets_a_name_and_a_description(root: ElementTree.Element) -> None:
    assert root.get("role") == "img"
    assert root.get("aria-label") == 'a "title" <b>'
    description = root.find("desc")
    assert description is not None
    assert (description.text, description.get("id")) == ("words & <i>", root.get("aria-describedby"))


def test_text_stays_text_and_the_size_is_the_page_s(root: ElementTree.Element) -> None:
    assert {"time (ms)", "a < b & c"} <= {"".join(text.itertext()) for text in root.iter("text")}
    assert root.get("viewBox") == f"0 0 {WIDTH} {HEIGHT}"
    assert root.get("width") is None


def test_drawings_differ_by_their_name_alone(svg: str) -> None:
    assert draw("first", 'a "title" <b>', "words & <i>", everything) == svg
    assert draw("other", 'a "title" <b>', "words & <i>", everything).replace("other-", "first-") == svg


def test_the_settings_of_the_user_play_no_part_and_are_left_alone(svg: str) -> None:
    with matplotlib.rc_context({"font.size": 40, "axes.facecolor": "red", "lines.linewidth": 9}):
        assert draw("first", 'a "title" <b>', "words & <i>", everything) == svg
        assert matplotlib.rcParams["font.size"] == 40


@pytest.mark.parametrize("describe", [str, repr])
def test_thirty_series_can_be_told_apart_and_not_by_colour_alone(describe: Callable[[object], str]) -> None:
    strokes = [describe(stroke(index)) for index in range(30)]
    assert len(set(strokes)) == 30
    assert len(DASHES) >= 4
    assert len(SHAPES) >= 4


@pytest.mark.parametrize("index", range(8))
def test_a_legend_s_key_has_the_colour_and_the_dash_of_its_line(index: int) -> None:
    line, *shapes = ElementTree.fromstring(key(index, marked=True)).findall("path")
    style = str(line.get("style"))
    _, dash = stroke(index)["linestyle"]
    assert f"var(--s{index % 6})" in style
    assert f"stroke-dasharray: {' '.join(f'{length:g}' for length in dash) if dash else 'none'}" in style
    assert [shape.get("d") for shape in shapes] == [PATHS[marker(index)["marker"]]]
    assert len(ElementTree.fromstring(key(index, marked=False)).findall("path")) == 1


def test_axes_with_margins_line_up_whatever_their_labels() -> None:
    def left(label: str) -> str | None:
        def plot(axes: Axes) -> None:
            axes.plot([0, 1], [0, 1e9], **stroke(0))
            axes.set(ylabel=label, xlim=(0, 1))

        svg = draw("a", "t", "d", plot, Canvas(300, 100, (60, 10, 30, 5)))
        match = re.search(r'<path d="M ([\d.]+) [\d.]+ L 290 ', svg)  # a line of the grid, from left to right
        return match[1] if match else None

    assert left("short") == left("a very long label of many letters") == "60"


def test_every_legend_s_sample_is_a_drawing_of_the_page_s_colours() -> None:
    for sample in (roof_key(0), roof_key(1), swatch(True), swatch(False)):
        paths = ElementTree.fromstring(sample).findall("path")
        assert all("var(--" in str(path.get("style")) for path in paths)
    assert roof_key(0) != roof_key(1)
    assert swatch(True) != swatch(False)
