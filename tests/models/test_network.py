"""Networks built from layers, against what torch says of the same arithmetic."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from dcgan_edge.layers import Layer, shapes
from dcgan_edge.models.network import Generator

Z = torch.randn(3, 4, 1, 1, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("padding", [(0, 0), (1, 1), (2, 1), (1, 2), (0, 3)])
@pytest.mark.parametrize("kernel", [4, 5])
def test_a_transposed_convolution_cuts_off_what_it_says(kernel: int, padding: tuple[int, int]) -> None:
    layers = [Layer("conv_transpose", 5, 3), Layer("conv_transpose", 2, kernel, 2, padding)]
    generator = Generator(layers, 4).eval()
    first, second = generator.layers
    with torch.no_grad():
        inner = first(Z)
        whole = functional.conv_transpose2d(inner, second.weight, second.bias, 2)  # type: ignore[arg-type]
        before, after = padding
        end = whole.shape[-1] - after
        torch.testing.assert_close(generator(Z), whole[:, :, before:end, before:end])
    assert tuple(generator(Z).shape[1:]) == shapes(layers, 4)[-1]


@pytest.mark.parametrize("padding", [(1, 1), (0, 1), (2, 0)])
def test_a_convolution_stands_between_its_zeros(padding: tuple[int, int]) -> None:
    layers = [Layer("conv_transpose", 5, 6), Layer("conv", 2, 3, 2, padding)]
    generator = Generator(layers, 4).eval()
    assert tuple(generator(Z).shape[1:]) == shapes(layers, 4)[-1]


def test_the_ends_of_the_range() -> None:
    ends = Generator([Layer("sigmoid"), Layer("rescale"), Layer("clip")], 4)
    torch.testing.assert_close(ends(Z), 2 * torch.sigmoid(Z) - 1)


def test_a_crop_that_torch_cannot_make_is_refused() -> None:
    with pytest.raises(ValueError, match="cut off"):
        Generator([Layer("conv_transpose", 5, 6, 1, (3, 0))], 4)
