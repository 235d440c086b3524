"""The JSON of TensorRT's engine inspector as values: what an engine is made of, layer by layer.

`tensorrt_inspect` gets the text from the library. NVIDIA documents no schema, and versions differ, so nothing
is demanded but a JSON object: what has another shape than expected is left out, and what has no place here is
kept under `details`. Sources: TensorRT documentation, "Engine Inspector"; "Migrating IEngineInspector Usage
from TensorRT 10.x to 11.x".
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from dcgan_edge.errors import EdgeError

DTYPES = {  # the library's words -> ours
    "float": "float32", "fp32": "float32", "float32": "float32",
    "half": "float16", "fp16": "float16", "float16": "float16",
    "bf16": "bfloat16", "bfloat16": "bfloat16", "fp8": "float8", "float8": "float8", "fp4": "float4",
    "int64": "int64", "int32": "int32", "int8": "int8", "uint8": "uint8", "int4": "int4", "bool": "bool",
}  # fmt: skip
UNKNOWN_FORMAT = "N/A"  # how the text begins while shapes are not fixed
NODE = re.compile(r"\[ONNX Layer: ([^\]]+)\]")


@dataclass(frozen=True)
class LayerTensor:
    """What a layer reads or writes. Without fixed shapes `dtype` and `format` are "", extents may be -1."""

    name: str
    dtype: str = ""
    format: str = ""
    shape: tuple[int, ...] = ()


@dataclass(frozen=True)
class LayerWeights:
    """`count` numbers that a layer keeps, such as its "Weights" or its "Bias"; `bytes` None if not known."""

    name: str
    dtype: str
    count: int
    bytes: int | None


@dataclass(frozen=True)
class EngineLayer:
    """One layer after fusion. `tactic` is the kernel's name, or its number; `nodes` are the ONNX nodes that
    went into it. Of an engine that was built with layer names only, nothing but `name` is known.
    """

    name: str
    type: str = ""
    tactic: str = ""
    inputs: tuple[LayerTensor, ...] = ()
    outputs: tuple[LayerTensor, ...] = ()
    weights: tuple[LayerWeights, ...] = ()
    nodes: tuple[str, ...] = ()
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class EngineLayers:
    """The whole text: layers in order of execution, and the engine's own inputs and outputs."""

    layers: tuple[EngineLayer, ...]
    tensors: tuple[LayerTensor, ...]
    details: dict[str, Any]


def parse_layers(text: str) -> EngineLayers:
    """The inspector's JSON, of TensorRT 10, 11 or TensorRT-RTX. Raises EdgeError if it is no JSON object."""
    try:
        # control characters separate the names of nodes; what JSON has no number for stays text
        facts = json.loads(text, strict=False, parse_constant=str, parse_float=_number)
    except (ValueError, RecursionError) as error:
        raise EdgeError(f"TensorRT's inspector wrote something that is not JSON ({error}).") from error
    if not isinstance(facts, dict):
        raise EdgeError("TensorRT's inspector wrote JSON that is not an object.")
    layers = tuple(_layers(facts.pop("Layers", None)))
    tensors = _tensors(facts.pop("I/O Tensors", None)) + _tensors(facts.pop("Bindings", None))
    return EngineLayers(layers, tensors, facts)


def _number(text: str) -> float | str:
    value = float(text)
    return value if math.isfinite(value) else text


def _layers(found: Any) -> Iterator[EngineLayer]:
    for entry in found if isinstance(found, list) else ():
        if isinstance(entry, str):
            yield EngineLayer(entry)
        elif isinstance(entry, dict):
            yield _layer(dict(entry))


def _layer(facts: dict[str, Any]) -> EngineLayer:
    weights = tuple(_weights(facts))
    nodes = tuple(NODE.findall(_text(facts.get("Metadata"))))
    if nodes:
        del facts["Metadata"]
    return EngineLayer(
        name=_text(facts.pop("Name", None)),
        type=_text(facts.pop("LayerType", None)),
        tactic=_text(facts.pop("TacticName", None)) or _text(facts.pop("TacticValue", None)),
        inputs=_tensors(facts.pop("Inputs", None)),
        outputs=_tensors(facts.pop("Outputs", None)),
        weights=weights,
        nodes=nodes,
        details=facts,
    )


def _weights(facts: dict[str, Any]) -> Iterator[LayerWeights]:
    """Take out whatever has a type and a count."""
    for key in list(facts):
        value = facts[key]
        if isinstance(value, dict) and isinstance(value.get("Count"), int) and "Type" in value:
            dtype, count = _dtype(_text(value["Type"])), value["Count"]
            yield LayerWeights(key, dtype, count, math.ceil(count * _bits(dtype) / 8) if dtype else None)
            del facts[key]


def _tensors(found: Any) -> tuple[LayerTensor, ...]:
    entries = found if isinstance(found, list) else []
    return tuple(_tensor(entry) for entry in entries if isinstance(entry, str | dict))


def _tensor(facts: str | dict[str, Any]) -> LayerTensor:
    """TensorRT 10 has one text for data type and format, 11 has two; in 10, "Bindings" are mere names."""
    if isinstance(facts, str):
        return LayerTensor(facts)
    both = _text(facts.get("Format/Datatype") or facts.get("Format/DataType") or facts.get("Format"))
    dtype = _text(facts.get("Datatype") or facts.get("DataType"))
    shape = facts.get("Dimensions")
    whole = isinstance(shape, list) and all(isinstance(extent, int) for extent in shape)
    return LayerTensor(
        name=_text(facts.get("Name")),
        dtype=_dtype(dtype or both),
        format="" if both.startswith(UNKNOWN_FORMAT) else both,
        shape=tuple(shape) if isinstance(shape, list) and whole else (),
    )


def _dtype(text: str) -> str:
    """The first word of "Channel major FP16 format" or "Half(64,1:8)" that is a data type, "" if none is."""
    return next((DTYPES[word] for word in re.findall(r"[a-z]+\d*", text.lower()) if word in DTYPES), "")


def _bits(dtype: str) -> int:
    return int(re.sub(r"\D", "", dtype) or 8)  # a bool is a byte


def _text(value: Any) -> str:
    return "" if value is None else str(value)
