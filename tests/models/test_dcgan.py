"""The DCGAN pair: shapes at every size, the paper's rules, its initial weights."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import nn

from dcgan_edge.artifact import Architecture
from dcgan_edge.errors import UsageError
from dcgan_edge.models import build_discriminator, build_generator
from dcgan_edge.models.dcgan import SIZES

WIDE = Architecture("dcgan", 28, 1, 64)


def convolutions(network: nn.Module) -> list[nn.Conv2d | nn.ConvTranspose2d]:
    return [module for module in network.modules() if isinstance(module, nn.Conv2d | nn.ConvTranspose2d)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("width", [1, 6])
@pytest.mark.parametrize("latent_dim", [1, 20])
def test_shapes(size: int, channels: int, width: int, latent_dim: int) -> None:
    architecture = Architecture("dcgan", size, channels, width, latent_dim)
    images = build_generator(architecture)(torch.randn(3, latent_dim, 1, 1))
    assert images.shape == (3, channels, size, size)
    assert images.abs().max() <= 1.0
    logits = build_discriminator(architecture)(images)
    assert logits.shape == (3,)


@pytest.mark.parametrize("size", SIZES)
def test_one_image_is_one_logit_in_eval_mode(size: int) -> None:
    architecture = Architecture("dcgan", size, 3, 4)
    images = torch.rand(1, 3, size, size)
    assert build_discriminator(architecture).eval()(images).shape == (1,)


@pytest.mark.parametrize("size", SIZES)
def test_the_papers_rules(size: int) -> None:
    """arXiv:1511.06434, section 3, "Architecture guidelines for stable Deep Convolutional GANs"."""
    architecture = Architecture("dcgan", size, 3, 4)
    generator, discriminator = build_generator(architecture), build_discriminator(architecture)
    allowed = {
        generator: (nn.ConvTranspose2d, nn.BatchNorm2d, nn.ReLU, nn.Tanh),
        discriminator: (nn.Conv2d, nn.BatchNorm2d, nn.LeakyReLU),
    }
    for network, kinds in allowed.items():  # neither pooling nor a hidden dense layer
        leaves = [module for module in network.modules() if not list(module.children())]
        assert all(isinstance(leaf, kinds) for leaf in leaves)
        sequence = [type(leaf) for leaf in leaves]
        norms = sequence.count(nn.BatchNorm2d)
        # the generator's output layer has no BatchNorm; the discriminator's input and output have none
        assert norms == len(convolutions(network)) - (1 if network is generator else 2)
    assert isinstance(list(generator.modules())[-1], nn.Tanh)
    assert isinstance(list(discriminator.modules())[-1], nn.Conv2d)  # a logit, no sigmoid
    assert all(m.negative_slope == 0.2 for m in discriminator.modules() if isinstance(m, nn.LeakyReLU))


@pytest.mark.parametrize("size", SIZES)
def test_channels_halve_while_pixels_double(size: int) -> None:
    up = convolutions(build_generator(Architecture("dcgan", size, 1, 4)))
    assert [layer.out_channels for layer in up[:-1]] == [
        4 * 2**level for level in reversed(range(len(up) - 1))
    ]
    assert [layer.stride for layer in up] == [(1, 1)] + [(2, 2)] * (len(up) - 1)
    down = convolutions(build_discriminator(Architecture("dcgan", size, 1, 4)))
    assert [layer.out_channels for layer in down[:-1]] == [4 * 2**level for level in range(len(down) - 1)]
    assert [layer.stride for layer in down] == [(2, 2)] * (len(down) - 1) + [(1, 1)]


def test_initial_weights() -> None:
    """Section 4: weights from N(0, 0.02)."""
    torch.manual_seed(0)
    for network in (build_generator(WIDE), build_discriminator(WIDE)):
        for layer in convolutions(network):
            weight = layer.weight
            spread = 0.02 / weight.numel() ** 0.5  # standard error of the mean
            assert abs(weight.mean()) < 5 * spread  # five standard errors: once in two million
            assert abs(weight.std() - 0.02) < 5 * spread  # that of the deviation is less, by sqrt(2)
            assert layer.bias is None or not layer.bias.any()
        for norm in (module for module in network.modules() if isinstance(module, nn.BatchNorm2d)):
            assert abs(norm.weight.mean() - 1.0) < 5 * 0.02 / norm.num_features**0.5
            assert not norm.bias.any()


def test_a_bias_only_where_no_batchnorm_follows() -> None:
    for network in (build_generator(WIDE), build_discriminator(WIDE)):
        leaves = [module for module in network.modules() if not list(module.children())]
        for layer, after in zip(leaves, [*leaves[1:], None], strict=True):
            if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
                assert (layer.bias is None) == isinstance(after, nn.BatchNorm2d)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"size": 37}, "28, 32, .* pixels, not 37"),
        ({"channels": 2}, "1 or 3 channels"),
        ({"width": 0}, "at least 1"),
        ({"latent_dim": 0}, "at least 1"),
        ({"preset": "stylegan"}, "no preset 'stylegan'"),
    ],
)
def test_what_is_not_offered_is_a_usage_error(change: dict[str, int | str], message: str) -> None:
    architecture = dataclasses.replace(WIDE, **change)  # type: ignore[arg-type]  # fields of two types
    for build in (build_generator, build_discriminator):
        with pytest.raises(UsageError, match=message):
            build(architecture)
