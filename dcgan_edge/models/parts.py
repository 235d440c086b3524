"""What several presets are made of: constants, initial weights, the fully connected generator."""

from __future__ import annotations

from torch import nn

from dcgan_edge.artifact import Architecture
from dcgan_edge.layers import Layer

LEAKY_SLOPE = 0.2


def perceptron(architecture: Architecture, hidden: tuple[int, ...], activation: Layer) -> tuple[Layer, ...]:
    """Return a fully connected generator: latent -> `hidden` -> (channels, size, size), tanh at the end."""
    shape = (architecture.channels, architecture.size, architecture.size)
    layers = [Layer("flatten")]
    for units in hidden:
        layers += [Layer("dense", units), activation]
    pixels = Layer("dense", shape[0] * shape[1] * shape[2])
    return (*layers, pixels, Layer("reshape", shape=shape), Layer("tanh"))


def initialise_dense(module: nn.Module) -> None:
    """Set Glorot-uniform weights and zero biases, as the baselines' listings do (Glorot, Bengio 2010)."""
    if isinstance(module, nn.Conv2d | nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
