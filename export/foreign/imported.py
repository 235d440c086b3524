"""What `import` has to show: the tensors of a file, the layers that they became, where the result lies."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from dcgan_edge.errors import EdgeError
from dcgan_edge.generator_spec import GeneratorSpec
from dcgan_edge.layers import Layer, shapes
from dcgan_edge.runtime.parity import Parity

from .readings import Built


@dataclass(frozen=True)
class LayerRow:
    """One layer of the result: `shape` is that of what it makes, `module` the name that it had in the file,
    "" for what has no tensors.
    """

    index: int
    layer: Layer
    shape: tuple[int, ...]
    module: str

    def to_dict(self) -> dict[str, Any]:
        """Return the row as JSON values."""
        facts = {
            field.name: getattr(self.layer, field.name)
            for field in dataclasses.fields(self.layer)
            if getattr(self.layer, field.name) != field.default
        }
        return {"index": self.index, **facts, "output": list(self.shape), "module": self.module}


@dataclass(frozen=True)
class TensorRow:
    """One tensor of the file, and the layer that it became part of, -1 if it was not recognised."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    layer: int = -1
    kind: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return the row as JSON values."""
        return {**dataclasses.asdict(self), "shape": list(self.shape)}


@dataclass(frozen=True)
class Listing:
    """The tensors of a file; `error` is what makes them no generator, None if they are one."""

    tensors: tuple[TensorRow, ...]
    key: str
    notes: tuple[str, ...]
    others: tuple[str, ...]
    error: EdgeError | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the listing as JSON values."""
        return {
            "tensors": [row.to_dict() for row in self.tensors],
            "key": self.key,
            "notes": list(self.notes),
            "others": list(self.others),
            "recognised": self.error is None,
        }


@dataclass(frozen=True)
class Imported:
    """A generator that came from elsewhere: the checkpoint, what it is, and a picture of 64 samples.

    `parity` is None where nothing was expected of it; then `assumptions` are what to look at the picture for.
    """

    checkpoint: Path
    grid: Path
    spec: GeneratorSpec
    layers: tuple[LayerRow, ...]
    tensors: tuple[TensorRow, ...]
    assumptions: tuple[str, ...]
    notes: tuple[str, ...]
    parity: Parity | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as JSON values."""
        return {
            "checkpoint": str(self.checkpoint),
            "grid": str(self.grid),
            "architecture": dataclasses.asdict(self.spec.architecture),
            "layers": [row.to_dict() for row in self.layers],
            "tensors": [row.to_dict() for row in self.tensors],
            "proof": "assumed" if self.parity is None else "measured",
            "assumptions": list(self.assumptions),
            "notes": list(self.notes),
            "parity": None if self.parity is None else self.parity.to_dict(),
        }


def layer_rows(built: Built, inputs: int) -> tuple[LayerRow, ...]:
    """Return a row for each layer of `built`, which takes (inputs, 1, 1)."""
    names: dict[int, list[str]] = {}
    for module, index in built.homes.items():
        names.setdefault(index, []).append(module)
    made = shapes(built.layers, inputs)
    return tuple(
        LayerRow(index, layer, shape, ", ".join(names.get(index, ())))
        for index, (layer, shape) in enumerate(zip(built.layers, made, strict=True))
    )


def tensor_rows(tensors: dict[str, Tensor], built: Built | None) -> tuple[TensorRow, ...]:
    """Return a row for each tensor of a file, and its layer in `built` if it was recognised."""
    rows = []
    for name, tensor in tensors.items():
        place = built.homes.get(name.rpartition(".")[0], -1) if built else -1
        kind = built.layers[place].kind if built and place >= 0 else ""
        rows.append(TensorRow(name, tuple(tensor.shape), "float32", place, kind))
    return tuple(rows)
