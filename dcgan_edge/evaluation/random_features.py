"""Features of images of any kind by a convolutional network that was never trained: no weights, no downloads.

Its weights are the latents of fixed seeds, so they are the same everywhere. Such features tell how far apart
two sets of images are, but not in the way that people see them: compare their figures with each other, never
with those of Inception.

Source: Naeem et al. 2020, "Reliable Fidelity and Diversity Metrics for Generative Models", arXiv:2002.09797,
section 4.2: random embeddings, for images unlike those that a trained network knows.
"""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from dcgan_edge.errors import UnavailableError
from dcgan_edge.evaluation.extractor import FeatureExtractor, in_batches
from dcgan_edge.latents import FloatArray, latents

if TYPE_CHECKING:
    from torch import nn

COLOURS = 3
WIDTHS = (32, 64, 128)  # channels of the layers, each of half the size of the one before
KERNEL = 4
BIAS = 0.1  # standard deviation


class RandomFeatures(FeatureExtractor):
    """The mean of each channel of the last layer over the image; grey is repeated three times."""

    dim = WIDTHS[-1]

    def __init__(self) -> None:
        """Raises UnavailableError without PyTorch."""
        try:
            import torch
        except ImportError as error:
            raise UnavailableError(
                "Random features are computed in PyTorch, which is not installed: "
                "pip install 'dcgan-edge[train]'"
            ) from error
        self._network = _network()
        self.facts: dict[str, Any] = {"name": "random", "backend": "torch", "version": str(torch.__version__)}

    def features(self, images: FloatArray) -> FloatArray:
        """Turn (n, 1 or 3, h, w) in [-1, 1] into (n, 128)."""
        import torch

        def run(batch: FloatArray) -> FloatArray:
            colours = np.repeat(batch, COLOURS // batch.shape[1], axis=1)
            with torch.inference_mode():
                found: FloatArray = self._network(torch.from_numpy(colours)).mean((2, 3)).numpy()
            return found

        return in_batches(run, images, self.dim)


def random_weights() -> list[tuple[FloatArray, FloatArray]]:
    """Return weight (out, in, 4, 4) and bias (out,) of each convolution, in order; ReLU follows each.

    Weights are drawn from N(0, 2 / inputs), which keeps the scale of what goes through them.
    """
    drawn = []
    for seed, (before, width) in enumerate(itertools.pairwise((COLOURS, *WIDTHS))):
        inputs = before * KERNEL**2
        values = latents([seed], (inputs + 1) * width, "normal").reshape(-1)
        weight = values[width:].reshape(width, before, KERNEL, KERNEL) * np.float32(math.sqrt(2.0 / inputs))
        drawn.append((weight, values[:width] * np.float32(BIAS)))
    return drawn


def _network() -> nn.Sequential:
    """The convolutions in PyTorch, the borders repeated by one pixel."""
    import torch
    from torch import nn

    network = nn.Sequential()
    with torch.random.fork_rng(devices=[]):  # layers draw weights of their own first
        for weight, bias in random_weights():
            width, before = weight.shape[:2]
            convolution = nn.Conv2d(before, width, KERNEL, stride=2, padding=1, padding_mode="replicate")
            convolution.weight = nn.Parameter(torch.from_numpy(weight))
            convolution.bias = nn.Parameter(torch.from_numpy(bias))
            network.extend([convolution, nn.ReLU()])
    return network.requires_grad_(False).eval()
