"""FID, KID, precision and recall against torch-fidelity, the common implementation, on the same features.

`make` installs torch-fidelity without its dependency torchvision, which has to be of the very build of torch
and is for image sets and other networks; a stand-in answers for it, and is never called.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import sys
import types
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch

from dcgan_edge.evaluation.frechet import fid
from dcgan_edge.evaluation.kernel import kid
from dcgan_edge.evaluation.manifold import precision_recall
from dcgan_edge.latents import FloatArray

TORCHVISION = (
    "torchvision", "torchvision.datasets", "torchvision.models", "torchvision.transforms",
    "torchvision.transforms.functional",
)  # fmt: skip


class _Anything(types.ModuleType):
    """A module that has every name; what is behind them is never used."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {})


@pytest.fixture(scope="module")
def peer() -> Iterator[Any]:
    """The modules of torch-fidelity that compute from features."""
    if importlib.util.find_spec("torch_fidelity") is None:
        pytest.skip("torch-fidelity is not installed; make installs it")
    before = set(sys.modules)
    with pytest.MonkeyPatch.context() as patch:
        for name in TORCHVISION:
            module = _Anything(name)
            module.__spec__ = importlib.machinery.ModuleSpec(name, None)
            patch.setitem(sys.modules, name, module)
            parent, _, child = name.rpartition(".")
            if parent:
                setattr(sys.modules[parent], child, module)
        from torch_fidelity import metric_fid, metric_kid, metric_prc

        yield types.SimpleNamespace(fid=metric_fid, kid=metric_kid, prc=metric_prc)
    for name in set(sys.modules) - before:
        if name.partition(".")[0] in ("torch_fidelity", "torchvision"):
            del sys.modules[name]


def features(count: int, shift: float, seed: int, dim: int = 32) -> FloatArray:
    """Features as a rectified layer has them: not negative, correlated, of unequal sizes."""
    random = np.random.default_rng(seed)
    mixed = random.normal(size=(count, dim)) @ np.random.default_rng(99).normal(size=(dim, dim)) / dim**0.5
    return np.asarray(np.maximum(mixed + shift, 0.0), np.float32)


PAIRS = [(features(600, 0.3, 1), features(500, 0.0, 2)), (features(400, 0.0, 3), features(400, 0.0, 4))]


@pytest.mark.parametrize(("generated", "real"), PAIRS)
def test_the_frechet_distance(peer: Any, generated: FloatArray, real: FloatArray) -> None:
    statistics = [
        peer.fid.fid_features_to_statistics(torch.from_numpy(f).double()) for f in (generated, real)
    ]
    theirs = peer.fid.fid_statistics_to_metric(*statistics, verbose=False)
    assert fid(generated, real) == pytest.approx(theirs["frechet_inception_distance"], rel=1e-7, abs=1e-7)


@pytest.mark.parametrize(("generated", "real"), PAIRS)
def test_the_kernel_distance_of_one_subset_of_all(peer: Any, generated: FloatArray, real: FloatArray) -> None:
    """Their subsets are drawn by chance and of equal sizes, so one of all images is compared."""
    count = min(len(generated), len(real))
    ours = kid(generated[:count], real[:count], resamples=2).value
    theirs = peer.kid.kid_features_to_metric(
        torch.from_numpy(generated[:count]).double(),
        torch.from_numpy(real[:count]).double(),
        kid_subsets=1,
        kid_subset_size=count,
        kid_kernel="poly",
        verbose=False,
    )
    assert ours == pytest.approx(theirs["kernel_inception_distance_mean"], rel=1e-7, abs=1e-12)


@pytest.mark.parametrize(("generated", "real"), PAIRS)
@pytest.mark.parametrize("k", [3, 5])
def test_precision_and_recall(peer: Any, generated: FloatArray, real: FloatArray, k: int) -> None:
    theirs = peer.prc.prc_features_to_metric(
        torch.from_numpy(generated).double(),
        torch.from_numpy(real).double(),
        prc_neighborhood=k,
        prc_batch_size=200,
        save_cpu_ram=True,
        verbose=False,
    )
    ours = precision_recall(generated, real, k=k)
    assert ours == pytest.approx((theirs["precision"], theirs["recall"]), abs=1e-6)  # theirs are float32
    assert min(ours) > 0.0
