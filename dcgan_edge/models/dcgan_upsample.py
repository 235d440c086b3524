"""Preset `dcgan-upsample`: nearest-neighbour upsampling and convolutions instead of transposed ones.

Source: the MNIST network of Keras-based DCGAN tutorials. Transposed convolutions can leave a checkerboard,
which this avoids: Odena, Dumoulin and Olah 2016, "Deconvolution and Checkerboard Artifacts".
"""

from __future__ import annotations

from torch import nn

from dcgan_edge.artifact import Architecture
from dcgan_edge.layers import Layer
from dcgan_edge.models.parts import LEAKY_SLOPE, ProjectionDiscriminator, initialise_dense

SIZES = (28, 32)
initialise = initialise_dense
BN_MOMENTUM = 0.2  # share of the new batch; Keras calls the same thing momentum 0.8
DROPOUT = 0.25


def generator_layers(architecture: Architecture) -> tuple[Layer, ...]:
    """Return dense to 2 width x side/4 x side/4, then twice: double the pixels, 3x3 convolution, BatchNorm,
    ReLU.
    """
    width, base = architecture.width, architecture.size // 4
    return (
        Layer("flatten"),
        Layer("dense", 2 * width * base**2),
        Layer("relu"),
        Layer("reshape", shape=(2 * width, base, base)),
        *_doubling(2 * width),
        *_doubling(width),
        Layer("conv", architecture.channels, 3, padding=(1, 1)),
        Layer("tanh"),
    )


class Discriminator(ProjectionDiscriminator):
    """3x3 convolutions of width/2, width, 2 width (stride 2) and 4 width (stride 1) channels, each with
    LeakyReLU and dropout, and BatchNorm before them on all but the first; one dense logit.
    """

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        width, narrow = architecture.width, max(architecture.width // 2, 1)
        side = (architecture.size // 4 + 2) // 2  # after the padding and the third convolution
        self.layers = nn.Sequential(
            nn.Conv2d(architecture.channels, narrow, 3, stride=2, padding=1),
            nn.LeakyReLU(LEAKY_SLOPE),
            nn.Dropout(DROPOUT),
            nn.Conv2d(narrow, width, 3, stride=2, padding=1),
            nn.ZeroPad2d((0, 1, 0, 1)),
            *_block(width),
            nn.Conv2d(width, 2 * width, 3, stride=2, padding=1),
            *_block(2 * width),
            nn.Conv2d(2 * width, 4 * width, 3, padding=1),
            *_block(4 * width),
            nn.Flatten(),
            nn.Linear(4 * width * side**2, 1 + len(architecture.classes)),
        )
        self.apply(initialise_dense)


def _doubling(channels: int) -> tuple[Layer, ...]:
    return (
        Layer("upsample", factor=2),
        Layer("conv", channels, 3, padding=(1, 1)),
        Layer("batch_norm", momentum=BN_MOMENTUM),
        Layer("relu"),
    )


def _block(channels: int) -> tuple[nn.Module, ...]:
    return nn.BatchNorm2d(channels, momentum=BN_MOMENTUM), nn.LeakyReLU(LEAKY_SLOPE), nn.Dropout(DROPOUT)
