"""What a file says about itself, without running it: manifests, checkpoint headers, an engine's layers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dcgan_edge import safetensors_file
from dcgan_edge.artifact import Manifest, read_artifact, read_file, sha256
from dcgan_edge.errors import ArtifactError, EdgeError
from dcgan_edge.files import StrPath
from dcgan_edge.runtime.tensorrt.inspect import inspect_engine
from dcgan_edge.schema import read_json

CHECKPOINT_KEY = "dcgan_edge"  # in the metadata of a checkpoint's safetensors header


def describe(path: StrPath) -> dict[str, Any]:
    """Return the facts of an artifact or a checkpoint, its hash checked on the way.

    An engine has an `inspector` as well: `available`, and either what TensorRT knows of its layers or
    `because`, the sentence that says why that is not to be had here. It has to be loaded for that.

    Raises UsageError when there is no such file, ArtifactError when it is not one of ours or was changed.
    """
    path = Path(path)
    if path.suffix.lower() == ".safetensors":
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
    data = read_file(path)
    header = safetensors_file.read_header(data, path.name)
    text = safetensors_file.metadata(data, path.name).get(CHECKPOINT_KEY)
    facts = read_json(text, f"The header of {path.name}") if text is not None else None
    if not isinstance(facts, dict):
        raise ArtifactError(f"{path.name} is not a checkpoint of this program.")
    tensors = len(header.keys() - {safetensors_file.METADATA})
    return {"path": str(path), "sha256": sha256(data), "bytes": len(data), **facts, "tensors": tensors}
