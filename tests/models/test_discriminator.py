"""Discriminators with spectral norms in the place of BatchNorm: their layers, and what the norm promises."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from dcgan_edge.artifact import Architecture
from dcgan_edge.models import PRESETS, build_discriminator
from dcgan_edge.models.discriminator import without_spectral_norm
from dcgan_edge.recipes import DiscriminatorDesign

SPECTRAL = DiscriminatorDesign("spectral", 1)
EVERY_PRESET = pytest.mark.parametrize("preset", PRESETS)


def learned(network: nn.Module) -> list[nn.Conv2d | nn.Linear]:
    return [module for module in network.modules() if isinstance(module, nn.Conv2d | nn.Linear)]


@EVERY_PRESET
def test_a_spectral_norm_is_one_after_some_passes(preset: str) -> None:
    torch.manual_seed(0)
    architecture = Architecture(preset, 28, 1, 4, 8)
    network = build_discriminator(architecture, SPECTRAL)
    images = torch.randn(5, 1, 28, 28)
    for _ in range(100):
        assert network(images).shape == (5,)
    for module in learned(network):
        assert module.bias is not None
        largest = torch.linalg.matrix_norm(module.weight.detach().flatten(1), 2)
        # the power iteration comes near to it from below, slowly where two values are nearly equal
        torch.testing.assert_close(largest, torch.tensor(1.0), atol=0.02, rtol=0)
    kinds = {type(module) for module in network.modules()}
    assert kinds.isdisjoint({nn.BatchNorm2d, nn.Dropout})


@EVERY_PRESET
def test_convolutional_discriminators_are_one_layer_deeper(preset: str) -> None:
    architecture = Architecture(preset, 28, 1, 4, 8)
    shapes = [
        [tuple(module.weight.shape) for module in learned(build_discriminator(architecture, design))]
        for design in (DiscriminatorDesign(), SPECTRAL)
    ]
    added = [] if preset == "gan" else [(shapes[0][-2][0], shapes[0][-2][0], 3, 3)]
    assert shapes[1] == [*shapes[0][:-1], *added, shapes[0][-1]]


@pytest.mark.parametrize("size", [28, 64])
def test_layers_may_be_added_to_the_papers_discriminator_too(size: int) -> None:
    architecture = Architecture("dcgan", size, 3, 4, 8)
    network = build_discriminator(architecture, DiscriminatorDesign("batch", 2))
    plain = build_discriminator(architecture)
    counts = [[type(module) for module in each.modules()].count(nn.BatchNorm2d) for each in (network, plain)]
    assert counts[0] == counts[1] + 2
    assert network(torch.randn(3, 3, size, size)).shape == (3,)


@EVERY_PRESET
def test_without_its_norms_it_is_the_same_function(preset: str) -> None:
    torch.manual_seed(0)
    network = build_discriminator(Architecture(preset, 28, 1, 4, 8), SPECTRAL)
    images = torch.randn(5, 1, 28, 28)
    network(images)
    expected = network.eval().requires_grad_(False)(images)
    plain = without_spectral_norm(network)
    assert torch.equal(plain(images), expected)
    assert not any("parametrizations" in name for name in plain.state_dict())


def test_it_trains_under_bf16() -> None:
    network = build_discriminator(Architecture("dcgan", 28, 1, 4, 8), SPECTRAL)
    with torch.autocast("cpu", torch.bfloat16):
        logits = network(torch.randn(5, 1, 28, 28))
    torch.autograd.backward(logits.float().sum())
    assert all(parameter.grad is not None for parameter in network.parameters())
    assert all(buffer.dtype == torch.float32 for buffer in network.buffers())
