"""The activations of a discriminator, layer by layer, as the DCGAN paper turns them into features.

A layer is a convolution up to its LeakyReLU, batch normalisation included. The convolution to one logit has
none and is no layer. Fully connected hidden layers are layers too, without a place in the image.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from dcgan_edge.errors import UsageError
from dcgan_edge.images import PixelArray
from dcgan_edge.latents import FloatArray
from dcgan_edge.training.steps import to_network

GRID = 4  # places of a side that a layer is pooled to
BATCH = 250  # images per pass


@dataclass(frozen=True)
class Layer:
    """One layer: `activation` is the module whose output it is; `is_convolution` tells 4-D from 2-D."""

    name: str
    activation: nn.LeakyReLU
    is_convolution: bool


def layers_of(discriminator: nn.Module) -> list[Layer]:
    """Return the layers in the order in which images pass them: conv1, conv2, ... and dense1, dense2, ..."""
    found: list[Layer] = []
    counts = {"conv": 0, "dense": 0}
    kind = ""
    for module in discriminator.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            kind = "conv" if isinstance(module, nn.Conv2d) else "dense"
        elif isinstance(module, nn.LeakyReLU) and kind:
            counts[kind] += 1
            found.append(Layer(f"{kind}{counts[kind]}", module, kind == "conv"))
            kind = ""
    return found


def convolutions(discriminator: nn.Module) -> list[Layer]:
    """Return the convolution layers. Raises UsageError when there are none."""
    found = [layer for layer in layers_of(discriminator) if layer.is_convolution]
    if not found:
        raise UsageError(
            "This discriminator is fully connected: it has no convolutions, and so no filters to show."
        )
    return found


@contextlib.contextmanager
def recorded(layers: list[Layer]) -> Iterator[dict[str, Tensor]]:
    """Yield a dict in which every pass of the network leaves each layer's output under its name."""
    outputs: dict[str, Tensor] = {}

    def keep(name: str) -> Callable[[nn.Module, tuple[Tensor, ...], Tensor], None]:
        return lambda _module, _inputs, output: outputs.update({name: output})

    handles = [layer.activation.register_forward_hook(keep(layer.name)) for layer in layers]
    try:
        yield outputs
    finally:
        for handle in handles:
            handle.remove()


def pooled_features(discriminator: nn.Module, pixels: PixelArray) -> list[FloatArray]:
    """Return for each layer the features (n, channels * 16) of images uint8 (n, c, h, w): the largest
    activation in each cell of a 4 x 4 grid; of a fully connected layer its outputs.

    Source: DCGAN, arXiv:1511.06434, section 5.1.
    """
    layers = layers_of(discriminator)
    parts: list[list[Tensor]] = [[] for _ in layers]
    with torch.inference_mode(), recorded(layers) as outputs:
        for start in range(0, len(pixels), BATCH):
            batch = to_network(torch.tensor(pixels[start : start + BATCH]))
            discriminator(batch)
            for layer, part in zip(layers, parts, strict=True):
                part.append(_pooled(outputs[layer.name]))
    return [torch.cat(part).numpy() for part in parts]


def _pooled(output: Tensor) -> Tensor:
    if output.ndim == 4:
        output = functional.adaptive_max_pool2d(output, GRID)
    return output.flatten(1)
