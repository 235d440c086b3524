"""Which part of the image a unit of a convolution layer sees."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from dcgan_edge.errors import UsageError
from dcgan_edge.training.activations import Layer


@dataclass(frozen=True)
class Field:
    """Units see squares of `size` pixels; the first begins at pixel `start` (below 0: in the padding), the
    next `jump` pixels further.
    """

    size: int = 1
    jump: int = 1
    start: int = 0

    def span(self, place: int) -> tuple[int, int]:
        """Return the first pixel and the one after the last that the unit in row or column `place` sees."""
        first = self.start + place * self.jump
        return first, first + self.size


def receptive_field(discriminator: nn.Module, layer: Layer) -> Field:
    """Return the field of the units of `layer`, the same in rows and columns."""
    field = Field()
    for module in discriminator.modules():
        if module is layer.activation:
            return field
        if isinstance(module, nn.Conv2d):
            kernel, stride, padding = module.kernel_size[0], module.stride[0], int(module.padding[0])
            field = Field(
                field.size + (kernel - 1) * field.jump,
                field.jump * stride,
                field.start - padding * field.jump,
            )
        elif isinstance(module, nn.ZeroPad2d):
            left, _, top, _ = module.padding
            if left != top:
                raise UsageError("The padding differs between rows and columns.")
            field = Field(field.size, field.jump, field.start - top * field.jump)
    raise UsageError(f"The discriminator has no layer {layer.name}.")
