"""Restoring images of the generator's own making: what is known stays, the rest comes nearer to the truth."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest

from dcgan_edge.errors import UnavailableError, UsageError
from dcgan_edge.latent.masks import make_mask
from dcgan_edge.latent.plan import SearchPlan
from dcgan_edge.latent.restoration import add_noise, denoise_images, inpaint_images, reconstruct_images
from dcgan_edge.latents import FloatArray, latents
from tests.mirror import images_of, tiny_networks

pytest.importorskip("skimage", reason="the extra 'restore' is not installed")
PLAN = SearchPlan(steps=60, restarts=2, pool=64, prior=0.0, loss="l2")


def own_images(count: int = 4) -> FloatArray:
    return images_of(tiny_networks(), 0.8 * latents(range(5000, 5000 + count), 16))


def test_inpainting_beats_the_baselines_on_what_the_generator_knows() -> None:
    images, known = own_images(), make_mask("centre", 28)
    mean = images_of(tiny_networks(), latents(range(200), 16)).mean(axis=0)
    found = inpaint_images(tiny_networks(), images, known, PLAN, mean=mean)
    assert list(found.columns) == [
        "original", "masked", "completion", "average", "mean fill", "mean image"
    ]  # fmt: skip
    for column in found.columns.values():
        visible = column[:, :, known]
        assert np.array_equal(visible, images[:, :, known])
    facts = found.to_dict()["scores"]
    best_baseline = max(facts[name]["psnr_db"] for name in ("masked", "mean fill", "mean image"))
    assert facts["completion"]["psnr_db"] > best_baseline + 3.0
    assert found.restored == "completion"


def test_the_mean_fill_is_each_images_own() -> None:
    images, known = own_images(2), make_mask("left", 28)
    found = inpaint_images(
        tiny_networks(), images, known, SearchPlan(steps=1, restarts=1, pool=1), blend="overlay"
    )
    for image, filled in zip(images, found.columns["mean fill"], strict=True):
        assert filled[0][~known] == pytest.approx(image[0][known].mean(), abs=1e-6)
    assert found.columns["completion"][:, :, ~known] == pytest.approx(found.inversion.best[:, :, ~known])


def test_without_a_truth_there_are_no_figures() -> None:
    images, known = own_images(2), make_mask("centre", 28)
    plan = SearchPlan(steps=1, restarts=2, pool=4)
    found = inpaint_images(tiny_networks(), images, known, plan, truth=False, answer="average")
    assert found.scores == {}
    assert "original" not in found.columns
    assert found.restored == "average"
    noisy = denoise_images(tiny_networks(), images, plan, sigma=None)
    assert noisy.scores == {}
    assert np.array_equal(noisy.columns["noisy"], images)


def test_projection_takes_the_noise_out() -> None:
    found = denoise_images(tiny_networks(), own_images(), PLAN, sigma=0.3)
    facts = {name: scores["psnr_db"] for name, scores in found.to_dict()["scores"].items()}
    assert facts["projection"] > facts["median filter"] + 3.0
    assert facts["projection"] > facts["noisy"] + 3.0


def test_the_median_filter_is_three_by_three() -> None:
    images = np.full((1, 1, 28, 28), -0.5, np.float32)
    images[0, 0, 5, 5] = 1.0
    found = denoise_images(tiny_networks(), images, SearchPlan(steps=1, restarts=1, pool=1), sigma=None)
    assert np.array_equal(found.columns["median filter"], np.full_like(images, -0.5))


def test_noise_is_that_of_its_seed_and_strength() -> None:
    grey = np.zeros((5, 1, 28, 28), np.float32)
    noisy = add_noise(grey, 0.3, 7)
    assert noisy.std() == pytest.approx(0.3, rel=0.05)  # of 3920 values; clipping at 1 takes 0.1 % off
    assert np.abs(noisy).max() <= 1.0
    assert np.array_equal(add_noise(grey[:2], 0.3, 9), noisy[2:4])
    with pytest.raises(UsageError, match="above 0"):
        add_noise(grey, 0.0, 0)


def test_reconstruction_says_what_the_generator_can() -> None:
    found = reconstruct_images(tiny_networks(), own_images(2), PLAN)
    assert list(found.columns) == ["original", "reconstruction"]
    facts = found.to_dict()
    assert facts["scores"]["reconstruction"]["psnr_db"] > 25.0
    assert facts["loss_last"][0] < facts["loss_first"][0]


@pytest.mark.parametrize("missing", ["scipy", "skimage"])
def test_a_missing_library_is_named_before_the_work(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == missing else real(name))
    steps: list[int] = []
    with pytest.raises(UnavailableError, match=r"dcgan-edge\[restore\]"):
        inpaint_images(tiny_networks(), own_images(1), make_mask("left", 28), PLAN, progress=steps.append)
    with pytest.raises(UnavailableError, match=r"dcgan-edge\[restore\]"):
        denoise_images(tiny_networks(), own_images(1), PLAN, sigma=0.3, progress=steps.append)
    assert steps == []
