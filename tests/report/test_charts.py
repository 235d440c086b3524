from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from dcgan_edge.report import charts
from dcgan_edge.report.charts import Points
from dcgan_edge.report.drawing import COLOURS, PAPER, Svg
from dcgan_edge.report.scales import short
from tests.report_pieces import SVG_TEXT, plotted


def texts(svg: Svg) -> list[str]:
    return ["".join(text.itertext()) for text in ElementTree.fromstring(svg.text).iter(SVG_TEXT)]


def test_axes_are_labelled_with_their_units() -> None:
    line = Points((1.0, 2.0), (3.0, 4.0), (False, True))
    assert {"images seen", "loss"} <= set(texts(charts.curves({"d": line}, x="images seen", y="loss")))
    assert {"latency of a call (ms)", "share of calls (%)"} <= set(texts(charts.distribution({"a": [1.0]})))
    assert {"batch (images per call)", "images per second"} <= set(texts(charts.throughput({"a": line})))


@pytest.mark.parametrize(
    ("longest", "ticks"), [(1.5, None), (100.0, {"1", "2", "5", "10", "20", "50", "100"})]
)
def test_a_long_tail_gets_a_logarithmic_axis(longest: float, ticks: set[str] | None) -> None:
    said = texts(charts.distribution({"a": [1.0, 1.1, longest]}))
    if ticks:
        assert ticks <= set(said)
    else:
        assert "1.5" in said
        assert "5" not in said


@pytest.mark.parametrize("samples", [[0.0, 0.0], [0.0, 5.0], [1.0], [2.0, 2.0, 2.0], [1e-4, 1e7]])
def test_odd_samples_are_drawn_without_a_warning(samples: list[float]) -> None:
    ElementTree.fromstring(charts.distribution({"a": samples}).text)


def test_a_description_says_what_the_eye_would_see() -> None:
    said = charts.distribution({"g.onnx": [1.0, 2.0, 30.0], "missing": []}).description
    assert "g.onnx: half of the calls within 2 ms, the longest 30 ms." in said
    assert "missing" not in said
    line = Points((1.0, 16.0), (100.0, 1500.0), (False, False))
    assert "g.onnx: 100 at batch 1, 1,500 at batch 16." in charts.throughput({"g.onnx": line}).description
    assert "d goes from 100 to 1.5e+03." in charts.curves({"d": line}, x="step", y="loss").description


def test_a_single_point_of_a_curve_is_seen() -> None:
    svg = charts.curves({"d": Points((64.0,), (0.7,))}, x="images seen", y="loss")
    assert re.search(rf"<use [^>]*{COLOURS[0]}", svg.text)


def test_an_artifact_keeps_its_colour_where_another_is_missing() -> None:
    svg = charts.distribution({"missing": [], "g.onnx": [1.0, 2.0]})
    assert f"stroke: {COLOURS[1]}" in plotted(svg)
    assert f"stroke: {COLOURS[0]}" not in plotted(svg)


def test_an_unstable_point_is_hollow() -> None:
    def fills(hollow: bool) -> set[str]:
        line = Points((1.0, 2.0), (3.0, 4.0), (hollow, hollow))
        drawn = charts.throughput({"a": line}).text
        return set(re.findall(r"fill: (#\w+)", "".join(re.findall(r"<use [^>]*>", drawn))))

    assert PAPER in fills(True)
    assert PAPER not in fills(False)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0.25, "0.25"),
        (0, "0"),
        (999, "999"),
        (1000, "1k"),
        (2500, "2.5k"),
        (1_500_000, "1.5M"),
        (-3000, "-3k"),
    ],
)
def test_counts_are_short(value: float, said: str) -> None:
    assert short(value) == said
