"""What a checkpoint says of its generator: architecture, layers, and where it came from."""

from __future__ import annotations

from dataclasses import dataclass

from dcgan_edge.architecture import Architecture
from dcgan_edge.layers import Layer, shapes
from dcgan_edge.manifest import Origin


@dataclass(frozen=True)
class GeneratorSpec:
    """The network of a generator as data. `origin` is None for one that was trained here."""

    architecture: Architecture
    layers: tuple[Layer, ...]
    origin: Origin | None = None

    def __post_init__(self) -> None:
        """Raise ValueError when the layers do not make the images that the architecture names."""
        architecture = self.architecture
        architecture.check()
        made = shapes(self.layers, architecture.input_dim)[-1]
        named = (architecture.channels, architecture.size, architecture.size)
        if made != named:
            raise ValueError(f"the layers make images of {made}, the architecture says {named}")
