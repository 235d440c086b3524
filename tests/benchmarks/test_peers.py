"""Peers must make our images before they are timed. torch.compile is checked by the benchmark itself, in its
own process: compiling takes too long for a test.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from benchmarks.peers import (
    LARGEST_DIFFERENCE,
    BareOnnxRuntime,
    OpenVino,
    TorchPeer,
    can_import,
    generator,
    open_checked,
    reference,
)
from benchmarks.side_by_side import make_artifact
from dcgan_edge.errors import VerificationError
from dcgan_edge.latents import FloatArray
from dcgan_edge.runtime.session import Session, open_session

BATCHES = (1, 5)


@pytest.fixture(scope="module")
def fp32(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_artifact(tmp_path_factory.mktemp("peers"), "fp32")


@pytest.fixture(scope="module")
def ours(fp32: Path) -> tuple[FloatArray, FloatArray]:
    with open_session(fp32, threads=1) as session:
        return reference(session, max(BATCHES))


def test_the_images_are_lively_enough_to_tell_right_from_wrong(ours: tuple[FloatArray, FloatArray]) -> None:
    """An untrained generator paints within 0.02 of grey unless BatchNorm is settled."""
    assert ours[1].std() > 100 * LARGEST_DIFFERENCE
    assert np.abs(ours[1][0] - ours[1][1]).mean() > 100 * LARGEST_DIFFERENCE


def _peer(name: str, fp32: Path) -> Callable[[], Session]:
    if name == "openvino" and not can_import(name):
        pytest.skip("openvino is not installed")
    openers: dict[str, Callable[[], Session]] = {
        "torch eager": functools.partial(TorchPeer, compiled=False),
        "bare onnxruntime": functools.partial(BareOnnxRuntime, fp32),
        "openvino": functools.partial(OpenVino, fp32),
    }
    return openers[name]


@pytest.mark.parametrize("name", ["torch eager", "bare onnxruntime", "openvino"])
def test_a_peer_makes_our_images(name: str, fp32: Path, ours: tuple[FloatArray, FloatArray]) -> None:
    opener = _peer(name, fp32)
    with open_checked(name, opener, *ours, BATCHES) as peer:
        assert peer.facts.backend == name
        assert peer.facts.version[0].isdigit()
        assert peer.manifest.precision == "fp32"
        first = peer.run(ours[0])
        kept = first.copy()
        peer.run(-ours[0])
        np.testing.assert_array_equal(
            first, kept
        )  # images are the caller's, not overwritten by the next call


class Wrong(BareOnnxRuntime):
    """A contestant whose images have something wrong with them."""

    def __init__(self, path: Path, fault: Callable[[FloatArray], FloatArray]) -> None:
        super().__init__(path)
        self.fault, self.closed = fault, False

    def run(self, latents: FloatArray) -> FloatArray:
        return self.fault(super().run(latents))

    def close(self) -> None:
        self.closed = True


def _one_value_off(images: FloatArray) -> FloatArray:
    images[-1, 0, 0, 0] += np.float32(2e-3)
    return images


def _one_nan(images: FloatArray) -> FloatArray:
    images[-1, -1, -1, -1] = np.nan
    return images


@pytest.mark.parametrize(
    "fault",
    [
        _one_value_off,
        _one_nan,
        np.zeros_like,
        lambda images: images[:, :1],
        lambda images: images if len(images) == 1 else images[::-1],  # wrong only at the larger batch
    ],
    ids=["one value", "nan", "grey", "one channel", "order"],
)
def test_wrong_images_are_refused_before_anything_is_timed(
    fault: Callable[[FloatArray], FloatArray], fp32: Path, ours: tuple[FloatArray, FloatArray]
) -> None:
    wrong = Wrong(fp32, fault)
    with pytest.raises(VerificationError, match=r"^quick does not make the images .* Nothing was timed\.$"):
        open_checked("quick", lambda: wrong, *ours, BATCHES)
    assert wrong.closed


def test_the_generator_is_the_same_each_time() -> None:
    first, second = generator().state_dict(), generator().state_dict()
    assert all(bool((first[name] == second[name]).all()) for name in first)


def test_what_is_not_installed_cannot_be_imported() -> None:
    assert can_import("numpy")
    assert not can_import("no_such_library_anywhere")
