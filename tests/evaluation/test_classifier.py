"""The shipped classifier: right, the same on both backends, and refused when it was changed."""

from __future__ import annotations

import importlib.util
from importlib import resources
from typing import Any

import numpy as np
import pytest

from dcgan_edge.data import load_digits
from dcgan_edge.errors import ArtifactError, UnavailableError, UsageError
from dcgan_edge.evaluation import classifier
from dcgan_edge.evaluation.classifier import (
    FILES,
    digit_record,
    load_digit_features,
    load_digit_network,
)
from dcgan_edge.images import from_uint8

IMAGES, LABELS = load_digits("test")
DIGITS = from_uint8(IMAGES[:, None])


def test_it_is_as_right_as_its_record_says() -> None:
    seen = load_digit_features().logits(DIGITS).argmax(1)
    accuracy = float((seen == LABELS).mean())
    assert accuracy == digit_record()["test_accuracy"]
    assert accuracy >= 0.985


def test_both_backends_give_the_same() -> None:
    onnx, torch = (load_digit_features(backend).both(DIGITS[:300]) for backend in ("onnxruntime", "torch"))
    for one, other in zip(onnx, torch, strict=True):
        # float32 sums of up to 800 products in another order; features reach 10, logits 20
        np.testing.assert_allclose(one, other, atol=2e-4)


def test_features_are_scaled_and_not_negative() -> None:
    extractor = load_digit_features()
    features = extractor.features(DIGITS)
    assert features.shape == (1000, extractor.dim) == (1000, 64)
    assert features.dtype == np.float32
    assert features.min() >= 0.0
    # 1 on the train split by construction; the test split is much like it
    assert float((features**2).mean()) == pytest.approx(1.0, abs=0.05)


def test_an_image_has_the_same_features_in_any_company() -> None:
    extractor = load_digit_features()
    alone = extractor.features(DIGITS[260:261])
    # kernels for one image and for many may sum in another order
    np.testing.assert_allclose(extractor.features(DIGITS[:300])[260:261], alone, atol=1e-4)
    assert extractor.features(DIGITS[:0]).shape == (0, 64)


def test_digits_of_32_pixels_lose_their_frame() -> None:
    framed = np.pad(DIGITS[:8], ((0, 0), (0, 0), (2, 2), (2, 2)), constant_values=-1.0)
    extractor = load_digit_features()
    np.testing.assert_array_equal(extractor.features(framed), extractor.features(DIGITS[:8]))


@pytest.mark.parametrize("shape", [(2, 3, 28, 28), (2, 1, 64, 64), (2, 784)])
def test_other_images_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(UsageError, match="grey images of 28 or 32 pixels"):
        load_digit_features().features(np.zeros(shape, np.float32))


def test_the_network_passes_gradients_to_images_and_not_to_weights() -> None:
    import torch

    network = load_digit_network()
    images = torch.from_numpy(DIGITS[:4]).requires_grad_()
    network(images).sum().backward()
    assert images.grad is not None
    assert images.grad.abs().sum() > 0
    assert not any(parameter.requires_grad for parameter in network.parameters())
    assert not network.training


def test_the_files_are_small_and_name_no_machine() -> None:
    record = digit_record()
    for name in FILES.values():
        data = resources.files("dcgan_edge.evaluation").joinpath(name).read_bytes()
        assert len(data) == record["files"][name]["size"] < 2_000_000
        assert b"/home" not in data
        assert b".py" not in data


@pytest.mark.parametrize("backend", ["onnxruntime", "torch"])
def test_changed_weights_are_refused(backend: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    record = digit_record()
    record["files"][FILES[backend]]["sha256"] = "0" * 64
    monkeypatch.setattr(classifier, "digit_record", lambda: record)
    with pytest.raises(ArtifactError, match="not the file that was shipped"):
        load_digit_features(backend)


def test_without_a_backend_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UnavailableError, match=r"dcgan-edge\[cpu\]"):
        load_digit_features()
