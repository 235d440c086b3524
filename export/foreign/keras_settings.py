"""The settings and arrays of one Keras layer, each of the kind that it should be."""

from __future__ import annotations

from typing import Any

from dcgan_edge.errors import ArtifactError
from dcgan_edge.latents import FloatArray
from dcgan_edge.names import shown


def array(weights: dict[str, FloatArray], name: str, shape: tuple[int, ...]) -> FloatArray:
    """Return the array `name` of a layer. Raises ArtifactError unless it is there and of `shape`."""
    found = weights.get(name)
    if found is None or found.shape != shape:
        has = "is missing" if found is None else f"has the shape {found.shape}"
        raise ArtifactError(f"its {name} {has}; its configuration has {shape}")
    return found


def has(config: dict[str, Any], name: str) -> bool:
    """Return whether a layer has what can be left out, such as a bias."""
    return config.get(name, True) is True


def whole(config: dict[str, Any], name: str, least: int = 1) -> int:
    """Return a whole number of a layer's settings. Raises ArtifactError when it is none, or absurd."""
    value = config.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= 2**24:
        raise ArtifactError(f"its {name} is {shown(str(value))}")
    return value


def square(config: dict[str, Any], name: str, *, default: int = 0, least: int = 1) -> int:
    """Return a size. Raises ArtifactError unless it is the same whole number along both axes."""
    value = config.get(name, default)
    sides = value if isinstance(value, list) else [value]
    if len(set(map(str, sides))) != 1:
        raise ArtifactError(f"its {name} {shown(str(value))} is not the same along both axes")
    return whole({name: sides[0]}, name, least)


def number(config: dict[str, Any], name: str, default: float) -> float:
    """Return a number of a layer's settings. Raises ArtifactError when it is none."""
    value = config.get(name, default)
    if isinstance(value, dict):  # Keras 3 writes numpy scalars so
        value = value.get("config", {}).get("value") if isinstance(value.get("config"), dict) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ArtifactError(f"its {name} is {shown(str(value))}")
    return float(value)
