from __future__ import annotations

import base64
import re
from collections.abc import Callable
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import matplotlib
import pytest

from dcgan_edge.report.drawing import (
    COLOURS,
    DARK,
    DASHES,
    HEIGHT,
    LIGHT,
    SHAPES,
    WIDTH,
    Canvas,
    Svg,
    draw,
    marker,
    stroke,
)
from dcgan_edge.report.keys import PATHS, key, roof_key, swatch
from tests.report_pieces import SVG_TEXT, plotted

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def everything(axes: Axes) -> None:
    for index in range(8):
        axes.plot([1, 2, 3], [index, 3, 2], **stroke(index))
        axes.plot([1, 2, 3], [index, 3, 2], **marker(index, hollow=index % 2 == 0))
    axes.fill_between([1, 2], [1, 2], [2, 3], color=COLOURS[0], alpha=0.2)
    axes.set(xlabel="time (ms)", ylabel="a < b & c")


@pytest.fixture(scope="module")
def svg() -> Svg:
    return draw("words & <i>", everything)


@pytest.fixture(scope="module")
def root(svg: Svg) -> ElementTree.Element:
    return ElementTree.fromstring(svg.text)  # raises unless it is well-formed


def test_every_colour_has_a_dark_one_in_its_place(svg: Svg) -> None:
    used = set(re.findall(r"(fill|stroke): (#[0-9a-f]{3,8})", plotted(svg)))
    assert {LIGHT["s0"], LIGHT["paper"], LIGHT["muted"]} <= {colour for _, colour in used}
    sheet = svg.text.partition("</style></defs>")[0]
    for use, colour in used:
        (name,) = (name for name, light in LIGHT.items() if light == colour)
        assert f'[style*="{use}: {colour}"] {{{use}: {DARK[name]} !important}}' in sheet
    assert not re.search(r"rgb\(|: (black|white)", svg.text)


def test_nothing_is_loaded_from_elsewhere(svg: Svg, root: ElementTree.Element) -> None:
    assert not re.search(r"@import|<script|<image", svg.text)
    ids = {element.get("id") for element in root.iter()}
    targets = re.findall(r'(?:url\(|href=")([^)"]+)', svg.text)
    assert targets
    assert all(target.startswith("#") and target[1:] in ids for target in targets)


def test_the_address_holds_the_whole_drawing(svg: Svg) -> None:
    head, _, body = svg.uri.partition(",")
    assert head == "data:image/svg+xml;base64"
    assert base64.b64decode(body).decode() == svg.text
    assert svg.description == "words & <i>"


def test_text_stays_text_and_the_size_is_as_said(svg: Svg, root: ElementTree.Element) -> None:
    assert {"time (ms)", "a < b & c"} <= {"".join(text.itertext()) for text in root.iter(SVG_TEXT)}
    assert root.get("viewBox") == f"0 0 {WIDTH} {HEIGHT}"
    assert (svg.width, svg.height) == (WIDTH, HEIGHT)


def test_the_settings_of_the_user_play_no_part_and_are_left_alone(svg: Svg) -> None:
    with matplotlib.rc_context({"font.size": 40, "axes.facecolor": "red", "lines.linewidth": 9}):
        assert draw("words & <i>", everything) == svg
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
    assert stroke(index)["color"] == LIGHT[f"s{index % 6}"]
    assert f"stroke-dasharray: {' '.join(f'{length:g}' for length in dash) if dash else 'none'}" in style
    assert [shape.get("d") for shape in shapes] == [PATHS[marker(index)["marker"]]]
    assert len(ElementTree.fromstring(key(index, marked=False)).findall("path")) == 1


def test_axes_with_margins_line_up_whatever_their_labels() -> None:
    def left(label: str) -> str | None:
        def plot(axes: Axes) -> None:
            axes.plot([0, 1], [0, 1e9], **stroke(0))
            axes.set(ylabel=label, xlim=(0, 1))

        svg = draw("d", plot, Canvas(300, 100, (60, 10, 30, 5)))
        match = re.search(r'd="M ([\d.]+) [\d.]+ \nL 290 ', svg.text)  # a line of the grid
        return match[1] if match else None

    assert left("short") == left("a very long label of many letters") == "60"


def test_every_legend_s_sample_is_a_drawing_of_the_page_s_colours() -> None:
    for sample in (roof_key(0), roof_key(1), swatch(True), swatch(False)):
        paths = ElementTree.fromstring(sample).findall("path")
        assert all("var(--" in str(path.get("style")) for path in paths)
    assert roof_key(0) != roof_key(1)
    assert swatch(True) != swatch(False)
