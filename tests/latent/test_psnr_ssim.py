"""PSNR and SSIM against known values and scikit-image's own."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from dcgan_edge.errors import UnavailableError
from dcgan_edge.latent.scores import score
from dcgan_edge.latents import FloatArray


def images(channels: int = 1) -> FloatArray:
    return np.random.default_rng(0).uniform(-1, 1, (3, channels, 28, 28)).astype(np.float32)


def test_scores_of_each_image() -> None:
    metrics = pytest.importorskip("skimage.metrics", reason="the extra 'restore' is not installed")
    truth = 0.5 * images(3)
    found = score(np.stack([truth[0], truth[1] + np.float32(0.2), -truth[2]]), truth)
    assert found.psnr[0] == 100.0
    assert found.ssim[0] == pytest.approx(1.0)
    assert found.psnr[1] == pytest.approx(20.0, abs=1e-4)  # 10 log10(4 / 0.04), float32
    theirs = metrics.peak_signal_noise_ratio(truth[2], -truth[2], data_range=2.0)
    assert found.psnr[2] == pytest.approx(theirs)
    assert max(found.ssim[1:]) < 0.9
    facts = found.to_dict()
    assert facts["psnr_db"] == pytest.approx(np.mean(found.psnr))
    assert facts["psnr_db_each"] == list(found.psnr)


def test_without_scikit_image_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "skimage", None)
    monkeypatch.setitem(sys.modules, "skimage.metrics", None)
    with pytest.raises(UnavailableError, match=r"dcgan-edge\[restore\]"):
        score(images(), images())
