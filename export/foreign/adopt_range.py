"""Which numbers a stranger's images are made of: [-1, 1], [0, 1] or 0 to 255, by its end or measured."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx
from onnx import TensorProto

from dcgan_edge.errors import UsageError
from dcgan_edge.latents import FloatArray

OWN, UNIT, BYTES = (-1.0, 1.0), (0.0, 1.0), (0.0, 255.0)
ENDS = {"Tanh": OWN, "Sigmoid": UNIT}
MOVES = frozenset([
    "Cast", "Flatten", "Gather", "Identity", "Reshape", "Slice", "Squeeze", "Transpose", "Unsqueeze",
])  # fmt: skip
OVERSHOOT = 0.05  # beyond a range that a graph without tanh or sigmoid may leave it


@dataclass(frozen=True)
class Reading:
    """What black and white are, why that was taken, and whether the graph is `certain` never to leave it."""

    low: float
    high: float
    why: str
    certain: bool

    def __str__(self) -> str:
        return f"{self.low:g}..{self.high:g}"

    @property
    def affine(self) -> tuple[float, float]:
        """Return (factor, summand) that bring the images into [-1, 1]."""
        width = self.high - self.low
        return 2.0 / width, -(self.high + self.low) / width


def read_end(model: onnx.ModelProto, output: str, kind: int) -> Reading | None:
    """Return the range that the last operator or the type of the output means; None for others."""
    if kind == TensorProto.UINT8:
        return Reading(*BYTES, "the output is uint8", True)
    made_by = {name: node for node in model.graph.node for name in node.output}
    node = made_by.get(output)
    while node is not None and node.op_type in MOVES:
        node = made_by.get(node.input[0])
    if node is None or node.op_type not in ENDS:
        return None
    return Reading(*ENDS[node.op_type], f"the graph ends in {node.op_type}", True)


def measure(images: FloatArray) -> Reading:
    """Return the range that `images` (n, c, h, w) are in by what they reach.

    Raises UsageError where several are possible, or none.
    """
    low, high = float(images.min()), float(images.max())
    measured = f"measured {low:.3g} to {high:.3g} in {len(images)} images"
    if low >= -8 and 8 < high <= 263:
        return Reading(*BYTES, measured, False)
    if low >= -OVERSHOOT and 0.5 < high <= 1 + OVERSHOOT:
        return Reading(*UNIT, measured, False)
    if -4 <= low < -OVERSHOOT and high <= 4 and np.percentile(np.abs(images), 95) <= 1:
        return Reading(*OWN, measured, False)
    raise UsageError(
        f"The images reach from {low:.3g} to {high:.3g} and the graph ends in neither tanh nor sigmoid; say "
        "what black and white are: --range -1..1, 0..1 or 0..255."
    )
