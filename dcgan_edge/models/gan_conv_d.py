"""Preset `gan-conv-d`: a fully connected generator against a convolutional discriminator.

Halfway between `gan` and `dcgan`, and often mistaken for the latter.
"""

from __future__ import annotations

from torch import nn

from dcgan_edge.artifact import Architecture
from dcgan_edge.layers import Layer
from dcgan_edge.models.parts import LEAKY_SLOPE, ProjectionDiscriminator, initialise_dense, perceptron

SIZES = (28, 32, 64)
initialise = initialise_dense


def generator_layers(architecture: Architecture) -> tuple[Layer, ...]:
    """Return latent -> 4 width -> 8 width -> 16 width -> every pixel; ReLU between, tanh at the end."""
    width = architecture.width
    return perceptron(architecture, (4 * width, 8 * width, 16 * width), Layer("relu"))


class Discriminator(ProjectionDiscriminator):
    """Two 3x3 stride-2 convolutions of width and 2 width channels, LeakyReLU, then one dense logit."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        width, side = architecture.width, architecture.size // 4
        self.layers = nn.Sequential(
            nn.Conv2d(architecture.channels, width, 3, stride=2, padding=1),
            nn.LeakyReLU(LEAKY_SLOPE),
            nn.Conv2d(width, 2 * width, 3, stride=2, padding=1),
            nn.LeakyReLU(LEAKY_SLOPE),
            nn.Flatten(),
            nn.Linear(2 * width * side**2, 1 + len(architecture.classes)),
        )
        self.apply(initialise_dense)
