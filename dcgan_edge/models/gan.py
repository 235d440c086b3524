"""Preset `gan`: two fully connected networks, the baseline that DCGAN is compared with.

Source: Goodfellow et al. 2014, "Generative Adversarial Nets", arXiv:1406.2661, in the small form that
tutorials use for MNIST: hidden layers of 256 and 512 units at width 64, LeakyReLU, tanh.
"""

from __future__ import annotations

from torch import nn

from dcgan_edge.artifact import Architecture
from dcgan_edge.layers import Layer
from dcgan_edge.models.parts import LEAKY_SLOPE, ProjectionDiscriminator, initialise_dense, perceptron

SIZES = (28, 32, 64)
initialise = initialise_dense


def generator_layers(architecture: Architecture) -> tuple[Layer, ...]:
    """Return latent -> 4 width -> 8 width -> every pixel; LeakyReLU between, tanh at the end."""
    return perceptron(
        architecture, (4 * architecture.width, 8 * architecture.width), Layer("leaky_relu", slope=LEAKY_SLOPE)
    )


class Discriminator(ProjectionDiscriminator):
    """Every pixel -> 4 width -> 4 width -> one logit; LeakyReLU between."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        units = 4 * architecture.width
        self.layers = nn.Sequential(
            nn.Flatten(),
            nn.Linear(architecture.channels * architecture.size**2, units),
            nn.LeakyReLU(LEAKY_SLOPE),
            nn.Linear(units, units),
            nn.LeakyReLU(LEAKY_SLOPE),
            nn.Linear(units, 1 + len(architecture.classes)),
        )
        self.apply(initialise_dense)
