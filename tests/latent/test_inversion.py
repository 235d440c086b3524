"""Descent finds latents of images that a small generator made, and each part of the loss does its work."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from dcgan_edge.errors import ArtifactError, UnavailableError, UsageError
from dcgan_edge.latent.inversion import invert_images, load_networks, nearest_samples, step_count
from dcgan_edge.latent.plan import SearchPlan
from dcgan_edge.latents import Distribution, FloatArray, latents
from tests.mirror import images_of, tiny_networks

QUICK = SearchPlan(steps=60, restarts=2, pool=64, prior=0.0, loss="l2")
EVERYWHERE = np.ones((28, 28), np.float32)


def psnr(images: FloatArray, truth: FloatArray) -> FloatArray:
    errors = np.mean((images - truth) ** 2, axis=(1, 2, 3))
    return np.asarray(10 * np.log10(4 / errors), np.float32)


def targets(distribution: Distribution = "normal", count: int = 3) -> FloatArray:
    networks = tiny_networks(distribution)
    seeds = range(5000, 5000 + count)  # none of them in the pool
    # Normal latents of 16 numbers are often longer than sqrt(16), where the search does not go.
    return images_of(networks, 0.8 * latents(seeds, 16, distribution))


@pytest.mark.parametrize("distribution", ["normal", "uniform"])
def test_an_image_of_the_generator_is_found_again(distribution: Distribution) -> None:
    networks, images = tiny_networks(distribution), targets(distribution)
    found = invert_images(networks, images, EVERYWHERE, QUICK)
    assert found.latents.shape == (3, 2, 16, 1, 1)
    assert found.images.shape == (3, 2, 1, 28, 28)
    assert (found.losses[:, 0] < found.first_losses.min(axis=1) / 5).all()
    assert psnr(found.best, images).min() > 25.0  # the nearest samples of the pool reach about 10
    assert found.best == pytest.approx(images_of(networks, found.latents[:, 0]), abs=1e-5)


@pytest.mark.parametrize("loss", ["l1", "l2"])
def test_solutions_are_ranked_and_losses_are_theirs(loss: str) -> None:
    plan = SearchPlan(steps=5, restarts=4, pool=32, prior=0.0, loss="l1" if loss == "l1" else "l2")
    images = targets()
    found = invert_images(tiny_networks(), images, EVERYWHERE, plan)
    assert (np.diff(found.losses, axis=1) >= 0).all()
    gap = found.images - images[:, None]
    sums = (np.abs(gap) if loss == "l1" else gap**2).sum(axis=(2, 3, 4))
    assert found.losses == pytest.approx(sums, rel=1e-4)  # sums of 784 float32 values in another order
    assert found.average == pytest.approx(found.images.mean(axis=1))


def test_hidden_pixels_have_no_say() -> None:
    weights = EVERYWHERE.copy()
    weights[10:20, 10:20] = 0.0
    images = targets()
    spoiled = images.copy()
    spoiled[:, :, 10:20, 10:20] = 0.123
    one, other = (invert_images(tiny_networks(), each, weights, QUICK) for each in (images, spoiled))
    assert np.array_equal(one.latents, other.latents)


def test_images_do_not_see_each_other() -> None:
    images = targets(count=4)
    together = invert_images(tiny_networks(), images, EVERYWHERE, QUICK)
    alone = invert_images(tiny_networks(), images[2:3], EVERYWHERE, QUICK)
    in_parts = invert_images(
        tiny_networks(), images, EVERYWHERE, SearchPlan(**{**QUICK.__dict__, "batch": 2})
    )
    # Kernels round differently for other batch sizes, and sixty steps of Adam carry that on.
    assert alone.images[0] == pytest.approx(together.images[2], abs=0.02)
    assert in_parts.images == pytest.approx(together.images, abs=0.02)


def test_steps_are_counted_over_all_batches() -> None:
    plan = SearchPlan(steps=3, restarts=2, pool=8, prior=0.0, batch=4)
    done: list[int] = []
    invert_images(tiny_networks(), targets(count=3), EVERYWHERE, plan, progress=done.append)
    assert done == list(range(1, step_count(3, plan) + 1)) == [1, 2, 3, 4, 5, 6]


def test_the_prior_pulls_towards_what_the_discriminator_likes() -> None:
    networks, images = tiny_networks(), targets()
    logits = []
    for prior in (0.0, 1e4):
        plan = SearchPlan(steps=30, restarts=1, pool=16, prior=prior)
        found = invert_images(networks, images, EVERYWHERE, plan)
        with torch.no_grad():
            logits.append(networks.discriminator(torch.from_numpy(found.best)).numpy())
    assert (logits[1] > logits[0]).all()


@pytest.mark.parametrize("distribution", ["normal", "uniform"])
def test_latents_stay_where_the_generator_was_trained(distribution: Distribution) -> None:
    impossible = np.full((2, 1, 28, 28), 1.0, np.float32)
    plan = SearchPlan(steps=30, restarts=2, pool=16, prior=0.0, learning_rate=2.0)
    found = invert_images(tiny_networks(distribution), impossible, EVERYWHERE, plan).latents
    if distribution == "uniform":
        assert np.abs(found).max() <= 1.0
    else:
        lengths = np.linalg.norm(found.reshape(4, 16), axis=1)
        assert lengths.max() <= math.sqrt(16) * (1 + 1e-6)
    assert np.isfinite(found).all()


def test_the_nearest_sample_is_the_nearest() -> None:
    networks = tiny_networks()
    pool = images_of(networks, latents(range(64), 16))

    def distance(images: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
        return (images - torch.from_numpy(pool)[places + 10]).square().flatten(1).sum(1)

    assert nearest_samples(networks, distance, 3, QUICK) == pytest.approx(pool[10:13], abs=1e-6)


def test_plans_that_cannot_work_are_refused() -> None:
    changes: dict[str, Any] = {"steps": 0, "restarts": 0, "batch": -1, "seed": -1}
    for name, number in changes.items():
        with pytest.raises(UsageError):
            SearchPlan(**{name: number})
    with pytest.raises(UsageError):
        SearchPlan(seed=2**64 - 5)
    for rate in (-1.0, math.inf, math.nan):
        with pytest.raises(UsageError):
            SearchPlan(learning_rate=rate)
        with pytest.raises(UsageError):
            SearchPlan(prior=rate)
    with pytest.raises(UsageError, match="9 starts"):
        SearchPlan(restarts=9, pool=8)


def test_networks_come_from_a_checkpoint(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    networks = load_networks(checkpoint)
    assert not any(p.requires_grad for p in networks.discriminator.parameters())
    assert not networks.discriminator.training
    assert networks.discriminator(networks.generator(torch.zeros(2, 16, 1, 1))).shape == (2,)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UnavailableError, match="CUDA"):
        load_networks(checkpoint, "cuda")
    with pytest.raises(UsageError, match="no checkpoint"):
        load_networks(tmp_path / "none.safetensors")
    (tmp_path / "half.safetensors").write_bytes(checkpoint.read_bytes()[:-1000])
    with pytest.raises(ArtifactError):
        load_networks(tmp_path / "half.safetensors")
