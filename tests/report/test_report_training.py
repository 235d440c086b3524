from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcgan_edge.errors import EdgeError
from dcgan_edge.report.training import picture, thinned, training_charts
from tests.report_pieces import png


def test_curves_are_drawn_of_finite_figures_over_what_the_lines_have() -> None:
    lines = [{"step": n, "loss_d": 1.0 / n if n != 3 else math.nan, "loss_g": None} for n in range(1, 6)]
    (loss,) = training_charts(lines)
    assert [label for _, label in loss.legend] == ["discriminator"]
    assert ">step<" in loss.svg.text
    (loss,) = training_charts(
        [{"step": 1, "images": 64, "loss_g": 2}, {"step": 2, "images": 128, "loss_g": 1}]
    )
    assert ">images seen<" in loss.svg.text
    assert training_charts([]) == training_charts([{"step": 1, "note": "nothing to draw"}]) == []


def test_signs_have_their_charts_and_incidents_their_marks() -> None:
    begins = {"step": 3, "problem": "mode collapse", "state": "begins", "seen": "s", "advice": "a"}
    lines: list[dict[str, Any]] = [
        {
            "step": n, "images": 64 * n, "real_accuracy": 0.9, "fake_accuracy": 0.8, "grad_norm_d": 10.0**n,
            "grad_norm_g": None if n == 2 else 1.0, "diversity": 0.5, "class_entropy": 2.0,
            "real_class_entropy": 3.0, "images_per_second": 9.0,
        }
        for n in range(1, 7)
    ]  # fmt: skip
    plain = training_charts(lines)
    assert [chart.title for chart in plain] == [
        "How often the discriminator is right", "Gradient norms", "Sample diversity", "Class entropy",
        "Training speed",
    ]  # fmt: skip
    assert not any("marked" in chart.svg.description for chart in plain)
    lines[2]["events"] = [begins]
    lines[4]["events"] = [begins | {"step": 5, "state": "ends"}]
    for chart in training_charts(lines):
        is_marked = chart.title != "Training speed"
        assert ("marked 1: from 192 to 320" in chart.svg.description) == is_marked
        assert (">1</text>" in chart.svg.text) >= is_marked  # a number, not a colour alone
        assert any("numbered" in label for _, label in chart.legend) == is_marked
    del lines[4]["events"]
    assert "marked 1: from 192 to the end" in training_charts(lines)[0].svg.description


def test_numbers_beyond_every_float_are_left_out() -> None:
    (chart,) = training_charts([{"step": n, "loss_d": 10**400 if n == 2 else 1.0} for n in range(1, 5)])
    assert "discriminator goes from 1 to 1" in chart.svg.description


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
