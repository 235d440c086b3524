"""JSON of strangers read into dataclasses: its size and depth are bounded, and each field's type is checked.

Manifests, records and descriptions of data come from other machines. `read_json` refuses what no program of
ours wrote, `build` gives a typed record or says which field is wrong.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import math
import types
from collections.abc import Mapping
from typing import Any, Literal, NoReturn, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from dcgan_edge.errors import ArtifactError

JSON_LIMIT = 256 * 2**20  # bytes; a record of a long benchmark holds every sample
DEPTH_LIMIT = 64  # lists and objects within each other; ours have six
LONGEST_INTEGER = 40  # digits
Record = TypeVar("Record")


def read_json(text: str | bytes, origin: str, *, limit: int = JSON_LIMIT, depth: int = DEPTH_LIMIT) -> Any:
    """Return the value of the JSON document `text`, in which every number is finite.

    Raises ArtifactError naming `origin` when it is longer than `limit` bytes, is nested deeper than `depth`,
    or is no JSON.
    """
    if len(text) > limit:
        raise ArtifactError(f"{origin} is larger than {limit // 2**20} MiB, which no file of its kind is.")
    try:
        value = json.loads(text, parse_int=_integer, parse_float=_finite, parse_constant=_finite)
        if not _shallow(value, depth):
            raise ValueError(f"it is nested deeper than {depth} levels")
    except RecursionError as error:
        raise ArtifactError(f"{origin} is not sound JSON (it is nested too deep).") from error
    except ValueError as error:
        raise ArtifactError(f"{origin} is not sound JSON ({str(error)[:200]}).") from error
    return value


def build(record: type[Record], facts: Any, where: str = "") -> Record:
    """Return the dataclass `record` made of the JSON object `facts`, every field of the type it is declared.

    Lists become tuples and whole numbers floats where the fields are. Raises ValueError naming the field, its
    value and what was expected; unknown and missing fields as well.
    """
    if not isinstance(facts, dict):
        _refuse(where or record.__name__, facts, "an object")
    hints: dict[str, Any] = _hints(cast(Any, record))
    unknown = sorted(map(str, facts.keys() - hints.keys()))
    if unknown:
        raise ValueError(f"{_inside(where, unknown[0])[:80]} is unknown")
    missing = [
        field.name
        for field in dataclasses.fields(record)  # type: ignore[arg-type]  # dataclasses alone come here
        if field.name not in facts and field.default is field.default_factory is dataclasses.MISSING
    ]
    if missing:
        raise ValueError(f"{_inside(where, missing[0])} is missing")
    return record(**{name: _typed(hints[name], value, _inside(where, name)) for name, value in facts.items()})


def checked(kind: Any, value: Any, where: str) -> Any:
    """Return `value` as the annotation `kind`. Raises ValueError as `build` does, naming it `where`."""
    return _typed(kind, value, where)


def _typed(kind: Any, value: Any, where: str) -> Any:
    """Return `value` if it is of the annotation `kind`, converted where JSON has no such type."""
    origin, parts = get_origin(kind), get_args(kind)
    if kind is Any:
        return value
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return build(kind, value, where)
    if origin is Literal:
        return value if isinstance(value, str) and value in parts else _refuse(where, value, kind)
    if origin in (Union, types.UnionType):
        return _one_of(parts, value, where)
    if origin is tuple:
        return _tuple(parts, value, where)
    if origin in (dict, Mapping):
        if not isinstance(value, dict):
            _refuse(where, value, "an object")
        return {name: _typed(parts[1], entry, _inside(where, str(name))) for name, entry in value.items()}
    if kind is float:
        return float(value) if _is_number(value, (int, float)) else _refuse(where, value, "a number")
    if kind is int:
        return value if _is_number(value, int) else _refuse(where, value, "a whole number")
    if kind is types.NoneType:
        return None if value is None else _refuse(where, value, "null")
    return value if isinstance(value, kind) else _refuse(where, value, f"a {kind.__name__}")


def _one_of(kinds: tuple[Any, ...], value: Any, where: str) -> Any:
    reasons = []
    for kind in kinds:
        try:
            return _typed(kind, value, where)
        except ValueError as error:
            reasons.append(str(error))
    raise ValueError(reasons[0])


def _tuple(parts: tuple[Any, ...], value: Any, where: str) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        _refuse(where, value, "a list")
    kinds = parts[:1] * len(value) if parts[1:] == (...,) else parts
    if len(kinds) != len(value):
        _refuse(where, value, f"a list of {len(kinds)}")
    return tuple(
        _typed(kind, entry, f"{where}[{index}]")
        for index, (kind, entry) in enumerate(zip(kinds, value, strict=True))
    )


@functools.cache
def _hints(record: Any) -> dict[str, Any]:
    return get_type_hints(record)


def _inside(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name


def _refuse(where: str, value: Any, expected: Any) -> NoReturn:
    raise ValueError(f"{where[:80]} is {repr(value)[:60]}, not {expected}")


def _is_number(value: Any, kinds: Any) -> bool:
    return isinstance(value, kinds) and not isinstance(value, bool)


def _integer(text: str) -> int:
    if len(text) > LONGEST_INTEGER:
        raise ValueError(f"a number has {len(text)} digits")
    return int(text)


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:40]} is not a finite number")
    return value


def _shallow(value: Any, depth: int) -> bool:
    """Whether no list or object in `value` lies deeper than `depth`; without recursion."""
    level = [value]
    for _ in range(depth + 1):
        level = [
            entry
            for each in level
            if isinstance(each, list | dict)
            for entry in (each.values() if isinstance(each, dict) else each)
            if isinstance(entry, list | dict)
        ]
        if not level:
            return True
    return False
