"""Fast layers against torch's own: same weights, same images, same gradients."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from dcgan_edge.artifact import Architecture
from dcgan_edge.models import build_discriminator, build_generator
from dcgan_edge.training.fast_layers import (
    PatchConvolution,
    PatchTransposedConvolution,
    Projection,
    ShardDropout,
    WholeBatchNorm,
    use_fast_layers,
)

RANDOM = torch.Generator()


def alone(value: Tensor) -> Tensor:
    """The sum over all shards, of which there is one."""
    return value


def fast(network: nn.Module) -> nn.Module:
    return use_fast_layers(copy.deepcopy(network), alone, RANDOM)


def assert_same_passes(network: nn.Module, inputs: Tensor) -> None:
    mine, theirs = inputs.clone().requires_grad_(), inputs.clone().requires_grad_()
    quick = fast(network)
    one, other = quick(mine), network(theirs)
    # float32 sums of up to some thousand terms in another order
    torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)
    slope = torch.randn_like(other)
    one.backward(slope)
    other.backward(slope)
    torch.testing.assert_close(mine.grad, theirs.grad, atol=1e-5, rtol=1e-4)
    named = dict(network.named_parameters())
    assert dict(quick.named_parameters()).keys() == named.keys()
    # of the largest gradient, as that of a bias before BatchNorm is 0 up to rounding
    atol = 1e-5 * max(float(torch.as_tensor(parameter.grad).abs().max()) for parameter in named.values())
    for name, parameter in quick.named_parameters():
        torch.testing.assert_close(parameter.grad, named[name].grad, atol=atol, rtol=1e-4)


@pytest.mark.parametrize("preset", ["dcgan", "dcgan-upsample", "gan-conv-d", "gan"])
@pytest.mark.parametrize(("size", "channels"), [(28, 1), (32, 3)])
def test_networks_of_all_presets(preset: str, size: int, channels: int) -> None:
    torch.manual_seed(0)
    architecture = Architecture(preset, size, channels, width=4, latent_dim=6)
    assert_same_passes(build_generator(architecture), torch.randn(6, 6, 1, 1))
    discriminator = build_discriminator(architecture)
    for module in discriminator.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0  # the random numbers are others
    assert_same_passes(discriminator, torch.rand(6, channels, size, size))


@pytest.mark.parametrize(("kernel", "stride", "padding"), [(4, 2, 1), (3, 1, 1), (3, 2, 0), (5, 3, 2)])
def test_convolutions_of_any_geometry(kernel: int, stride: int, padding: int) -> None:
    torch.manual_seed(0)
    reading = nn.Sequential(nn.Conv2d(3, 5, kernel, stride, padding))
    writing = nn.Sequential(nn.ConvTranspose2d(5, 2, kernel, stride, padding))
    assert isinstance(fast(reading)[0], PatchConvolution)  # type: ignore[index]
    assert isinstance(fast(writing)[0], PatchTransposedConvolution)  # type: ignore[index]
    assert_same_passes(reading, torch.randn(2, 3, 11, 14))
    assert_same_passes(writing, torch.randn(2, 5, 6, 7))


def test_which_layers_are_replaced() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.ConvTranspose2d(9, 8, 4, bias=False),
        nn.BatchNorm2d(8),
        nn.Dropout(0.5),
        nn.Conv2d(8, 2, 1),
        nn.ConvTranspose2d(2, 2, 4, groups=2),
    )
    kinds = [type(layer) for layer in fast(network).children()]
    assert kinds == [Projection, WholeBatchNorm, ShardDropout, nn.Conv2d, nn.ConvTranspose2d]


def test_bf16_goes_torchs_own_way() -> None:
    torch.manual_seed(0)
    architecture = Architecture("dcgan", 28, 1, width=4, latent_dim=6)
    network, latents = build_generator(architecture), torch.randn(4, 6, 1, 1)
    with torch.autocast("cpu", torch.bfloat16):
        one, other = fast(network)(latents), network(latents)
    # BatchNorm rounds its statistics at other places: two of eight bits
    torch.testing.assert_close(one, other, atol=0.02, rtol=0.02)


def test_statistics_are_kept_by_whom_they_are_given_to() -> None:
    torch.manual_seed(0)
    plain, maps = nn.BatchNorm2d(5, momentum=0.3), 3.0 + 2.0 * torch.randn(4, 5, 6, 6)
    kept, layer = copy.deepcopy(plain), WholeBatchNorm(copy.deepcopy(plain), alone)
    layer.keep(kept)
    for _ in range(2):
        plain(maps)
        layer(maps)
    torch.testing.assert_close(kept.state_dict(), plain.state_dict())  # torch's tolerances for float32


def test_dropout_follows_its_generator_and_keeps_the_mean() -> None:
    layer = ShardDropout(nn.Dropout(0.25), RANDOM)
    ones = torch.ones(100, 100)
    RANDOM.manual_seed(3)
    first = layer(ones)
    RANDOM.manual_seed(3)
    assert torch.equal(layer(ones), first)
    assert not torch.equal(layer(ones), first)
    assert first.unique().tolist() == [0.0, pytest.approx(4 / 3)]
    assert abs(first.mean() - 1.0) < 5 * (1 / 3) ** 0.5 / 100  # five standard errors
