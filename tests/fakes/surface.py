"""Objects that have exactly the members which NVIDIA's table of one version lists, and fail as those would.

What the table says a call returns decides how it fails when it is told to: False, None, or an exception.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Sequence
from enum import Enum
from pathlib import Path
from typing import Any

from tests.fakes.gpu import Gpu

TABLES = Path(__file__).parent.parent / "contracts" / "tensorrt-api"
VERSIONS = sorted(path.stem for path in TABLES.glob("*.json"))


@functools.cache
def table(version: str) -> dict[str, Any]:
    """NVIDIA's names of `version`, such as "10.3.0" or "rtx-1.7.1.116"."""
    found: dict[str, Any] = json.loads((TABLES / f"{version}.json").read_text())
    return found


@functools.cache
def enums(version: str) -> dict[str, Any]:
    make: Any = Enum  # by a name that mypy does not look into: it wants members written out
    return {name: make(name, members) for name, members in table(version)["enums"].items()}


@functools.cache
def arities(signatures: tuple[str, ...]) -> frozenset[int]:
    """The numbers of arguments that a method with these signatures takes."""
    allowed: set[int] = set()
    for signature in signatures:
        inside = signature[1 : signature.rindex(")")]
        parts = [part for part in re.split(r", (?=\w+:)", inside) if part]
        required = sum("=" not in part for part in parts)
        allowed.update(range(required, len(parts) + 1))
    return frozenset(allowed)


class Library:
    """One imported library: its version's table, its machine, its logger."""

    def __init__(self, gpu: Gpu, version: str) -> None:
        self.gpu = gpu
        self.table = table(version)
        self.is_rtx = version.startswith("rtx")
        self.version = self.table["version"].removeprefix("rtx-")
        self.enums = enums(version)
        self.logger: Any = None

    def log(self, text: str) -> None:
        if self.logger is not None:
            self.logger.log(self.logger.ERROR, text)


class Surface:
    """An object of the library: outside names are those of the version's table, own names begin with `_`."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._gpu = library.gpu
        self._number = library.gpu.current  # of the GPU that it lives on
        self._members = library.table["classes"][type(self).__name__]["members"]
        self._gpu.objects.add(self)

    def __getattribute__(self, name: str) -> Any:
        value = object.__getattribute__(self, "_find")(name) if not name.startswith("_") else None
        return value if value is not None else object.__getattribute__(self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if not name.startswith("_") and name not in self._members:
            raise AttributeError(f"{type(self).__name__} of {self._library.version} has no {name}")
        object.__setattr__(self, name, value)

    def _find(self, name: str) -> Any:
        """A method that counts, checks its arguments and fails when it is told to; None for a property."""
        members = object.__getattribute__(self, "_members")
        if name not in members:
            raise AttributeError(f"{type(self).__name__} of {self._library.version} has no {name}")
        signatures = members[name]
        if not signatures or signatures[0].startswith("->"):
            return None
        method = object.__getattribute__(self, name)
        full_name = f"{type(self).__name__}.{name}"

        def call(*arguments: Any) -> Any:
            if len(arguments) not in arities(tuple(signatures)):
                raise TypeError(f"{full_name}: {len(arguments)} arguments do not fit {signatures}")
            self._gpu.require_current(self._number, full_name)
            failure = failure_of(signatures[0])
            if failure is not None and self._gpu.enter(full_name):
                self._library.log(f"Error Code 1: injected into {full_name}")
                return failure()
            return method(*arguments)

        return call


def failure_of(signature: str) -> Callable[[], Any] | None:
    """How a call with this signature tells that it failed; None when it has no way to."""
    result = signature.rpartition("-> ")[2]
    if result == "bool":
        return lambda: False
    if re.fullmatch(r"(?:nvinfer1::)?I[A-Z]\w+|EngineInspector", result):
        return lambda: None
    if result.lower() == "list[str]":
        return _raise_runtime_error
    return None


def _raise_runtime_error() -> Any:
    raise RuntimeError("shape inference failed")


class Dims:
    """A shape: a sequence, and neither a tuple nor a list."""

    def __init__(self, extents: Sequence[int]) -> None:
        self._extents = tuple(extents)

    def __len__(self) -> int:
        return len(self._extents)

    def __getitem__(self, index: Any) -> Any:
        return self._extents[index]
