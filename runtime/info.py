"""What a file says about itself, without running it: manifests, checkpoint headers, an engine's layers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from dcgan_edge.artifact import Manifest, read_artifact, read_file, sha256
from dcgan_edge.errors import ArtifactError, EdgeError

from .tensorrt.inspect import inspect_engine

CHECKPOINT_KEY = "dcgan_edge"  # in the metadata of a checkpoint's safetensors header
HEADER_LIMIT = 100_000_000  # bytes; the safetensors format allows no more


def describe(path: Path) -> dict[str, Any]:
    """The facts of an artifact or a checkpoint, its hash checked on the way.

    An engine has an `inspector` as well: `available`, and either what TensorRT knows of its layers or
    `because`, the sentence that says why that is not to be had here. It has to be loaded for that.

    Raises UsageError when there is no such file, ArtifactError when it is not one of ours or was changed.
    """
    if path.suffix == ".safetensors":
        return _describe_checkpoint(path)
    manifest, data = read_artifact(path)
    facts = {"path": str(path), **manifest.to_dict()}
    return {**facts, "inspector": _inspect(manifest, data)} if manifest.kind == "engine" else facts


def _inspect(manifest: Manifest, data: bytes) -> dict[str, Any]:
    """The manifest is worth showing wherever the engine itself cannot be loaded: so no error leaves here."""
    try:
        return {"available": True, **inspect_engine(manifest, data).to_dict()}
    except EdgeError as error:
        return {"available": False, "because": str(error)}


def _describe_checkpoint(path: Path) -> dict[str, Any]:
    """Header of a safetensors file: 8 bytes of little-endian length, then JSON, then the tensors."""
    data = read_file(path)
    try:
        length = int.from_bytes(data[:8], "little")
        if not 0 < length <= min(HEADER_LIMIT, len(data) - 8):
            raise ValueError("its header does not fit into the file")
        header = json.loads(data[8 : 8 + length])
        facts = json.loads(header["__metadata__"][CHECKPOINT_KEY])
        tensors = {name: entry["shape"] for name, entry in header.items() if name != "__metadata__"}
        end = max((entry["data_offsets"][1] for name, entry in header.items() if name in tensors), default=0)
        if end != len(data) - 8 - length:
            raise ValueError("it was cut short")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ArtifactError(f"{path.name} is not a checkpoint of this program ({error}).") from error
    return {"path": str(path), "sha256": sha256(data), "bytes": len(data), **facts, "tensors": len(tensors)}
