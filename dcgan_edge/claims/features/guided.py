"""Guided backpropagation: which pixels made a filter respond.

Source: Springenberg et al. 2014, "Striving for Simplicity", arXiv:1412.6806. On its way back a
gradient passes a ReLU only where the ReLU let the signal through and where the gradient itself is positive.
LeakyReLU is treated as ReLU is: what it merely leaks does not count.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from dcgan_edge.images import PixelArray
from dcgan_edge.latents import FloatArray
from dcgan_edge.training.activations import Layer, recorded
from dcgan_edge.training.steps import to_network


@contextlib.contextmanager
def guided(network: nn.Module) -> Iterator[None]:
    """Send gradients through every LeakyReLU of `network` as guided backpropagation does, while open."""

    def guide(_module: nn.Module, inputs: tuple[Tensor, ...], output: Any) -> None:
        passed = inputs[0].detach() > 0.0
        if output.requires_grad:  # what LeakyReLU itself does to the gradient after this is nothing
            output.register_hook(lambda gradient: gradient.clamp(min=0.0) * passed)

    rectifiers = [module for module in network.modules() if isinstance(module, nn.LeakyReLU)]
    handles = [module.register_forward_hook(guide) for module in rectifiers]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def guided_gradients(
    discriminator: nn.Module, layer: Layer, pixels: PixelArray, units: npt.NDArray[np.int64]
) -> FloatArray:
    """Return what each pixel adds to a unit by guided backpropagation, float32 (n, c, h, w).

    Images are uint8 (n, c, h, w), and each has one unit of `layer`: `units` int (n, 3) are filter, row and
    column.
    """
    images = to_network(torch.tensor(pixels)).requires_grad_(True)
    filters, rows, columns = torch.from_numpy(units).unbind(1)
    with guided(discriminator), recorded([layer]) as outputs:
        discriminator(images)
        responses = outputs[layer.name][torch.arange(len(pixels)), filters, rows, columns]
        (gradients,) = torch.autograd.grad(
            responses.sum(), images
        )  # in eval mode images do not see each other
    found: FloatArray = gradients.contiguous().numpy()
    return found
