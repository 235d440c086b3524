"""The networks of the presets. A preset is one module here with `SIZES`, `generator_layers`, `initialise` and
`Discriminator`, and one line in `PRESETS`.

Generator: latents float32 (batch, input_dim, 1, 1) -> images (batch, channels, size, size) in [-1, 1].
Discriminator: images, and their classes where there are any -> one logit per image, (batch,); no sigmoid,
losses are computed from logits.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Protocol, cast

from dcgan_edge.errors import UsageError
from dcgan_edge.generator_spec import GeneratorSpec
from dcgan_edge.recipes import DiscriminatorDesign

if TYPE_CHECKING:
    from torch import nn

    from dcgan_edge.artifact import Architecture
    from dcgan_edge.layers import Layer

PRESETS = {
    "dcgan": "dcgan_edge.models.dcgan",
    "dcgan-upsample": "dcgan_edge.models.dcgan_upsample",
    "gan-conv-d": "dcgan_edge.models.gan_conv_d",
    "gan": "dcgan_edge.models.gan",
}
CHANNELS = (1, 3)
AS_IN_THE_PAPER = DiscriminatorDesign()


class Preset(Protocol):
    """What a preset's module offers."""

    SIZES: tuple[int, ...]

    def generator_layers(self, architecture: Architecture) -> tuple[Layer, ...]:
        """Return the layers that make images (n, c, size, size) of latents (n, input_dim, 1, 1)."""
        ...

    def initialise(self, module: nn.Module) -> None:
        """Set the initial weights of one module of the generator, from torch's global generator."""
        ...

    def Discriminator(self, architecture: Architecture) -> nn.Module:
        """Make the discriminator: images (n, c, size, size), and of a conditional one their classes (n, K),
        to logits (n,).
        """
        ...


def build_generator(architecture: Architecture) -> nn.Module:
    """Return a generator with weights from torch's global generator. Raises UsageError as `check` does."""
    from dcgan_edge.models.network import Generator

    preset = check(architecture)
    generator = Generator(preset.generator_layers(architecture), architecture.input_dim)
    return generator.apply(preset.initialise)


def preset_spec(architecture: Architecture) -> GeneratorSpec:
    """Return the generator of a preset as data. Raises UsageError as `check` does."""
    return GeneratorSpec(architecture, check(architecture).generator_layers(architecture))


def build_discriminator(
    architecture: Architecture, design: DiscriminatorDesign = AS_IN_THE_PAPER
) -> nn.Module:
    """Return a discriminator with weights from torch's generator, the preset's own or changed by `design`.

    Raises UsageError as `check` does.
    """
    network = check(architecture).Discriminator(architecture)
    if design != AS_IN_THE_PAPER:
        from dcgan_edge.models.discriminator import redesigned

        network.layers = redesigned(cast("nn.Sequential", network.layers), design)
    return network


def check(architecture: Architecture) -> Preset:
    """Return the preset of `architecture`; raise UsageError naming what it offers if it has no such size."""
    if architecture.preset not in PRESETS:
        raise UsageError(f"There is no preset {architecture.preset!r}; there are {', '.join(PRESETS)}.")
    preset = cast(Preset, importlib.import_module(PRESETS[architecture.preset]))
    if architecture.size not in preset.SIZES:
        sizes = ", ".join(map(str, preset.SIZES))
        raise UsageError(f"Preset {architecture.preset} makes {sizes} pixels, not {architecture.size}.")
    if architecture.channels not in CHANNELS:
        raise UsageError(f"Images have 1 or 3 channels, not {architecture.channels}.")
    if architecture.width < 1 or architecture.latent_dim < 1:
        raise UsageError("Width and latent size are at least 1.")
    try:
        architecture.check()
    except ValueError as error:
        raise UsageError(f"There is no such generator: {error}.") from error
    return preset
