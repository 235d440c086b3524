"""The adapter to torch-fidelity, against a stand-in that has the real one's signature and behaviour.

The stand-in was checked against torch-fidelity 0.4.0: constructor, `torch.load` of the weights with pickle
allowed, uint8 RGB in, a tuple of features out.
"""

from __future__ import annotations

import os
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from dcgan_edge.errors import ArtifactError, UnavailableError, UsageError
from dcgan_edge.evaluation.inception import InceptionFeatures


class StandIn(torch.nn.Module):
    """Features are the mean of each colour, times a weight, 2048 times."""

    def __init__(
        self, name: str, features_list: list[str], feature_extractor_weights_path: Any = None, **_: Any
    ) -> None:
        super().__init__()
        assert (name, features_list) == ("inception-v3-compat", ["2048"])
        assert feature_extractor_weights_path is not None, "it would download the weights"
        self.scale = torch.nn.Parameter(torch.zeros(3))
        self.load_state_dict(torch.load(feature_extractor_weights_path, weights_only=False))

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor]:
        assert images.dtype == torch.uint8
        assert images.shape[1] == 3
        colours = images.float().mean((2, 3)) * self.scale
        return (colours.repeat(1, 700)[:, :2048],)


@pytest.fixture(autouse=True)
def torch_fidelity(monkeypatch: pytest.MonkeyPatch) -> None:
    package, module = (types.ModuleType(name) for name in ("torch_fidelity", "inception"))
    vars(package).update(__version__="0.4.0")
    vars(module).update(FeatureExtractorInceptionV3=StandIn)
    monkeypatch.setitem(sys.modules, "torch_fidelity", package)
    monkeypatch.setitem(sys.modules, "torch_fidelity.feature_extractor_inceptionv3", module)


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "weights.pth"
    torch.save({"scale": torch.tensor([1.0, 2.0, 3.0])}, path)
    return path


def test_features_are_of_8_bit_colours(weights: Path) -> None:
    extractor = InceptionFeatures(weights)
    images = np.full((300, 3, 4, 4), -1.0, np.float32)
    images[:, 1] = 1.0
    features = extractor.features(images)
    assert features.shape == (300, 2048)
    assert features[299, :6].tolist() == [0.0, 510.0, 0.0, 0.0, 510.0, 0.0]


def test_grey_is_repeated(weights: Path) -> None:
    features = InceptionFeatures(weights).features(np.ones((2, 1, 4, 4), np.float32))
    assert features[0, :3].tolist() == [255.0, 510.0, 765.0]


def test_it_says_whether_the_weights_are_the_usual_ones(weights: Path) -> None:
    facts = InceptionFeatures(weights).facts
    assert (facts["version"], facts["standard_weights"]) == ("0.4.0", False)
    assert len(facts["sha256"]) == 64


def test_without_weights_nothing_is_downloaded(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--weights PATH"):
        InceptionFeatures(None)
    with pytest.raises(UsageError, match="There is no file"):
        InceptionFeatures(tmp_path / "none.pth")


class Bomb:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


def test_a_pickle_with_code_is_refused_and_not_run(tmp_path: Path) -> None:
    bomb, made = tmp_path / "bomb.pth", tmp_path / "made"
    torch.save({"scale": Bomb(made)}, bomb)
    with pytest.raises(ArtifactError, match="does not hold the weights"):
        InceptionFeatures(bomb)
    assert not made.exists()


@pytest.mark.parametrize("content", [b"", b"no weights", b"PK\x03\x04 cut short"])
def test_damaged_weights_are_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    path.write_bytes(content)
    with pytest.raises(ArtifactError, match="does not hold the weights"):
        InceptionFeatures(path)


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    torch.save({"other": torch.zeros(3)}, path)
    with pytest.raises(ArtifactError, match="does not hold the weights"):
        InceptionFeatures(path)


def test_without_torch_fidelity_it_says_what_to_install(
    weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch_fidelity", None)
    with pytest.raises(UnavailableError, match=r"dcgan-edge\[eval\]"):
        InceptionFeatures(weights)
