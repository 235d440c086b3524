"""Layers are found in every preset, and their features are the paper's."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from dcgan_edge.artifact import Architecture
from dcgan_edge.data import load_digits
from dcgan_edge.errors import UsageError
from dcgan_edge.images import PixelArray
from dcgan_edge.models import build_discriminator
from dcgan_edge.training.activations import convolutions, layers_of, pooled_features, recorded
from dcgan_edge.training.steps import to_network

LAYERS = {
    "dcgan": ["conv1", "conv2"],
    "dcgan-upsample": ["conv1", "conv2", "conv3", "conv4"],
    "gan-conv-d": ["conv1", "conv2"],
    "gan": ["dense1", "dense2"],
}
CHANNELS = {"dcgan": [4, 8], "dcgan-upsample": [2, 4, 8, 16], "gan-conv-d": [4, 8]}


def discriminator(preset: str, width: int = 4) -> torch.nn.Module:
    torch.manual_seed(0)
    return build_discriminator(Architecture(preset, 28, 1, width, 8)).requires_grad_(False).eval()


def digits(count: int) -> PixelArray:
    return load_digits()[0][:count, None]


@pytest.mark.parametrize("preset", LAYERS)
def test_every_preset_has_its_layers(preset: str) -> None:
    layers = layers_of(discriminator(preset))
    assert [layer.name for layer in layers] == LAYERS[preset]
    assert all(layer.is_convolution == layer.name.startswith("conv") for layer in layers)


@pytest.mark.parametrize("preset", CHANNELS)
def test_features_are_maxima_of_a_grid_of_four(preset: str) -> None:
    features = pooled_features(discriminator(preset), digits(3))
    assert [part.shape for part in features] == [(3, 16 * channels) for channels in CHANNELS[preset]]


def test_features_of_the_first_layer_by_hand() -> None:
    network = discriminator("dcgan")
    convolution = next(m for m in network.modules() if isinstance(m, torch.nn.Conv2d))
    output = functional.leaky_relu(convolution(to_network(torch.tensor(digits(2)))), 0.2)  # 14 x 14
    cells = [(0, 4), (3, 7), (7, 11), (10, 14)]  # of adaptive pooling: from 14 i // 4 to the ceiling
    grid = [[output[:, :, t:b, l:r].amax(dim=(2, 3)) for l, r in cells] for t, b in cells]  # noqa: E741
    expected = torch.stack([torch.stack(row, -1) for row in grid], -2).flatten(1)
    assert pooled_features(network, digits(2))[0] == pytest.approx(expected.numpy(), abs=1e-6)


def test_a_dense_layer_gives_its_outputs() -> None:
    features = pooled_features(discriminator("gan"), digits(2))
    assert [part.shape for part in features] == [(2, 16), (2, 16)]


def test_batches_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    network = discriminator("dcgan")
    whole = pooled_features(network, digits(7))
    monkeypatch.setattr("dcgan_edge.training.activations.BATCH", 3)
    for one, other in zip(whole, pooled_features(network, digits(7)), strict=True):
        assert one == pytest.approx(other, abs=1e-6)  # kernels round differently for other batch sizes


def test_recording_ends_with_its_block() -> None:
    network = discriminator("dcgan")
    layers = layers_of(network)
    with recorded(layers) as outputs:
        network(torch.zeros(1, 1, 28, 28))
        assert list(outputs) == ["conv1", "conv2"]
        outputs.clear()
    network(torch.zeros(1, 1, 28, 28))
    assert outputs == {}


def test_a_fully_connected_network_has_no_filters() -> None:
    assert [layer.name for layer in convolutions(discriminator("dcgan"))] == ["conv1", "conv2"]
    with pytest.raises(UsageError, match="fully connected"):
        convolutions(discriminator("gan"))


def test_features_do_not_depend_on_dropout() -> None:
    network = discriminator("dcgan-upsample")
    one, other = pooled_features(network, digits(2)), pooled_features(network, digits(2))
    assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
