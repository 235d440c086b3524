"""Reading a stranger's ONNX file: bounded before it is parsed, its weights brought in from its own folder.

An ONNX file of a few megabytes can ask a parser for gigabytes (millions of empty nodes), claim weights that
it does not hold, or name files anywhere on the disk as its weights. All of that is refused here, before ONNX
Runtime or any other native code is given the graph.
"""

from __future__ import annotations

import math
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from onnx import TensorProto, helper

from dcgan_edge import onnx_file
from dcgan_edge.artifact import METADATA_KEY, sha256
from dcgan_edge.errors import ArtifactError, EdgeError, UsageError
from dcgan_edge.files import StrPath
from dcgan_edge.names import shown

LARGEST_FILE = 2**31 - 1  # bytes: where protobuf ends
MOST_FIELDS = 300_000  # of the message: nodes, their inputs and attributes, tensors
MOST_UNPACKED = 2**28  # bytes that numbers of variable length may become in memory
MESSAGES: dict[str, dict[int, str]] = {  # the fields of each message of onnx.proto that are messages too
    "model": {7: "graph", 8: "opset", 14: "entry", 20: "other", 25: "function"},
    "graph": {1: "node", 5: "tensor", 11: "value", 12: "value", 13: "value", 14: "other", 15: "other"},
    "function": {7: "node", 9: "opset", 11: "attribute", 12: "value"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph"},
    "tensor": {13: "entry"},
    "value": {2: "type"},
    "type": {1: "tensor type"},
    "tensor type": {2: "shape"},
    "shape": {1: "axis"},
}
TEXTS: dict[str, tuple[int, ...]] = {  # their fields of text, which protobuf takes without looking
    "model": (2, 3, 4, 6), "graph": (2, 10), "function": (1, 4, 5, 6, 8, 10, 13), "opset": (1,),
    "entry": (1, 2),
    "node": (1, 2, 3, 4, 6, 7, 8), "attribute": (1, 13, 21), "tensor": (8, 12), "value": (1, 3), "type": (6,),
    "axis": (2, 3),
}  # fmt: skip
VARINTS = {5: 4, 7: 8, 11: 8}  # int32_data, int64_data, uint64_data: bytes of one number in memory
DEEPEST = 12


@dataclass(frozen=True)
class ForeignModel:
    """A file that was read: its name, its hash, and the graph with all its weights."""

    name: str
    sha256: str
    model: onnx.ModelProto


def read_foreign(path: StrPath) -> ForeignModel:
    """Return the ONNX file at `path` with the weights of its external files inside.

    Raises UsageError when there is no such file; ArtifactError when it is not a whole ONNX file, one of this
    program's own, larger than it may be in memory, or has weights outside its folder or beyond a file's end.
    """
    path = Path(path)
    data = _read(path)
    name = shown(path.name)
    _check_size(data, name)
    model = onnx.ModelProto()
    try:
        model.ParseFromString(data)
    except DecodeError as error:
        raise ArtifactError(f"{name} is not a whole ONNX file ({error}).") from error
    if any(each.key == METADATA_KEY for each in model.metadata_props):
        raise ArtifactError(
            f"{name} is an artifact of this program already: dcgan-edge sample, bench or build."
        )
    if not model.graph.node or not model.graph.output:
        raise ArtifactError(f"{name} holds no graph with an output.")
    digest = sha256(data)
    del data
    _bring_in(model, path)
    for tensor in _tensors(model):
        _check_tensor(tensor)
    return ForeignModel(name, digest, model)


def _read(path: Path) -> bytes:
    try:
        facts = path.stat()
        if not stat.S_ISREG(facts.st_mode):
            raise UsageError(f"{path} is not a file.")
        if facts.st_size > LARGEST_FILE:
            raise ArtifactError(
                f"{shown(path.name)} has {facts.st_size:,} bytes; an ONNX file ends at {LARGEST_FILE:,}."
            )
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError, ValueError) as error:
        raise UsageError(f"There is no file {path}.") from error
    except OSError as error:
        raise EdgeError(f"Cannot read {path}: {error.strerror or error}.") from error


def _check_size(data: bytes, name: str) -> None:
    """Raise ArtifactError unless `data` is a message that is not much larger in memory than on disk."""
    try:
        _count(memoryview(data), "model", [MOST_FIELDS, MOST_UNPACKED], 0)
    except _TooMuchError as error:
        raise ArtifactError(f"{name} {error}; no generator has so much.") from error
    except ValueError as error:
        raise ArtifactError(f"{name} is not a whole ONNX file ({error}).") from error


class _TooMuchError(Exception):
    pass


def _count(data: memoryview, message: str, left: list[int], depth: int) -> None:
    """Take the fields of `data` off the budget `left`: [fields, bytes]. Raises _TooMuchError at its end."""
    if depth > DEEPEST:
        raise _TooMuchError("has graphs within graphs")
    for number, _, value in onnx_file.fields(data):
        left[0] -= 1
        if message == "tensor" and number in VARINTS:
            left[1] -= len(value) * VARINTS[number]
        elif message == "attribute" and number in (7, 8):
            left[1] -= len(value) * 8
        if min(left) < 0:
            raise _TooMuchError("asks for more memory than a generator's graph takes")
        if number in TEXTS.get(message, ()):
            str(value, "utf-8")
        if number in MESSAGES.get(message, ()):
            _count(value, MESSAGES[message][number], left, depth + 1)


def _tensors(model: onnx.ModelProto) -> Iterator[TensorProto]:
    yield from model.graph.initializer
    for nodes in (model.graph.node, *(function.node for function in model.functions)):
        for node in nodes:
            for item in node.attribute:
                if item.HasField("t"):
                    yield item.t


def _check_tensor(tensor: TensorProto) -> None:
    """Raise ArtifactError unless the tensor holds as many numbers as its shape says."""
    name = tensor.name[:80]
    if tensor.data_type in (TensorProto.UNDEFINED, TensorProto.STRING) or tensor.HasField("segment"):
        raise ArtifactError(f"The tensor {name!r} is of a type that no generator has.")
    if any(size < 0 for size in tensor.dims):
        raise ArtifactError(f"The tensor {name!r} has a negative size.")
    if tensor.HasField("raw_data"):
        expected = _bytes(tensor)
        if len(tensor.raw_data) != expected:
            raise ArtifactError(
                f"The tensor {name!r} claims {expected:,} bytes and holds {len(tensor.raw_data):,}."
            )
        return
    held = max(
        len(field)
        for field in (tensor.float_data, tensor.int32_data, tensor.int64_data, tensor.double_data,
                      tensor.uint64_data)
    )  # fmt: skip
    if held < math.prod(tensor.dims) // 2:  # a byte may hold two numbers of four bits
        raise ArtifactError(
            f"The tensor {name!r} claims {math.prod(tensor.dims):,} numbers and holds {held:,}."
        )


def _bytes(tensor: TensorProto) -> int:
    """The bytes that a tensor's shape and type ask for."""
    count: int = math.prod(tensor.dims)
    try:
        kind = helper.tensor_dtype_to_np_dtype(tensor.data_type)
    except (KeyError, ValueError) as error:
        raise ArtifactError(f"The tensor {tensor.name[:80]!r} has an unknown type.") from error
    packed = TensorProto.DataType.Name(tensor.data_type) in ("INT4", "UINT4", "FLOAT4E2M1")
    width: int = np.dtype(kind).itemsize
    return -(-count // 2) if packed else count * width


def _bring_in(model: onnx.ModelProto, path: Path) -> None:
    """Read the weights that lie in files beside the model into it."""
    total = model.ByteSize()
    folder = Path(os.path.realpath(path.parent))
    for tensor in _tensors(model):
        if tensor.data_location != TensorProto.EXTERNAL:
            continue
        facts = {entry.key: entry.value for entry in tensor.external_data}
        expected = _bytes(tensor)
        total += expected
        if total > LARGEST_FILE:
            raise ArtifactError(
                f"With its weights {path.name} has more than the {LARGEST_FILE:,} bytes of one file."
            )
        tensor.raw_data = _external(folder, facts, tensor.name[:80], expected)
        tensor.data_location = TensorProto.DEFAULT
        del tensor.external_data[:]


def _external(folder: Path, facts: dict[str, str], name: str, expected: int) -> bytes:
    """Return the bytes of a weight. Raises ArtifactError unless they lie whole in a file of `folder`."""
    location = facts.get("location", "")
    target = Path(os.path.realpath(folder / location)) if "\0" not in location else folder
    inside = target.is_relative_to(folder) and target != folder
    if not location or Path(location).is_absolute() or ".." in Path(location).parts or not inside:
        raise ArtifactError(
            f"The weight {name!r} is said to lie in {shown(location)!r}, outside the model's own folder. "
            "Nothing there was read."
        )
    try:
        offset, length = int(facts.get("offset", 0)), int(facts.get("length", expected))
        status = target.stat()
        if not stat.S_ISREG(status.st_mode):
            raise ArtifactError(f"The weight {name!r} lies in {shown(location)!r}, which is not a file.")
        if length != expected or offset < 0 or offset + expected > status.st_size:
            raise ArtifactError(
                f"The weight {name!r} claims {expected:,} bytes from {offset:,} of {shown(location)!r}, "
                f"which has {status.st_size:,}."
            )
        with open(target, "rb") as file:
            file.seek(offset)
            return file.read(expected)
    except ValueError as error:
        raise ArtifactError(f"The place of the weight {name!r} is not a number.") from error
    except OSError as error:
        raise ArtifactError(
            f"The weights of this model lie in {shown(location)!r}, which cannot be read: "
            f"{error.strerror or error}. Copy it beside the model."
        ) from error
