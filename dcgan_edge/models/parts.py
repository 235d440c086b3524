"""What several presets are made of: constants, initial weights, the fully connected generator."""

from __future__ import annotations

from torch import Tensor, nn

from dcgan_edge.artifact import Architecture
from dcgan_edge.layers import Layer

LEAKY_SLOPE = 0.2


class ProjectionDiscriminator(nn.Module):
    """What all discriminators share: `layers` whose last has an output for images as such, and one more for
    each class, by which it is told whether an image is one of that class.

    Source: Miyato and Koyama 2018, "cGANs with Projection Discriminator", arXiv:1802.05637, section 3: the
    features before the last layer meet a weight vector of the class; here those are rows of that layer.
    """

    layers: nn.Sequential

    def forward(self, images: Tensor, classes: Tensor | None = None) -> Tensor:
        """Return logits (n,) of images (n, channels, size, size): above 0 is taken for real.

        `classes` float (n, K) are their weights in each class, one 1 and else 0. Without them, only what an
        image looks like is judged, whatever its class.
        """
        outputs: Tensor = self.layers(images)
        if classes is None:
            return outputs.flatten() if outputs.shape[1] == 1 else outputs.flatten(1)[:, 0]
        outputs = outputs.flatten(1)
        return outputs[:, 0] + (outputs[:, 1:] * classes).sum(1)


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
