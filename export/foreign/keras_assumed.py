"""The architecture of Keras arrays that came without one, assumed from their shapes and the commonest use.

Files of `save_weights` name their layers by class and number, so that the order within a class is known; the
order of all follows from the channels. Strides, activations and eps are in no array.
"""

from __future__ import annotations

import itertools
import math
import re
from dataclasses import dataclass
from typing import Any

from .keras_file import KerasFile

KERNEL_CLASSES = {"dense": "Dense", "conv2d": "Conv2D", "conv2d_transpose": "Conv2DTranspose"}

USUAL_SIZES = (16, 28, 32, 48, 64, 96, 128, 256, 512)  # pixels
SLOPE, EPS, MOMENTUM = 0.3, 1e-3, 0.99  # Keras' own defaults
MOST = 64  # layers with kernels


@dataclass(frozen=True)
class Kernel:
    """A layer with a kernel of `size` pixels (of inputs for a dense one), and whether it has a bias."""

    kind: str
    name: str
    inputs: int
    outputs: int
    size: int
    biased: bool


def assume(content: KerasFile) -> tuple[dict[str, Any], tuple[str, ...]] | None:
    """Return a configuration for the arrays of `content`, and what was assumed for it.

    Returns None when layers have names of their own, or do not follow each other by their channels.
    """
    kernels, norms = _kernels(content), _norms(content)
    dense = [kernel for kernel in kernels if kernel.kind == "Dense"]
    images = [kernel for kernel in kernels if kernel.kind != "Dense"]
    if (
        not images
        or len(kernels) > MOST
        or any(first.outputs != second.inputs for first, second in itertools.pairwise(dense))
    ):
        return None
    row = _row(images, dense)
    if row is None:
        return None
    side = math.isqrt(dense[-1].outputs // max(row[0].inputs, 1)) if dense else row[0].size
    if dense and side * side * row[0].inputs != dense[-1].outputs:
        return None
    leaky = any(name.startswith("leaky_re_lu") for name in content.layers)
    ups = sum(name.startswith("up_sampling2d") for name in content.layers)
    strides, size = _strides(row, side, ups, bool(dense))
    layers = _layers(dense, row, norms, side, strides, ups, leaky)
    if layers is None:
        return None
    latent = [dense[0].inputs] if dense else [1, 1, row[0].inputs]
    config = {"layers": layers, "build_input_shape": [None, *latent]}
    transposed = [str(stride) for kernel, stride in zip(row, strides, strict=True) if kernel.kind != "Conv2D"]
    return {"class_name": "Sequential", "config": config}, (
        f"{size} pixels, by the usual strides ({', '.join(transposed) or '1'}) and padding 'same'",
        *((f"{ups} times nearest upsampling, before the first convolutions",) if ups else ()),
        f"activation between the layers: {f'leaky_relu, slope {SLOPE}' if leaky else 'relu'}",
        "output: tanh",
        *((f"eps of BatchNorm: {EPS}",) if norms else ()),
    )


def _kernels(content: KerasFile) -> list[Kernel]:
    """Every layer with a kernel, by class and number."""
    found = []
    for key, value in content.arrays.items():
        name, array = key[0], key[-1].partition(":")[0]
        kind = KERNEL_CLASSES.get(re.sub(r"_\d+$", "", name))
        if kind is None or array not in ("0", "kernel") or value.ndim not in (2, 4):
            continue
        inputs, outputs = value.shape[-2:] if kind != "Conv2DTranspose" else value.shape[:-3:-1]
        biased = any(
            other[0] == name and other[-1].partition(":")[0] in ("1", "bias") for other in content.arrays
        )
        found.append(Kernel(kind, name, inputs, outputs, value.shape[0], biased))
    return sorted(found, key=lambda kernel: _number(kernel.name))


def _norms(content: KerasFile) -> list[tuple[str, int]]:
    """Name and features of every BatchNormalization, in their order."""
    sizes = {
        key[0]: value.shape[0]
        for key, value in content.arrays.items()
        if key[0].startswith("batch_normalization") and value.ndim == 1
    }
    return sorted(sizes.items(), key=lambda item: _number(item[0]))


def _number(name: str) -> int:
    found = re.search(r"_(\d{1,6})$", name)
    return int(found[1]) if found else 0


def _row(images: list[Kernel], dense: list[Kernel]) -> list[Kernel] | None:
    """The convolutions of both kinds in one row, each class in its order, by their channels."""
    one, other = (
        [kernel for kernel in images if (kernel.kind == "Conv2D") is plain] for plain in (False, True)
    )
    pending: list[tuple[list[Kernel], int, int]] = [([], 0, 0)]
    seen: set[tuple[int, int, str]] = set()
    while pending:
        row, first, second = pending.pop()
        if len(row) == len(images):
            return row
        state = (first, second, row[-1].kind if row else "")
        if state in seen:
            continue
        seen.add(state)
        if second < len(other) and _follows(other[second], row, dense):
            pending.append(([*row, other[second]], first, second + 1))
        if first < len(one) and _follows(one[first], row, dense):
            pending.append(([*row, one[first]], first + 1, second))
    return None


def _follows(kernel: Kernel, row: list[Kernel], dense: list[Kernel]) -> bool:
    if row:
        return kernel.inputs == row[-1].outputs
    return not dense or dense[-1].outputs % max(kernel.inputs, 1) == 0


def _strides(row: list[Kernel], side: int, ups: int, dense: bool) -> tuple[list[int], int]:
    """The stride of each convolution, and the size of the images: twofold steps that make a usual size."""
    own = [
        1 if kernel.kind == "Conv2D" or (not dense and place == 0) else 2 for place, kernel in enumerate(row)
    ]
    twofold = [place for place, stride in enumerate(own) if stride == 2]
    for without in (None, *(twofold[:1] + twofold[-1:])):
        strides = [1 if place == without else stride for place, stride in enumerate(own)]
        size = side * math.prod(strides) * 2**ups
        if size in USUAL_SIZES:
            return strides, size
    return own, side * math.prod(own) * 2**ups


def _layers(
    dense: list[Kernel],
    row: list[Kernel],
    norms: list[tuple[str, int]],
    side: int,
    strides: list[int],
    ups: int,
    leaky: bool,
) -> list[dict[str, Any]] | None:
    """The configuration of every layer, None where the BatchNormalization do not fit in."""
    layers: list[dict[str, Any]] = []
    left = list(norms)

    def add(kind: str, **config: Any) -> None:
        layers.append({"class_name": kind, "config": config})

    def behind(features: int) -> None:
        if left and left[0][1] == features:
            add("BatchNormalization", name=left.pop(0)[0], epsilon=EPS, momentum=MOMENTUM)

    def active() -> None:
        add("LeakyReLU", negative_slope=SLOPE) if leaky else add("ReLU")

    for kernel in dense:
        add("Dense", name=kernel.name, units=kernel.outputs, use_bias=kernel.biased)
        behind(kernel.outputs)
        if kernel is not dense[-1]:
            active()
    if dense:
        active()
        add("Reshape", target_shape=[side, side, row[0].inputs])
        if len(left) >= len(row):  # more than go behind the convolutions but for the last
            behind(row[0].inputs)
    for place, (kernel, stride) in enumerate(zip(row, strides, strict=True)):
        if kernel.kind == "Conv2D" and ups > 0:
            ups -= 1
            add("UpSampling2D", size=[2, 2])
        first = not dense and place == 0
        add(
            kernel.kind, name=kernel.name, filters=kernel.outputs, kernel_size=[kernel.size] * 2,
            strides=[stride] * 2, padding="valid" if first else "same", use_bias=kernel.biased,
        )  # fmt: skip
        last = place == len(row) - 1
        if not last:
            behind(kernel.outputs)
            active()
    add("Activation", activation="tanh")
    return None if left or ups else layers
