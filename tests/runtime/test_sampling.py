from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from dcgan_edge.artifact import BatchProfile
from dcgan_edge.errors import UsageError
from dcgan_edge.latents import MAX_SEED
from dcgan_edge.runtime.sampling import block_size, images_of, sample_to_folder
from tests.doubles import ArithmeticSession

PROFILES = st.sampled_from(
    [BatchProfile(), BatchProfile(1, 3, 3), BatchProfile(12, 12, 20), BatchProfile(1, 1, 1)]
)


@given(
    profile=PROFILES, seeds=st.lists(st.integers(0, 100) | st.integers(MAX_SEED - 20, MAX_SEED), max_size=30)
)
def test_an_image_does_not_depend_on_what_else_was_asked(profile: BatchProfile, seeds: list[int]) -> None:
    # The double's images depend on the row and the batch size, so any other way of batching would show.
    together = dict(images_of(ArithmeticSession(profile), seeds))
    assert list(together) == sorted(set(seeds))
    for seed in list(together)[:5]:
        ((_, alone),) = images_of(ArithmeticSession(profile), [seed])
        np.testing.assert_array_equal(alone, together[seed])


def test_every_call_has_the_same_batch() -> None:
    session = ArithmeticSession(BatchProfile(1, 4, 64))
    list(images_of(session, [0, 5, 9, 70]))
    assert set(session.batches) == {block_size(session.manifest.batch)} == {8}


def test_files_and_grid(tmp_path: Path) -> None:
    told: list[int] = []
    paths = sample_to_folder(
        ArithmeticSession(), [9, 2, 9], tmp_path, layout=(2, 2), scale=2, progress=told.append
    )
    assert [path.name for path in paths] == ["seed0002.png", "seed0009.png", "grid.png"]
    assert told == [1, 2]
    nine, two = (np.asarray(Image.open(tmp_path / f"seed000{seed}.png")) for seed in (9, 2))
    laid = np.asarray(Image.open(tmp_path / "grid.png"))
    assert nine.shape == (8, 8)
    assert laid.shape == (20, 20)
    np.testing.assert_array_equal(laid[:8, :8], nine)
    np.testing.assert_array_equal(laid[:8, 12:], two)
    np.testing.assert_array_equal(laid[12:, :8], nine)


def test_a_grid_too_small_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="do not fit"):
        sample_to_folder(ArithmeticSession(), range(5), tmp_path / "out", layout=(2, 2))
    assert not (tmp_path / "out").exists()
