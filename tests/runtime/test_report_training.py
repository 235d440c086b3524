from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_pieces import png

from dcgan_edge.errors import EdgeError
from dcgan_edge.runtime.report.training import picture, thinned, training_charts


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
