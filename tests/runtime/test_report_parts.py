from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_pieces import bench_report, manifest, measurement, parity, png

from dcgan_edge.errors import EdgeError
from dcgan_edge.runtime.parity import Parity
from dcgan_edge.runtime.record import BenchReport
from dcgan_edge.runtime.report_parts import (
    headline,
    milliseconds,
    parity_words,
    picture,
    pieces,
    size,
    thinned,
    training_charts,
)


def speeds(bench: BenchReport, parity: dict[str, Parity] | None = None) -> list[tuple[str, str]]:
    """(value, detail) of the latency and the throughput in the headline."""
    figures = [figure for figure in headline([], parity or {}, bench) if figure.unit in ("ms", "images/s")]
    return [(figure.value, figure.detail) for figure in figures]


def test_the_headline_quotes_the_fastest_at_the_smallest_batch_and_the_highest_throughput() -> None:
    bench = bench_report(
        measurement("slow", 1, ms=2.0), measurement("fast", 1, ms=1.0), measurement("slow", 16, ms=4.0)
    )
    assert speeds(bench)[0] == ("1.005", "fast, batch 1")
    assert speeds(bench)[1][1] == "slow, batch 16"


def test_an_unstable_figure_is_quoted_only_where_there_is_no_other_and_then_named_so() -> None:
    shaky = measurement("shaky", 1, ms=1.0, reasons=("the clock moved",))
    assert speeds(bench_report(shaky, measurement("steady", 1, ms=2.0)))[0] == ("2.010", "steady, batch 1")
    assert speeds(bench_report(shaky))[0] == ("1.005", "shaky, batch 1, unstable")


def test_an_artefact_that_failed_parity_is_not_quoted_for_its_speed() -> None:
    bench = bench_report(measurement("out/wrong.onnx", ms=1.0), measurement("out/right.onnx", ms=2.0))
    verdicts = {"wrong.onnx": parity(0.5), "right.onnx": parity(0.0)}
    assert speeds(bench, verdicts)[0] == ("2.010", "right.onnx, batch 1")
    assert speeds(bench_report(bench.measurements[0]), verdicts) == []


def test_the_headline_counts_verdicts_and_compares_sizes() -> None:
    files = [("c", manifest("checkpoint", "fp32")), ("a.onnx", manifest("onnx", "fp32", parent="a long one"))]
    files.append(("b.onnx", manifest("onnx", "fp16")))
    verdict, smallest = headline(files, {"a": parity(0.0), "b": parity(0.5)}, None)
    assert (verdict.value, verdict.state) == ("1 of 2", "bad")
    share = files[2][1].size / files[1][1].size
    assert smallest.detail == f"b.onnx, {share:.0%} of a.onnx"
    assert headline(files, {"a": parity(0.0)}, None)[0].state == "good"
    assert headline([], {}, None) == []


def test_curves_are_drawn_of_finite_figures_over_what_the_lines_have() -> None:
    lines = [{"step": n, "loss_d": 1.0 / n if n != 3 else math.nan, "loss_g": None} for n in range(1, 6)]
    (loss,) = training_charts(lines)
    assert [label for _, label in loss.legend] == ["discriminator"]
    assert ">step<" in loss.svg
    (loss,) = training_charts(
        [{"step": 1, "images": 64, "loss_g": 2}, {"step": 2, "images": 128, "loss_g": 1}]
    )
    assert ">images seen<" in loss.svg
    assert training_charts([]) == training_charts([{"step": 1, "note": "nothing to draw"}]) == []


def test_a_picture_is_shown_with_whole_pixels() -> None:
    shown = picture(png(size=28), 440)
    assert (shown.width, shown.height) == (448, 448)
    assert picture(png(size=600), 440).width == 600  # the page makes it fit


@pytest.mark.parametrize("data", [b"", b"GIF89a", b"\x89PNG\r\n\x1a\n", png()[:20]])
def test_what_is_not_a_png_is_refused(data: bytes) -> None:
    with pytest.raises(EdgeError, match="not a PNG"):
        picture(data, 100)


@given(st.lists(st.integers(1, 100), max_size=30), st.integers(0, 400))
def test_grids_are_thinned_evenly_to_the_budget(sizes: list[int], budget: int) -> None:
    grids = [(str(number), bytes(length)) for number, length in enumerate(sizes)]
    kept = thinned(grids, budget)
    assert len(kept) <= 8
    assert kept == sorted(set(kept), key=grids.index)
    if grids:
        assert kept[-1] == grids[-1]
    if len(kept) > 1:
        assert kept[0] == grids[0]
        assert sum(len(data) for _, data in kept) <= budget


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (1536, "1.5 KiB"),
        (5 * 2**20, "5.0 MiB"),
        (3 * 2**30, "3.0 GiB"),
        (2**41, "2048.0 GiB"),
    ],
)
def test_sizes(count: int, said: str) -> None:
    assert size(count) == said


@pytest.mark.parametrize(
    ("value", "said"), [(0.05312, "0.053"), (9.9, "9.900"), (49.614, "49.61"), (199.24, "199.2")]
)
def test_milliseconds(value: float, said: str) -> None:
    assert milliseconds(value) == said


def test_parity_in_words() -> None:
    verdict = {"verdict": "not_run", "reason": "no GPU"}
    assert parity_words(manifest("engine", "fp16", parity=verdict)) == "not run: no GPU"
    assert parity_words(manifest("onnx", "fp16", parity={"verdict": "passed"})) == "passed"
    assert parity_words(manifest("onnx", "fp16")) == "not measured"
    assert parity_words(manifest("checkpoint", "fp32")) == "reference"


@given(st.text())
def test_pieces_are_the_whole_name(name: str) -> None:
    assert "".join(pieces(name)) == name
