"""Preset `dcgan`: the all-convolutional pair of the DCGAN paper.

Source: Radford, Metz and Chintala 2015, "Unsupervised Representation Learning with Deep Convolutional
Generative Adversarial Networks", arXiv:1511.06434, section 3 (architecture rules) and 4 (training constants).
"""

from __future__ import annotations

import itertools

from torch import nn

from dcgan_edge.artifact import Architecture
from dcgan_edge.layers import Layer
from dcgan_edge.models.parts import LEAKY_SLOPE, ProjectionDiscriminator

LEAST, MOST = 24, 256  # pixels


def _levels(size: int) -> int:
    """Return how often the pixels are halved until 4 to 7 are left: 28 -> 2, 32 -> 3, 64 -> 4, 96 -> 4."""
    return size.bit_length() - 3


SIZES = tuple(size for size in range(LEAST, MOST + 1) if size % 2 ** _levels(size) == 0)
WEIGHT_STD = 0.02


def generator_layers(architecture: Architecture) -> tuple[Layer, ...]:
    """Return projection to base x base by a transposed convolution, then 4x4 stride-2 transposed convolutions
    that halve the channels down to `width`; BatchNorm and ReLU between, tanh at the end.
    """
    base, widths = _pyramid(architecture)
    between = (Layer("batch_norm"), Layer("relu"))
    layers = [Layer("conv_transpose", widths[-1], base, bias=False), *between]  # 1 -> base pixels
    for narrow in widths[-2::-1]:
        layers += [Layer("conv_transpose", narrow, 4, 2, (1, 1), bias=False), *between]  # doubles the pixels
    return (*layers, Layer("conv_transpose", architecture.channels, 4, 2, (1, 1)), Layer("tanh"))


class Discriminator(ProjectionDiscriminator):
    """4x4 stride-2 convolutions that double the channels from `width`, LeakyReLU, BatchNorm on all but the
    first, and a final convolution to one logit. No pooling, no hidden dense layer.
    """

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        base, widths = _pyramid(architecture)
        layers: list[nn.Module] = [
            nn.Conv2d(architecture.channels, widths[0], 4, stride=2, padding=1),  # halves the pixels
            nn.LeakyReLU(LEAKY_SLOPE),
        ]
        for narrow, wide in itertools.pairwise(widths):
            layers += [
                nn.Conv2d(narrow, wide, 4, stride=2, padding=1, bias=False),
                nn.BatchNorm2d(wide),
                nn.LeakyReLU(LEAKY_SLOPE),
            ]
        layers.append(nn.Conv2d(widths[-1], 1 + len(architecture.classes), base))  # base -> 1 pixel
        self.layers = nn.Sequential(*layers)
        self.apply(initialise)


def _pyramid(architecture: Architecture) -> tuple[int, list[int]]:
    """Return the side of the smallest feature map, and the channels of each level, finest first."""
    levels = _levels(architecture.size)
    return architecture.size >> levels, [architecture.width * 2**level for level in range(levels)]


def initialise(module: nn.Module) -> None:
    """Weights from N(0, 0.02), BatchNorm scales from N(1, 0.02), biases 0 (section 4)."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, 0.0, WEIGHT_STD)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, WEIGHT_STD)
        nn.init.zeros_(module.bias)
