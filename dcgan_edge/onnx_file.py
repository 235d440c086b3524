"""The outermost layer of an ONNX file, read without the onnx package.

An ONNX file is one protobuf message. Its fields are read here far enough to list and replace the
metadata_props and to hash everything else, which is what a device needs to trust a file that stands alone.
Source: onnx.proto (ModelProto, StringStringEntryProto); protobuf wire format, "Message structure".
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import TypeVar

from dcgan_edge.errors import ArtifactError

GRAPH = 7
METADATA_PROPS = 14
VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5  # wire types
EXTERNAL_DATA = 13  # of a tensor: where else its values are
MESSAGES = {  # fields by the kind of message that they hold, as far as tensors are within
    "model": {GRAPH: "graph", 20: "training", 25: "function"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {},
}
Data = TypeVar("Data", bytes, memoryview)


def metadata(data: bytes | memoryview, name: str = "The file") -> dict[str, str]:
    """Return the metadata_props of an ONNX file. Raises ArtifactError when `data` is not a whole one."""
    props: dict[str, str] = {}
    try:
        found = list(fields(memoryview(data)))  # weights are not copied
        if GRAPH not in (number for number, _, _ in found):
            raise ValueError("no graph")
        for number, _, value in found:
            if number == METADATA_PROPS:
                entry = {key: bytes(text).decode() for key, _, text in fields(value)}
                props[entry[1]] = entry.get(2, "")
    except (ValueError, KeyError, IndexError) as error:
        raise ArtifactError(f"{name} is not a whole ONNX file ({error}).") from error
    return props


def has_external_data(data: bytes | memoryview, name: str = "The file") -> bool:
    """Return whether a tensor anywhere in an ONNX file has its values in another file, which a library may
    then read, wherever it is. Raises ArtifactError when `data` is not a whole ONNX file.
    """
    left: list[tuple[str, memoryview]] = [("model", memoryview(data))]
    try:
        while left:
            kind, message = left.pop()
            for number, _, value in fields(message):
                if kind == "tensor" and number == EXTERNAL_DATA:
                    return True
                if number in MESSAGES[kind]:
                    left.append((MESSAGES[kind][number], value))
    except ValueError as error:
        raise ArtifactError(f"{name} is not a whole ONNX file ({error}).") from error
    return False


def content_digest(data: bytes | memoryview) -> str:
    """Return the SHA-256 of every field except metadata_props: the graph, its weights, opset and producer."""
    digest = hashlib.sha256()
    for number, raw, _ in fields(memoryview(data)):
        if number != METADATA_PROPS:
            digest.update(raw)
    return digest.hexdigest()


def with_metadata(data: bytes, props: dict[str, str]) -> bytes:
    """Return `data` with its metadata_props replaced by `props`, all other bytes as they were."""
    kept = [raw for number, raw, _ in fields(data) if number != METADATA_PROPS]
    return b"".join(kept) + b"".join(
        _message(METADATA_PROPS, _message(1, key.encode()) + _message(2, value.encode()))
        for key, value in sorted(props.items())
    )


def fields(data: Data) -> Iterator[tuple[int, Data, Data]]:
    """Yield (field number, the field's raw bytes, its value's bytes). Raises ValueError when cut short."""
    position = 0
    while position < len(data):
        start = position
        tag, position = varint(data, position)
        number, wire_type = tag >> 3, tag & 7
        if wire_type == LENGTH:
            length, position = varint(data, position)
        elif wire_type == VARINT:
            length = varint(data, position)[1] - position
        elif wire_type in (FIXED64, FIXED32):
            length = 8 if wire_type == FIXED64 else 4
        else:
            raise ValueError(f"wire type {wire_type} at byte {start}")
        if number == 0 or position + length > len(data):
            raise ValueError(f"field {number} at byte {start} does not fit")
        yield number, data[start : position + length], data[position : position + length]
        position += length


def varint(data: bytes | memoryview, position: int) -> tuple[int, int]:
    """Decode a base-128 varint: (value, position after it)."""
    value = 0
    for shift in range(0, 70, 7):
        if position >= len(data):
            raise ValueError("cut short")
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
    raise ValueError("a number is too long")


def _message(number: int, payload: bytes) -> bytes:
    """Encode one length-delimited field."""
    return _encode_varint(number << 3 | LENGTH) + _encode_varint(len(payload)) + payload


def _encode_varint(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])
