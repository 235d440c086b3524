"""The field of a unit is where its gradient is not zero, in every preset with convolutions."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from dcgan_edge.artifact import Architecture
from dcgan_edge.claims.features.receptive import Field, receptive_field
from dcgan_edge.errors import UsageError
from dcgan_edge.models import build_discriminator
from dcgan_edge.training.activations import Layer, layers_of, recorded

CASES = [("dcgan", 28), ("dcgan", 64), ("dcgan-upsample", 28), ("gan-conv-d", 28)]


@pytest.mark.parametrize(("preset", "size"), CASES)
def test_the_field_is_the_support_of_the_gradient(preset: str, size: int) -> None:
    torch.manual_seed(0)
    network = build_discriminator(Architecture(preset, size, 1, 4, 8)).requires_grad_(False).eval()
    for layer in layers_of(network):
        images = torch.randn(1, 1, size, size, requires_grad=True)
        with recorded([layer]) as outputs:
            network(images)
        row, column = (side // 2 for side in outputs[layer.name].shape[2:])
        (gradient,) = torch.autograd.grad(outputs[layer.name][0, :, row, column].sum(), images)
        field = receptive_field(network, layer)
        for axis, place in ((1, row), (0, column)):
            support = torch.nonzero(gradient[0, 0].abs().sum(dim=axis)).flatten().tolist()
            first, stop = field.span(place)
            assert (support[0], support[-1]) == (max(first, 0), min(stop, size) - 1)


def test_the_field_of_the_paper_s_layers() -> None:
    network = build_discriminator(Architecture("dcgan", 64, 3, 4, 8))
    fields = [receptive_field(network, layer) for layer in layers_of(network)]
    assert [field.size for field in fields] == [4, 10, 22, 46]
    assert [field.jump for field in fields] == [2, 4, 8, 16]
    assert fields[0] == Field(4, 2, -1)
    assert fields[0].span(3) == (5, 9)


def test_a_layer_of_another_network_is_refused() -> None:
    network = build_discriminator(Architecture("dcgan", 28, 1, 4, 8))
    with pytest.raises(UsageError, match="no layer conv7"):
        receptive_field(network, Layer("conv7", nn.LeakyReLU(), True))
