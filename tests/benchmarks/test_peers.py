"""Peers must make PyTorch's images before they are timed. torch.compile and NNCF are checked by the benchmark
itself, in processes of their own: compiling takes too long for a test, and NNCF is not installed here.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.peers import BareOnnxRuntime, OpenVino, TorchPeer, closeness, open_nncf
from benchmarks.results import LARGEST_DIFFERENCE, Entry
from benchmarks.untrained import generator, make_artifact
from dcgan_edge.errors import UnavailableError
from dcgan_edge.extras import is_installed
from dcgan_edge.latents import FloatArray, latents
from dcgan_edge.runtime.session import Session

COUNT = 3


@pytest.fixture(scope="module")
def fp32(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_artifact(tmp_path_factory.mktemp("peers"), "fp32")


@pytest.fixture(scope="module")
def reference() -> tuple[FloatArray, FloatArray]:
    z = latents(range(COUNT), 100)
    with torch.inference_mode():
        return z, generator()(torch.from_numpy(z)).numpy()


def test_the_images_are_lively_enough_to_tell_right_from_wrong(
    reference: tuple[FloatArray, FloatArray],
) -> None:
    """An untrained generator paints within 0.02 of grey unless BatchNorm is settled."""
    assert reference[1].std() > 100 * LARGEST_DIFFERENCE
    assert np.abs(reference[1][0] - reference[1][1]).mean() > 100 * LARGEST_DIFFERENCE


def opened(name: str, fp32: Path) -> Session:
    if name == "openvino" and not is_installed(name):
        pytest.skip("openvino is not installed")
    openers: dict[str, Callable[[], Session]] = {
        "torch eager": lambda: TorchPeer(fp32, generator),
        "torch channels_last": lambda: TorchPeer(fp32, generator, "channels_last"),
        "bare onnxruntime": lambda: BareOnnxRuntime(fp32),
        "openvino": lambda: OpenVino(fp32),
    }
    return openers[name]()


@pytest.mark.parametrize("name", ["torch eager", "torch channels_last", "bare onnxruntime", "openvino"])
def test_a_peer_makes_pytorchs_images(
    name: str, fp32: Path, reference: tuple[FloatArray, FloatArray]
) -> None:
    with opened(name, fp32) as peer:
        assert peer.facts.backend == name
        assert peer.facts.version[0].isdigit()
        assert peer.manifest.precision == "fp32"
        decibels, largest = closeness(peer, *reference)
        assert largest <= LARGEST_DIFFERENCE / 10
        assert decibels > 100  # the gate of float32
        first = peer.run(reference[0])
        kept = first.copy()
        peer.run(-reference[0])
        np.testing.assert_array_equal(
            first, kept
        )  # images are the caller's, not overwritten by the next call


class Wrong(BareOnnxRuntime):
    """A contestant whose images have something wrong with them."""

    def __init__(self, path: Path, fault: Callable[[FloatArray], FloatArray]) -> None:
        super().__init__(path)
        self.fault = fault

    def run(self, latents: FloatArray) -> FloatArray:
        return self.fault(super().run(latents))


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
def test_wrong_images_are_refused(
    fault: Callable[[FloatArray], FloatArray], fp32: Path, reference: tuple[FloatArray, FloatArray]
) -> None:
    decibels, largest = closeness(Wrong(fp32, fault), *reference)
    assert Entry.judged("64px", "quick", "float", False, decibels, largest).refused


def test_a_class_has_its_gate() -> None:
    def judged(kind: str, decibels: float) -> Entry:
        return Entry.judged("64px", "x", kind, False, decibels, 0.1)  # type: ignore[arg-type]

    assert judged("float", 90).refused  # by its largest difference
    assert not judged("bf16", 30).refused + judged("bf16", 30).missed  # shown for what it is
    assert not judged("int8", 34.9).refused
    assert [bool(judged("int8", decibels).missed) for decibels in (34.9, 35.0)] == [True, False]


def test_the_generator_is_the_same_each_time() -> None:
    first, second = generator().state_dict(), generator().state_dict()
    assert all(bool((first[name] == second[name]).all()) for name in first)


def test_without_nncf_its_installation_is_named(
    fp32: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarks.peers.is_installed", lambda library: False)
    with pytest.raises(UnavailableError, match=r"pip install .*nncf"):
        open_nncf(fp32, tmp_path / "nncf.xml")
