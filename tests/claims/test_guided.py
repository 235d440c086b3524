"""Guided backpropagation against its definition, on networks small enough to do by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from dcgan_edge.artifact import Architecture
from dcgan_edge.claims.features.guided import guided, guided_gradients
from dcgan_edge.claims.features.receptive import receptive_field
from dcgan_edge.data import load_digits
from dcgan_edge.models import build_discriminator
from dcgan_edge.training.activations import layers_of


def gradient(network: nn.Module, values: Tensor) -> Tensor:
    values = values.clone().requires_grad_(True)
    found: Tensor = torch.autograd.grad(network(values).sum(), values)[0]
    return found


def test_a_gradient_passes_only_forward_signals_and_support() -> None:
    weights = torch.tensor([2.0, 3.0, -5.0, -7.0])

    class Scale(nn.Module):
        def forward(self, values: Tensor) -> Tensor:
            return values * weights

    network = nn.Sequential(nn.LeakyReLU(0.2), Scale())
    values = torch.tensor([1.0, -1.0, 1.0, -1.0])
    assert gradient(network, values).tolist() == pytest.approx([2.0, 0.6, -5.0, -1.4])
    with guided(network):
        assert gradient(network, values).tolist() == [2.0, 0.0, 0.0, 0.0]
        assert network(values).tolist() == pytest.approx([2.0, -0.6, -5.0, 1.4])  # forwards nothing changes
    assert gradient(network, values).tolist() == pytest.approx([2.0, 0.6, -5.0, -1.4])


def by_definition(first: nn.Linear, second: nn.Linear, values: Tensor) -> Tensor:
    """Two layers with LeakyReLU, and the sum of the outputs, backwards by the rule."""
    one = first(values)
    two = second(nn.functional.leaky_relu(one, 0.2))
    back = torch.ones_like(two) * (two > 0)
    back = back @ second.weight
    back = back.clamp(min=0) * (one > 0)
    found: Tensor = back @ first.weight
    return found


def test_two_layers_by_hand() -> None:
    torch.manual_seed(0)
    first, second = nn.Linear(5, 8), nn.Linear(8, 4)
    network = nn.Sequential(first, nn.LeakyReLU(0.2), second, nn.LeakyReLU(0.2))
    values = torch.randn(6, 5)
    with guided(network):
        found = gradient(network, values)
    assert found.numpy() == pytest.approx(by_definition(first, second, values).detach().numpy(), abs=1e-6)
    assert not np.allclose(found.numpy(), gradient(network, values).numpy())


@pytest.mark.parametrize("preset", ["dcgan", "dcgan-upsample", "gan-conv-d"])
def test_nothing_comes_from_outside_of_what_a_unit_sees(preset: str) -> None:
    torch.manual_seed(0)
    discriminator = build_discriminator(Architecture(preset, 28, 1, 4, 8)).requires_grad_(False).eval()
    pixels = load_digits()[0][:4, None]
    layer = layers_of(discriminator)[1]
    units = np.array([[filter_, 2, 3] for filter_ in range(4)])
    found = guided_gradients(discriminator, layer, pixels, units)
    assert found.shape == pixels.shape
    field = receptive_field(discriminator, layer)
    (top, bottom), (left, right) = field.span(2), field.span(3)
    outside = np.ones((28, 28), np.bool_)
    outside[max(top, 0) : bottom, max(left, 0) : right] = False
    assert not found[:, 0, outside].any()
    assert found[:, 0, ~outside].any()


def test_a_unit_that_is_silent_draws_nothing() -> None:
    torch.manual_seed(0)
    discriminator = build_discriminator(Architecture("dcgan", 28, 1, 4, 8)).requires_grad_(False).eval()
    layer = layers_of(discriminator)[0]
    pixels = load_digits()[0][:2, None]
    convolution = next(m for m in discriminator.modules() if isinstance(m, nn.Conv2d))
    assert convolution.bias is not None
    convolution.bias[1] = -100.0  # filter 1 stays below zero whatever it sees
    found = guided_gradients(discriminator, layer, pixels, np.array([[1, 5, 5], [1, 6, 6]]))
    assert not found.any()
    convolution.bias[1] = 100.0
    kernel = guided_gradients(discriminator, layer, pixels, np.array([[1, 5, 5], [1, 6, 6]]))
    assert kernel[0, 0, 9:13, 9:13] == pytest.approx(convolution.weight[1, 0].numpy())
