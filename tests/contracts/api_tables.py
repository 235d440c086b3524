"""The committed tables of NVIDIA's bindings (written by `make_api_table.py`), and questions to them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
LABELS = {  # the versions that are supported, as the code calls them
    "10.3": "10.3.0",
    "10.13": "10.13.3.9",
    "10.16": "10.16.1.11",
    "11.4": "11.4.0.106",
    "rtx": "rtx-1.7.1.116",
}
SPELLINGS = {"IParserError": "ParserError", "IBuilder": "Builder"}  # C++ names in the bindings' docstrings
VALUES = {
    *("int", "float", "bool", "str", "bytes", "memoryview", "ndarray", "None"),
    *("capsule", "CapsuleType", "SupportsInt", "SupportsFloat", "buffer", "Buffer"),
}


@dataclass(frozen=True)
class Parameter:
    name: str
    type: str
    required: bool


@dataclass(frozen=True)
class Signature:
    """One overload: "(flags: int = 0) -> INetworkDefinition". A property has no parameters."""

    parameters: tuple[Parameter, ...]
    result: str
    is_property: bool

    @classmethod
    def parse(cls, text: str) -> Signature:
        arguments, _, result = text.rpartition("-> ")
        return cls(tuple(_parameters(arguments.strip()[1:-1])), _spelling(result), not arguments)

    def takes(self, positional: int, keywords: set[str]) -> bool:
        """Whether a call with so many positional arguments and these keywords fits."""
        if positional > len(self.parameters):
            return False
        rest = self.parameters[positional:]
        return keywords <= {p.name for p in rest} and {p.name for p in rest if p.required} <= keywords


@dataclass(frozen=True)
class Api:
    """The tables of several versions of one library, by label."""

    tables: Mapping[str, Mapping[str, Any]]

    @classmethod
    def committed(cls) -> Api:
        return cls({label: load("tensorrt-api", version) for label, version in LABELS.items()})

    @cached_property
    def labels(self) -> frozenset[str]:
        return frozenset(self.tables)

    def only(self, labels: frozenset[str]) -> Api:
        return Api({label: table for label, table in self.tables.items() if label in labels})

    def with_name(self, name: str) -> frozenset[str]:
        """The versions whose module has `name`, of whatever kind."""
        kinds = ("enums", "classes", "names")
        return frozenset(x for x, table in self.tables.items() if any(name in table[kind] for kind in kinds))

    def is_enum(self, name: str) -> bool:
        return any(name in table["enums"] for table in self.tables.values())

    def is_class(self, name: str) -> bool:
        return any(name in table["classes"] for table in self.tables.values())

    def with_member(self, owner: str, name: str) -> frozenset[str]:
        """The versions whose class or enum `owner` has `name`."""
        return frozenset(
            label
            for label, table in self.tables.items()
            if name in table["enums"].get(owner, ()) or any(name in c["members"] for c in _mro(table, owner))
        )

    def signatures(self, owner: str, name: str) -> dict[str, list[Signature]]:
        """The overloads of a member in each version that has it; empty where the bindings state none."""
        found = {}
        for label, table in self.tables.items():
            for cls in _mro(table, owner):
                if name in cls["members"]:
                    found[label] = [Signature.parse(text) for text in cls["members"][name]]
                    break
        return found

    def related(self, one: str, other: str) -> bool:
        """Whether one class derives from the other in some version."""
        return any(
            one in _names(table, other) or other in _names(table, one) for table in self.tables.values()
        )


def load(folder: str, version: str) -> dict[str, Any]:
    table: dict[str, Any] = json.loads((FOLDER / folder / f"{version}.json").read_text())
    return table


def _mro(table: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    return [table["classes"][cls] for cls in _names(table, name)]


def _names(table: Mapping[str, Any], name: str | None) -> list[str]:
    """The class and its bases, nearest first."""
    names: list[str] = []
    while name is not None and name in table["classes"]:
        names.append(name)
        name = table["classes"][name]["base"]
    return names


def _parameters(text: str) -> Iterator[Parameter]:
    for part in re.split(r", (?=\w+: )", text) if text else ():
        name, _, rest = part.partition(": ")
        kind, default, _ = rest.partition(" = ")
        yield Parameter(name, _spelling(kind), not default)


def _spelling(name: str) -> str:
    name = name.strip()
    return SPELLINGS.get(name, name)
