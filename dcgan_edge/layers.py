"""A generator as a list of layers: plain data, so that a checkpoint says what its network is.

Layer i is `layers.i` of the network and of its tensors' names. The first layer takes latents (input, 1, 1).
What a stranger's list may claim is bounded here, before anything is built from it.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Kind = Literal[
    "flatten", "dense", "reshape", "conv", "conv_transpose", "upsample", "pixel_shuffle", "batch_norm",
    "relu", "leaky_relu", "elu", "silu", "tanh", "sigmoid", "rescale", "clip",
]  # fmt: skip
Shape = tuple[int, ...]  # of one image's activation: (features,) or (channels, height, width)
MOST_LAYERS = 256
MOST_ELEMENTS = 2**28  # of one image's activation
FIELDS: dict[str, tuple[str, ...]] = {
    "dense": ("channels", "bias"),
    "reshape": ("shape",),
    "conv": ("channels", "kernel", "stride", "padding", "bias"),
    "conv_transpose": ("channels", "kernel", "stride", "padding", "bias"),
    "upsample": ("factor", "mode"),
    "pixel_shuffle": ("factor",),
    "batch_norm": ("eps", "momentum"),
    "leaky_relu": ("slope",),
}
RANGES: dict[str, tuple[float, float]] = {
    "channels": (1, 2**24), "kernel": (1, 64), "stride": (1, 16), "padding": (0, 63), "factor": (1, 16),
    "shape": (1, 2**20), "slope": (0.0, 10.0), "eps": (0.0, 1.0), "momentum": (0.0, 1.0),
}  # fmt: skip


@dataclass(frozen=True)
class Layer:
    """One layer. `channels` are its outputs (features of a dense one); `padding` is (before, after) on both
    axes, pixels that a convolution adds and a transposed one cuts off; `shape` is the (channels, height,
    width) that a vector becomes; `slope` is of a leaky ReLU's negative side.

    "upsample" and "pixel_shuffle" multiply height and width by `factor`. "rescale" takes [0, 1] to [-1, 1],
    "clip" cuts off at -1 and 1. A field that does not belong to the kind keeps its default.
    """

    kind: Kind
    channels: int = 0
    kernel: int = 0
    stride: int = 1
    padding: tuple[int, int] = (0, 0)
    bias: bool = True
    factor: int = 0
    mode: Literal["nearest", "bilinear"] = "nearest"
    shape: tuple[int, int, int] | None = None
    slope: float = 0.0
    eps: float = 1e-5
    momentum: float = 0.1

    def __post_init__(self) -> None:
        """Raise ValueError for a value out of range, or one that this kind of layer does not have."""
        own = FIELDS.get(self.kind, ())
        for field in dataclasses.fields(self)[1:]:
            value = getattr(self, field.name)
            if field.name not in own:
                if value != field.default:
                    raise ValueError(f"a {self.kind} layer has no {field.name}")
            elif field.name in RANGES:
                least, most = RANGES[field.name]
                values = value if isinstance(value, tuple) else (value,)
                if not all(each is not None and least <= each <= most for each in values):
                    raise ValueError(f"{field.name} of a {self.kind} layer is {value}, not {least} to {most}")


def shapes(layers: Sequence[Layer], inputs: int) -> tuple[Shape, ...]:
    """Return the shape of each layer's output for latents (inputs, 1, 1), without the batch.

    Raises ValueError naming the first layer that does not fit what comes before it, or makes more of it than
    MOST_ELEMENTS.
    """
    if not 1 <= len(layers) <= MOST_LAYERS:
        raise ValueError(f"a generator has 1 to {MOST_LAYERS} layers, not {len(layers)}")
    found: list[Shape] = []
    shape: Shape = (inputs, 1, 1)
    for index, layer in enumerate(layers):
        made = _after(layer, shape)
        if made is None or min(made) < 1 or math.prod(made) > MOST_ELEMENTS:
            raise ValueError(f"layer {index} ({layer.kind}) cannot take {shape}")
        found.append(made)
        shape = made
    return tuple(found)


def input_shapes(layers: Sequence[Layer], inputs: int) -> tuple[Shape, ...]:
    """Return the shape of what each layer takes. Raises ValueError as `shapes` does."""
    return ((inputs, 1, 1), *shapes(layers, inputs)[:-1])


def _after(layer: Layer, shape: Shape) -> Shape | None:
    """The shape behind `layer`, None where it cannot follow."""
    if layer.kind == "flatten":
        return (math.prod(shape),)
    if layer.kind == "dense":
        return (layer.channels,) if len(shape) == 1 else None
    if layer.kind == "reshape":
        return layer.shape if layer.shape and shape == (math.prod(layer.shape),) else None
    if layer.kind not in ("conv", "conv_transpose", "upsample", "pixel_shuffle"):
        return shape
    if len(shape) != 3:
        return None
    channels, *sides = shape
    if layer.kind == "upsample":
        return (channels, *(side * layer.factor for side in sides))
    if layer.kind == "pixel_shuffle":
        fewer, rest = divmod(channels, layer.factor**2)
        return None if rest else (fewer, *(side * layer.factor for side in sides))
    around = sum(layer.padding)
    if layer.kind == "conv":
        return (layer.channels, *((side + around - layer.kernel) // layer.stride + 1 for side in sides))
    return (layer.channels, *((side - 1) * layer.stride + layer.kernel - around for side in sides))
