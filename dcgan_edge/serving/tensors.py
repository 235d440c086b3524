"""Requests and answers of the Open Inference Protocol, version 2, as bytes: JSON, and JSON with binary
tensors.

Free of any web framework. Sources: Open Inference Protocol, "REST API" (kserve/open-inference-protocol);
Triton Inference Server, "Binary Tensor Data Extension".
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from dcgan_edge.artifact import Manifest, TensorSpec
from dcgan_edge.errors import ArtifactError, UsageError
from dcgan_edge.images import ImageArray
from dcgan_edge.latents import FloatArray
from dcgan_edge.schema import read_json
from dcgan_edge.serving.answers import check_count, check_finite
from dcgan_edge.serving.models import VERSION, Limits, Model

DATATYPES = {"float32": "FP32", "uint8": "UINT8"}
JSON_TYPE, BINARY_TYPE = "application/json", "application/octet-stream"
LENGTH_HEADER = "Inference-Header-Content-Length"
LONGEST_ID = 1000  # characters
REFUSED = ("shared_memory_region", "classification")  # parameters that change what is meant
PLATFORMS = {"onnxruntime": "onnxruntime_onnx", "openvino": "openvino", "tensorrt": "tensorrt_plan"}


@dataclass(frozen=True)
class Inference:
    """A request that was read: the latents, the client's own name for it, and whether it takes bytes."""

    latents: FloatArray
    id: str | None
    binary: bool


def model_metadata(model: Model) -> dict[str, Any]:
    """Return what `/v2/models/NAME` says: the tensors of the artifact, with -1 where the batch goes."""
    manifest = model.worker.manifest
    backend = model.worker.facts.backend
    return {
        "name": model.name,
        "versions": [VERSION],
        "platform": PLATFORMS.get(backend, backend),
        "inputs": [_described(spec) for spec in manifest.inputs],
        "outputs": [_described(spec) for spec in manifest.outputs],
    }


def read_inference(body: bytes, header_length: str | None, manifest: Manifest, limits: Limits) -> Inference:
    """Read an inference request: all of `body` as JSON, or its first `header_length` bytes, and then tensors.

    Raises UsageError, in a sentence that names what is wrong, for tensors that the artifact does not have,
    for another shape or type, for sizes that do not agree, and for what is not supported.
    """
    length = len(body) if header_length is None else _length(header_length, len(body))
    try:
        facts = read_json(body[:length], "The request", limit=limits.body)
    except ArtifactError as error:
        raise UsageError(str(error)) from error
    if not isinstance(facts, dict):
        raise UsageError("The request is an object with the list `inputs`.")
    source = manifest.inputs[0]
    named = facts.get("inputs")
    if not (isinstance(named, list) and len(named) == 1 and isinstance(named[0], dict)):
        raise UsageError(f"The request has exactly one input, {source.name}.")
    latents = _read_tensor(named[0], body[length:], source, limits)
    check_finite(latents)
    name = facts.get("id")
    if not (name is None or (isinstance(name, str) and len(name) <= LONGEST_ID)):
        raise UsageError(f"An id is a text of at most {LONGEST_ID} characters.")
    return Inference(latents, name, _wants_binary(facts, manifest.outputs[0].name))


def write_inference(
    model: Model, inference: Inference, images: ImageArray
) -> tuple[str, bytes, Mapping[str, str]]:
    """Return the media type, the body and the headers of the answer: `images` as JSON or as bytes."""
    result = model.worker.manifest.outputs[0]
    tensor: dict[str, Any] = {
        "name": result.name, "datatype": DATATYPES[result.dtype], "shape": list(images.shape)
    }  # fmt: skip
    answer: dict[str, Any] = {"model_name": model.name, "model_version": VERSION, "outputs": [tensor]}
    if inference.id is not None:
        answer["id"] = inference.id
    if not inference.binary:
        tensor["data"] = images.ravel().tolist()
        return JSON_TYPE, json.dumps(answer).encode(), {}
    data = np.ascontiguousarray(images).astype(images.dtype.newbyteorder("<"), copy=False).tobytes()
    tensor["parameters"] = {"binary_data_size": len(data)}
    header = json.dumps(answer).encode()
    return BINARY_TYPE, header + data, {LENGTH_HEADER: str(len(header))}


def _described(spec: TensorSpec) -> dict[str, Any]:
    shape = [-1 if isinstance(length, str) else length for length in spec.shape]
    return {"name": spec.name, "datatype": DATATYPES[spec.dtype], "shape": shape}


def _length(text: str, size: int) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 20 and int(text) <= size):
        raise UsageError(f"{LENGTH_HEADER} is the length of the JSON at the start of the body.")
    return int(text)


def _read_tensor(facts: dict[str, Any], binary: bytes, source: TensorSpec, limits: Limits) -> FloatArray:
    """Return the one input, float32 of the shape that `source` has."""
    if facts.get("name") != source.name or facts.get("datatype") != "FP32":
        raise UsageError(f"The one input is {source.name}, of datatype FP32.")
    shape, inner = facts.get("shape"), source.shape[1:]
    if not (isinstance(shape, list) and all(type(each) is int for each in shape) and len(shape) > 0):
        raise UsageError("The shape of an input is a list of whole numbers.")
    if tuple(shape[1:]) != inner:
        raise UsageError(f"{source.name} has the shape {[-1, *inner]}, not {shape[:8]}.")
    check_count(shape[0], limits)
    parameters = _parameters(facts)
    count = math.prod(shape)
    if "binary_data_size" in parameters:
        if parameters["binary_data_size"] != 4 * count or len(binary) != 4 * count or "data" in facts:
            raise UsageError(f"{shape} in FP32 are {4 * count} bytes of binary data behind the JSON, alone.")
        return np.frombuffer(binary, "<f4").astype(np.float32).reshape(shape)
    if binary:
        raise UsageError("There are bytes behind the JSON that no input has as its binary_data_size.")
    try:
        data = np.asarray(facts.get("data"), np.float64)
    except (ValueError, TypeError) as error:
        raise UsageError(f"The data of {source.name} are numbers, row by row.") from error
    if data.size != count or data.ndim == 0:
        raise UsageError(f"{shape} has {count} numbers, not {data.size}.")
    with np.errstate(over="ignore"):
        return data.astype(np.float32).reshape(shape)


def _wants_binary(facts: dict[str, Any], result: str) -> bool:
    """Whether the one output is wanted as bytes: as itself says, or else as the request says of all."""
    default = _parameters(facts).get("binary_data_output", False)
    outputs = facts.get("outputs")
    if outputs is None or outputs == []:
        return bool(default)
    if not (isinstance(outputs, list) and len(outputs) == 1 and isinstance(outputs[0], dict)):
        raise UsageError(f"There is one output, {result}.")
    if outputs[0].get("name") != result:
        raise UsageError(f"The one output is {result}.")
    return bool(_parameters(outputs[0]).get("binary_data", default))


def _parameters(facts: dict[str, Any]) -> dict[str, Any]:
    parameters = facts.get("parameters", {})
    if not isinstance(parameters, dict):
        raise UsageError("Parameters are an object.")
    for name in REFUSED:
        if parameters.get(name):
            raise UsageError(f"The parameter {name} is not supported here.")
    return parameters
