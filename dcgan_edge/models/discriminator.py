"""What a recipe changes about a preset's discriminator: how it is normalised, and how deep it is.

Sources: Miyato et al. 2018, "Spectral Normalization for Generative Adversarial Networks", arXiv:1802.05957,
section 2 and, for convolutions that keep the size between those that halve it, table 3.
"""

from __future__ import annotations

from torch import nn
from torch.nn.utils import parametrize
from torch.nn.utils.parametrizations import spectral_norm

from dcgan_edge.recipes import DiscriminatorDesign

WEIGHT_STD = 0.02  # of the additional convolutions, as in the DCGAN paper


def redesigned(layers: nn.Sequential, design: DiscriminatorDesign) -> nn.Sequential:
    """Return the `layers` of a preset's discriminator, changed as `design` says; their weights stay.

    A spectral norm is estimated by one power iteration in each pass of the training (algorithm 1); its two
    vectors are buffers, and thereby in the checkpoint.
    """
    found = list(layers)
    end = next((i for i, layer in enumerate(found) if isinstance(layer, nn.Flatten)), len(found) - 1)
    hidden = [layer for layer in found[:end] if isinstance(layer, nn.Conv2d)]
    if hidden:
        found[end:end] = _extra(hidden[-1].out_channels, design, like=found)
    if design.normalisation == "spectral":
        found = [_spectral(layer) for layer in found if not isinstance(layer, nn.BatchNorm2d | nn.Dropout)]
    return nn.Sequential(*found)


def without_spectral_norm(network: nn.Module) -> nn.Module:
    """Return `network`, which is in eval mode, with its normalised weights as plain ones: the same images in
    give the same out.
    """
    for module in list(network.modules()):
        if parametrize.is_parametrized(module, "weight"):
            parametrize.remove_parametrizations(module, "weight", leave_parametrized=True)
    return network


def _extra(channels: int, design: DiscriminatorDesign, *, like: list[nn.Module]) -> list[nn.Module]:
    """The additional hidden layers, with the activation of the others."""
    slope = next(layer.negative_slope for layer in like if isinstance(layer, nn.LeakyReLU))
    made: list[nn.Module] = []
    for _ in range(design.extra_convolutions):
        convolution = nn.Conv2d(channels, channels, 3, padding=1)
        nn.init.normal_(convolution.weight, 0.0, WEIGHT_STD)
        made.append(convolution)
        made += [nn.BatchNorm2d(channels)] if design.normalisation == "batch" else []
        made.append(nn.LeakyReLU(slope))
    return made


def _spectral(layer: nn.Module) -> nn.Module:
    """`layer` with normalised weights, and with a bias where BatchNorm was in its place."""
    if not isinstance(layer, nn.Conv2d | nn.Linear):
        return layer
    if layer.bias is None:
        layer.bias = nn.Parameter(layer.weight.new_zeros(len(layer.weight)))
    return spectral_norm(layer)
