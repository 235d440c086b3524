"""The strongest responses are found where they were planted, and drawn in their places."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from dcgan_edge.artifact import Architecture
from dcgan_edge.claims.features.visualisation import draw_responses, some_images, strongest
from dcgan_edge.errors import UsageError
from dcgan_edge.images import PixelArray, from_uint8
from dcgan_edge.models import build_discriminator


def planted() -> tuple[nn.Module, PixelArray]:
    """A network whose filter 2 answers to an upright stripe, and images of which two have one."""
    network = build_discriminator(Architecture("dcgan", 28, 1, 4, 8)).requires_grad_(False).eval()
    convolution = next(m for m in network.modules() if isinstance(m, nn.Conv2d))
    assert convolution.bias is not None
    convolution.weight.zero_()
    convolution.bias.fill_(-1.0)
    convolution.weight[2, 0] = -1.0
    convolution.weight[2, 0, :, 1] = 2.0
    pixels = np.zeros((5, 1, 28, 28), np.uint8)
    pixels[1, 0, 8:16, 12] = 200
    pixels[3, 0, 8:16, 12] = 255
    return network, pixels


def test_a_planted_pattern_is_found() -> None:
    network, pixels = planted()
    found = strongest(network, pixels, layer="conv1", filters=1, each=2)
    assert found.filters.tolist() == [2]
    assert found.images.tolist() == [[3, 1]]
    assert found.values[0, 0] > found.values[0, 1] > 0
    row, column = found.units[0, 0]
    assert (2 * column, 2 * row >= 8) == (12, True)  # the stripe lies under the kernel's second column
    assert found.patches.shape == found.gradients.shape == (1, 2, 1, 4, 4)
    top = 2 * row - 1
    assert found.patches[0, 0, 0] == pytest.approx(from_uint8(pixels[3, 0, top : top + 4, 12 - 1 : 12 + 3]))
    kernel = next(m for m in network.modules() if isinstance(m, nn.Conv2d)).weight[2, 0]
    assert found.gradients[0, 0, 0] == pytest.approx(kernel.numpy())


def test_a_unit_at_the_border_sees_grey_outside() -> None:
    network, _ = planted()
    corner = np.zeros((1, 1, 28, 28), np.uint8)
    corner[0, 0, :3, 0] = 255
    found = strongest(network, corner, layer="conv1", filters=1, each=1)
    assert found.units.tolist() == [[[0, 0]]]
    assert not found.patches[0, 0, 0, 0].any()  # a row above the image: grey is 0
    assert found.patches[0, 0, 0, 1:, 1].tolist() == [1.0, 1.0, 1.0]


def test_filters_are_ranked_by_their_responses() -> None:
    torch.manual_seed(0)
    network = build_discriminator(Architecture("dcgan", 28, 1, 4, 8)).requires_grad_(False).eval()
    pixels = some_images("digits", 28, 1, 40)
    found = strongest(network, pixels, layer=None, filters=100, each=3)
    assert found.layer == "conv2"
    assert sorted(found.filters.tolist()) == list(range(8))
    means = found.values.mean(axis=1)
    assert (np.diff(means) <= 1e-6).all()
    assert (np.diff(found.values, axis=1) <= 0).all()
    assert all(len(set(images)) == 3 for images in found.images.tolist())
    assert found.to_dict()["field_pixels"] == 10


def test_two_networks_side_by_side() -> None:
    network, pixels = planted()
    one = strongest(network, pixels, layer="conv1", filters=2, each=2)
    other = strongest(network, pixels, layer="conv1", filters=4, each=2)
    for kind in ("gradients", "patches"):
        picture = draw_responses([one, other], kind)
        assert picture.shape == (1, 2 * 6 - 2, 5 * 6 - 2)  # two, a blank, two; four pixels and two between
        assert (picture[0, :, 12:16] == 255).all()
    gradients = draw_responses([one], "gradients")
    assert gradients[0, :4, :4].max() == 255  # the largest value of each is white or black
    assert gradients[0, 6:, :4].min() == gradients[0, 6:, :4].max() == 128  # a silent filter is grey


def test_the_same_images_every_time() -> None:
    one, same = some_images("digits", 28, 1, 16), some_images("digits", 28, 1, 16)
    assert one.shape == (16, 1, 28, 28)
    assert np.array_equal(one, same)


def test_what_cannot_be_shown_is_refused() -> None:
    network, pixels = planted()
    with pytest.raises(UsageError, match="no convolution layer conv3; it has conv1, conv2"):
        strongest(network, pixels, layer="conv3", filters=1, each=1)
    with pytest.raises(UsageError, match="there are 5"):
        strongest(network, pixels, layer=None, filters=1, each=6)
    dense = build_discriminator(Architecture("gan", 28, 1, 4, 8)).eval()
    with pytest.raises(UsageError, match="fully connected"):
        strongest(dense, pixels, layer=None, filters=1, each=1)
