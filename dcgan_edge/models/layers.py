"""What several presets are made of: constants, initial weights, the fully connected generator."""

from __future__ import annotations

import itertools
from collections.abc import Callable

from torch import Tensor, nn

from dcgan_edge.artifact import Architecture

LEAKY_SLOPE = 0.2


class Perceptron(nn.Module):
    """A fully connected generator: latent -> `hidden` layers -> (channels, size, size), tanh at the end."""

    def __init__(
        self, architecture: Architecture, hidden: tuple[int, ...], activation: Callable[[], nn.Module]
    ) -> None:
        super().__init__()
        shape = (architecture.channels, architecture.size, architecture.size)
        layers: list[nn.Module] = [nn.Flatten()]
        for units, more in itertools.pairwise((architecture.latent_dim, *hidden)):
            layers += [nn.Linear(units, more), activation()]
        layers += [nn.Linear(hidden[-1], shape[0] * shape[1] * shape[2]), nn.Unflatten(1, shape), nn.Tanh()]
        self.layers = nn.Sequential(*layers)
        self.apply(initialise_dense)

    def forward(self, latents: Tensor) -> Tensor:
        """Return images (n, channels, size, size) in [-1, 1] of latents (n, latent_dim, 1, 1)."""
        images: Tensor = self.layers(latents)
        return images


def initialise_dense(module: nn.Module) -> None:
    """Set Glorot-uniform weights and zero biases, as the baselines' listings do (Glorot, Bengio 2010)."""
    if isinstance(module, nn.Conv2d | nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
