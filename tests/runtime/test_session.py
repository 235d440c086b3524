from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcgan_edge.artifact import BatchProfile
from dcgan_edge.errors import ArtifactError, UsageError
from dcgan_edge.latents import latents
from dcgan_edge.runtime.session import in_chunks, open_session
from tests.doubles import ArithmeticSession


@given(count=st.integers(0, 40), low=st.integers(1, 6), extra=st.integers(0, 10))
def test_any_batch_is_split_into_what_the_profile_allows(count: int, low: int, extra: int) -> None:
    session = ArithmeticSession(BatchProfile(low, low, low + extra))
    images = session.run(latents(range(count), 3))
    assert images.shape == (count, 1, 4, 4)
    assert all(low <= size <= low + extra for size in session.batches)
    assert sum(session.batches) - count < low


def test_pieces_are_joined_in_order() -> None:
    z = latents(range(10), 3)
    images = ArithmeticSession(BatchProfile(1, 1, 1)).run(z)
    # One image at a time, the double's own error is 1e-3 for every image; float32 tanh: 1e-7.
    np.testing.assert_allclose(images[:, 0, 0, 0], np.tanh(z.sum(axis=(1, 2, 3))) + 1e-3, atol=1e-6)


@pytest.mark.parametrize("shape", [(2, 4, 1, 1), (2, 3), (2, 3, 1, 2)])
def test_latents_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(UsageError, match=r"\(batch, 3, 1, 1\)"):
        ArithmeticSession().run(np.zeros(shape, np.float32))


def test_other_floats_are_cast_and_whatever_is_no_float_is_refused() -> None:
    z = np.linspace(-1, 1, 6).reshape(2, 3, 1, 1)
    for kind in (np.float64, np.float16):
        expected = ArithmeticSession().run(z.astype(kind).astype(np.float32))
        np.testing.assert_array_equal(ArithmeticSession().run(z.astype(kind)), expected)
    with pytest.raises(UsageError, match="int64"):
        ArithmeticSession().run(np.zeros((1, 3, 1, 1), np.int64))


def test_leaving_the_block_closes() -> None:
    session = ArithmeticSession()
    with session as opened:
        assert opened is session
    assert session.closed


def test_a_checkpoint_is_not_for_the_runtime(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="dcgan-edge export"):
        open_session(tmp_path / "checkpoint.safetensors")


def test_images_of_another_shape_than_the_manifest_says_are_refused() -> None:
    manifest = ArithmeticSession().manifest
    for count in (1, 100):
        with pytest.raises(ArtifactError):
            in_chunks(lambda z: np.zeros((len(z), 1, 5, 4), np.float32), latents(range(count), 3), manifest)
