"""Artifacts on disk: a file, its manifest beside it, and the checks before anything in it is deserialised.

Every artifact `x` has its manifest beside it as `x.json`. ONNX files carry the same facts inside
(`onnx_file`), and the two must agree; engines stay pure, so that any TensorRT program loads them. A file's
hash is checked first: `read_artifact` hands out the very bytes that were checked.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dcgan_edge import onnx_file
from dcgan_edge.architecture import Architecture
from dcgan_edge.errors import ArtifactError, UsageError
from dcgan_edge.files import read_file, sha256, write_atomic
from dcgan_edge.held_file import HeldFile
from dcgan_edge.manifest import (
    LAYOUTS,
    MANIFEST_LIMIT,
    OUTPUTS,
    SCHEMA_VERSION,
    TARGETS,
    BatchProfile,
    Cost,
    Golden,
    Kind,
    Layout,
    Manifest,
    Output,
    Precision,
    Target,
    TensorSpec,
    Verification,
    file_stem,
    file_suffix,
    generator_tensors,
)
from dcgan_edge.schema import read_json

__all__ = [
    "LAYOUTS", "OUTPUTS", "SCHEMA_VERSION", "TARGETS", "Architecture", "Artifact", "BatchProfile", "Cost",
    "Golden", "Kind", "Layout", "Manifest", "Output", "Precision", "Target", "TensorSpec", "Verification",
    "embed_manifest", "file_stem", "file_suffix", "generator_tensors", "golden_path", "held_artifact",
    "read_artifact", "read_file", "sha256", "sidecar_path", "write_artifact",
]  # fmt: skip
SUFFIX_KINDS: dict[str, Kind] = {".onnx": "onnx", ".engine": "engine"}
METADATA_KEY = "dcgan_edge.manifest"  # in an ONNX file's metadata_props


@dataclass(frozen=True)
class Artifact:
    """A file that was written or read, and what is known of it."""

    path: Path
    manifest: Manifest

    def to_dict(self) -> dict[str, Any]:
        """Return the manifest's facts with the file's `path`."""
        return {"path": str(self.path), **self.manifest.to_dict()}


def sidecar_path(path: Path) -> Path:
    """Return where the manifest of the artifact at `path` lies."""
    return path.with_name(path.name + ".json")


def golden_path(path: Path) -> Path:
    """Return where the golden images of the artifact at `path` lie (see `golden`)."""
    return path.with_name(path.name + ".golden.gz")


def write_artifact(path: Path, data: bytes, manifest: Manifest, *, golden: bytes | None = None) -> Manifest:
    """Put `data` at `path`, its sealed manifest and the file of its `golden` images beside it, each
    atomically; return the sealed manifest.

    If the program dies in between, the file does not match the manifest and is refused, never misread.
    """
    sealed = manifest.sealed(data)
    if golden is not None:
        write_atomic(golden_path(path), golden)
    write_atomic(path, data)
    write_atomic(sidecar_path(path), sealed.to_json().encode())
    return sealed


def read_artifact(path: Path) -> tuple[Manifest, bytes]:
    """Return the manifest of `path` and its content, after the content's hash was found to match.

    An ONNX file may stand alone: its own metadata holds the facts and the digest of its graph. Where it has a
    sidecar as well, both must say the same.

    Raises UsageError when there is no such file; ArtifactError when the file is of another kind, truncated,
    changed, or an engine without a manifest (an engine is code: it is loaded only with its provenance).
    """
    kind = _kind(path)
    data = read_file(path)
    return _checked(path, kind, data), data


@contextlib.contextmanager
def held_artifact(path: Path) -> Iterator[tuple[Manifest, HeldFile]]:
    """Yield the manifest of `path` and the file, checked as `read_artifact` does and held for as long.

    Raises what `read_artifact` raises, and at the end what `HeldFile.close` raises.
    """
    kind = _kind(path)
    with HeldFile(path) as file:
        yield _checked(path, kind, file.view()), file


def embed_manifest(data: bytes, manifest: Manifest) -> bytes:
    """Return the ONNX file `data` with `manifest` and a digest of both in its metadata_props."""
    facts = manifest.to_dict()
    entry = {"digest": _digest(data, facts), "manifest": facts}
    return onnx_file.with_metadata(data, {METADATA_KEY: json.dumps(entry, sort_keys=True)})


def _kind(path: Path) -> Kind:
    """Return the kind of artifact that the name of `path` says it is."""
    kind = SUFFIX_KINDS.get(path.suffix.lower())
    if kind is None:
        if not path.exists():
            raise UsageError(f"There is no file {path}.")
        raise ArtifactError(f"{path} is not an artifact of this program; those end in .onnx or .engine.")
    return kind


def _checked(path: Path, kind: Kind, data: bytes | memoryview) -> Manifest:
    """Return the manifest of `path`, whose content is `data`, once it was found to be about that."""
    sidecar = sidecar_path(path)
    manifest = None
    if os.path.isfile(sidecar):  # noqa: PTH113  # its name may be too long, and pathlib would raise
        manifest = Manifest.from_json(read_file(sidecar), sidecar.name)
        if manifest.sha256 != sha256(data):
            raise ArtifactError(
                f"{path.name} is not the file that {sidecar.name} describes: it was changed, cut short or "
                "exchanged. Copy both again, or export again."
            )
    elif kind == "engine":
        raise ArtifactError(
            f"{path.name} has no manifest {sidecar.name} beside it, and an engine is code. Copy the manifest "
            "too, or build it here: dcgan-edge export CHECKPOINT --format engine."
        )
    if kind == "onnx":
        if onnx_file.has_external_data(data, path.name):  # a library would read any file of this machine
            raise ArtifactError(f"{path.name} has weights in other files, and none of this program's has.")
        embedded = _embedded_manifest(path.name, data)
        if manifest is not None and manifest.about_content() != embedded.about_content():
            raise ArtifactError(
                f"{sidecar.name} does not say of {path.name} what the file says of itself: one was changed. "
                "Copy both again, or export again."
            )
        manifest = manifest or embedded.sealed(data)
    if manifest is None or manifest.kind != kind:
        described = manifest.kind if manifest else "nothing"
        raise ArtifactError(f"{path.name} is described as {described} by its manifest.")
    return manifest


def _embedded_manifest(name: str, data: bytes | memoryview) -> Manifest:
    """The manifest that the ONNX file `data` carries, once its digest was found to match."""
    text = onnx_file.metadata(data, name).get(METADATA_KEY)
    if text is None:
        raise ArtifactError(
            f"{name} is an ONNX file of another program. Export it from a checkpoint: dcgan-edge export."
        )
    entry = read_json(text, f"The metadata of {name}", limit=MANIFEST_LIMIT)
    if not isinstance(entry, dict) or not {"digest", "manifest"} <= entry.keys():
        raise ArtifactError(f"The metadata of {name} is damaged.")
    if entry["digest"] != _digest(data, entry["manifest"]):
        raise ArtifactError(f"{name} was changed after it was exported. Copy it again, or export again.")
    return Manifest.from_facts(entry["manifest"], name)


def _digest(data: bytes | memoryview, facts: dict[str, Any]) -> str:
    """SHA-256 of an ONNX file's graph and of the facts it carries about itself."""
    return sha256((onnx_file.content_digest(data) + json.dumps(facts, sort_keys=True)).encode())
